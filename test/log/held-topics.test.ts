// A topic held back alone: a place of its own within its subscription.
import { afterEach, describe, expect, it } from 'vitest';
import { PREFIX, prefixRange } from '../../src/log/keys.ts';
import type { Cursor } from '../../src/log/cursor.ts';
import type { Log } from '../../src/log/log.ts';
import type { MemoryDatabase } from '../../src/log/memory-database.ts';
import { closeAll, item, openMemory, texts } from './log-fixture.ts';

afterEach(closeAll);

const ALL = { name: 'c', filter: '#', from: 'start', durable: true } as const;
const info = (log: Log) => [...log.cursors()][0];

async function mixed(log: Log, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) {
    await log.append(item('bad', `b${n}`));
    await log.append(item('good', `g${n}`));
  }
}

describe('a topic held back', () => {
  it('keeps its records for a cursor of its own, and the other goes on without them', async () => {
    const { log } = await openMemory();
    await mixed(log, 1, 3);
    const main = await log.cursor(ALL);
    const page = await main.next(6);
    for (const { record } of page) if (record.topic === 'good') main.done(record.seq);
    const held = await main.hold('bad');
    expect(await main.hold('bad')).toBe(held);
    await mixed(log, 4, 4);
    expect(await texts(main, 1)).toEqual(['g4']);
    expect(main.position).toBe(log.head);
    held.rewind();
    expect(await texts(held, 4)).toEqual(['b1*', 'b2*', 'b3*', 'b4']);
  });

  it('is one with its subscription: shown once, counted together, dropped together', async () => {
    const { log, database } = await openMemory();
    await mixed(log, 1, 5);
    const main = await log.cursor(ALL);
    const held = await main.hold('bad');
    expect(await texts(main, 5)).toEqual(['g1', 'g2', 'g3', 'g4', 'g5']);
    expect(await texts(held, 2)).toEqual(['b1', 'b2']);
    expect([...log.cursors()].map(({ name, held: topics }) => [name, topics])).toEqual([['c', ['bad']]]);
    expect(await info(log)?.pending()).toBe(3);
    expect((await info(log)?.oldest())?.seq).toBe(5);
    await main.close();
    expect(await info(log)?.pending()).toBe(3);
    await log.dropCursor('c');
    expect(await database.range({ ...prefixRange(PREFIX.cursor), limit: 9 })).toEqual([]);
  });

  it('holds the log for itself alone', async () => {
    const { log, database } = await openMemory({ limits: { windowBytes: 0, maxItems: 1 } });
    await mixed(log, 1, 10);
    const main = await log.cursor(ALL);
    await main.hold('bad');
    await texts(main, 10);
    await main.flush();
    await log.append(item('other', 'x'));
    await log.trim();
    expect([log.topic('bad')?.first, log.topic('good')?.first]).toEqual([1, 19]);
    expect((await database.range({ ...prefixRange(PREFIX.record), limit: 99 })).length).toBe(12);
  });

  it('goes back when it has caught up, not before, and nothing comes twice or not at all', async () => {
    const { log, database } = await openMemory();
    await mixed(log, 1, 2);
    const main = await log.cursor(ALL);
    const held = await main.hold('bad');
    expect(await main.unhold('bad')).toBe(false);
    expect(await texts(held, 2)).toEqual(['b1', 'b2']);
    // The other one is behind it: what is done stays done for it.
    expect(await main.unhold('bad')).toBe(true);
    await mixed(log, 3, 3);
    expect(await texts(main, 4)).toEqual(['g1', 'g2', 'b3', 'g3']);
    await log.close();
    const after = await openMemory({ database });
    expect(info(after.log)?.held).toEqual([]);
    expect(await (await after.log.cursor(ALL)).next(9)).toEqual([]);
    await after.log.close();
    await database.open();
    expect((await database.range({ ...prefixRange(PREFIX.cursor), limit: 9 })).length).toBe(1);
  });

  it('held again while the other is still behind, begins where it had come to', async () => {
    const { log, database } = await openMemory();
    await mixed(log, 1, 3);
    const main = await log.cursor(ALL);
    const first = await main.hold('bad');
    for (const { record } of await main.next(1)) main.take(record.seq, 1);
    expect(await texts(first, 3)).toEqual(['b1', 'b2', 'b3']);
    expect(await main.unhold('bad')).toBe(true);
    for (const { record } of await main.next(2)) main.take(record.seq, 1);
    const again = await main.hold('bad');
    expect(await again.taken('bad', Infinity, 9)).toEqual([]);
    const after = await openMemory({ database: database.fork() });
    await after.log.append(item('bad', 'b4'));
    expect(await texts((await after.log.cursor(ALL)).held.get('bad') ?? main, 1)).toEqual(['b4']);
    await mixed(log, 4, 4);
    expect(await texts(again, 1, false)).toEqual(['b4']);
    again.rewindTo(6);
    expect(await texts(again, 1)).toEqual(['b4*']);
    expect(await again.next(9)).toEqual([]);
    expect(await info(log)?.pending()).toBe(4);
    expect(await info(log)?.left()).toBe(1);
  });

  it('survives a power cut in its place, also one between going back and the other passing it', async () => {
    const { log, database } = await openMemory();
    await mixed(log, 1, 2);
    const main = await log.cursor(ALL);
    const held = await main.hold('bad');
    const first = await openMemory({ database: database.fork() });
    expect(await texts((await first.log.cursor(ALL)).held.get('bad') ?? main, 2)).toEqual(['b1', 'b2']);
    await texts(held, 2);
    await main.unhold('bad');
    const second = await openMemory({ database: database.fork() });
    expect(await texts(await second.log.cursor(ALL), 2)).toEqual(['g1', 'g2']);
  });

  it('leaves nothing behind when its subscription is dropped while it begins', async () => {
    const { log, database } = await openMemory();
    await mixed(log, 1, 2);
    const main = await log.cursor(ALL);
    await texts(main, 4, false);
    const held = main.hold('bad');
    const aside = main.putAside(2, 'no');
    await Promise.allSettled([log.dropCursor('c'), held, aside]);
    await log.close();
    await database.open();
    for (const prefix of [PREFIX.cursor, PREFIX.aside]) expect(await database.range({ ...prefixRange(prefix), limit: 9 })).toEqual([]);
  });

  it('belongs to what its subscription reads, and to a durable one', async () => {
    const { log } = await openMemory();
    await mixed(log, 1, 1);
    const main = await log.cursor({ ...ALL, filter: 'good' });
    await expect(main.hold('bad')).rejects.toMatchObject({ code: 'invalid-topic' });
    const live = await log.cursor({ name: 'l', filter: '#', from: 'new', durable: false });
    await expect(live.hold('bad')).rejects.toMatchObject({ code: 'unsupported' });
    await expect(log.cursor({ ...ALL, name: 'a\0b' })).rejects.toMatchObject({ code: 'invalid-value' });
  });

  it('reads again, of what is not done, all from a position on', async () => {
    const { log } = await openMemory();
    await mixed(log, 1, 4);
    const held = await (await log.cursor(ALL)).hold('bad');
    await texts(held, 4, false);
    held.done(3);
    held.take(5, 1);
    held.rewindTo(3);
    expect(await texts(held, 2, false)).toEqual(['b3*', 'b4*']);
    held.done(1);
    expect(held.position).toBe(4);
  });

  it('reads again from there also when it was reading on from disk', async () => {
    const { log } = await openMemory({ limits: { ringBytes: 1 } });
    await mixed(log, 1, 4);
    const held = await (await log.cursor(ALL)).hold('bad');
    await texts(held, 2, false);
    for (const seq of [1, 3]) held.take(seq, 1);
    const reading = held.next(1);
    held.rewindTo(1);
    expect((await reading).map(({ record }) => record.seq)).toEqual([1]);
    expect(await texts(held, 3, false)).toEqual(['b2*', 'b3', 'b4']);
  });
});

