import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { Trouble } from '../../src/api.ts';
import { LanpostError } from '../../src/errors.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { openDatabase } from '../../src/log/open-database.ts';
import { closeAll, item, open, store } from './log-fixture.ts';

afterEach(closeAll);

it('a store whose directory of files is damaged is repaired at opening, and says so', async () => {
  const dir = await store();
  const log = await open(dir);
  await Promise.all(Array.from({ length: 500 }, (_, n) => log.append(item('t', `${n}`))));
  await log.close();
  const manifest = (await readdir(dir)).find((name) => name.startsWith('MANIFEST'));
  await writeFile(join(dir, manifest ?? ''), 'not a manifest');
  const troubles: Trouble[] = [];
  const again = await open(dir, { trouble: (t) => void troubles.push(t) });
  expect(troubles.map(({ kind }) => kind)).toEqual(['log.repair']);
  expect((await again.items('t', { limit: 1000 })).length).toBe(500);
  expect((await again.append(item('t', 'more'))).seq).toBe(501);
});

it('a store that cannot be repaired is refused, and it is said how to go on', async () => {
  const database = new MemoryDatabase();
  Object.assign(database, { open: () => Promise.reject(new LanpostError('corrupt', '/data/log is damaged.')) });
  const troubles: Trouble[] = [];
  const opening = openDatabase(database, (t) => void troubles.push(t));
  await expect(opening).rejects.toMatchObject({ code: 'corrupt', message: expect.stringMatching(/^\/data\/log is damaged\. It could not be repaired: .*copy.*`lanpost import`\.$/) });
  expect(troubles.map(({ message }) => message)).toEqual(['/data/log is damaged. It is being repaired.']);
});
