import { afterEach, describe, expect, it } from 'vitest';
import type { Cursor } from '../../src/log/cursor.ts';
import { encodeRow } from '../../src/log/cbor.ts';
import { type RangeOptions, type Row, writeSynced } from '../../src/log/database.ts';
import { lostKey, PREFIX, prefixRange } from '../../src/log/keys.ts';
import type { Log, CursorOptions } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { lossLedger } from '../../src/pubsub/ledger.ts';
import { quiet } from '../support/quiet.ts';
import { type Bench, closeAll, item, openMemory } from './log-fixture.ts';

afterEach(closeAll);

const bench = (database = new MemoryDatabase(), ringBytes = 1 << 20): Promise<Bench> => openMemory({ database, ledger: lossLedger(), limits: { windowBytes: 0, maxItems: 3, ringBytes } });
const named = (name: string, maxBacklog?: CursorOptions['maxBacklog'], filter = 't'): CursorOptions => ({ name, filter, from: 'new', durable: true, ...(maxBacklog && { maxBacklog }) });

async function fill(log: Log, from: number, to: number, topic = 't'): Promise<void> {
  await Promise.all(Array.from({ length: to - from + 1 }, (_, i) => log.append(item(topic, `${from + i}`))));
}

async function trimmed(log: Log): Promise<void> {
  for (let i = 0; i < 3; i++) await log.trim();
}

/** All there is for it: bodies, and gaps with their range. */
async function read(cursor: Cursor, confirm = true): Promise<string[]> {
  const found: string[] = [];
  for (;;) {
    const page = await cursor.next(100);
    if (page.length === 0 && !(cursor.unconfirmed === 0 && await more(cursor))) return found;
    for (const { record, redelivered } of page) {
      const { gap } = record;
      found.push(`${gap ? `${gap.from}-${gap.to} ${gap.count} ${gap.reason}` : Buffer.from(record.payload?.bytes ?? []).toString()}${redelivered ? '*' : ''}`);
      if (confirm) cursor.done(record.seq);
    }
  }
}

/** Whether it has something after all. */
async function more(cursor: Cursor): Promise<boolean> {
  const signal = AbortSignal.abort();
  const waited = await Promise.race([cursor.wait().then(() => true), quiet().then(() => false)]);
  await cursor.wait(signal);
  return waited;
}

const ledger = async (log: Log): Promise<unknown[]> => (await log.items('$ledger', { after: 0 })).map(({ payload }) => JSON.parse(Buffer.from(payload?.bytes ?? []).toString()) as unknown);

