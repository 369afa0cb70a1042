import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { condemn, tableDamage } from '../../src/log/table-file.ts';
import { closeAll, item, open, store } from './log-fixture.ts';

afterEach(closeAll);

it('every block of a table file is compared with its checksum, and a byte that changed is found wherever it is', async () => {
  const dir = await store();
  const log = await open(dir);
  await Promise.all(Array.from({ length: 1000 }, (_, n) => log.append(item(`t/${n % 7}`, `${n} ${'words that repeat '.repeat(n % 5)}`))));
  await log.close();
  const names = (await readdir(dir)).filter((name) => name.endsWith('.ldb'));
  expect(names.length).toBeGreaterThan(0);
  let found = 0;
  for (const name of names) {
    const path = join(dir, name);
    const whole = await readFile(path);
    let blocks = 0;
    const all = (): boolean => { blocks++; return true; };
    expect(await tableDamage(path, all)).toEqual({ blocks: [], whole: false });
    for (let at = 3; at < whole.length; at += Math.ceil(whole.length / 20)) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 4;
      await writeFile(path, changed);
      const damage = await tableDamage(path, all);
      // One block, or the index; between them lie the filter and the block that names it, which nothing depends on.
      if (damage.whole || damage.blocks.length === 1) found++;
      if (damage.blocks.length === 0) continue;
      await condemn(path, damage.blocks);
      expect((await tableDamage(path, all)).blocks).toEqual(damage.blocks);
    }
    await writeFile(path, whole);
    expect(blocks).toBeGreaterThan(0);
  }
  expect(found).toBeGreaterThan(names.length * 10);
});
