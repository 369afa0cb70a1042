import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { databaseSuite } from './database-suite.ts';

async function create() {
  const dir = await mkdtemp(join(tmpdir(), 'lanpost-db-'));
  return { database: new LevelDatabase(join(dir, 'log')), remove: () => rm(dir, { recursive: true, force: true }) };
}

databaseSuite('over LevelDB', create);

it('says in one line that another has it open', async () => {
  const { database, remove } = await create();
  await database.open();
  await expect(new LevelDatabase(database.location).open()).rejects.toMatchObject({ code: 'locked', message: expect.stringContaining(database.location) });
  await database.close();
  await remove();
});

it('tells how much of it was in the write-ahead log when it was opened', async () => {
  const { database, remove } = await create();
  await database.open();
  expect(database.replayed).toBe(0);
  const batch = database.batch();
  batch.put(Buffer.from('key'), Buffer.alloc(10_000));
  await batch.write({ sync: true });
  await database.close();
  await database.open();
  expect(database.replayed).toBeGreaterThanOrEqual(10_000);
  expect(database.replayed).toBeLessThan(20_000);
  await database.close();
  await database.open();
  expect(database.replayed).toBe(0); // opening has moved it into a table file
  await database.close();
  await remove();
});

it('is open to nobody else where it makes its folder', async () => {
  const { database, remove } = await create();
  await database.open();
  expect((await stat(database.location)).mode & 0o077).toBe(0);
  await database.close();
  await remove();
});

it.each([
  ['moved away', async (location: string) => rename(location, `${location}.moved`)],
  ['another', async (location: string) => {
    await rename(location, `${location}.moved`);
    await mkdir(location);
  }],
  ['emptied', async (location: string) => {
    for (const name of await readdir(location)) await rm(join(location, name));
  }],
])('makes no fresh store when it is opened again and its folder is %s', async (_, harm) => {
  const { database, remove } = await create();
  await database.open();
  await database.close();
  await harm(database.location);
  const left = await readdir(database.location).catch(() => 'none');
  await expect(database.open()).rejects.toMatchObject({ code: 'disk-full', message: expect.stringContaining(database.location) });
  await expect(database.repair()).rejects.toThrow(database.location);
  const files = await readdir(database.location).catch((): string => 'none');
  expect(typeof files === 'string' ? files : files.filter((name) => !['LOCK', 'LOG', 'LOG.old', 'lost'].includes(name))).toEqual(left);
  await remove();
});

it('lets go of its witness also when that cannot be read', async () => {
  const { database, remove } = await create();
  await database.open();
  Object.assign(database, { witnessed: () => Promise.reject(new Error('EIO')) });
  await expect(database.close()).rejects.toThrow('EIO');
  // Another may be opened and closed in its place: nothing of the first is open any more.
  database.witness(7);
  const other = new LevelDatabase(database.location);
  await other.open();
  expect(await other.witnessed()).toEqual({ head: 0, suspect: false });
  await other.close();
  await remove();
});

it('does not take a table that is just being written for a damaged one, though one of its number was left unfinished by a kill', async () => {
  const { database, remove } = await create();
  const { location } = database;
  for (let round = 0; round < 5; round++) {
    await expect(database.open()).resolves.toBeUndefined();
    const batch = database.batch();
    // Over the same range each time: at the fifth opening all of it is merged, which takes its time.
    for (let i = 0; i < 900; i++) batch.put(Buffer.from(`key ${i} ${round}`), randomBytes(10_000));
    await batch.write({ sync: true });
    await database.close();
    // What a kill leaves of tables that were being written: LevelDB gives their numbers again.
    const last = Math.max(...(await readdir(location)).map((name) => Number.parseInt(/\d+/.exec(name)?.[0] ?? '0', 10)));
    for (let n = 1; n <= 60; n++) await writeFile(join(location, `${String(last + n).padStart(6, '0')}.ldb`), randomBytes(50_000));
  }
  await remove();
});
