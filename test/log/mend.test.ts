import { afterEach, describe, expect, it } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { encodeBody } from '../../src/log/body.ts';
import { type Batch, type Op, rowsOf, writeSynced } from '../../src/log/database.ts';
import { encodeIndex } from '../../src/log/index-row.ts';
import { PREFIX, idKey, indexKey, prefixRange, recordKey, subscriptionKey, topicKey } from '../../src/log/keys.ts';
import type { MemoryDatabase } from '../../src/log/memory-database.ts';
import { mend } from '../../src/log/mend.ts';
import { encodeRecord } from '../../src/log/record.ts';
import { audit } from '../support/log-audit.ts';
import { closeAll, item, openMemory, texts } from './log-fixture.ts';

afterEach(closeAll);

/** A closed store with 20 items in each of two topics, which `keeper` has yet to read; then these rows go. */
async function damaged(rows: (no: (topic: string) => number) => Op[]): Promise<MemoryDatabase> {
  const { log, database } = await openMemory();
  await log.cursor({ name: 'keeper', filter: '#', from: 'start', durable: true });
  for (let n = 0; n < 20; n++) for (const topic of ['a', 'b']) await log.append(item(topic, `${topic}${n}`, topic === 'b' ? { id: `id${n}` } : {}));
  const ops = rows((topic) => log.topic(topic)?.no ?? 0);
  await log.close();
  await database.open();
  await writeSynced(database, ops);
  return database;
}

/** What is told when the records 9, 10 and 12 are gone, and their index rows are not. */
const LOST = [
  { from: 9, to: 10, exact: true, topics: [{ topic: 'a', from: 9, to: 9, count: 1 }, { topic: 'b', from: 10, to: 10, count: 1 }] },
  { from: 12, to: 12, exact: true, topics: [{ topic: 'b', from: 12, to: 12, count: 1 }] },
];

const mended = (database: MemoryDatabase, known = true) => mend(database, createTestClock(), known);

