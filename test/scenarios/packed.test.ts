import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFlows } from '../support/flow-process.ts';
import { ROOT } from '../support/root.ts';

const MB = 2 ** 20;
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

/** As the palette manager installs it: with npm alone, from the file that is published. */
describe('the packed package, installed into a Node-RED', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-packed-'));
  const userDir = join(dir, 'user');
  const installed = join(userDir, 'node_modules/lanpost');
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|LANPOST_|VITEST|NODE_(?!EXTRA_CA_CERTS))/.test(name)));

  beforeAll(() => {
    // What packs builds: not beside whoever reads what is built here.
    const source = join(dir, 'source');
    cpSync(ROOT, source, { recursive: true, filter: (path) => !/^(node_modules|dist|\.git)$/.test(relative(ROOT, path)) });
    symlinkSync(join(ROOT, 'node_modules'), join(source, 'node_modules'));
    execFileSync('npm', ['pack', '--silent', '--pack-destination', dir], { cwd: source, env });
    const [tarball = ''] = readdirSync(dir).filter((name) => name.endsWith('.tgz'));
    mkdirSync(userDir);
    writeFileSync(join(userDir, 'package.json'), '{ "name": "node-red-project", "version": "0.0.1", "private": true }');
    execFileSync('npm', ['install', '--silent', '--prefer-offline', '--no-audit', '--no-fund', join(dir, tarball)], { cwd: userDir, env, timeout: 200_000 });
  }, 240_000);
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it('takes less than 15 MB with all it depends on, and brings no Node-RED of its own', () => {
    const size = sizeOf(join(userDir, 'node_modules'));
    console.info(`installed: ${(size / MB).toFixed(1)} MB, of which lanpost ${(sizeOf(installed) / MB).toFixed(1)} MB`);
    expect(size).toBeLessThan(15 * MB);
    expect(existsSync(join(userDir, 'node_modules/node-red'))).toBe(false);
  });

  it('has the declarations of all that it exports', () => {
    const missing: string[] = [];
    const seen = new Set<string>();
    const look = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      if (!existsSync(file)) return void missing.push(relative(installed, file));
      for (const [, path = ''] of readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) look(join(dirname(file), path.replace(/\.(js|ts)$/, '.d.ts')));
    };
    look(join(installed, 'dist/src/index.d.ts'));
    expect(missing).toEqual([]);
    expect(seen.size).toBeGreaterThan(10);
  });

  it('has the nodes that a flow finds, and they work', async () => {
    const flow = await startFlows(userDir, FLOW);
    try {
      expect(await flow.said.wait((line) => 'got' in line)).toEqual({ got: ['plant/temp', 21.5] });
      console.info(`works in Node-RED ${nodeRed.version} on Node ${process.version}`);
      expect(flow.all('warned').filter((text) => /lanpost/i.test(String(text)))).toEqual([]);
    } finally {
      await flow.stop();
    }
  });
});
