import { createRequire } from 'node:module';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { NodeAPI } from 'node-red';
import { describe, expect, it } from 'vitest';
import type { Box } from '../../src/index.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, saidBy, useFlows } from './flow-kit.ts';

const { flows, dir, load } = useFlows();
const openBox = useEmbeddingBox(flows);

const own = { id: 'box', type: 'lanpost box', mode: 'own', dir: 'data', link: false };
const publish = { id: 'pub', type: 'lanpost publish', box: 'box', topic: '', contentType: '', z: 'f' };
const subscribe = { id: 'sub', type: 'lanpost subscribe', box: 'box', filter: '#', from: 'start', durable: false, reader: '', changes: false, z: 'f', wires: [['out']] };
const out = { id: 'out', type: 'helper', z: 'f' };
const outcomes = [
  { id: 'on done', type: 'complete', scope: ['pub'], z: 'f', wires: [['completed']] },
  { id: 'completed', type: 'helper', z: 'f' },
  { id: 'on error', type: 'catch', scope: null, z: 'f', wires: [['caught']] },
  { id: 'caught', type: 'helper', z: 'f' },
];
const tab = { id: 'f', type: 'tab', label: 'test' };
const flow = [tab, own, publish, subscribe, out, ...outcomes];
const split = createRequire(import.meta.url)('@node-red/nodes/core/sequence/17-split.js') as (RED: NodeAPI) => void;

describe('a property of the flow that is a number or a switch', () => {
  it('is text where it is the whole of a text field', async () => {
    const box = await openBox();
    const env = [{ name: 'NO', type: 'num', value: '7' }, { name: 'ON', type: 'bool', value: 'true' }];
    const whole = '${NO}';
    await load([{ ...tab, env }, { ...own, mode: 'auto' }, { ...publish, configVersion: 3, prefer: 'node', topic: whole, itemId: '${ON}', at: '', expires: whole },
      { ...subscribe, configVersion: 2, filter: whole, reader: whole, durable: '${ON}', rate: whole, changes: '${ON}' }, out,
      { id: 'in', type: 'lanpost message in', box: 'box', from: whole, reader: whole, z: 'f', wires: [[]] }, ...outcomes], { lanpost: { box } });
    const came = collect(flows.getNode('out'));
    flows.getNode('pub').receive({ payload: 1 });
    expect(await came.next()).toMatchObject({ topic: '7', id: 'true', payload: 1 });
    await expect.poll(async () => (await box.subscriptions.list()).map(({ name }) => name).toSorted()).toEqual(['7', 'inbox:7']);
  });
});

describe('what a flow makes of one item', () => {
  const splitting = (fields: object): object[] => [
    tab, { ...own, mode: 'auto' }, { ...subscribe, filter: 'whole', wires: [['apart']] },
    { id: 'apart', type: 'split', z: 'f', splt: '\\n', spltType: 'str', arraySplt: 1, arraySpltType: 'len', property: 'payload', wires: [['pub']] },
    { ...publish, topic: 'parts', configVersion: 3, ...fields }, { id: 'after', type: 'helper', z: 'f' }, ...outcomes,
  ];
  const kept = async (box: Box): Promise<unknown> => (await box.items('parts', { last: 9 })).map((item) => (item.kind === 'item' ? [item.id, item.value] : []));

  it.each(['msg', 'node'])('with a split is an item for each part, the same when it comes again (%s first)', async (prefer) => {
    const box = await openBox();
    await load(splitting({ prefer }), { lanpost: { box } }, [split]);
    const completed = collect(flows.getNode('completed'));
    await box.publish('whole', [5, 5, 7], { id: 'w' });
    for (let n = 0; n < 3; n++) await completed.next();
    expect(await kept(box)).toEqual([['w:0', 5], ['w:1', 5], ['w:2', 7]]);
    flows.getNode('apart').receive({ payload: [5, 5, 7], id: 'w', lanpost: { id: 'w', topic: 'whole' } });
    for (let n = 0; n < 3; n++) await completed.next();
    expect(await kept(box)).toEqual([['w:0', 5], ['w:1', 5], ['w:2', 7]]);
  });

  it('with a split of a split, too; an id that the flow has set, or the node has, is as it is', async () => {
    const box = await openBox();
    await load(splitting({}), { lanpost: { box } }, [split]);
    const completed = collect(flows.getNode('completed'));
    const part = { id: 'x', lanpost: { id: 'w', topic: 'whole' }, parts: { id: 'b', index: 1, parts: { id: 'a', index: 0 } } };
    flows.getNode('pub').receive({ ...part, payload: 1, id: 'w' });
    flows.getNode('pub').receive({ ...part, payload: 2 });
    flows.getNode('pub').receive({ ...part, payload: 3, id: 'w', parts: { id: 'b' } });
    for (let n = 0; n < 3; n++) await completed.next();
    expect(await kept(box)).toEqual([['w:0:1', 1], ['x', 2], ['w', 3]]);
  });
});