describe('mending', () => {
  it('changes nothing where all fits together', async () => {
    const database = await damaged(() => []);
    expect(await mended(database)).toEqual({ holes: [], changed: 0, renamed: [] });
  });

  it('takes nothing for lost that was deleted before a reader came, or was sent back, or that was dropped for it alone', async () => {
    const { log, database } = await openMemory({ limits: { windowBytes: 0 } });
    const updates = async (): Promise<void> => {
      for (let n = 0; n < 5; n++) await log.append(item('t', `${n}`, { id: 'x' }));
      for (let n = 0; n < 3; n++) await log.trim();
    };
    await log.append(item('t', 'stays'));
    await updates();
    await (await log.cursor({ name: 'late', filter: 't', from: 'start', durable: true })).close();
    const back = await log.cursor({ name: 'back', filter: '#', from: 'new', durable: true, maxBacklog: { records: 2 } });
    await back.close();
    await log.dropCursor('late');
    await updates();
    await log.seek('back', 'start');
    await (await log.cursor({ name: 'late', filter: 't', from: 'start', durable: true, maxBacklog: { records: 2 } })).close();
    await updates();
    await log.close();
    await database.open();
    expect(await database.get(recordKey(3))).toBeUndefined();
    expect(await mended(database, false)).toEqual({ holes: [], changed: 0, renamed: [] });
  });

  it('takes nothing for lost of a topic whose newest record was no item, and was deleted', async () => {
    const { log, database } = await openMemory({ limits: { windowBytes: 0 } });
    await log.append({ topic: 'empty', kind: 'configure', config: { maxItems: 3 } });
    await log.append(item('purged', '1'));
    await log.append({ topic: 'purged', kind: 'purge' });
    await log.append(item('retracted', '1'));
    const { recordId } = await log.append(item('retracted', '2'));
    await log.append({ topic: 'retracted', kind: 'retract', id: recordId });
    await log.append(item('newest', 'of all'));
    for (let n = 0; n < 3; n++) await log.trim();
    await log.close();
    await database.open();
    expect(await database.range({ ...prefixRange(PREFIX.record), limit: 9 })).toHaveLength(2);
    for (const known of [false, true]) expect(await mended(database, known)).toEqual({ holes: [], changed: 0, renamed: [] });
  });

  it('leaves what was put aside where it is', async () => {
    const { log, database } = await openMemory({ limits: { windowBytes: 0, maxItems: 1 } });
    const reader = await log.cursor({ name: 'r', filter: 't', from: 'start', durable: true });
    for (let n = 0; n < 3; n++) await log.append(item('t', `${n}`));
    const [first] = await reader.next(1);
    await reader.putAside(first?.record.seq ?? 0, 'no good');
    await texts(reader, 2);
    await reader.flush();
    await log.append(item('t', 'newest'));
    for (let n = 0; n < 3; n++) await log.trim();
    await log.close();
    await database.open();
    expect(await database.get(recordKey(2))).toBeUndefined();
    expect(await mended(database)).toEqual({ holes: [], changed: 0, renamed: [] });
  });

  it('tells which records are lost whose index rows are there', async () => {
    const database = await damaged(() => [9, 10, 12].map((seq) => ({ key: recordKey(seq) })));
    expect((await mended(database)).holes).toEqual(LOST);
    const { log } = await openMemory({ database });
    const cursor = await log.cursor({ name: 'keeper', filter: '#', from: 'start', durable: true });
    expect((await texts(cursor, 12)).slice(7)).toEqual(['b3', 'gap', 'a5', 'gap', 'a6']);
    expect([log.topic('a')?.count, log.topic('b')?.count]).toEqual([19, 18]);
    await log.close();
    expect(await audit(database)).toEqual([]);
  });

  it('tells of records without any trace, by what came after them in their topic', async () => {
    const database = await damaged((no) => [10, 11].flatMap((seq) => [{ key: recordKey(seq) }, { key: indexKey(no(seq % 2 === 0 ? 'b' : 'a'), seq) }]));
    expect((await mended(database)).holes).toEqual([{ from: 10, to: 11, exact: false, topics: [{ topic: 'b', from: 10, to: 10 }, { topic: 'a', from: 10, to: 11 }] }]);
  });

  it('writes index rows and ids again', async () => {
    const database = await damaged((no) => [{ key: indexKey(no('b'), 10) }, { key: idKey(no('b'), 'id4') }]);
    expect((await mended(database)).holes).toEqual([]);
    const { log } = await openMemory({ database });
    expect((await log.items('b', { ids: ['id4'] })).map(({ seq }) => seq)).toEqual([10]);
    await log.close();
    expect(await audit(database)).toEqual([]);
  });

  it('keeps the records of a topic that lost its name', async () => {
    const database = await damaged((no) => [{ key: topicKey(no('a')) }]);
    const { renamed } = await mended(database);
    expect(renamed).toEqual(['lost/1']);
    const { log } = await openMemory({ database });
    expect((await log.items('lost/1')).length).toBe(20);
    await log.close();
    expect(await audit(database)).toEqual([]);
  });

  it('takes a long row of records for lost also when nobody waits for them, if it is known that something is', async () => {
    const gone = Array.from({ length: 10 }, (_, i) => i + 11);
    const rows = (no: (topic: string) => number): Op[] => [{ key: subscriptionKey('keeper') }, ...gone.flatMap((seq) => [{ key: recordKey(seq) }, { key: indexKey(no(seq % 2 === 0 ? 'b' : 'a'), seq) }])];
    expect((await mended(await damaged(rows), false)).holes).toEqual([]);
    expect((await mended(await damaged(rows))).holes).toMatchObject([{ from: 11, to: 20, exact: false, topics: [{ topic: 'a', from: 11, to: 19 }, { topic: 'b', from: 11, to: 20 }] }]);
  });

  it('deletes no rows that are not there, however many positions are lost in a row', async () => {
    const newest = 300_000;
    const database = await damaged((no) => {
      const header = { kind: 'publish' as const, topic: no('a'), previous: 10, wall: 0, mono: 0, trusted: false };
      const row = encodeRecord(header, encodeBody(item('a', 'newest')));
      const gone = Array.from({ length: 40 }, (_, i) => [{ key: recordKey(i + 1) }, ...['a', 'b'].map((topic) => ({ key: indexKey(no(topic), i + 1) }))]);
      return [...gone.flat(), { key: recordKey(newest), value: row }, { key: indexKey(no('a'), newest), value: encodeIndex({ state: 'live', item: true, size: row.length, ordinal: 21 }) }];
    });
    let deleted = 0;
    const begin = database.batch.bind(database);
    Object.assign(database, { batch: (): Batch => {
      const batch = begin();
      return { ...batch, del: (key) => { deleted++; batch.del(key); } };
    } });
    expect((await mended(database)).holes).toMatchObject([{ from: 1, to: newest - 1, exact: false }]);
    expect(deleted).toBeLessThan(100);
  });

  it('that is cut off before it has told what is lost finds it again', async () => {
    const database = await damaged((no) => [
      { key: subscriptionKey('keeper') }, ...[9, 10, 12, 40].map((seq) => ({ key: recordKey(seq) })), { key: indexKey(no('b'), 40) },
    ]);
    const begin = database.batch.bind(database);
    Object.assign(database, { batch: (): Batch => {
      const batch = begin();
      return { ...batch, put: (key, value) => {
        if (key[0] === PREFIX.lost) throw new Error('cut off');
        batch.put(key, value);
      } };
    } });
    await expect(mended(database)).rejects.toThrow('cut off');
    Object.assign(database, { batch: begin });
    expect((await mended(database)).holes).toEqual([...LOST, { from: 40, to: 40, exact: false, topics: [{ topic: 'b', from: 40, to: 40 }] }]);
    await database.close();
    expect(await audit(database)).toEqual([]);
  });

  it('survives any rows gone', async () => {
    const { log, database } = await openMemory();
    for (let n = 0; n < 60; n++) await log.append(item(`t${n % 3}`, `${n}`, { id: `id${n % 5}` }));
    await log.close();
    for (const prefix of Object.values(PREFIX)) {
      const fork = database.fork();
      await fork.open();
      for await (const page of rowsOf(fork, prefixRange(prefix))) await writeSynced(fork, page.filter((_, i) => i % 2 === 0).map(([key]) => ({ key })));
      await mended(fork);
      await fork.close();
      const again = await openMemory({ database: fork, mend: true });
      await again.log.append(item('after', 'x'));
      await again.log.close();
      expect([String.fromCharCode(prefix), await audit(fork)]).toEqual([String.fromCharCode(prefix), []]);
    }
  });
});
