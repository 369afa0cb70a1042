import { afterEach, describe, expect, it } from 'vitest';
import { type Database, type Op, writeSynced } from '../../src/log/database.ts';

const key = (text: string) => Buffer.from(text);
const put = (k: string, v: string) => ({ key: key(k), value: Buffer.from(v) });
const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString();

/** What every implementation of the database port must do. */
export function databaseSuite(name: string, create: () => Promise<{ database: Database; remove: () => Promise<void> }>): void {
  describe(`the database port, ${name}`, () => {
    const removing: (() => Promise<void>)[] = [];
    afterEach(async () => {
      for (const remove of removing.splice(0)) await remove();
    });

    async function opened(...rows: [string, string][]): Promise<Database> {
      const { database, remove } = await create();
      await database.open();
      removing.push(async () => {
        await database.close();
        await remove();
      });
      await writeSynced(database, rows.map(([k, v]): Op => put(k, v)));
      return database;
    }

    const keys = async (database: Database, options: Partial<Parameters<Database['range']>[0]>) =>
      (await database.range({ limit: 100, ...options })).map(([k]) => text(k));

    it('gets what a batch put, and not what it deleted', async () => {
      const database = await opened(['a', '1'], ['b', '2']);
      const batch = database.batch();
      batch.del(key('a'));
      batch.put(key('c'), Buffer.from('3'));
      batch.put(key('c'), Buffer.from('4'));
      await batch.write({ sync: false });
      expect(text(await database.get(key('a')))).toBeUndefined();
      expect((await database.getMany([key('c'), key('x'), key('b')])).map(text)).toEqual(['4', undefined, '2']);
    });

    it('gives ranges in byte order, both ways, with either kind of bound', async () => {
      const database = await opened(['a', '1'], ['b', '2'], ['c', '3'], ['d', '4']);
      expect(await keys(database, {})).toEqual(['a', 'b', 'c', 'd']);
      expect(await keys(database, { gt: key('a'), lt: key('d') })).toEqual(['b', 'c']);
      expect(await keys(database, { gte: key('b'), lte: key('c') })).toEqual(['b', 'c']);
      expect(await keys(database, { reverse: true, lt: key('d') })).toEqual(['c', 'b', 'a']);
      expect(await keys(database, { gt: key('aa'), lte: key('cc') })).toEqual(['b', 'c']);
      expect(await keys(database, { gt: key('x') })).toEqual([]);
    });

    it('ends a page at so many rows, or bytes', async () => {
      const database = await opened(['a', 'x'.repeat(50)], ['b', 'x'.repeat(50)], ['c', 'x'.repeat(50)]);
      expect(await keys(database, { limit: 2 })).toEqual(['a', 'b']);
      expect(await keys(database, { limit: 2, reverse: true })).toEqual(['c', 'b']);
      expect(await keys(database, { bytes: 60 })).toEqual(['a', 'b']);
      expect(await keys(database, { bytes: 1 })).toEqual(['a']);
    });

    it('keeps its rows when closed and opened again', async () => {
      const database = await opened(['a', '1']);
      await database.close();
      await database.open();
      expect(text(await database.get(key('a')))).toBe('1');
    });

    it('remembers the witness', async () => {
      const database = await opened();
      expect(await database.witnessed()).toEqual({ head: 0, suspect: false });
      database.witness(2 ** 40 + 3, true);
      await database.close();
      await database.open();
      expect(await database.witnessed()).toEqual({ head: 2 ** 40 + 3, suspect: true });
    });

    it('compacts, and says how much is free', async () => {
      const database = await opened(['a', '1']);
      await database.compact(key('a'), key('z'));
      expect(await database.free()).toBeGreaterThan(0);
      expect(await database.size(key('a'), key('z'))).toBeGreaterThanOrEqual(0);
      expect(text(await database.get(key('a')))).toBe('1');
    });

    it('copies what it is given', async () => {
      const database = await opened();
      const value = Buffer.from('1');
      const named = key('a');
      const batch = database.batch();
      batch.put(named, value);
      value[0] = 0;
      named[0] = 0;
      await batch.write({ sync: true });
      expect(text(await database.get(key('a')))).toBe('1');
    });

    it('writes nothing of a batch before it is told to, and nothing of one that is discarded', async () => {
      const database = await opened();
      const batch = database.batch();
      batch.put(key('a'), Buffer.from('1'));
      expect(await database.get(key('a'))).toBeUndefined();
      await batch.discard();
      expect(await database.get(key('a'))).toBeUndefined();
    });
  });
}