describe('a subscription with a bound of what may wait for it', () => {
  it('gets a gap in place of what is too much, others lose nothing, and what nobody needs goes', async () => {
    const { log, database } = await bench();
    const bounded = await log.cursor(named('local:bounded', { records: 4 }));
    const other = await log.cursor(named('local:other'));
    await bounded.close();
    await fill(log, 1, 10);
    await trimmed(log);
    expect([...log.cursors()].map(({ name }) => name)).toEqual(['local:bounded', 'local:other']);
    const again = await log.cursor(named('local:bounded', { records: 4 }));
    expect(await read(again)).toEqual(['1-6 6 overflow', '7', '8', '9', '10']);
    expect(await read(other)).toEqual(Array.from({ length: 10 }, (_, i) => `${i + 1}`));
    expect(await ledger(log)).toEqual([{ subscription: 'bounded', topic: 't', from: 1, to: 6, count: 6, reason: 'overflow' }]);
    await again.flush();
    await other.flush();
    await log.append(item('t', '11'));
    await trimmed(log);
    expect(log.topic('t')).toMatchObject({ count: 3 });
    expect(await database.range({ ...prefixRange(PREFIX.lost), limit: 9 })).toEqual([]);
    expect((await database.range({ ...prefixRange(PREFIX.index), limit: 99 })).length).toBeLessThan(8);
  });

  it('counts only what it has not confirmed, also while nobody has it open', async () => {
    const { log } = await bench();
    const bound = { records: 4, bytes: 4 * 200 };
    const bounded = await log.cursor(named('c', bound));
    await fill(log, 1, 10);
    for (const { record: { seq } } of await bounded.next(10)) if (seq !== 1) bounded.done(seq);
    await bounded.close();
    await trimmed(log);
    await fill(log, 11, 13);
    await trimmed(log);
    expect(log.topic('$ledger')).toBeUndefined();
    await fill(log, 14, 14);
    await trimmed(log);
    expect(await ledger(log)).toMatchObject([{ from: 1, to: 1, count: 1 }]);
    expect(await read(await log.cursor(named('c', bound)))).toEqual(['1-1 1 overflow*', '11', '12', '13', '14']);
  });

  it('goes on losing the oldest: one gap, one row, one line that grows', async () => {
    const { log, database } = await bench();
    await (await log.cursor(named('c', { records: 2 }))).close();
    for (let n = 1; n <= 9; n += 3) {
      await fill(log, n, n + 2);
      await trimmed(log);
      expect(await [...log.cursors()][0]?.pending()).toBe(2);
    }
    expect((await database.range({ ...prefixRange(PREFIX.lost), limit: 9 })).length).toBe(1);
    expect(await ledger(log)).toMatchObject([{ from: 1, count: 7 }]);
    // What nobody needs has gone, although it never came.
    expect(log.topic('t')?.count).toBe(3);
    const cursor = await log.cursor(named('c'));
    const [first, ...rest] = await read(cursor);
    expect([first?.endsWith('7 overflow'), rest]).toEqual([true, ['8', '9']]);
    expect(await [...log.cursors()][0]?.pending()).toBe(0);
  });

  it('never loses what it has been handed, and what comes after the gap stays', async () => {
    const { log } = await bench();
    const cursor = await log.cursor(named('c', { records: 3 }));
    await fill(log, 1, 3);
    const [one, two] = await cursor.next(2);
    await fill(log, 4, 8);
    await trimmed(log);
    expect(await read(cursor)).toEqual(['3-7 5 overflow', '8']);
    cursor.again(two?.record.seq ?? 0);
    expect(await read(cursor)).toEqual(['2*']);
    cursor.done(one?.record.seq ?? 0);
    expect(cursor.position).toBe(log.head);
  });

  it('is told again of a gap that it did not confirm, after a crash and a restart', async () => {
    const { log, database } = await bench();
    const cursor = await log.cursor(named('c', { records: 2 }));
    await fill(log, 1, 6);
    await trimmed(log);
    expect(await read(cursor, false)).toEqual(['1-4 4 overflow', '5', '6']);
    cursor.rewind();
    expect(await read(cursor, false)).toEqual(['1-4 4 overflow*', '5*', '6*']);
    const crashed = await bench(database.fork());
    const after = await crashed.log.cursor(named('c'));
    expect(await read(after)).toEqual(['1-4 4 overflow*', '5*', '6*']);
    await crashed.log.close();
    const closed = await bench(crashed.database);
    expect(await read(await closed.log.cursor(named('c')))).toEqual([]);
  });

  it('is bounded by bytes and by age too', async () => {
    const { log, clock } = await bench();
    await (await log.cursor(named('bytes', { bytes: 200 }))).close();
    await (await log.cursor(named('age', { age: 60_000 }))).close();
    await fill(log, 1, 4);
    clock.advance(30_000);
    await fill(log, 5, 8);
    const each = (log.topic('t')?.bytes ?? 0) / 8;
    await trimmed(log);
    const kept = Math.floor(200 / each);
    expect(await read(await log.cursor(named('bytes')))).toEqual([`1-${8 - kept} ${8 - kept} overflow`, ...Array.from({ length: kept }, (_, i) => `${9 - kept + i}`)]);
    clock.advance(29_999);
    await trimmed(log);
    expect(await [...log.cursors()].find(({ name }) => name === 'age')?.pending()).toBe(8);
    clock.advance(1);
    await trimmed(log);
    expect(await read(await log.cursor(named('age')))).toEqual(['1-4 4 expired', '5', '6', '7', '8']);
  });

  it('of many topics has one gap that tells of each, and counts only what it reads', async () => {
    const { log, database } = await bench();
    await (await log.cursor(named('c', { records: 2 }, 'a/#'))).close();
    for (let n = 1; n <= 4; n++) {
      await log.append(item('a/x', `x${n}`));
      await log.append(item('a/y', `y${n}`));
      await log.append(item('b', `b${n}`));
    }
    await trimmed(log);
    expect(await ledger(log)).toMatchObject([{ topic: 'a/x', from: 1, to: 7, count: 3 }, { topic: 'a/y', from: 2, to: 8, count: 3 }]);
    const { log: after } = await bench(database.fork());
    const again = await after.cursor(named('c', undefined, 'a/#'));
    const [gap] = await again.next(1);
    expect(gap?.record).toMatchObject({ topic: '', gap: { from: 1, to: 8, count: 6, topics: [{ topic: 'a/x', from: 1, to: 7, count: 3 }, { topic: 'a/y', from: 2, to: 8, count: 3 }] } });
    expect(await read(again)).toEqual(['x4', 'y4']);
    expect(await read(await log.cursor(named('c', undefined, 'a/#')))).toEqual(['1-8 6 overflow', 'x4', 'y4']);
  });

  it('of more topics than are read by their index counts each, too', async () => {
    const { log } = await bench();
    await (await log.cursor(named('c', { records: 10 }, 'a/#'))).close();
    for (let n = 0; n < 3; n++) await Promise.all(Array.from({ length: 300 }, (_, i) => log.append(item(`a/${i}`, `${n}`))));
    await log.append(item('b', 'other'));
    await trimmed(log);
    const [gap] = await (await log.cursor(named('c', undefined, 'a/#'))).next(1);
    const { topics = [], others, count } = gap?.record.gap ?? {};
    expect(topics).toHaveLength(32);
    expect(topics.every((one) => one.count === 3 && one.to === one.from + 600)).toBe(true);
    expect([count, others]).toEqual([890, { from: 33, to: 890, count: 890 - 96 }]);
  });

  it('goes on with the gap of a store that did not say which topics it was of', async () => {
    const { log, database } = await bench();
    await (await log.cursor(named('c', { records: 1 }, 'a/#'))).close();
    for (const topic of ['a/x', 'a/y', 'a/x', 'a/y']) await log.append(item(topic, topic));
    await log.close();
    await database.open();
    await writeSynced(database, [{ key: lostKey('c', 1), value: encodeRow([2, 2, 'overflow']) }]);
    await database.close();
    const { log: after } = await bench(database);
    await trimmed(after);
    const [gap] = await (await after.cursor(named('c', undefined, 'a/#'))).next(1);
    expect(gap?.record.gap).toEqual({ from: 1, to: 3, count: 3, reason: 'overflow', topics: [{ topic: 'a/x', from: 3, to: 3, count: 1 }], others: { from: 1, to: 2, count: 2 } });
    expect(await ledger(after)).toMatchObject([{ topic: 'a/x', count: 1 }]);
  });

  it('loses very many of many topics without one of them being read', async () => {
    const { log, database } = await bench(undefined, 1);
    await (await log.cursor(named('c', { records: 10 }, 'a/#'))).close();
    for (let n = 0; n < 20; n++) await Promise.all(Array.from({ length: 1000 }, (_, i) => log.append(item(`a/${i % 100}`, 'x'))));
    let [records, most] = [0, 0];
    const count = (rows: number, isRecords: boolean): void => {
      if (isRecords) records += rows;
      most = Math.max(most, rows);
    };
    const [range, getMany] = [database.range.bind(database), database.getMany.bind(database)];
    Object.assign(database, {
      range: async (options: RangeOptions): Promise<Row[]> => {
        const rows = await range(options);
        count(rows.length, (options.gte ?? options.gt)?.[0] === PREFIX.record);
        return rows;
      },
      getMany: async (keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]> => {
        count(keys.length, keys[0]?.[0] === PREFIX.record);
        return getMany(keys);
      },
    });
    await trimmed(log);
    const [gap] = await (await log.cursor(named('c', undefined, 'a/#'))).next(1);
    expect(gap?.record.gap).toMatchObject({ from: 1, to: 19_990, count: 19_990, others: { count: 19_990 - 32 * 200 } });
    expect(most).toBeLessThanOrEqual(1000);
    expect(records).toBe(0);
  });

  it('drops as much as there is, in one go, and while it reads', async () => {
    const { log } = await bench();
    const cursor = await log.cursor(named('c', { records: 10 }));
    for (let n = 0; n < 12; n++) await fill(log, n * 1000 + 1, n * 1000 + 1000);
    const reading = read(cursor);
    await trimmed(log);
    const found = await reading;
    const lost = found.filter((one) => one.endsWith('overflow')).reduce((sum, one) => sum + Number(one.split(' ')[1]), 0);
    expect(found.filter((one) => !one.endsWith('overflow')).length + lost).toBe(12_000);
  });

  it('in the lane latest counts the newest of each', async () => {
    const { log } = await bench(undefined, 1);
    await log.append({ topic: 't', kind: 'configure', config: { lane: 'latest', maxItems: 9 } });
    await (await log.cursor(named('c', { records: 3 }))).close();
    for (let n = 0; n < 30; n++) {
      await log.append(item('t', `${n}`, { key: `${n % 3}` }));
      if (n % 5 === 0) await trimmed(log);
    }
    await trimmed(log);
    expect(await read(await log.cursor(named('c')))).toEqual(['27', '28', '29']);
  });

  it('takes another bound when it is opened with one, and keeps it', async () => {
    const { log, database } = await bench();
    await (await log.cursor(named('c'))).close();
    await (await log.cursor(named('c', { records: 1 }))).close();
    await log.close();
    const { log: after } = await bench(database);
    await fill(after, 1, 4);
    await trimmed(after);
    expect(await read(await after.cursor(named('c')))).toEqual(['1-3 3 overflow', '4']);
  });

  it('is written down in the same batch as the drop: a failed write drops nothing', async () => {
    const { log, database, clock } = await bench();
    const cursor = await log.cursor(named('c', { records: 2 }));
    await fill(log, 1, 6);
    database.failure = new Error('No space left on device');
    const trimming = log.trim();
    await expect.poll(() => log.state, { interval: 1 }).toBe('refusing');
    expect(await read(cursor)).toEqual(['1', '2', '3', '4', '5', '6']);
    database.failure = undefined;
    clock.advance(1000);
    await trimming;
    expect([log.topic('$ledger'), (await database.range({ ...prefixRange(PREFIX.lost), limit: 9 })).length]).toEqual([undefined, 0]);
  });

  it('can be opened with another bound once that can be written: until then the old one holds', async () => {
    const { log, database, clock } = await bench();
    await (await log.cursor(named('c', { records: 6 }))).close();
    database.failure = new Error('No space left on device');
    await expect(log.cursor(named('c', { records: 1 }))).rejects.toMatchObject({ code: 'disk-full' });
    database.failure = undefined;
    clock.advance(1000);
    await expect.poll(() => log.state, { interval: 1 }).toBe('open');
    await fill(log, 1, 4);
    await trimmed(log);
    expect(await read(await log.cursor(named('c')))).toEqual(['1', '2', '3', '4']);
  });

  it('leaves nothing behind when it is dropped', async () => {
    const { log, database } = await bench();
    await (await log.cursor(named('c', { records: 2 }))).close();
    await fill(log, 1, 6);
    await trimmed(log);
    await log.dropCursor('c');
    expect(await database.range({ ...prefixRange(PREFIX.lost), limit: 9 })).toEqual([]);
  });

  it('gets what it put aside once more, also when all around it is lost', async () => {
    const { log } = await bench();
    const cursor = await log.cursor(named('c', { records: 4 }));
    await fill(log, 1, 3);
    const [, second] = await cursor.next(9);
    await cursor.putAside(second?.record.seq ?? 0, { reason: 'no good' });
    await cursor.close();
    await fill(log, 4, 12);
    await trimmed(log);
    expect(await log.retryAsides('c')).toBe(1);
    const again = await log.cursor(named('c', { records: 4 }));
    expect((await read(again)).map((one) => one.replace('*', '')).toSorted()).toEqual(['1-10 7 overflow', '10', '11', '12', '2', '9'].toSorted());
  });

  it('writes no line about lines', async () => {
    const { log } = await bench();
    await (await log.cursor(named('lines', { records: 1 }, '$ledger'))).close();
    await (await log.cursor(named('c', { records: 1 }))).close();
    for (let n = 1; n <= 9; n += 3) {
      await fill(log, n, n + 2);
      await trimmed(log);
    }
    expect(await ledger(log)).toMatchObject([{ subscription: 'c' }]);
  });

  it('nor about lines that a reader would not take', async () => {
    const { log } = await bench();
    const lines = await log.cursor(named('lines', undefined, '$ledger'));
    await log.noteLoss({ topic: 't', from: 1, to: 2, count: 2, reason: 'corrupt' });
    for (const { record } of await lines.next(9)) await lines.putAside(record.seq, { reason: 'no good' });
    expect(await lines.next(9)).toEqual([]);
    expect(await ledger(log)).toHaveLength(1);
    expect(await log.asides('lines')).toHaveLength(2);
    expect(await log.dropAsides('lines')).toBe(2);
    expect(await ledger(log)).toHaveLength(1);
  });
});
