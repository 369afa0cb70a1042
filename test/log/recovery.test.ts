import { cp } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Trouble } from '../../src/api.ts';
import { createTestClock } from '../../src/clock.ts';
import { encodeRow } from '../../src/log/cbor.ts';
import { type RangeOptions, type Row, writeSynced } from '../../src/log/database.ts';
import { META_KEY, PREFIX, commitKey, getSeq, recordKey } from '../../src/log/keys.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { openLog } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { quiet } from '../support/quiet.ts';
import { BOX, closeAll, item, open, openMemory, store, texts } from './log-fixture.ts';

afterEach(closeAll);

describe('opening', () => {
  it('begins an epoch that names the one before and where it took over', async () => {
    const { log, database } = await openMemory();
    await log.append(item('t', '1'));
    await log.close();
    const next = await openMemory({ database });
    const [first, second] = next.log.epochs;
    expect(second).toMatchObject({ after: first?.name, from: 2, box: 'abcdefghijklmnop' });
    expect(second?.name).toMatch(/^2\.[0-9a-f]{8}$/);
    const { recordId } = await next.log.append(item('t', '2'));
    expect((await next.log.items('t')).map((record) => record.recordId)).toEqual([`abcdefghijklmnop-${first?.name}-1`, recordId]);
  });

  it('has a reader told of a record that its index lists and that is gone without it', async () => {
    const { log, database } = await openMemory();
    for (const text of ['1', '2', '3']) await log.append(item('t', text));
    // Most of what there is is another topic's: then a reader goes by the index.
    await log.append(item('other', 'x'.repeat(1000)));
    await log.close();
    await database.open();
    await writeSynced(database, [{ key: recordKey(2) }]);
    const troubles: string[] = [];
    const again = await openMemory({ database, trouble: ({ kind }) => void troubles.push(kind) });
    const cursor = await again.log.cursor({ name: 'r', filter: 't', from: 'start', durable: false });
    expect((await cursor.next(10)).map(({ record: { seq, kind, gap } }) => [seq, kind, gap?.count])).toEqual([[1, 'publish', undefined], [2, 'gap', 1], [3, 'publish', undefined]]);
    expect(troubles).toContain('log.corrupt');
  });

  it('refuses a newer format', async () => {
    const database = new MemoryDatabase();
    await database.open();
    await writeSynced(database, [{ key: META_KEY, value: encodeRow({ format: 99, box: 'x', head: 0 }) }]);
    await expect(openMemory({ database })).rejects.toMatchObject({ code: 'format-too-new' });
  });

  it('that failed leaves the store to others', async () => {
    const dir = await store();
    const first = await open(dir);
    const clock = createTestClock();
    const troubles: Trouble[] = [];
    await expect(openLog({ database: new LevelDatabase(dir), clock, boxId: BOX, trouble: (trouble) => void troubles.push(trouble) })).rejects.toMatchObject({ code: 'locked' });
    await first.close();
    for (let minute = 0; minute < 3; minute++) {
      clock.advance(60_000);
      await quiet();
    }
    expect(troubles).toEqual([]);
    await open(dir);
  });

  it('keeps the records of a copied store under the name they had, and says so', async () => {
    const { log, database } = await openMemory();
    const { recordId } = await log.append(item('t', '1'));
    await log.close();
    const copy = await openMemory({ database, boxId: 'qqqqqqqqqqqqqqqq' });
    expect(copy.troubles).toMatchObject([{ kind: 'log.copied' }]);
    const [record] = await copy.log.items('t');
    expect(record?.recordId).toBe(recordId);
    expect((await copy.log.append(item('t', '2'))).recordId).toMatch(/^q{16}-2\.[0-9a-f]{8}-2$/);
  });

  it('reads no records but those that the write-ahead log may have held, and misses no batch among the others', async () => {
    const { log, database } = await openMemory();
    for (let n = 1; n <= 50; n++) await log.append(item('t', `${n}`));
    const last = log.topic('t')?.bytes ?? 0;
    const image = database.fork();
    const range = image.range.bind(image);
    const read: number[] = [];
    Object.assign(image, {
      replayed: last / 50,
      range: async (options: RangeOptions): Promise<Row[]> => {
        const rows = await range(options);
        for (const [key] of rows) if (key[0] === PREFIX.record) read.push(getSeq(key, 1));
        return rows;
      },
    });
    await image.open();
    await writeSynced(image, [{ key: commitKey(20) }, { key: recordKey(20) }]);
    const { troubles } = await openMemory({ database: image });
    expect(Math.min(...read)).toBeGreaterThan(45);
    expect(troubles).toMatchObject([{ kind: 'log.gap', message: expect.stringContaining('20 to 20') }]);
  });

  it('reads all that a write-ahead log holds of records, also of the smallest', async () => {
    const dir = await store();
    const log = await open(dir);
    // Of many in one batch the log says the least besides.
    for (let batch = 0; batch < 50; batch++) await Promise.all(Array.from({ length: 50 }, () => log.append(item('t', ''))));
    const copy = await store();
    await cp(dir, copy, { recursive: true });
    const database = new LevelDatabase(copy);
    const range = database.range.bind(database);
    const read = new Set<number>();
    Object.assign(database, {
      range: async (options: RangeOptions): Promise<Row[]> => {
        const rows = await range(options);
        for (const [key] of rows) if (key[0] === PREFIX.record) read.add(getSeq(key, 1));
        return rows;
      },
    });
    await open(copy, { database });
    expect(read.size).toBe(2500);
  });

  it('tells a lost batch, a lost record and a damaged one as gaps, to who was below only', async () => {
    const { log, database } = await openMemory();
    const below = await log.cursor({ name: 'below', filter: '#', from: 'new', durable: true });
    await (await log.cursor({ name: 'others', filter: 'u', from: 'new', durable: true })).close();
    for (let n = 1; n <= 9; n++) await log.append(item(n === 9 ? 'u' : 't', `${n}`));
    const above = await log.cursor({ name: 'above', filter: '#', from: 'new', durable: true });
    expect([below.position, above.position]).toEqual([0, 9]);
    const image = database.fork();
    await image.open();
    const row = Buffer.from(await image.get(recordKey(7)) ?? []);
    row[row.length - 1] = (row.at(-1) ?? 0) ^ 1;
    await writeSynced(image, [{ key: commitKey(3) }, { key: recordKey(3) }, { key: recordKey(4) }, { key: recordKey(7), value: row }]);
    const after = await openMemory({ database: image });
    expect(after.troubles.map(({ kind }) => kind)).toEqual(['log.gap', 'log.gap']);
    expect(after.log.topic('t')).toMatchObject({ count: 5 });
    const cursor = await after.log.cursor({ name: 'below', filter: '#', from: 'new', durable: true });
    const found = [...await cursor.next(10)];
    found.push(...await cursor.next(10));
    expect(found.map(({ record }) => record.gap ?? record.seq)).toEqual([
      1, 2, { from: 3, to: 4, count: 2, reason: 'corrupt', topics: [{ topic: 't', from: 3, to: 4, count: 2 }] },
      5, 6, { from: 7, to: 7, count: 1, reason: 'corrupt', topics: [{ topic: 't', from: 7, to: 7, count: 1 }] }, 8, 9,
    ]);
    // Who read nothing of what is known to be lost is told nothing.
    const others = await after.log.cursor({ name: 'others', filter: 'u', from: 'new', durable: true });
    expect(await texts(others, 1)).toEqual(['9*']);
    expect(others.position).toBe(9);
    for (const { record } of found) cursor.done(record.seq);
    expect(cursor.position).toBe(9);
    const other = await after.log.cursor({ name: 'above', filter: '#', from: 'new', durable: true });
    await after.log.append(item('t', '10'));
    expect(await texts(other, 1)).toEqual(['10']);
  });

  it('notices a lost tail by its witness, and never uses its positions again', async () => {
    const { log, database } = await openMemory();
    for (let n = 1; n <= 5; n++) await log.append(item('t', `${n}`));
    const image = database.fork();
    await image.open();
    await writeSynced(image, [4, 5].flatMap((seq) => [{ key: commitKey(seq) }, { key: recordKey(seq) }]));
    const after = await openMemory({ database: image });
    expect(after.troubles).toMatchObject([{ kind: 'log.gap', message: expect.stringContaining('4 to 5') }]);
    expect((await after.log.append(item('t', '6'))).seq).toBe(6);
  });

  it('tells of any number of positions in a row with the rows of one gap', async () => {
    const { log, database } = await openMemory();
    await log.append(item('t', '1'));
    await log.close();
    await database.open();
    const head = 300_000;
    database.witness(head);
    const after = await openMemory({ database });
    expect(after.troubles).toMatchObject([{ kind: 'log.gap', message: expect.stringContaining(`2 to ${head}`) }]);
    expect((await after.log.append(item('t', '2'))).seq).toBe(head + 1);
  });

  it('makes one gap of neighbours that several openings found, as long as nobody was told of the first', async () => {
    const ranges = async (told: boolean): Promise<string[]> => {
      const database = new MemoryDatabase();
      const lose = async (to: number): Promise<void> => {
        await database.open();
        database.witness(to);
        await database.close();
      };
      const first = await openMemory({ database });
      await first.log.cursor({ name: 'c', filter: 't', from: 'new', durable: true });
      await first.log.append(item('t', '1'));
      await first.log.close();
      await lose(3);
      const second = await openMemory({ database });
      const reader = await second.log.cursor({ name: 'c', filter: 't', from: 'new', durable: true });
      const found: string[] = [];
      const all = async (cursor: typeof reader): Promise<void> => {
        for (let page = await cursor.next(9); page.length > 0; page = await cursor.next(9)) {
          for (const { record } of page) {
            found.push(record.gap ? `${record.gap.from}-${record.gap.to} ${record.gap.count}` : 'item');
            cursor.done(record.seq);
          }
        }
      };
      if (told) await all(reader);
      await second.log.close();
      await lose(6);
      const third = await openMemory({ database });
      await all(await third.log.cursor({ name: 'c', filter: 't', from: 'new', durable: true }));
      await third.log.append(item('t', '7'));
      await third.log.close();
      const { log } = await openMemory({ database });
      expect((await log.items('t')).length).toBe(2);
      return found;
    };
    expect(await ranges(false)).toEqual(['item', '2-6 5']);
    expect(await ranges(true)).toEqual(['item', '2-3 2', '4-6 3']);
  });
});
