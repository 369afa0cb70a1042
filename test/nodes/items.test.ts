import { describe, expect, it } from 'vitest';
import type { Box } from '../../src/index.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const helper = (id: string): object => ({ id, type: 'helper', z: 'f' });
const flow = (fields: object = {}): object[] => [
  { id: 'f', type: 'tab', label: 'test' },
  { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true },
  { id: 'items', type: 'lanpost items', box: 'box', topic: 'a', from: 'last', fromValue: '', until: '', count: '100', output: 'array', form: 'auto', z: 'f', wires: [['out']], ...fields },
  helper('out'),
  { id: 'on error', type: 'catch', scope: null, z: 'f', wires: [['caught']] }, helper('caught'),
];
const filled = async (count: number): Promise<Box> => {
  const box = await openBox();
  await Promise.all(Array.from({ length: count }, (_, n) => box.publish('a', n)));
  return box;
};
const values = (payload: unknown): unknown[] => (payload as { payload: unknown }[]).map((item) => item.payload);

describe('lanpost items', () => {
  it('gives one array with the newest, in order, and keeps the rest of the message', async () => {
    const box = await filled(10);
    await load(flow({ count: '3' }), { lanpost: { box } });
    const out = collect(flows.getNode('out'));
    flows.getNode('items').receive({ mine: 1, topic: 'not this', _msgid: 'kept' });
    const msg = await out.next();
    expect(msg).toMatchObject({ mine: 1, topic: 'a', _msgid: 'kept' });
    expect(values(msg.payload)).toEqual([7, 8, 9]);
    expect((msg.payload as object[])[0]).toEqual({ payload: 7, id: expect.any(String), time: expect.any(Number), contentType: 'application/json', seq: expect.any(Number) });
  });

  it('gives one message for each, with parts as core\'s split makes them', async () => {
    const box = await filled(3);
    await load(flow({ output: 'split' }), { lanpost: { box } });
    const out = collect(flows.getNode('out'));
    flows.getNode('items').receive({});
    const all = [await out.next(), await out.next(), await out.next()];
    expect(all.map((msg) => [msg.payload, (msg.parts as unknown as { index: number; count: number }).index])).toEqual([[0, 0], [1, 1], [2, 2]]);
    expect(all[0]?.parts).toMatchObject({ count: 3, type: 'array', len: 1 });
  });

  it('what it gave one by one keeps its id where it goes, and has parts of its own where it is split', async () => {
    const box = await filled(2);
    await load([...flow({ output: 'split', wires: [['pub']] }), { id: 'pub', type: 'lanpost publish', configVersion: 3, prefer: 'msg', box: 'box', topic: 'copy', contentType: '', z: 'f', wires: [] }, { id: 'on done', type: 'complete', scope: ['pub'], z: 'f', wires: [['completed']] }, helper('completed')], { lanpost: { box } });
    const completed = collect(flows.getNode('completed'));
    flows.getNode('items').receive({});
    const [first] = [await completed.next(), await completed.next()];
    flows.getNode('pub').receive({ ...first, payload: 'part', parts: { id: 'later', index: 0, parts: first?.parts } });
    await completed.next();
    const [before, after] = [await box.items('a', { last: 9 }), await box.items('copy', { last: 9 })].map((items) => items.map((item) => (item.kind === 'item' ? item.id : '')));
    expect(after).toEqual([...before ?? [], `${before?.[0]}:0`]);
  });

  it('an item that asked for others may be confirmed by each of them, and by none that names another record', async () => {
    const box = await filled(2);
    await box.publish('q', 'which?');
    await load([...flow({ output: 'split', wires: [['out', 'confirm']] }),
      { id: 'sub', type: 'lanpost subscribe', configVersion: 2, box: 'box', filter: 'q', from: 'start', durable: true, reader: '', ack: 'manual', inFlight: 3, changes: false, z: 'f', wires: [['asked']] }, helper('asked'),
      { id: 'confirm', type: 'lanpost ack', action: 'ack', delay: '', z: 'f', wires: [['confirmed']] }, helper('confirmed')], { lanpost: { box } });
    const [out, asked, confirmed, caught] = [collect(flows.getNode('out')), collect(flows.getNode('asked')), collect(flows.getNode('confirmed')), collect(flows.getNode('caught'))];
    flows.getNode('items').receive(await asked.next());
    const all = [await out.next(), await out.next()];
    await confirmed.next();
    await expect.poll(async () => (await box.subscriptions.list()).map((one) => one.pending)).toEqual([0]);
    const records = (await box.items('a', { last: 9 })).map((item) => item.recordId);
    expect(all.map(({ lanpost }) => (lanpost as unknown as { itemRecordId: unknown }).itemRecordId)).toEqual(records);
    await box.publish('q', 'and now?');
    const question = await asked.next();
    flows.getNode('confirm').receive({ lanpost: { ...(question.lanpost as unknown as object), recordId: records[0] } });
    expect((await caught.next()).error).toMatchObject({ message: expect.stringContaining('changed') });
  });

  it('copies the payload that it is asked with for none of them', async () => {
    const box = await filled(2);
    await load(flow({ output: 'split' }), { lanpost: { box } });
    const out = collect(flows.getNode('out'));
    const payload = { get large() { throw new Error('copied'); } };
    flows.getNode('items').receive({ payload, mine: { kept: 1 } });
    expect([await out.next(), await out.next()]).toMatchObject([{ payload: 0, mine: { kept: 1 } }, { payload: 1, mine: { kept: 1 } }]);
  });

  it('goes through more than one page, from the start, a position or a time, up to a time and a number', async () => {
    const box = await filled(0);
    await box.topics.create('a', { maxItems: 5000 });
    await Promise.all(Array.from({ length: 2500 }, (_, n) => box.publish('a', n)));
    const seqs = (await box.items('a', { from: 'start', limit: 3 })).map((item) => item.seq);
    const ask = async (fields: object, msg: object = {}): Promise<unknown[]> => {
      await flows.unload();
      await load(flow(fields), { lanpost: { box } });
      const out = collect(flows.getNode('out'));
      flows.getNode('items').receive(msg);
      return values((await out.next()).payload);
    };
    expect(await ask({ from: 'start', count: '2400' })).toEqual(Array.from({ length: 2400 }, (_, n) => n));
    expect(await ask({ from: 'seq', fromValue: String(seqs[2]), count: '2' })).toEqual([2, 3]);
    expect(await ask({ from: 'time', fromValue: '2020-01-01T00:00:00Z', count: '1' })).toEqual([0]);
    expect(await ask({ from: 'start', until: '2020-01-01T00:00:00Z' })).toEqual([]);
    expect(await ask({ count: '5000' })).toHaveLength(1000);
    const [, , third] = await box.items('a', { from: 'start', limit: 3 });
    // More may be of its millisecond, so that the newest of those is the last; none is younger, and of what is older the newest are here.
    const upTo = await ask({ count: '2', until: String(third?.time) });
    const before = (await box.items('a', { from: 'start', limit: 1000 })).filter(({ time }) => time <= (third?.time ?? 0));
    expect(upTo).toEqual([before.length - 2, before.length - 1]);
    expect(await ask({ count: '2', until: '2020-01-01T00:00:00Z' })).toEqual([]);
    expect(await ask({}, { query: { from: 'start', limit: 2 } })).toEqual([0, 1]);
  });

  it('an answer in order ends at 16 MiB, or at its number, with the query that goes on; the newest are refused', async () => {
    const box = await filled(0);
    await box.topics.create('a', { maxItems: 400 });
    const text = 'x'.repeat(120 * 1024);
    await Promise.all(Array.from({ length: 300 }, (_, n) => box.publish('a', text + n)));
    await load(flow({ from: 'start', count: '1000' }), { lanpost: { box } });
    const out = collect(flows.getNode('out'));
    const caught = collect(flows.getNode('caught'));
    const got: unknown[] = [];
    const sizes: number[] = [];
    for (let query: unknown; ;) {
      flows.getNode('items').receive({ more: 'from before', ...(query === undefined ? {} : { query }) });
      const msg = await out.next();
      const page = values(msg.payload);
      got.push(...page);
      sizes.push(page.length);
      query = msg['more'];
      if (query === undefined) break;
    }
    expect(got).toEqual(Array.from({ length: 300 }, (_, n) => text + n));
    expect(sizes).toEqual([136, 136, 28]);
    flows.getNode('items').receive({ query: { from: 'start', limit: 7 } });
    expect(values((await out.next()).payload)).toHaveLength(7);
    expect(out.all.at(-1)).toMatchObject({ more: { after: expect.any(Number) } });
    flows.getNode('items').receive({ query: { last: 200 } });
    expect((await caught.next()).error).toMatchObject({ message: expect.stringContaining('16 MiB') });
  });

  it.each([
    ['a topic that is not there', { topic: 'none' }, {}, 'none'],
    ['no topic', { topic: '' }, {}, 'no topic'],
    ['no time', { from: 'time' }, {}, 'from a time'],
    ['a query that is none', {}, { query: { last: -1 } }, 'last'],
  ])('%s goes to Catch', async (_case, fields, msg, words) => {
    const box = await filled(1);
    await load(flow(fields), { lanpost: { box } });
    const caught = collect(flows.getNode('caught'));
    flows.getNode('items').receive(msg);
    expect((await caught.next()).error).toMatchObject({ message: expect.stringContaining(words) });
  });
});
