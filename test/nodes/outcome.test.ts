import { describe, expect, it } from 'vitest';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, saidBy, useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const helper = (id: string): object => ({ id, type: 'helper', z: 'f' });
const one = (id: string, type: string, fields: object = {}): object => ({ id, type, box: 'box', z: 'f', wires: [['out'], ['out']], ...fields });
const flow = (...nodes: object[]): object[] => [
  { id: 'f', type: 'tab', label: 'test' }, { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true }, ...nodes, helper('out'),
  { id: 'on error', type: 'catch', scope: null, z: 'f', wires: [['caught']] }, helper('caught'),
  { id: 'on done', type: 'complete', scope: ['pub'], z: 'f', wires: [['completed']] }, helper('completed'),
];

/** What JSON from anywhere may be: Node-RED cannot copy it, which it does for Catch and Complete, and for two wires. */
const tooDeep = (): unknown => JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`);

describe('a message that cannot be copied', () => {
  it('reaches Catch by its id when it could not be published, and ends nothing', async () => {
    const box = await openBox();
    await load(flow(one('pub', 'lanpost publish', { configVersion: 3, topic: 'a', wires: [] })), { lanpost: { box } });
    const [caught, completed] = [collect(flows.getNode('caught')), collect(flows.getNode('completed'))];
    flows.getNode('pub').receive({ _msgid: 'deep', payload: tooDeep() });
    expect(await caught.next()).toMatchObject({ _msgid: 'deep', error: { message: expect.stringMatching(/; its message cannot be handed on: /) } });
    flows.getNode('pub').receive({ _msgid: 'beside', payload: 1, other: tooDeep() });
    expect(await caught.next()).toMatchObject({ _msgid: 'beside', error: { message: expect.stringMatching(/^it went well, but its message cannot/) } });
    flows.getNode('pub').receive({ _msgid: 'well', payload: 2 });
    expect(await completed.next()).toMatchObject({ _msgid: 'well' });
    expect((await box.items('a')).map((item) => item.kind === 'item' && item.value)).toEqual([1, 2]);
  });

  it.each([
    ['lanpost peers', {}, {}],
    ['lanpost subscribe', { configVersion: 2, filter: 'x', durable: false, reader: '', from: 'new', changes: false }, { action: 'getSubscriptions' }],
    ['lanpost items', { topic: 'a' }, {}],
    ['lanpost command out', {}, {}],
    ['lanpost ack', { action: 'ack', delay: '' }, { lanpost: { retained: true } }],
    ['lanpost message out', { to: 'link:nobody@nowhere' }, {}],
  ])('ends no %s', async (type, fields, more) => {
    const box = await openBox();
    await box.publish('a', 1);
    // Two wires of one output: it is copied for the second one.
    await load(flow(one('node', type, { ...fields, wires: [['out', 'out'], ['out', 'out']] })), { lanpost: { box } });
    const caught = collect(flows.getNode('caught'));
    if (type === 'lanpost subscribe') await saidBy(flows, 'node', /^received/);
    flows.getNode('node').receive({ _msgid: 'deep', payload: [], other: tooDeep(), ...more });
    expect(await caught.next()).toMatchObject({ _msgid: 'deep', error: { message: expect.stringContaining('its message cannot be handed on') } });
  });
});