describe('what is taken', () => {
  it('is done when it is settled, and not done when the process ends before', async () => {
    const { log, database } = await openMemory();
    await mixed(log, 1, 3);
    const main = await log.cursor(ALL);
    for (const { record } of await main.next(6)) main.take(record.seq, record.topic === 'bad' ? 1 : 2);
    expect([main.unconfirmed, main.position, await info(log)?.pending()]).toEqual([0, 0, 6]);
    expect((await main.taken('bad', Infinity, 2)).map(({ seq }) => seq)).toEqual([5, 3]);
    expect((await main.taken('bad', 3, 2)).map(({ seq }) => seq)).toEqual([1]);
    main.settle(1);
    expect([main.position, await info(log)?.pending()]).toEqual([1, 3]);
    await log.close();
    const after = await openMemory({ database });
    expect(await texts(await after.log.cursor(ALL), 3)).toEqual(['g1*', 'g2*', 'g3*']);
  });

  it('is found by topic, begins anew, and is settled in the end', async () => {
    const { log } = await openMemory();
    await Promise.all(Array.from({ length: 2000 }, (_, n) => log.append(item(`t/${n % 7}`, `${n}`))));
    const main = await log.cursor(ALL);
    for (let n = 0; n < 2000;) {
      const page = await main.next(50);
      for (const { record } of page.toReversed()) main.take(record.seq, 1);
      n += page.length;
    }
    expect([main.position, main.unconfirmed]).toEqual([0, 0]);
    expect((await main.taken('t/3', Infinity, 5000)).length).toBe(286);
    main.retake(2);
    main.settle(1);
    expect(main.position).toBe(0);
    main.settle(2);
    expect(main.position).toBe(log.head);
  });
});

