// On a real LevelDB: what it gives back to the disk no database in memory can tell.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { PREFIX } from '../../src/log/keys.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { openLog } from '../../src/log/log.ts';
import { seeded } from '../support/seeded.ts';
import { closeAll, item, open, store } from './log-fixture.ts';

afterEach(closeAll);

const MIB = 1 << 20;

async function sizeOf(dir: string): Promise<number> {
  const names = await readdir(dir);
  const sizes = await Promise.all(names.map((name) => stat(join(dir, name)).then(({ size }) => size, () => 0)));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** What does not compress. */
function noise(random: () => number, length: number): string {
  return Array.from({ length }, () => String.fromCodePoint(33 + Math.floor(random() * 90))).join('');
}

describe('space', () => {
  it('comes back to the disk when most was trimmed and nothing more is written', async () => {
    const dir = await store();
    const clock = createTestClock();
    const random = seeded(7);
    const bodies = Array.from({ length: 50 }, () => noise(random, 4000));
    const log = await open(dir, { clock, limits: { windowBytes: MIB, garbageBytes: 2 * MIB } });
    await log.append({ topic: 't', kind: 'configure', config: { maxItems: 6000 } });
    for (let n = 0; n < 6000; n += 500) await Promise.all(Array.from({ length: 500 }, (_, i) => log.append(item('t', `${n + i} ${bodies[(n + i) % 50]}`))));
    const full = await sizeOf(dir);
    expect(full).toBeGreaterThan(15 * MIB);
    await log.append({ topic: 't', kind: 'configure', config: { maxItems: 600 } });
    await log.trim();
    await log.trim();
    const live = log.bytes();
    expect(live).toBeLessThan(3 * MIB);
    // Twice: the log is at rest when nothing was written between two looks.
    clock.advance(10_000);
    clock.advance(10_000);
    await expect.poll(() => sizeOf(dir), { interval: 20, timeout: 20_000 }).toBeLessThan(2 * live + 2 * MIB);
    expect((await log.items('t', { last: 1000 })).length).toBe(600);
  });

  it('is left to LevelDB while much is written and the files are small', async () => {
    const database = new LevelDatabase(await store());
    let compactions = 0;
    const compact = database.compact.bind(database);
    database.compact = (from, to) => {
      if (from[0] === PREFIX.record) compactions++;
      return compact(from, to);
    };
    const random = seeded(7);
    const log = await openLog({ database, clock: createTestClock(), boxId: 'abcdefghijklmnop', trouble: () => {}, limits: { windowBytes: MIB, garbageBytes: MIB, busyGarbageBytes: 6 * MIB } });
    await log.append({ topic: 't', kind: 'configure', config: { maxItems: 10 } });
    // Much more than that is deleted, and on disk it was less.
    for (let n = 0; n < 10; n++) {
      await Promise.all(Array.from({ length: 500 }, () => log.append(item('t', 'alike '.repeat(600) + noise(random, 1200)))));
      await log.trim();
    }
    await log.close();
    expect(compactions).toBe(0);
  });
});
