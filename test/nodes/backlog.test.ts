import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Box, SubscriptionInfo } from '../../src/index.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, saidBy, useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const ITEMS = 3000;
const flow = (fields: object): object[] => [
  { id: 'f', type: 'tab', label: 'test' },
  { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true },
  { id: 'sub', type: 'lanpost subscribe', configVersion: 2, box: 'box', filter: '#', from: 'start', durable: true, reader: 'late', rate: '0', changes: false, z: 'f', wires: [['out']], ...fields },
  { id: 'out', type: 'helper', z: 'f' },
  { id: 'confirm', type: 'lanpost ack', action: 'ack', delay: '', z: 'f', wires: [[]] },
];

/** A reader that was away while all this was published. */
async function behind(): Promise<Box> {
  const box = await openBox();
  await box.subscribe('#', { durable: 'late', from: 'start' }).close();
  await Promise.all(Array.from({ length: ITEMS }, (_, n) => box.publish('a', n)));
  return box;
}
const late = async (box: Box): Promise<SubscriptionInfo | undefined> => (await box.subscriptions.list()).find(({ name }) => name === 'late');

// What lies in memory of a backlog is bounded by what is in flight, however long it is and however slow the flow.
it('of a backlog, at most 64 are on their way into a flow that takes one after the other', async () => {
  const box = await behind();
  await load(flow({}), { lanpost: { box } });
  let sent = 0;
  let came = 0;
  let most = 0;
  const looked: Promise<SubscriptionInfo | undefined>[] = [];
  flows.getNode('sub').on('call:send', () => { most = Math.max(most, ++sent - came); });
  const all = new Promise<void>((resolve) => {
    flows.getNode('out').on('input', () => {
      if (came++ % 100 === 0) looked.push(late(box));
      if (came === ITEMS) resolve();
    });
  });
  await all;
  expect(most).toBeLessThanOrEqual(64);
  expect(Math.max(...(await Promise.all(looked)).map((info) => info?.unconfirmed ?? Number.NaN))).toBeLessThanOrEqual(64);
  await expect.poll(() => late(box)).toMatchObject({ pending: 0, unconfirmed: 0 });
  expect({ sent, came }).toEqual({ sent: ITEMS, came: ITEMS });
});

it.each([
  ['not confirmed', { ack: 'manual', inFlight: '2' }, /^2 unacked, waiting, 10 queued/],
  ['more than its pace lets through', { rate: '1', rateOf: 'all' }, /^received \d+, \d+ queued/],
])('of what has come since it began and is %s, the status says how much waits', async (_case, fields, words) => {
  const box = await openBox();
  await load(flow({ ...fields, from: 'new' }), { lanpost: { box } });
  await saidBy(flows, 'sub', /^received 0/);
  for (let n = 0; n < 10; n++) await box.publish('a', n);
  await expect(saidBy(flows, 'sub', words)).resolves.toMatch(words);
});

it('and of one that confirms by lanpost ack, no more than it may have in flight', async () => {
  const box = await behind();
  await load(flow({ ack: 'manual', inFlight: '8' }), { lanpost: { box } });
  const came = collect(flows.getNode('out'));
  for (let confirmed = 0; confirmed < ITEMS; confirmed += 8) {
    const held = [];
    while (held.length < Math.min(8, ITEMS - confirmed)) held.push(await came.next());
    for (let turn = 0; turn < 3; turn++) await nextTurn();
    expect(came.all).toHaveLength(confirmed + held.length);
    for (const msg of held) flows.getNode('confirm').receive(msg);
  }
  await expect.poll(() => late(box)).toMatchObject({ pending: 0, unconfirmed: 0 });
});
