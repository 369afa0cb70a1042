import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFlows } from '../support/flow-process.ts';
import { installPacked, type Packed } from '../support/packed.ts';

const MB = 1e6;
const FLOW = [
  { id: 'f', type: 'tab', label: 'installed' },
  { id: 'box', type: 'lanpost box', mode: 'own', dir: 'data', boxName: '', link: false },
  { id: 'source', type: 'inject', z: 'f', props: [{ p: 'payload' }], once: true, onceDelay: 0.1, payload: '21.5', payloadType: 'num', wires: [['pub']] },
  { id: 'pub', type: 'lanpost publish', box: 'box', topic: 'plant/temp', contentType: '', z: 'f' },
  { id: 'sub', type: 'lanpost subscribe', configVersion: 2, box: 'box', filter: '#', from: 'start', durable: false, reader: '', ack: 'auto', inFlight: '64', rate: '0', changes: false, z: 'f', wires: [['say']] },
  { id: 'say', type: 'function', z: 'f', func: "global.get('say')({ got: [msg.topic, msg.payload] });", outputs: 0, wires: [] },
];
const nodeRed = createRequire(import.meta.url)('node-red/package.json') as { readonly version: string };
const sizeOf = (dir: string): number => readdirSync(dir, { recursive: true, withFileTypes: true }).reduce((sum, one) => (one.isFile() ? sum + statSync(join(one.parentPath, one.name)).size : sum), 0);

describe('the packed package, installed into a Node-RED', () => {
  let packed: Packed;
  beforeAll(() => { packed = installPacked(); }, 240_000);
  afterAll(() => packed?.[Symbol.dispose]());

  it('takes less than 15 MB with all it depends on, and brings no Node-RED of its own', () => {
    const size = sizeOf(join(packed.userDir, 'node_modules'));
    console.info(`installed: ${(size / MB).toFixed(1)} MB, of which lanpost ${(sizeOf(packed.installed) / MB).toFixed(1)} MB`);
    expect(size).toBeLessThan(15 * MB);
    expect(existsSync(join(packed.userDir, 'node_modules/node-red'))).toBe(false);
  });

  it('has the declarations of all that it exports', () => {
    const missing: string[] = [];
    const seen = new Set<string>();
    const look = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      if (!existsSync(file)) return void missing.push(relative(packed.installed, file));
      for (const [, path = ''] of readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) look(join(dirname(file), path.replace(/\.(js|ts)$/, '.d.ts')));
    };
    look(join(packed.installed, 'dist/src/index.d.ts'));
    expect(missing).toEqual([]);
    expect(seen.size).toBeGreaterThan(10);
  });

  it('has the nodes that a flow finds, and they work', async () => {
    const flow = await startFlows(packed.userDir, FLOW);
    try {
      expect(await flow.said.wait((line) => 'got' in line)).toEqual({ got: ['plant/temp', 21.5] });
      console.info(`works in Node-RED ${nodeRed.version} on Node ${process.version}`);
      expect(flow.all('warned').filter((text) => /lanpost/i.test(String(text)))).toEqual([]);
    } finally {
      await flow.stop();
    }
  });
});
