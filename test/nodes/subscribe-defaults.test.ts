// A lanpost subscribe as its dialog saves it when nothing is changed in it.
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, type FlowNode, saidBy, useFlows } from './flow-kit.ts';
import { pageOf } from './node-fields.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);

/** What the dialog saves of itself. */
function defaults(): Record<string, unknown> {
  const [, written = ''] = /\n {4}defaults: (\{\n[^]*?\n {4}\}),/.exec(pageOf('lanpost-subscribe')) ?? [];
  const fields = runInNewContext(`(${written})`) as Record<string, { readonly value: unknown }>;
  return Object.fromEntries(Object.entries(fields).map(([name, { value }]) => [name, value]));
}
const flow = (changed: object): object[] => [
  { id: 'f', type: 'tab', label: 'test' }, { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true },
  { ...defaults(), id: 'sub', type: 'lanpost subscribe', box: 'box', filter: '#', z: 'f', wires: [['out']], ...changed }, { id: 'out', type: 'helper', z: 'f' },
];

/** How many messages the node sends in each turn of the event loop. */
function sentInTurns(node: FlowNode): { readonly most: () => number; readonly all: () => number; end(): void } {
  const turns = [0];
  let going = true;
  const next = (): void => {
    turns.push(0);
    if (going) setImmediate(next);
  };
  setImmediate(next);
  const send = node.send.bind(node);
  node.send = (msg) => {
    turns[turns.length - 1] = (turns.at(-1) ?? 0) + 1;
    send(msg);
  };
  return { most: () => Math.max(...turns), all: () => turns.reduce((sum, one) => sum + one, 0), end: () => { going = false; } };
}

it('begins with the last value of a topic that keeps only the newest, and with nothing else that was there', async () => {
  const box = await openBox();
  await box.topics.create('state', { lane: 'latest' });
  for (const value of ['off', 'on']) await box.publish('state', value);
  await box.publish('history', 'before');
  await load(flow({}), { lanpost: { box } });
  const came = collect(flows.getNode('out'));
  expect(await came.next()).toMatchObject({ topic: 'state', payload: 'on', retained: true });
  await saidBy(flows, 'sub', /^received 1$/);
  await box.publish('history', 'now');
  expect(await came.next()).toMatchObject({ topic: 'history', payload: 'now', retained: false });
  expect(await box.subscriptions.list()).toEqual([]);
});

it('gives what was there before at 500 a second', async () => {
  const box = await openBox();
  await Promise.all(Array.from({ length: 500 }, (_, n) => box.publish('a', n)));
  await load(flow({ from: 'start' }), { lanpost: { box } });
  const came = collect(flows.getNode('out'));
  await came.next();
  const began = performance.now();
  while (came.all.length < 500) await came.next();
  // 499 of them, of which 20 ms may be ahead. No test claims how much longer a busy machine takes.
  expect(performance.now() - began).toBeGreaterThan(950);
  expect(defaults()).toMatchObject({ rate: '500', rateOf: 'backlog' });
});

it('has 64 in flight when the flow confirms', async () => {
  const box = await openBox();
  await Promise.all(Array.from({ length: 100 }, (_, n) => box.publish('a', n)));
  await load(flow({ from: 'start', durable: true, ack: 'manual', rate: '0' }), { lanpost: { box } });
  expect(await saidBy(flows, 'sub', /unacked, waiting/)).toMatch(/^64 unacked, waiting, 100 queued/);
  expect((await box.subscriptions.list())[0]).toMatchObject({ unconfirmed: 64, pending: 100 });
});

it.each([
  ['items', { from: 'start', rate: '0', ack: 'manual', inFlight: '1000' }],
  ['last values', { rate: '0' }],
])('gives the rest of the process a turn after 64 %s', async (what, changed) => {
  const box = await openBox();
  const count = 640;
  await box.topics.create('a', { lane: what === 'items' ? 'history' : 'latest', maxItems: count });
  await Promise.all(Array.from({ length: count }, (_, n) => box.publish('a', n, { id: `${n}` })));
  const all = flow(changed);
  await load(all.slice(0, 2), { lanpost: { box } });
  await flows.setFlows(all, 'flows');
  const sent = sentInTurns(flows.getNode('sub'));
  await expect.poll(sent.all).toBe(count);
  sent.end();
  expect(sent.most()).toBeLessThanOrEqual(64);
});
