import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { Trouble } from '../../src/api.ts';
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
