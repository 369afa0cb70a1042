import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startFlows } from '../support/flow-process.ts';

const env = (value: string): object[] => [{ name: 'LINE', type: 'str', value }];
const instance = (id: string, line: string): object => ({ id, type: 'subflow:lines', z: 'f', name: '', env: env(line), x: 1, y: 1, wires: [] });
const FLOW = [
  { id: 'f', type: 'tab', label: 'test' },
  { id: 'box', type: 'lanpost box', mode: 'own', dir: 'data', boxName: '', link: false },
  { id: 'lines', type: 'subflow', name: 'line', info: '', env: env('none'), in: [{ x: 1, y: 1, wires: [{ id: 'inner' }] }], out: [] },
  { id: 'inner', type: 'lanpost publish', z: 'lines', box: 'box', topic: 'plant/${LINE}', itemId: '${LINE}', contentType: '', wires: [] },
  // Durable, and each with a place of its own.
  { id: 'own', type: 'lanpost subscribe', configVersion: 2, z: 'lines', box: 'box', filter: 'plant/${LINE}', from: 'start', durable: 'true', reader: 'of ${LINE}', changes: false, wires: [['tell']] },
  { id: 'tell', type: 'function', z: 'lines', func: "global.get('say')({ own: [env.get('LINE'), msg.topic] });", outputs: 0, wires: [] },
  instance('one', 'line1'), instance('two', 'line2'),
  { id: 'source', type: 'inject', z: 'f', props: [{ p: 'payload' }], once: true, onceDelay: 0.1, payload: '1', payloadType: 'num', wires: [['one', 'two']] },
  { id: 'sub', type: 'lanpost subscribe', configVersion: 2, box: 'box', filter: '#', from: 'start', durable: false, reader: '', changes: false, z: 'f', wires: [['say']] },
  { id: 'say', type: 'function', z: 'f', func: "global.get('say')({ came: `${msg.topic} ${msg.id}` });", outputs: 0, wires: [] },
];

it('a field takes the properties of a subflow, another for each instance', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'lanpost-flow-'));
  const running = await startFlows(dir, FLOW);
  try {
    await expect.poll(() => running.all('came'), { timeout: 20_000 }).toEqual(['plant/line1 line1', 'plant/line2 line2']);
    await expect.poll(() => running.all('own').map(String).toSorted(), { timeout: 20_000 }).toEqual(['line1,plant/line1', 'line2,plant/line2']);
  } finally {
    await running.stop();
    await rm(dir, { recursive: true, force: true });
  }
});
