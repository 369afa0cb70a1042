import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createBox } from '../../src/index.ts';
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

interface Noted { readonly what: string; readonly all: Set<unknown> }

/** Sends to each of three nodes; each tells when it is done. */
const SENT = `
const run = env.get('RUN');
if (run === '') return;
let n = 0;
context.set('timer', setInterval(() => {
  const payload = run + '-' + n++;
  node.send([{ payload }, { payload }, { topic: 't/' + payload }]);
}, 4));
`;
const doneOf = (id: string, what: string, of = 'payload'): object[] => [
  { id: `${id} done`, type: 'complete', scope: [id], z: 'f', wires: [[`say ${what}`]] },
  { id: `say ${what}`, type: 'function', z: 'f', func: `global.get('say')({ ${what}: msg.${of} });`, outputs: 0, wires: [] },
];
const SENDERS = [
  { id: 'f', type: 'tab', label: 'killed' },
  { id: 'box', type: 'lanpost box', mode: 'own', dir: 'data', boxName: 'me', link: false },
  { id: 'source', type: 'function', z: 'f', func: '', initialize: SENT, outputs: 3, wires: [['pub'], ['send'], ['topic']] },
  { id: 'pub', type: 'lanpost publish', configVersion: 3, prefer: 'node', box: 'box', topic: 'k', contentType: '', until: 'delivered', reader: 'sub', z: 'f' }, ...doneOf('pub', 'delivered'),
  { id: 'sub', type: 'lanpost subscribe', configVersion: 2, box: 'box', filter: 'k', from: 'start', durable: true, reader: '', ack: 'manual', inFlight: '64', rate: '0', changes: false, z: 'f', wires: [['slow']] },
  // So that it has been accepted long before.
  { id: 'slow', type: 'function', z: 'f', func: 'setTimeout(() => node.send(msg), 50);', outputs: 1, wires: [['say got']] }, say('say got', 'got', ['confirm']),
  { id: 'confirm', type: 'lanpost ack', action: 'ack', delay: '', z: 'f', wires: [[]] },
  { id: 'send', type: 'lanpost message out', box: 'box', to: 'link:me', until: 'accepted', z: 'f' }, ...doneOf('send', 'sent'),
  { id: 'in', type: 'lanpost message in', configVersion: 2, box: 'box', from: '', reader: '', begin: 'start', z: 'f', wires: [['say heard']] }, say('say heard', 'heard', []),
  { id: 'topic', type: 'lanpost topic', box: 'box', topic: '', action: 'create', deploy: false, lane: '', key: '', maxItems: '7', accessModel: '', settings: '', z: 'f', wires: [[]] }, ...doneOf('topic', 'made', 'topic'),
  { id: 'keep', type: 'lanpost topic', box: 'box', topic: 'k', action: 'set', deploy: true, lane: '', key: '', maxItems: '100000', accessModel: '', settings: '', z: 'f', wires: [[]] },
];

it('a SIGKILL loses no message that was done, no topic, and no item that was done when its reader had it', async () => {
  const [delivered, got, sent, heard, made] = ['delivered', 'got', 'sent', 'heard', 'made'].map((what) => ({ what, all: new Set<unknown>() })) as [Noted, Noted, Noted, Noted, Noted];
  const note = (): void => { for (const { what, all } of [delivered, got, sent, heard, made]) for (const one of running?.all(what) ?? []) all.add(one); };
  for (let run = 0; run < 3; run++) {
    running = await startFlows(dir, SENDERS, { env: { RUN: `${run}` } });
    await expect.poll(() => ['delivered', 'sent', 'made'].map((what) => (running?.all(what).length ?? 0) > 200), { timeout: 40_000, interval: 20 }).toEqual([true, true, true]);
    await running.kill();
    note();
    // Its reader has confirmed it, and so has had it.
    expect([...delivered.all].filter((one) => !got.all.has(one))).toEqual([]);
  }
  running = await startFlows(dir, SENDERS, { env: { RUN: '' } });
  await expect.poll(() => {
    note();
    return [...sent.all].filter((one) => !heard.all.has(one)).length;
  }, { timeout: 40_000, interval: 50 }).toBe(0);
  await running.stop();
  const box = await createBox({ dir: join(dir, 'data'), name: 'me', link: false });
  try {
    const topics = new Map((await box.topics.list('t/#')).map(({ name, maxItems }) => [name, maxItems]));
    expect([...made.all].filter((one) => topics.get(String(one)) !== 7)).toEqual([]);
    const kept = new Set<unknown>();
    const reader = box.subscribe('k', { from: 'start' });
    for (let left = (await box.topics.get('k'))?.items ?? 0; left > 0; left--) {
      const { value } = await reader.next();
      if (value?.kind === 'item') kept.add(value.value);
      else left++;
    }
    await reader.close();
    expect([...delivered.all].filter((one) => !kept.has(one))).toEqual([]);
  } finally {
    await box.close();
  }
}, 240_000);

it('what the flow was handed before the last moment does not come again after a SIGKILL, what it was not handed does', async () => {
  const [PER_SECOND, ITEMS] = [40, 400];
  const box = await createBox({ dir: join(dir, 'data'), name: 'me', link: false });
  for (let n = 0; n < ITEMS; n++) await box.publish('k', n);
  await box.close();
  const held = [
    { id: 'f', type: 'tab', label: 'killed' }, { id: 'box', type: 'lanpost box', mode: 'own', dir: 'data', boxName: 'me', link: false },
    { id: 'sub', type: 'lanpost subscribe', configVersion: 2, box: 'box', filter: 'k', from: 'start', last: 'none', durable: true, reader: '', ack: 'auto', rate: '${RATE}', rateOf: 'all', changes: false, z: 'f', wires: [['hold']] },
    // It is told of, and goes nowhere.
    { id: 'hold', type: 'function', z: 'f', func: "global.get('say')({ got: [msg.payload, msg.lanpost.redelivered] });", outputs: 0, wires: [] },
  ];
  const got = (): [number, boolean][] => (running?.all('got') ?? []) as [number, boolean][];
  const numbers = (): number[] => got().map(([n]) => n);
  running = await startFlows(dir, held, { env: { RATE: `${PER_SECOND}` } });
  await expect.poll(() => numbers().length, { timeout: 60_000, interval: 20 }).toBeGreaterThan(PER_SECOND * 5);
  await running.kill();
  const handed = numbers();
  expect(handed).toEqual(handed.map((_, n) => n));
  running = await startFlows(dir, held, { env: { RATE: '0' } });
  await expect.poll(() => numbers().at(-1), { timeout: 40_000 }).toBe(ITEMS - 1);
  const [first = -1] = numbers();
  // All that is new, in order, and before it what was handed out a moment before: a second, and what a busy machine needs to write it.
  expect(numbers()).toEqual(Array.from({ length: ITEMS - first }, (_, n) => first + n));
  expect(first).toBeLessThanOrEqual(handed.length);
  expect(first).toBeGreaterThan(handed.length - PER_SECOND * 2);
  const again = got().filter(([n]) => n < handed.length);
  expect(again.map(([, redelivered]) => redelivered)).toEqual(again.map(() => true));
  await running.stop();
}, 240_000);