describe('what is taken and its topic is held back', () => {
  /** Runs `during` while the row of the topic's cursor is on its way to disk. */
  async function holding(main: Cursor, database: MemoryDatabase, during: () => void): Promise<Cursor> {
    const batch = database.batch.bind(database);
    database.batch = () => {
      const inner = batch();
      database.batch = batch;
      return { ...inner, write: (options) => {
        during();
        return inner.write(options);
      } };
    };
    return main.hold('bad');
  }

  it('is counted once where it was taken while the topic got its cursor', async () => {
    const { log, database } = await openMemory();
    await mixed(log, 1, 3);
    const main = await log.cursor(ALL);
    const seqs = (await main.next(6)).map(({ record }) => record.seq);
    const bytes = await info(log)?.bytes();
    await holding(main, database, () => { for (const seq of seqs) main.take(seq, 1); });
    expect([await info(log)?.pending(), await info(log)?.left(), await info(log)?.bytes()]).toEqual([6, 0, bytes]);
  });

  it('is counted once whatever was settled before it', async () => {
    const { log } = await openMemory();
    await mixed(log, 1, 3);
    const main = await log.cursor(ALL);
    for (const { record } of await main.next(6)) main.take(record.seq, record.topic === 'bad' ? 2 : 1);
    const held = await main.hold('bad');
    expect(await info(log)?.pending()).toBe(6);
    main.settle(1);
    expect(await info(log)?.pending()).toBe(3);
    held.settle(2);
    expect(await info(log)?.pending()).toBe(0);
  });

  it('is counted once where something was settled while the topic got its cursor', async () => {
    const { log, database } = await openMemory();
    await mixed(log, 1, 3);
    const main = await log.cursor(ALL);
    for (const { record } of await main.next(6)) main.take(record.seq, record.seq <= 3 ? 1 : 2);
    await holding(main, database, () => main.settle(1));
    expect(await info(log)?.pending()).toBe(3);
  });

  it('is counted once where it was taken anew', async () => {
    const { log } = await openMemory();
    await mixed(log, 1, 4);
    const main = await log.cursor(ALL);
    for (const { record } of await main.next(8)) main.take(record.seq, record.seq);
    main.retake(9);
    main.settle(8);
    const held = await main.hold('bad');
    main.retake(10);
    main.settle(9);
    expect(await info(log)?.pending()).toBe(8);
    main.settle(10);
    expect(await info(log)?.pending()).toBe(4);
    held.settle(10);
    expect(await info(log)?.pending()).toBe(0);
  });
});

