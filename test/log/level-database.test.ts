import { mkdtemp, rm } from 'node:fs/promises';
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
