import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type FlowProcess, startFlows } from '../support/flow-process.ts';

let dir: string;
let running: FlowProcess | undefined;
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'lanpost-flow-')); });
afterEach(async () => {
  await running?.kill();
  running = undefined;
  await rm(dir, { recursive: true, force: true });
});

const SOURCE = `
const run = env.get('RUN');
if (run === '') return;
let n = 0;
const timer = setInterval(() => { for (let i = 0; i < 4; i++) node.send({ payload: run + '-' + n++ }); }, 2);
context.set('timer', timer);
`;
const say = (id: string, what: string, wires: string[]): object => ({ id, type: 'function', z: 'f', func: `global.get('say')({ ${what}: msg.payload }); return msg;`, outputs: 1, wires: [wires] });
const FLOW = [
  { id: 'f', type: 'tab', label: 'killed' },
  { id: 'box', type: 'lanpost box', mode: 'own', dir: 'data', boxName: '', link: false },
  { id: 'source', type: 'function', z: 'f', func: '', initialize: SOURCE, outputs: 1, wires: [['pub']] },
  { id: 'pub', type: 'lanpost publish', box: 'box', topic: 'k', contentType: '', z: 'f' },
  { id: 'on done', type: 'complete', scope: ['pub'], z: 'f', wires: [['say done']] }, say('say done', 'done', []),
  { id: 'sub', type: 'lanpost subscribe', configVersion: 2, box: 'box', filter: 'k', from: 'start', durable: true, reader: '', ack: 'manual', inFlight: '64', rate: '0', changes: false, z: 'f', wires: [['say got']] },
  say('say got', 'got', ['confirm']),
  { id: 'confirm', type: 'lanpost ack', action: 'ack', delay: '', z: 'f', wires: [['say acked']] }, say('say acked', 'acked', []),
];

it('a SIGKILL in the middle of a flow loses nothing that was done', async () => {
  const done = new Set<unknown>();
  const handled = new Set<unknown>();
  for (let run = 0; run < 3; run++) {
    running = await startFlows(dir, FLOW, { env: { RUN: `${run}` } });
    await expect.poll(() => running?.all('done').length, { timeout: 40_000, interval: 20 }).toBeGreaterThan(500);
    await running.kill();
    for (const one of running.all('done')) done.add(one);
    for (const one of running.all('acked')) handled.add(one);
  }
  running = await startFlows(dir, FLOW, { env: { RUN: '' } });
  const missing = (): unknown[] => {
    for (const one of running?.all('acked') ?? []) handled.add(one);
    return [...done].filter((one) => !handled.has(one));
  };
  await expect.poll(() => missing().length, { timeout: 40_000, interval: 50 }).toBe(0);
  expect(done.size).toBeGreaterThan(1500);
  await running.stop();
}, 240_000);
