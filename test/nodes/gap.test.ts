import { describe, expect, it } from 'vitest';
import type { Box } from '../../src/index.ts';
import { overlap } from '../../nodes/shared/filter-overlap.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, saidBy, useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const helper = (id: string): object => ({ id, type: 'helper', z: 'f' });
const gap = (id: string, fields: object): object => ({ id, type: 'lanpost gap', box: 'box', filter: '', reader: '', from: 'new', z: 'f', wires: [[`of ${id}`]], ...fields });
const flow = [
  { id: 'f', type: 'tab', label: 'test' },
  { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true },
  gap('all', {}), helper('of all'),
  gap('topic', { filter: 'a/#' }), helper('of topic'),
  gap('other', { reader: 'someone else' }), helper('of other'),
];

async function lose(box: Box, topic: string, name: string): Promise<void> {
  const reader = box.subscribe(topic, { durable: name, from: 'start', maxBacklog: { records: 1 } });
  await reader.ready;
  await reader.close();
  for (const value of [1, 2, 3]) await box.publish(topic, value);
}

describe('lanpost gap', () => {
  it('tells what readers lost: of all, of a topic, of a reader; also what was lost while it was away', async () => {
    const box = await openBox();
    await load(flow, { lanpost: { box } });
    for (const id of ['all', 'topic', 'other']) await saidBy(flows, id, /^nothing lost/);
    await flows.setFlows(flow.slice(0, 2));
    await lose(box, 'b', 'slow');
    await lose(box, 'a/x', 'slower');
    await expect.poll(async () => (await box.items('$ledger')).length).toBe(2);
    await flows.setFlows(flow);
    const [all, topic, other] = ['of all', 'of topic', 'of other'].map((id) => collect(flows.getNode(id)));
    expect([await all?.next(), await all?.next()]).toMatchObject([
      { topic: 'b', kind: 'gap', time: expect.any(Number), payload: { reader: 'slow', count: 2, reason: 'overflow', from: expect.any(Number), to: expect.any(Number) } },
      { topic: 'a/x', payload: { reader: 'slower' } },
    ]);
    expect(await topic?.next()).toMatchObject({ topic: 'a/x' });
    await saidBy(flows, 'all', /^told of 2, 2 losses known$/);
    await saidBy(flows, 'topic', /^told of 1, 1 loss known$/);
    expect([topic?.all.length, other?.all.length]).toEqual([1, 0]);
  });

  it('tells of each topic that a reader of several lost something of', async () => {
    const box = await openBox();
    await load(flow.slice(0, 4), { lanpost: { box } });
    await saidBy(flows, 'all', /^nothing lost/);
    const reader = box.subscribe('a/#', { durable: 'slow', from: 'start', maxBacklog: { records: 1 } });
    await reader.ready;
    await reader.close();
    for (const topic of ['a/x', 'a/y', 'a/x', 'a/z']) await box.publish(topic, topic);
    const all = collect(flows.getNode('of all'));
    const told = [await all?.next(), await all?.next()];
    expect(told).toMatchObject([
      { topic: 'a/x', kind: 'gap', payload: { reader: 'slow', count: 2, reason: 'overflow' } },
      { topic: 'a/y', kind: 'gap', payload: { reader: 'slow', count: 1, reason: 'overflow' } },
    ]);
    expect(told.map((message) => (message as { payload: object } | undefined)?.payload)).not.toContainEqual(expect.objectContaining({ besides: expect.anything() }));
  });

  it('after a deployment the status still says what was lost, and of what it is not to tell; never that nothing was', async () => {
    const box = await openBox();
    await lose(box, 'b', 'slow');
    await lose(box, 'a/x', 'slower');
    await expect.poll(async () => (await box.items('$ledger')).length).toBe(2);
    await load(flow, { lanpost: { box } });
    for (let round = 0; round < 2; round++) {
      await saidBy(flows, 'all', /^2 losses known$/);
      await saidBy(flows, 'topic', /^1 loss known$/);
      await saidBy(flows, 'other', /^nothing lost$/);
      await flows.setFlows(flow.map((node) => ({ ...node, name: String(round) })));
    }
    await saidBy(flows, 'all', /^2 losses known$/);
    // oxlint-disable-next-line no-underscore-dangle -- the helper's own name
    const { thisValues, args } = flows._NodePrototype.status;
    const said = args.filter((_, at) => ['all', 'topic'].includes((thisValues[at] as { readonly id: string }).id)).map(([status]) => status as { readonly fill?: string; readonly text?: string });
    expect(said.filter(({ text, fill }) => fill === 'green' || text === 'nothing lost')).toEqual([]);
  });
});

it.each([['a/#', 'a', true], ['a/#', 'a/b/c', true], ['a/#', 'b', false], ['+/b', 'a/b', true], ['a', 'a/b', false], ['a/b', 'a/+', true], ['x', '#', true]])('%s and %s: %s', (filter, other, expected) => {
  expect(overlap(filter, other)).toBe(expected);
});
