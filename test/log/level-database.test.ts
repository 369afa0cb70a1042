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