describe('lanpost publish and lanpost subscribe', () => {
  it('what is sent before the box is open waits, arrives in order, and then is done', async () => {
    await load(flow);
    const [came, completed] = [collect(flows.getNode('out')), collect(flows.getNode('completed'))];
    for (let n = 0; n < 20; n++) flows.getNode('pub').receive({ topic: 'a/b', payload: n });
    for (let n = 0; n < 20; n++) expect(await came.next()).toMatchObject({ topic: 'a/b', payload: n });
    for (let n = 0; n < 20; n++) await completed.next();
    expect(completed.all.map((msg) => msg.payload).toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });

  it('what a busy box refuses comes later, and before what came after it', async () => {
    const box = await openBox({ limits: { itemBytes: 1 << 20 } });
    await box.topics.create('big', { maxItems: 200 });
    await load([tab, { ...own, mode: 'auto' }, { ...publish, topic: 'big' }, ...outcomes], { lanpost: { box } });
    const [completed, caught] = [collect(flows.getNode('completed')), collect(flows.getNode('caught'))];
    const refused: unknown[] = [];
    const accepts = box.publish.bind(box);
    box.publish = (...given) => accepts(...given).catch((error: unknown) => { refused.push(error); throw error; });
    // More than what may wait for the disk.
    for (let n = 0; n < 72; n++) flows.getNode('pub').receive({ payload: Buffer.alloc(1_000_000, n) });
    for (let n = 0; n < 72; n++) await completed.next();
    expect(refused.length).toBeGreaterThan(0);
    const items = await box.items('big', { last: 200 });
    expect(items.map((item) => (item.kind === 'item' && item.value instanceof Uint8Array ? item.value[0] : undefined))).toEqual(Array.from({ length: 72 }, (_, n) => n));
    expect(caught.all).toEqual([]);
  });

  it.each([0, false, '', null, 'text', { a: [1, { b: null }] }, [1, 2], -1.5])('carries %j as it is', async (payload) => {
    await load(flow);
    const came = collect(flows.getNode('out'));
    flows.getNode('pub').receive({ topic: 'v', payload });
    expect((await came.next()).payload).toEqual(payload);
  });

  it('bytes come as a Buffer', async () => {
    await load(flow);
    const came = collect(flows.getNode('out'));
    flows.getNode('pub').receive({ topic: 'v', payload: Buffer.from([0, 1, 255]) });
    const msg = await came.next();
    expect(Buffer.isBuffer(msg.payload)).toBe(true);
    expect(msg.payload).toEqual(Buffer.from([0, 1, 255]));
    expect(msg.contentType).toBe('application/octet-stream');
  });

  it.each([
    ['a: 1', 'application/yaml', Buffer.from('a: 1')],
    ['a,b', 'text/csv', 'a,b'],
    ['{"a":1}', 'application/json', { a: 1 }],
    [Buffer.from('ä'), 'text/plain; charset=utf-8', 'ä'],
    [Buffer.from('{"a":1}'), 'application/json', { a: 1 }],
    [Buffer.from('{"a":1}'), 'application/geo+json', { a: 1 }],
    [Buffer.from('<a/>'), 'application/xml', '<a/>'],
    [Buffer.from([1, 2]), 'image/png', Buffer.from([1, 2])],
    [{ a: 1 }, 'application/geo+json', { a: 1 }],
  ])('of %j the media type that the flow says is kept: %s', async (payload, contentType, expected) => {
    await load(flow);
    const came = collect(flows.getNode('out'));
    flows.getNode('pub').receive({ topic: 'v', payload, contentType });
    expect(await came.next()).toMatchObject({ payload: expected, contentType, lanpost: { contentType } });
  });

  it.each([
    [Buffer.from([0xff]), 'text/plain', 'application/octet-stream'],
    [Buffer.from('{'), 'application/json', 'application/octet-stream'],
    ['{', 'application/json', 'text/plain'],
    [1, 'text/plain', 'application/json'],
    [{ a: 1 }, 'text/csv', 'application/json'],
    ['text', 'utf-8', 'text/plain'],
  ])('%j said to be %s, which it is not, goes as %s: other nodes say so, too, and know not what became of it', async (payload, contentType, as) => {
    await load(flow);
    const came = collect(flows.getNode('out'));
    flows.getNode('pub').receive({ topic: 'v', payload, contentType });
    expect(await came.next()).toMatchObject({ payload, contentType: as });
  });

  it.each([
    ['text', 'application/octet-stream', 'text/plain'],
    [Buffer.from([0xff]), 'text/plain', 'application/octet-stream'],
    [{ a: 1 }, 'text/plain', 'application/json'],
    ['<b/>', 'application/xml', 'application/xml'],
  ])('%j that only still has %s from where it was read is %s', async (payload, contentType, expected) => {
    await load(flow);
    const came = collect(flows.getNode('out'));
    flows.getNode('pub').receive({ topic: 'v', payload, contentType, lanpost: { topic: 'other', contentType } });
    expect(await came.next()).toMatchObject({ payload, contentType: expected });
  });

  it('a message has what the contract names', async () => {
    await load(flow);
    const came = collect(flows.getNode('out'));
    flows.getNode('pub').receive({ topic: 'v', payload: '<a/>', id: 'mine', contentType: 'application/xml' });
    const msg = await came.next();
    expect(msg).toMatchObject({
      topic: 'v', id: 'mine', kind: 'item', time: expect.any(Number), contentType: 'application/xml', _msgid: expect.any(String),
      lanpost: { subscription: 'sub', recordId: expect.stringMatching(/^[a-z2-7]{16}-/), seq: expect.any(Number), redelivered: false },
    });
    expect(msg).not.toHaveProperty('publisher');
    expect(structuredClone(msg.lanpost)).toEqual(msg.lanpost);
  });

  it.each([
    [{ configVersion: 3, prefer: 'msg' }, { topic: 'other', id: 'said' }],
    [{ configVersion: 3 }, { topic: 'other', id: 'said' }],
    [{ configVersion: 3, prefer: 'node' }, { topic: 'fixed', id: 'own' }],
    // Saved before there was a choice: what is filled in went first.
    [{ configVersion: 2 }, { topic: 'fixed', id: 'own' }],
    [{}, { topic: 'fixed', id: 'own' }],
  ])('of topic and id, with %j, %j goes first', async (version, expected) => {
    await load([tab, own, { ...publish, topic: 'fixed', itemId: 'own', ...version }, subscribe, out, ...outcomes]);
    const came = collect(flows.getNode('out'));
    flows.getNode('pub').receive({ topic: 'other', id: 'said', payload: 1 });
    expect(await came.next()).toMatchObject(expected);
    flows.getNode('pub').receive({ topic: '', payload: 2 });
    expect(await came.next()).toMatchObject({ topic: 'fixed', id: 'own' });
  });

  it('what a message still has from where it was read is not set by the flow: it does not go back there', async () => {
    const items = { id: 'items', type: 'lanpost items', box: 'box', topic: 'from', from: 'start', count: '10', output: 'split', form: 'auto', z: 'f', wires: [['on']] };
    const list = { ...items, id: 'list', output: 'array' };
    const on = { ...publish, id: 'on', topic: 'to', itemId: '', configVersion: 3, prefer: 'msg' };
    await load([tab, own, publish, { ...subscribe, configVersion: 2, filter: 'from', wires: [['on']] }, { ...subscribe, id: 'end', filter: 'to' }, on, items, list, out, ...outcomes]);
    const came = collect(flows.getNode('out'));
    flows.getNode('pub').receive({ topic: 'from', id: 'a', payload: 1 });
    expect(await came.next()).toMatchObject({ topic: 'to', id: 'a', payload: 1, lanpost: { topic: 'to', id: 'a' } });
    // Of the same id and payload it is a repeat, and nothing comes.
    flows.getNode('items').receive({});
    flows.getNode('on').receive({ topic: 'elsewhere', id: 'b', payload: 2, lanpost: [{ topic: 'from' }, { topic: 'elsewhere' }] });
    expect(await came.next()).toMatchObject({ topic: 'to', id: 'b', payload: 2 });
    // What was read, and is then set, goes where it is set to.
    flows.getNode('on').receive({ topic: 'to', id: 'c', payload: 3, lanpost: { topic: 'from', id: 'a' } });
    expect(await came.next()).toMatchObject({ topic: 'to', id: 'c', payload: 3 });
    const handed = collect(flows.getNode('on'));
    flows.getNode('list').receive({ lanpost: { node: 'sub', seq: 5 } });
    // What wire `list` has is `on`, too: it keeps what `lanpost ack` needs.
    expect((await handed.next()).lanpost).toEqual({ node: 'sub', seq: 5, topic: 'from' });
  });

  it.each([
    ['no topic', { payload: 1 }, /no topic/],
    ['a filter for a topic', { topic: 'a/#', payload: 1 }, /./],
    ['no payload', { topic: 'a' }, /msg\.payload/],
    ['a payload that is no value', { topic: 'a', payload: { f: Number.NaN } }, /./],
  ])('%s goes to Catch with the reason, not to Complete', async (_case, msg, reason) => {
    await load(flow);
    const [caught, completed] = [collect(flows.getNode('caught')), collect(flows.getNode('completed'))];
    flows.getNode('pub').receive(msg);
    expect((await caught.next()).error).toMatchObject({ message: expect.stringMatching(reason) });
    flows.getNode('pub').receive({ topic: 'a', payload: 'good' });
    expect((await completed.next()).payload).toBe('good');
    expect(completed.all).toHaveLength(1);
  });

  it.each([
    ['json', '{"a":1}', { payload: { a: 1 }, contentType: 'application/json' }],
    ['json', 'null', { payload: null, contentType: 'application/json' }],
    ['text', { a: 1 }, { payload: '{"a":1}', contentType: 'text/plain' }],
    ['text', 0, { payload: '0', contentType: 'text/plain' }],
    ['buffer', 'ä', { payload: Buffer.from('ä'), contentType: 'application/octet-stream' }],
    ['xml', '<a  b="1" />', { payload: "<a b='1'/>", contentType: 'application/xml' }],
    ['xml', Buffer.from('<a/>'), { payload: '<a/>', contentType: 'application/xml' }],
  ])('as %s, %j', async (form, payload, expected) => {
    await load([tab, own, { ...publish, form }, subscribe, out, ...outcomes]);
    const came = collect(flows.getNode('out'));
    flows.getNode('pub').receive({ topic: 'v', payload });
    expect(await came.next()).toMatchObject(expected);
  });

  it('an item is over when the message says so, or else the node', async () => {
    const items = { id: 'items', type: 'lanpost items', box: 'box', topic: 'v', from: 'start', count: '10', output: 'array', form: 'auto', z: 'f', wires: [['found']] };
    await load([tab, own, { ...publish, expires: '0' }, items, { id: 'found', type: 'helper', z: 'f' }, ...outcomes]);
    const [completed, found] = [collect(flows.getNode('completed')), collect(flows.getNode('found'))];
    flows.getNode('pub').receive({ topic: 'v', payload: 'over' });
    flows.getNode('pub').receive({ topic: 'v', payload: 'stays', expires: 3_600_000 });
    await completed.next();
    await completed.next();
    await expect.poll(async () => {
      flows.getNode('items').receive({});
      return ((await found.next()).payload as { payload: unknown }[]).map((item) => item.payload);
    }, { timeout: 20_000 }).toEqual(['stays']);
  });

  it('what does not fit the schema of its topic goes to Catch with the place', async () => {
    const topic = { id: 'topic', type: 'lanpost topic', box: 'box', topic: 'v', action: 'create', deploy: true, lane: '', key: '', maxItems: '', accessModel: '', settings: '{"schema":{"properties":{"celsius":{"type":"number"}}}}', z: 'f', wires: [['made']] };
    await load([tab, own, publish, topic, { id: 'made', type: 'helper', z: 'f' }, ...outcomes]);
    await saidBy(flows, 'topic', /^did 1/);
    const caught = collect(flows.getNode('caught'));
    flows.getNode('pub').receive({ topic: 'v', payload: { celsius: 'hot' } });
    expect((await caught.next()).error).toMatchObject({ code: 'invalid-value', message: expect.stringMatching(/schema of v: .*celsius must be number/) });
  });

  it('fields with ${NAME}, whole and in part, and numbers as text', async () => {
    const env = [{ name: 'LINE', type: 'str', value: 'line1' }, { name: 'FORM', type: 'str', value: 'text' }, { name: 'RATE', type: 'num', value: '100' }, { name: 'ON', type: 'bool', value: 'true' }];
    await load([{ ...tab, env }, own, { ...publish, topic: 'plant/${LINE}/t', form: '${FORM}' },
      { ...subscribe, configVersion: 2, filter: 'plant/${LINE}/#', rate: '${RATE}', durable: '${ON}', reader: 'of ${LINE}' }, out, ...outcomes]);
    const came = collect(flows.getNode('out'));
    flows.getNode('pub').receive({ payload: 5 });
    expect(await came.next()).toMatchObject({ topic: 'plant/line1/t', payload: '5', lanpost: { subscription: 'of line1' } });
  });

  it('a durable reader goes on where it stopped when the flows are deployed again', async () => {
    const durable = { ...subscribe, durable: true };
    await load([tab, own, publish, durable, out, ...outcomes]);
    const came = collect(flows.getNode('out'));
    flows.getNode('pub').receive({ topic: 'd', payload: 1 });
    expect((await came.next()).payload).toBe(1);
    await nextTurn(); // confirmed when the next nodes have it
    // Without the reader, the box keeps what it has not had.
    await flows.setFlows([tab, own, publish, out, ...outcomes]);
    const later = collect(flows.getNode('completed'));
    flows.getNode('pub').receive({ topic: 'd', payload: 2 });
    await later.next();
    await flows.setFlows([tab, own, publish, durable, out, ...outcomes]);
    const again = collect(flows.getNode('out'));
    expect((await again.next()).payload).toBe(2);
  });

  it('a hundred deployments lose nothing that was done, and open the same directory each time', async () => {
    await load(flow);
    for (let round = 0; round < 100; round++) {
      const completed = collect(flows.getNode('completed'));
      flows.getNode('pub').receive({ topic: 'r', payload: round });
      await completed.next();
      await flows.setFlows(flow);
    }
    const came = collect(flows.getNode('out'));
    const seen: unknown[] = [];
    while (seen.length < 100) seen.push((await came.next()).payload);
    expect(seen).toEqual(Array.from({ length: 100 }, (_, n) => n));
  });

  it('a node without a box says so and fails its messages', async () => {
    await load([tab, { ...publish, box: '' }, { ...subscribe, box: 'gone' }, out, ...outcomes]);
    const caught = collect(flows.getNode('caught'));
    flows.getNode('pub').receive({ topic: 'a', payload: 1 });
    expect((await caught.next()).error).toMatchObject({ message: expect.stringContaining('no box') });
    expect(dir()).not.toBe('');
  });
});
