import { describe, expect, it } from 'vitest';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, saidBy, useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const helper = (id: string): object => ({ id, type: 'helper', z: 'f' });
const flow = (fields: object = {}): object[] => [
  { id: 'f', type: 'tab', label: 'test' },
  { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true },
  { id: 'topic', type: 'lanpost topic', box: 'box', topic: '', action: 'message', deploy: false, lane: '', key: '', maxItems: '', accessModel: '', settings: '', z: 'f', wires: [['out']], ...fields },
  helper('out'),
  { id: 'on error', type: 'catch', scope: null, z: 'f', wires: [['caught']] }, helper('caught'),
];

describe('lanpost topic', () => {
  it('creates, configures, tells, lists and deletes, as messages say', async () => {
    const box = await openBox();
    await load(flow(), { lanpost: { box } });
    const out = collect(flows.getNode('out'));
    const node = flows.getNode('topic');
    node.receive({ action: 'create', topic: 'a/b', settings: { title: 'B', maxItems: 3 }, mine: 1 });
    expect(await out.next()).toMatchObject({ topic: 'a/b', mine: 1, payload: { name: 'a/b', title: 'B', maxItems: 3, items: 0 } });
    node.receive({ action: 'configure', topic: 'a/b', settings: { title: null, maxItems: 4 } });
    expect((await out.next()).payload).toMatchObject({ maxItems: 4 });
    expect(await box.topics.get('a/b')).not.toHaveProperty('title');
    node.receive({ action: 'get', topic: 'a/b' });
    expect((await out.next()).payload).toMatchObject({ name: 'a/b', maxItems: 4 });
    node.receive({ action: 'get', topic: 'none' });
    expect((await out.next()).payload).toBeNull();
    node.receive({ action: 'list' });
    expect((await out.next()).payload).toMatchObject([{ name: 'a/b' }]);
    node.receive({ action: 'delete', topic: 'a/b' });
    expect((await out.next()).payload).toBeNull();
    expect(await box.topics.list()).toEqual([]);
  });

  it('what it gives, and what it was given, a flow may change: no topic is another for that', async () => {
    const box = await openBox();
    await load(flow(), { lanpost: { box } });
    const out = collect(flows.getNode('out'));
    const settings = { tags: ['mine'], schema: { type: 'object' } };
    flows.getNode('topic').receive({ action: 'create', topic: 'a', settings });
    const { tags, schema } = (await out.next()).payload as typeof settings;
    flows.getNode('topic').receive({ action: 'create', topic: 'b' });
    const plain = (await out.next()).payload as typeof settings;
    for (const changed of [tags, plain.tags, settings.tags]) changed.push('x');
    schema.type = settings.schema.type = 'array';
    await box.topics.create('c');
    expect(await Promise.all(['a', 'b', 'c'].map((name) => box.topics.get(name)))).toMatchObject([{ tags: ['mine'], schema: { type: 'object' } }, { tags: [] }, { tags: [] }]);
  });

  it('sets a topic up when the flows start, again and again, and what follows knows of it', async () => {
    const box = await openBox();
    const fields = { action: 'set', topic: 'state', deploy: true, lane: 'latest', key: '/lamp', maxItems: '5', settings: '{"title":"Lamps"}' };
    await load(flow(fields), { lanpost: { box } });
    await saidBy(flows, 'topic', /^did 1/);
    expect(await box.topics.get('state')).toMatchObject({ lane: 'latest', key: '/lamp', maxItems: 5, title: 'Lamps' });
    await flows.setFlows(flow({ ...fields, maxItems: '6' }));
    await saidBy(flows, 'topic', /^did 1/);
    expect(await box.topics.get('state')).toMatchObject({ maxItems: 6 });
  });

  it.each([
    ['no topic', { action: 'get' }, 'no topic'],
    ['no action', { topic: 'a' }, 'msg.action'],
    ['a topic that is there', { action: 'create', topic: 'there' }, 'there'],
    ['a setting that is none', { action: 'create', topic: 'a', settings: { lane: 'fast' } }, 'lane'],
    ['settings that are none', { action: 'create', topic: 'a', settings: 'x' }, 'msg.settings must be an object'],
  ])('%s goes to Catch', async (_case, msg, words) => {
    const box = await openBox();
    await box.topics.create('there');
    await load(flow(), { lanpost: { box } });
    const caught = collect(flows.getNode('caught'));
    flows.getNode('topic').receive(msg);
    expect((await caught.next()).error).toMatchObject({ message: expect.stringContaining(words) });
  });

  it('what is wrong when the flows start goes to Catch, too', async () => {
    const box = await openBox();
    await load(flow({ action: 'set', topic: 'a', deploy: true, settings: '{"lane":' }), { lanpost: { box } });
    expect(await saidBy(flows, 'topic', /not JSON/)).toBeTruthy();
  });
});
