import { describe, expect, it } from 'vitest';
import type { Box } from '../../src/index.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, saidBy, useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const tab = { id: 'f', type: 'tab', label: 'test' };
const config = { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true };
const helper = (id: string): object => ({ id, type: 'helper', z: 'f' });
const subscribe = { id: 'sub', type: 'lanpost subscribe', configVersion: 2, box: 'box', filter: 'a', from: 'start', durable: true, reader: '', ack: 'manual', inFlight: 3, changes: false, z: 'f', wires: [['out']] };
const flow = (ack: object = {}, more: object = {}): object[] => [
  tab, config, { ...subscribe, ...more }, helper('out'),
  { id: 'confirm', type: 'lanpost ack', action: 'ack', delay: '', z: 'f', wires: [['after']], ...ack }, helper('after'),
  { id: 'on done', type: 'complete', scope: ['confirm'], z: 'f', wires: [['completed']] }, helper('completed'),
  { id: 'on error', type: 'catch', scope: null, z: 'f', wires: [['caught']] }, helper('caught'),
];
const opened = async (count: number): Promise<Box> => {
  const box = await openBox();
  for (let n = 0; n < count; n++) await box.publish('a', n);
  return box;
};
const pending = async (box: Box): Promise<unknown> => (await box.subscriptions.list()).map((one) => one.pending);

describe('lanpost ack', () => {
  it('confirms what went through JSON, and what comes next comes then', async () => {
    const box = await opened(5);
    await load(flow(), { lanpost: { box } });
    const [came, after] = [collect(flows.getNode('out')), collect(flows.getNode('after'))];
    const handed = [await came.next(), await came.next(), await came.next()];
    expect(handed[0]?.lanpost).toEqual({ topic: 'a', id: handed[0]?.id, contentType: 'application/json', node: 'sub', subscription: 'sub', epoch: expect.any(String), seq: expect.any(Number), recordId: expect.any(String), redelivered: false });
    await saidBy(flows, 'sub', /^3 unacked, waiting/);
    for (const msg of handed) flows.getNode('confirm').receive(JSON.parse(JSON.stringify({ ...msg, changed: true })) as object);
    expect(await after.next()).toMatchObject({ payload: 0, changed: true });
    expect([(await came.next()).payload, (await came.next()).payload]).toEqual([3, 4]);
    expect(await pending(box)).toEqual([2]);
  });

  it('confirms what a Node-RED hands on at once, in the same turn', async () => {
    const box = await opened(5);
    await load([...flow().filter((node) => (node as { id: string }).id !== 'sub'), { ...subscribe, wires: [['confirm']] }], { lanpost: { box }, runtimeSyncDelivery: true });
    const [completed, caught] = [collect(flows.getNode('completed')), collect(flows.getNode('caught'))];
    for (let n = 0; n < 5; n++) await completed.next();
    await expect.poll(() => pending(box)).toEqual([0]);
    expect(caught.all).toEqual([]);
  });

  it('gives back, and after a while it comes again, marked', async () => {
    const box = await opened(2);
    await load(flow({ action: 'message' }), { lanpost: { box } });
    const came = collect(flows.getNode('out'));
    const [first, second] = [await came.next(), await came.next()];
    flows.getNode('confirm').receive({ ...first, action: 'nack', delay: 30 });
    flows.getNode('confirm').receive({ ...second });
    const again = await came.next();
    expect(again).toMatchObject({ payload: 0, lanpost: { redelivered: true } });
    flows.getNode('confirm').receive({ ...again, action: 'ack' });
    await collect(flows.getNode('completed')).next();
    await expect.poll(() => pending(box)).toEqual([0]);
  });

  it('what is confirmed needs no word more; parts of a message that was split may all say it', async () => {
    const box = await opened(1);
    await load(flow({ action: 'message' }), { lanpost: { box } });
    const [msg, completed, caught] = [await collect(flows.getNode('out')).next(), collect(flows.getNode('completed')), collect(flows.getNode('caught'))];
    for (let part = 0; part < 3; part++) flows.getNode('confirm').receive({ ...msg, payload: part });
    for (let part = 0; part < 3; part++) await completed.next();
    flows.getNode('confirm').receive({ ...msg, action: 'nack' });
    expect((await caught.next()).error).toMatchObject({ message: expect.stringContaining('confirmed already') });
  });

  it('several that a join has made one', async () => {
    const box = await opened(3);
    await load(flow(), { lanpost: { box } });
    const came = collect(flows.getNode('out'));
    const all = [await came.next(), await came.next(), await came.next()];
    flows.getNode('confirm').receive({ payload: all.map((msg) => msg.payload), lanpost: all.map((msg) => msg.lanpost) });
    await collect(flows.getNode('completed')).next();
    expect(await pending(box)).toEqual([0]);
  });

  it('a last value is in no need of it, and goes on', async () => {
    const box = await opened(0);
    await load(flow(), { lanpost: { box } });
    const completed = collect(flows.getNode('completed'));
    flows.getNode('confirm').receive({ payload: 1, retained: true, lanpost: { topic: 'a', id: 'x', retained: true } });
    expect(await completed.next()).toMatchObject({ payload: 1 });
  });

  it('after a deployment the same record may be confirmed by who got it before', async () => {
    const box = await opened(1);
    await load(flow(), { lanpost: { box } });
    const before = await collect(flows.getNode('out')).next();
    await flows.setFlows(flow());
    const again = await collect(flows.getNode('out')).next();
    expect(again).toMatchObject({ payload: 0, lanpost: { redelivered: true } });
    expect(again.lanpost).not.toEqual(before.lanpost);
    flows.getNode('confirm').receive(before);
    await collect(flows.getNode('completed')).next();
    expect(await pending(box)).toEqual([0]);
  });

  it.each([
    ['of no reader', { payload: 1 }, 'msg.lanpost is missing'],
    ['of a node that is gone', { lanpost: { node: 'x', subscription: 'x', epoch: 'e', seq: 1, recordId: 'r', redelivered: false } }, 'not there any more'],
    ['of an earlier reading', { lanpost: { node: 'sub', subscription: 'sub', epoch: 'e', seq: 999, recordId: 'r', redelivered: false } }, 'comes again'],
  ])('a message %s goes to Catch', async (_case, msg, words) => {
    const box = await opened(0);
    await load(flow(), { lanpost: { box } });
    const caught = collect(flows.getNode('caught'));
    await saidBy(flows, 'sub', /^received 0/);
    flows.getNode('confirm').receive(msg);
    expect((await caught.next()).error).toMatchObject({ message: expect.stringContaining(words) });
  });

  it('what the flow has not confirmed in time comes again', async () => {
    const box = await opened(1);
    await load(flow({}, { ackWait: '0.05' }), { lanpost: { box } });
    const came = collect(flows.getNode('out'));
    await came.next();
    expect(await came.next()).toMatchObject({ payload: 0, lanpost: { redelivered: true } });
  });
});
