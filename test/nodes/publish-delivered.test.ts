// `lanpost publish`, done when a reader has the item.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Delivery } from '../../src/index.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const helper = (id: string): object => ({ id, type: 'helper', z: 'f' });
const flow = (more: object = {}, env: object[] = []): object[] => [
  { id: 'f', type: 'tab', label: 'test', env }, { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', link: false },
  { id: 'pub', type: 'lanpost publish', box: 'box', topic: 't', until: 'delivered', reader: 'w', z: 'f', ...more },
  { id: 'on done', type: 'complete', scope: ['pub'], z: 'f', wires: [['completed']] }, helper('completed'),
  { id: 'on error', type: 'catch', scope: null, z: 'f', wires: [['caught']] }, helper('caught'),
];
const given = async (reader: AsyncIterator<Delivery>): Promise<Delivery> => {
  const step = await reader.next();
  if (step.done) throw new Error('ended early');
  return step.value;
};

it('is done when the reader has confirmed the item, and not before', async () => {
  const box = await openBox();
  await using reader = box.subscribe('t', { durable: 'w', from: 'start', ack: 'manual' });
  await reader.ready;
  await load(flow(), { lanpost: { box } });
  const completed = collect(flows.getNode('completed'));
  for (const payload of [1, 2]) flows.getNode('pub').receive({ payload });
  const [one, two] = [await given(reader), await given(reader)];
  await nextTurn();
  expect(completed.all).toEqual([]);
  two.ack();
  expect((await completed.next()).payload).toBe(2);
  one.ack();
  expect((await completed.next()).payload).toBe(1);
});

it('a repeat of what the reader has already is done, too', async () => {
  const box = await openBox();
  await using reader = box.subscribe('t', { durable: 'w', from: 'start', ack: 'manual' });
  await reader.ready;
  await load(flow(), { lanpost: { box } });
  const [completed, caught] = [collect(flows.getNode('completed')), collect(flows.getNode('caught'))];
  for (const payload of ['one', 'one', 'last']) {
    flows.getNode('pub').receive({ payload, id: payload });
    if (completed.all.length === 0 || payload === 'last') (await given(reader)).ack();
    await completed.next();
  }
  expect([completed.all.length, caught.all]).toEqual([3, []]);
});

it('what the reader does not get goes to Catch, with a code and words that say which', async () => {
  const box = await openBox();
  await using reader = box.subscribe('t', { durable: 'w', from: 'start', ack: 'manual', maxDeliveries: 1 });
  await reader.ready;
  await load(flow(), { lanpost: { box } });
  const caught = collect(flows.getNode('caught'));
  flows.getNode('pub').receive({ payload: 'bad' });
  (await given(reader)).nack();
  // It is put aside when its turn comes again.
  const left = given(reader);
  expect(await caught.next()).toMatchObject({ payload: 'bad', error: { message: expect.stringContaining('put aside'), code: 'refused' } });
  flows.getNode('pub').receive({ payload: 'left' });
  await left;
  await reader.close();
  await box.subscriptions.drop('w');
  expect(await caught.next()).toMatchObject({ payload: 'left', error: { code: 'dropped' } });
  flows.getNode('pub').receive({ payload: 'nobody' });
  expect(await caught.next()).toMatchObject({ payload: 'nobody', error: { code: 'not-found' } });
  expect(await box.items('t')).toHaveLength(2);
});

it('is told to be unknown when the flow is deployed again; the item is there', async () => {
  const box = await openBox();
  await using reader = box.subscribe('t', { durable: 'w', from: 'start', ack: 'manual' });
  await reader.ready;
  await load(flow(), { lanpost: { box } });
  const errors: unknown[] = [];
  flows.getNode('pub').on('call:error', (call: { args: unknown[] }) => { errors.push(call.args[0]); });
  flows.getNode('pub').receive({ payload: 1 });
  const item = await given(reader);
  await flows.getNode('pub').close(true);
  expect(errors.map(String)).toEqual([expect.stringContaining('before this was known to be delivered')]);
  expect(item).toMatchObject({ value: 1 });
});

it('more than may wait are on the disk all the same', async () => {
  const box = await openBox();
  await using reader = box.subscribe('t', { durable: 'w', from: 'start', ack: 'manual' });
  await reader.ready;
  await load(flow(), { lanpost: { box } });
  const caught = collect(flows.getNode('caught'));
  for (let n = 0; n < 10_500; n++) {
    flows.getNode('pub').receive({ payload: n });
    if (n % 100 === 0) await nextTurn();
  }
  for (let n = 0; n < 500; n++) expect((await caught.next()).error).toMatchObject({ code: 'busy' });
  expect((await box.topics.get('t'))?.items).toBeGreaterThan(0);
  expect(await box.subscriptions.list()).toMatchObject([{ pending: 10_500 }]);
});

it.each([
  ['nobody is named', { reader: ' ' }, 'fill in the home'],
  ['it is neither', { until: 'perhaps' }, 'until is "perhaps"'],
  ['it is published at a peer', { at: 'desk' }, 'leave out follow'],
])('goes to Catch when %s', async (_, more, words) => {
  const box = await openBox();
  await using reader = box.subscribe('t', { durable: 'w', from: 'start' });
  await reader.ready;
  await load(flow(more), { lanpost: { box } });
  const caught = collect(flows.getNode('caught'));
  flows.getNode('pub').receive({ payload: 1 });
  expect((await caught.next()).error).toMatchObject({ message: expect.stringContaining(words) });
});

it('takes both from the flow\'s own properties', async () => {
  const box = await openBox();
  await using reader = box.subscribe('t', { durable: 'w', from: 'start' });
  await reader.ready;
  await load(flow({ until: '${UNTIL}', reader: '${WHO}' }, [{ name: 'UNTIL', value: 'delivered', type: 'str' }, { name: 'WHO', value: 'w', type: 'str' }]), { lanpost: { box } });
  const completed = collect(flows.getNode('completed'));
  flows.getNode('pub').receive({ payload: 1 });
  await given(reader);
  void given(reader).catch(() => undefined);
  expect((await completed.next()).payload).toBe(1);
});
