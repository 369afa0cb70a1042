import { mkdtemp, readdir, rm } from 'node:fs/promises';
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

async function withFlows(flows: readonly object[], use: (running: Awaited<ReturnType<typeof startFlows>>, dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'lanpost-flow-'));
  const running = await startFlows(dir, flows);
  try {
    await use(running, dir);
  } finally {
    await running.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

it('a field takes the properties of a subflow, another for each instance', async () => {
  await withFlows(FLOW, async (running) => {
    await expect.poll(() => running.all('came'), { timeout: 20_000 }).toEqual(['plant/line1 line1', 'plant/line2 line2']);
    await expect.poll(() => running.all('own').map(String).toSorted(), { timeout: 20_000 }).toEqual(['line1,plant/line1', 'line2,plant/line2']);
  });
});

it('a box in a subflow is another for each instance, in the directory that its property names; a field takes the properties of its group', async () => {
  await withFlows([
    { id: 'f', type: 'tab', label: 'test' },
    { id: 'lines', type: 'subflow', name: 'line', info: '', env: env('none'), in: [{ x: 1, y: 1, wires: [{ id: 'inner' }] }], out: [] },
    { id: 'its box', type: 'lanpost box', z: 'lines', mode: 'own', dir: 'data of ${LINE}', boxName: '${LINE}', link: false },
    { id: 'inner', type: 'lanpost publish', z: 'lines', box: 'its box', topic: 'of/${LINE}', itemId: '', contentType: '', wires: [] },
    { id: 'reads', type: 'lanpost subscribe', configVersion: 2, z: 'lines', box: 'its box', filter: '#', from: 'start', durable: false, reader: '', changes: false, wires: [['tell']] },
    { id: 'tell', type: 'function', z: 'lines', func: "global.get('say')({ own: [env.get('LINE'), msg.topic] });", outputs: 0, wires: [] },
    instance('one', 'line1'), instance('two', 'line2'),
    { id: 'hall', type: 'group', z: 'f', name: '', env: [{ name: 'HALL', type: 'str', value: 'hall7' }], nodes: ['in hall'] },
    { id: 'box', type: 'lanpost box', mode: 'own', dir: 'data', boxName: '', link: false },
    { id: 'in hall', type: 'lanpost publish', z: 'f', g: 'hall', box: 'box', topic: '${HALL}/door', itemId: '', contentType: '', wires: [] },
    { id: 'sub', type: 'lanpost subscribe', configVersion: 2, box: 'box', filter: '#', from: 'start', durable: false, reader: '', changes: false, z: 'f', wires: [['say']] },
    { id: 'say', type: 'function', z: 'f', func: "global.get('say')({ came: msg.topic });", outputs: 0, wires: [] },
    { id: 'source', type: 'inject', z: 'f', props: [{ p: 'payload' }], once: true, onceDelay: 0.1, payload: '1', payloadType: 'num', wires: [['one', 'two', 'in hall']] },
  ], async (running, dir) => {
    await expect.poll(() => running.all('own').map(String).toSorted(), { timeout: 20_000 }).toEqual(['line1,of/line1', 'line2,of/line2']);
    await expect.poll(() => running.all('came'), { timeout: 20_000 }).toEqual(['hall7/door']);
    const made = await readdir(dir);
    expect(made.filter((name) => name.startsWith('data')).toSorted()).toEqual(['data', 'data of line1', 'data of line2']);
  });
});