describe('a record put aside', () => {
  it('is passed, kept whole as long as its note, and let go with the subscription', async () => {
    const { log, database } = await openMemory({ limits: { windowBytes: 0, maxItems: 1 } });
    for (let n = 1; n <= 6; n++) await log.append(item('t', `${n}`, n === 2 ? { id: 'two' } : {}));
    const cursor = await log.cursor({ ...ALL, filter: 't' });
    await texts(cursor, 6, false);
    await cursor.putAside(2, { reason: 'too odd' });
    for (const seq of [1, 3, 4, 5, 6]) cursor.done(seq);
    await cursor.flush();
    await log.trim();
    expect((await database.range({ ...prefixRange(PREFIX.record), limit: 9 })).length).toBe(2);
    expect(await log.asides('c')).toMatchObject([{ record: { seq: 2, topic: 't', id: 'two' }, note: { reason: 'too odd' } }]);
    await log.close();
    const after = await openMemory({ database, limits: { windowBytes: 0, maxItems: 1 } });
    expect(await after.log.asides('c')).toMatchObject([{ record: { seq: 2, payload: { bytes: Uint8Array.of(50) } }, note: { reason: 'too odd' } }]);
    await after.log.append({ topic: 't', kind: 'delete' });
    await after.log.trim();
    expect(after.log.topic('t')).toBeDefined();
    await after.log.dropCursor('c');
    await after.log.append(item('u', 'x'));
    await after.log.trim();
    await after.log.trim();
    expect(after.log.topic('t')).toBeUndefined();
    expect((await database.range({ ...prefixRange(PREFIX.record), limit: 9 })).length).toBe(1);
    expect(await database.range({ ...prefixRange(PREFIX.aside), limit: 9 })).toEqual([]);
  });

  it('is in one batch with the position that passes it', async () => {
    const { log, database } = await openMemory();
    await log.append(item('t', '1'));
    await log.append(item('t', '2'));
    const cursor = await log.cursor({ ...ALL, filter: 't' });
    await texts(cursor, 1, false);
    const cuts: number[] = [];
    const batch = database.batch.bind(database);
    database.batch = () => {
      const inner = batch();
      const write = async (options: { readonly sync: boolean }): Promise<void> => {
        await inner.write(options);
        const after = await openMemory({ database: database.fork() });
        const [left] = [...after.log.cursors()];
        cuts.push((left?.position ?? 0) * 10 + (await after.log.asides('c')).length);
      };
      return { ...inner, write };
    };
    await cursor.putAside(1, 'no');
    expect(cuts).toEqual([11]);
  });

  it('that could not be written is not passed', async () => {
    const { log, database, clock } = await openMemory();
    await log.append(item('t', '1'));
    const cursor = await log.cursor({ ...ALL, filter: 't' });
    await texts(cursor, 1, false);
    database.failure = new Error('No space left on device');
    await expect(cursor.putAside(1, 'no')).rejects.toMatchObject({ code: 'disk-full' });
    expect(cursor.position).toBe(0);
    database.failure = undefined;
    clock.advance(1000);
    await expect.poll(() => log.state, { interval: 1 }).toBe('open');
    await cursor.putAside(1, 'no');
    expect([cursor.position, (await log.asides('c')).length]).toEqual([1, 1]);
  });

  it('and wanted once more is done when it has been taken and has settled, whichever cursor its topic has', async () => {
    const { log, database } = await openMemory();
    for (const text of ['1', '2', '3']) await log.append(item('t', text));
    const main = await log.cursor(ALL);
    await texts(main, 3, false);
    for (const seq of [1, 2]) await main.putAside(seq, 'no');
    const held = await main.hold('t');
    await log.retryAsides('c');
    expect(await texts(main, 2, false)).toEqual(['1*', '2*']);
    held.take(1, 1);
    held.take(2, 5);
    held.settle(9);
    main.settle(3);
    expect([main.isRetried(1), main.isRetried(2)]).toEqual([false, true]);
    held.done(3);
    expect(await main.unhold('t')).toBe(true);
    main.doubtRetries();
    expect(await texts(main, 1, false)).toEqual(['2*']);
    await main.flush();
    const after = await openMemory({ database: database.fork() });
    expect((await after.log.asides('c')).map(({ record }) => record.seq)).toEqual([2]);
    expect(await texts(await after.log.cursor(ALL), 1)).toEqual(['2*']);
  });
});

describe('a record', () => {
  it('is replaced by a newer one of its item, by its retraction, and by nothing else', async () => {
    const { log } = await openMemory();
    const cursor = await log.cursor(ALL);
    await log.append(item('t', 'old', { id: 'a' }));
    await log.append(item('t', 'new', { id: 'a' }));
    await log.append(item('t', 'gone', { id: 'b' }));
    await log.append({ topic: 't', kind: 'retract', id: 'b' });
    await log.append(item('t', 'alone'));
    const page = await cursor.next(9);
    expect(await Promise.all(page.map(({ record }) => log.isReplaced(record)))).toEqual([true, false, true, false, false]);
  });

  it('of the lane latest is also when it is not kept any more, for whoever still has it in hand', async () => {
    const { log } = await openMemory({ limits: { windowBytes: 0 } });
    await log.append({ topic: 't', kind: 'configure', config: { lane: 'latest' } });
    const cursor = await log.cursor(ALL);
    await log.append(item('t', 'old'));
    const page = await cursor.next(9);
    expect(await Promise.all(page.map(({ record }) => log.isReplaced(record)))).toEqual([false, false]);
    await log.append(item('t', 'new'));
    for (let i = 0; i < 3; i++) await log.trim();
    expect(await Promise.all([...page, ...await cursor.next(9)].map(({ record }) => log.isReplaced(record)))).toEqual([false, true, false]);
  });
});
