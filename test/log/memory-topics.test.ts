// Topics whose records never touch the disk.
import { afterEach, describe, expect, it } from 'vitest';
import type { Cursor } from '../../src/log/cursor.ts';
import { MEMORY_FROM } from '../../src/log/memory-seq.ts';
import type { Log } from '../../src/log/log.ts';
import type { LogRecord, TopicSettings } from '../../src/log/record.ts';
import { quiet } from '../support/quiet.ts';
import { type Bench, closeAll, item, openMemory, texts } from './log-fixture.ts';

afterEach(closeAll);

const live = (filter: string, from: Parameters<Log['cursor']>[0]['from'] = 'new') => ({ name: 'live', filter, from, durable: false });

async function withTopic(settings: TopicSettings = {}, more: Parameters<typeof openMemory>[0] = {}): Promise<Bench> {
  const bench = await openMemory(more);
  await bench.log.append({ topic: 'm', kind: 'configure', config: { storage: 'memory', ...settings } });
  return bench;
}

async function next(cursor: Cursor): Promise<LogRecord> {
  const [one] = await cursor.next(1);
  if (!one) throw new Error('nothing is there');
  return one.record;
}

const bodies = (records: readonly LogRecord[]): string[] => records.map(({ payload }) => Buffer.from(payload?.bytes ?? []).toString());
const view = async (log: Log, query: Parameters<Log['items']>[1] = { after: 0 }): Promise<string[]> => bodies(await log.items('m', query));
const publish = (log: Log, ...all: readonly string[]): Promise<unknown> => Promise.all(all.map((text) => log.append(item('m', text))));

describe('a record in memory', () => {
  it('is there before the next turn, touches no database, and is gone after a restart, as its topic is not', async () => {
    const { log, database } = await withTopic();
    const { head } = log;
    const cursor = await log.cursor(live('m'));
    const published = log.append(item('m', '1'));
    const turn = Promise.resolve('later');
    expect(await Promise.race([published, turn])).toMatchObject({ topic: 'm' });
    expect(bodies((await cursor.next(9)).map(({ record }) => record))).toEqual(['1']);
    await quiet();
    expect(log.head).toBe(head);
    expect(log.topic('m')).toMatchObject({ count: 1, settings: { storage: 'memory' } });
    for (const after of [await openMemory({ database: database.fork() }), (await log.close(), await openMemory({ database }))]) {
      expect(after.log.topic('m')).toMatchObject({ count: 0, deleted: false, settings: { storage: 'memory' } });
      expect(await view(after.log)).toEqual([]);
      await publish(after.log, 'again');
      expect(await view(after.log)).toEqual(['again']);
    }
  });

  it('has a seq that no record on disk ever has, and an id of its own', async () => {
    const { log, database } = await withTopic();
    const first = await log.append(item('m', '1'));
    const second = await log.append(item('m', '2'));
    expect(first.seq).toBeGreaterThanOrEqual(MEMORY_FROM);
    expect(second.seq).toBe(first.seq + 1);
    expect(Number.isSafeInteger(second.seq)).toBe(true);
    expect(second).toMatchObject({ topic: 'm', id: second.recordId, recordId: `${log.boxId}-${log.epoch}-${second.seq}`, repeated: false });
    await log.close();
    const after = await openMemory({ database });
    expect((await after.log.append(item('m', '1'))).seq).not.toBe(first.seq);
  });

  it('is refused once the log is closed, and taken while the disk takes nothing', async () => {
    const { log, database, clock } = await withTopic();
    database.freeBytes = 0;
    clock.advance(1000);
    await expect(log.append(item('t', 'x'))).rejects.toMatchObject({ code: 'disk-full' });
    await publish(log, '1');
    expect(await view(log)).toEqual(['1']);
    await log.close();
    await expect(log.append(item('m', 'x'))).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('readers', () => {
  it('that are durable never get it, whatever their filter, and are told no gap', async () => {
    const { log, database } = await withTopic({}, { limits: { memoryRingBytes: 1 } });
    const all = await log.cursor({ name: 'd', filter: '#', from: 'new', durable: true });
    await publish(log, ...Array.from({ length: 50 }, (_, i) => `${i}`));
    await log.append(item('t', 'disk'));
    expect(await texts(all, 1)).toEqual(['disk']);
    await quiet();
    expect(await all.next(9)).toEqual([]);
    expect([...log.cursors()].map(({ position }) => position)).toEqual([log.head]);
    const after = await openMemory({ database: database.fork() });
    const again = await after.log.cursor({ name: 'd', filter: '#', from: 'new', durable: true });
    expect(await texts(again, 1)).toEqual(['disk*']);
    expect(await again.next(9)).toEqual([]);
  });

  it('get records in memory and on disk in the order they were accepted', async () => {
    const { log } = await withTopic();
    const cursor = await log.cursor(live('#'));
    await log.append(item('t', 'd1'));
    await publish(log, 'm1', 'm2');
    await log.append({ topic: 'm', kind: 'configure', config: { storage: 'memory', title: 'x' } });
    await publish(log, 'm3');
    await log.append(item('t', 'd2'));
    await log.append({ topic: 'm', kind: 'delete' });
    await log.append(item('m', 'd3'));
    expect(await texts(cursor, 8)).toEqual(['d1', 'm1', 'm2', 'configure', 'm3', 'd2', 'delete', 'd3']);
    await quiet();
    expect(await cursor.next(9)).toEqual([]);
  });

  it('read on from disk in that order, too', async () => {
    const { log } = await withTopic({}, { limits: { ringBytes: 1 } });
    const cursor = await log.cursor(live('#'));
    for (let i = 0; i < 20; i++) {
      await log.append(item('t', `d${i}`));
      if (i % 3 === 0) await publish(log, `m${i}`);
    }
    const expected = Array.from({ length: 20 }, (_, i) => (i % 3 === 0 ? [`d${i}`, `m${i}`] : [`d${i}`])).flat();
    expect(await texts(cursor, expected.length)).toEqual(expected);
  });

  it('that are too slow get a gap with what they missed, and go on; who does not read it is told nothing', async () => {
    const { log } = await withTopic({}, { limits: { memoryRingBytes: 3 * 700 } });
    const slow = await log.cursor(live('m'));
    const other = await log.cursor(live('t/#'));
    const { seq } = await log.append(item('m', '0'));
    await publish(log, '1', '2', '3', '4');
    const [gap] = await slow.next(1);
    expect(gap?.record).toMatchObject({ kind: 'gap', topic: 'm', gap: { from: seq, to: seq + 1, count: 2, reason: 'overflow' } });
    expect(await texts(slow, 3)).toEqual(['2', '3', '4']);
    expect(await other.next(1)).toEqual([]);
    await log.append(item('t/x', 'x'));
    expect(await texts(other, 1)).toEqual(['x']);
    expect(log.topic('$ledger')).toBeUndefined();
  });

  it('of several topics are told which those were, and how many of each', async () => {
    const { log } = await withTopic({}, { limits: { memoryRingBytes: 3 * 700 } });
    for (const topic of ['n/a', 'n/b']) await log.append({ topic, kind: 'configure', config: { storage: 'memory' } });
    const slow = await log.cursor(live('n/#'));
    const later = await log.cursor(live('#'));
    const { seq } = await log.append(item('n/a', '0'));
    expect(await texts(later, 1)).toEqual(['0']);
    for (const topic of ['m', 'n/b', 'm', 'n/a', 'n/b', 'n/a', 'n/b', 'n/a']) await log.append(item(topic, topic));
    const [gap] = await slow.next(1);
    expect(gap?.record).toMatchObject({ topic: '', gap: { from: seq, to: seq + 5, count: 4, topics: [{ topic: 'n/a', from: seq, to: seq + 4, count: 2 }, { topic: 'n/b', from: seq + 2, to: seq + 5, count: 2 }] } });
    expect(await texts(slow, 3)).toEqual(['n/a', 'n/b', 'n/a']);
    const [own] = await later.next(1);
    expect(own?.record.gap).toMatchObject({ from: seq + 1, to: seq + 5, count: 5, topics: [{ topic: 'm', count: 2 }, { topic: 'n/b', count: 2 }, { topic: 'n/a', count: 1 }] });
    expect(await texts(later, 3)).toEqual(['n/a', 'n/b', 'n/a']);
  });

  it('that begin with what there was are told what of it has gone since', async () => {
    const { log } = await withTopic({ maxItems: 3 }, { limits: { memoryRingBytes: 1 } });
    const { seq } = await log.append(item('m', '0'));
    await publish(log, '1', '2', '3');
    const cursor = await log.cursor({ ...live('#'), from: 'start' });
    expect(await texts(cursor, 2)).toEqual(['configure', '1']);
    await publish(log, '4', '5', '6');
    const gaps = [...await cursor.next(1), ...await cursor.next(1)];
    expect(gaps.map(({ record }) => record.gap)).toMatchObject([
      { from: seq + 2, to: seq + 2, count: 1, topics: [{ topic: 'm', count: 1 }] },
      { from: seq + 3, to: seq + 5, count: 3, topics: [{ topic: 'm', count: 3 }] },
    ]);
    expect(await texts(cursor, 1)).toEqual(['6']);
  });

  it('may give a record back, and have it again although the ring has lost it; what is done is done', async () => {
    const { log, clock } = await withTopic({}, { limits: { memoryRingBytes: 1 } });
    const cursor = await log.cursor(live('m'));
    await publish(log, '1');
    const one = await next(cursor);
    await publish(log, '2');
    cursor.again(one.seq);
    expect(await texts(cursor, 2)).toEqual(['1*', '2']);
    cursor.again(one.seq);
    expect(await cursor.next(1)).toEqual([]);
    await publish(log, '3');
    const three = await next(cursor);
    cursor.again(three.seq, 1000);
    expect(await cursor.next(1)).toEqual([]);
    clock.advance(1000);
    expect(await texts(cursor, 1)).toEqual(['3*']);
    expect(cursor.unconfirmed).toBe(0);
    await publish(log, '4', '5');
    const gap = await next(cursor);
    expect(gap.kind).toBe('gap');
    cursor.back(gap.seq);
    expect(await next(cursor)).toBe(gap);
  });

  it('begin with the newest, with what there is, at a position, or at a time', async () => {
    const { log, clock } = await withTopic({}, { limits: { memoryRingBytes: 2 * 700 } });
    await publish(log, '1', '2');
    const disk = await log.append(item('t', 'd'));
    clock.advance(1000);
    const time = clock.wall();
    const three = await log.append(item('m', '3'));
    await publish(log, '4', '5');
    const from = async (where: Parameters<typeof live>[1], count: number, filter = 'm'): Promise<string[]> => texts(await log.cursor(live(filter, where)), count);
    expect(await from('last', 1)).toEqual(['5']);
    expect(await from('start', 6)).toEqual(['configure', '1', '2', '3', '4', '5']);
    expect(await from({ seq: three.seq }, 3)).toEqual(['3', '4', '5']);
    expect(await from({ seq: disk.seq }, 4, '#')).toEqual(['d', '3', '4', '5']);
    expect(await from({ time }, 3)).toEqual(['3', '4', '5']);
    const begun = await log.cursor(live('#', 'last'));
    expect(await texts(begun, 2)).toEqual(['d', '5']);
    await publish(log, '6');
    expect(await texts(begun, 1)).toEqual(['6']);
  });

  it.each(['history', 'latest'] as const)('that are slow keep nothing of a view (%s) that goes on, and are told what went before they read it', async (lane) => {
    const { log } = await withTopic({ maxItems: 4, lane }, { limits: { memoryRingBytes: 2 * 700 } });
    const seqs: number[] = [];
    const publishAll = async (...all: readonly string[]): Promise<void> => { for (const id of all) seqs.push((await log.append(item('m', id, { id }))).seq); };
    await publishAll('1', '2', '3', '4');
    const slow = await log.cursor(live('m', 'start'));
    expect(await texts(slow, 2)).toEqual(['configure', '1']);
    await publishAll('5', '6', '7');
    const found = await slow.next(10);
    const gaps = [{ from: seqs[1], to: seqs[1], count: 1, reason: 'overflow' }, { from: seqs[2], to: seqs[4], count: 3, reason: 'overflow' }];
    expect(found.map(({ record: { gap } }) => gap)).toEqual([...(lane === 'history' ? gaps : gaps.slice(1)), undefined, undefined]);
    expect(bodies(found.slice(-2).map(({ record }) => record))).toEqual(['6', '7']);
  });

  it('that wait are woken', async () => {
    const { log } = await withTopic();
    const cursor = await log.cursor(live('m'));
    const got = texts(cursor, 2);
    await quiet();
    await publish(log, '1');
    await quiet();
    await publish(log, '2');
    expect(await got).toEqual(['1', '2']);
  });
});

describe('the view', () => {
  it('holds as many items, bytes and milliseconds as it may', async () => {
    const { log, clock } = await withTopic({ maxItems: 3 });
    await publish(log, '1', '2', '3', '4');
    expect(await view(log)).toEqual(['2', '3', '4']);
    expect(log.topic('m')).toMatchObject({ count: 3 });
    await log.append({ topic: 'm', kind: 'configure', config: { storage: 'memory', maxBytes: 110 } });
    expect(await view(log)).toEqual(['3', '4']);
    await log.append(item('m', 'x'.repeat(200)));
    expect(log.topic('m')).toMatchObject({ count: 1 });
    await log.append({ topic: 'm', kind: 'configure', config: { storage: 'memory', maxAge: 1000 } });
    clock.advance(600);
    await publish(log, 'young');
    clock.advance(400);
    expect(await view(log)).toEqual(['young']);
    clock.advance(600);
    expect(log.topic('m')).toMatchObject({ count: 0, viewBytes: 0 });
  });

  it('gives an item up when its own time is over', async () => {
    const { log, clock } = await withTopic();
    await log.append(item('m', 'long', { expires: clock.wall() + 5000 }));
    await log.append(item('m', 'short', { expires: clock.wall() + 1000 }));
    await publish(log, 'ever');
    clock.advance(1000);
    expect(await view(log)).toEqual(['long', 'ever']);
    clock.advance(4000);
    expect(await view(log)).toEqual(['ever']);
  });

  it('of all topics has a bound: the oldest items go first, whosever they are', async () => {
    const { log } = await withTopic({}, { limits: { memoryViewBytes: 4 * 700 } });
    await log.append({ topic: 'n', kind: 'configure', config: { storage: 'memory' } });
    for (const [i, topic] of ['m', 'n', 'm', 'n', 'm', 'n'].entries()) await log.append(item(topic, `${i}`));
    expect(await view(log)).toEqual(['2', '4']);
    expect(bodies(await log.items('n', { after: 0 }))).toEqual(['3', '5']);
  });

  it('is asked by ids, from either end, in pages, and from a time on', async () => {
    const { log, clock } = await withTopic();
    const [one] = await Promise.all([log.append(item('m', '1')), log.append(item('m', '2', { id: 'two' })), publish(log, '3')]);
    clock.advance(1000);
    const four = await log.append(item('m', '4'));
    await publish(log, '5');
    expect(await view(log, { ids: ['two', one.recordId, 'none', four.id] })).toEqual(['1', '2', '4']);
    expect(await view(log, { last: 2 })).toEqual(['4', '5']);
    expect(await view(log, { last: 2, before: four.seq })).toEqual(['2', '3']);
    expect(await view(log, { after: one.seq, limit: 2 })).toEqual(['2', '3']);
    expect(await view(log, { after: 0, skip: 1, limit: 2 })).toEqual(['2', '3']);
    expect(await view(log, { since: clock.wall() })).toEqual(['4', '5']);
    expect(await log.place('m', four.seq, 10)).toBe(3);
    expect(await log.place('m', four.seq, 2)).toBeUndefined();
  });

  it('has the newest of each id; the same again is the one that is there', async () => {
    const { log } = await withTopic();
    const first = await log.append(item('m', '1', { id: 'a' }));
    expect(await log.append(item('m', '1', { id: 'a' }))).toEqual({ ...first, repeated: true });
    await log.append(item('m', '2', { id: 'a' }));
    expect(await view(log)).toEqual(['2']);
    const named = await log.append(item('m', '3'));
    expect(await log.append(item('m', '4', { id: named.recordId }))).toMatchObject({ repeated: false });
    expect(await view(log)).toEqual(['2', '4']);
  });

  it('in the lane latest has the newest of each key, or of the topic', async () => {
    const { log } = await withTopic({ lane: 'latest' });
    await publish(log, '1', '2');
    expect(await log.append(item('m', '2'))).toMatchObject({ repeated: false });
    expect(await view(log)).toEqual(['2']);
    for (const [key, text] of [['k', 'a'], ['l', 'b'], ['k', 'c']] as const) await log.append(item('m', text, { key }));
    expect(await view(log)).toEqual(['2', 'b', 'c']);
  });

  it('refuses what it has no room for, if it is to', async () => {
    const { log } = await withTopic({ full: 'reject', maxItems: 2 });
    await log.append(item('m', '1', { id: 'a' }));
    await publish(log, '2');
    await expect(publish(log, '3')).rejects.toMatchObject({ code: 'topic-full' });
    await log.append(item('m', '4', { id: 'a' }));
    await log.append({ topic: 'm', kind: 'retract', id: 'a' });
    await publish(log, '5');
    expect(await view(log)).toEqual(['2', '5']);
  });

  it('loses what is retracted, all when it is purged, and the topic when it is deleted', async () => {
    const { log } = await withTopic();
    const cursor = await log.cursor(live('m'));
    const { recordId } = await log.append(item('m', '1'));
    await publish(log, '2');
    await log.append({ topic: 'm', kind: 'retract', id: recordId });
    await expect(log.append({ topic: 'm', kind: 'retract', id: recordId })).rejects.toMatchObject({ code: 'not-found' });
    expect(await view(log)).toEqual(['2']);
    await log.append({ topic: 'm', kind: 'purge' });
    expect(await view(log)).toEqual([]);
    await publish(log, '3');
    await log.append({ topic: 'm', kind: 'delete' });
    expect(await view(log)).toEqual([]);
    expect(await texts(cursor, 6)).toEqual(['1', '2', 'retract', 'purge', '3', 'delete']);
    const disk = await log.append(item('m', '4'));
    expect(disk.seq).toBe(log.head);
  });
});

it('what is appended in one breath with the settings that put a topic into memory goes there, too', async () => {
  const { log } = await openMemory();
  const [, published] = await Promise.all([log.append({ topic: 'm', kind: 'configure', config: { storage: 'memory' } }), log.append(item('m', '1'))]);
  expect(published.seq).toBeGreaterThanOrEqual(MEMORY_FROM);
  expect(await view(log)).toEqual(['1']);
});
