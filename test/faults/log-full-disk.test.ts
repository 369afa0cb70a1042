// A full disk: appends are refused, readers served, and appends taken again when there is room.
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createSystemClock } from '../../src/clock.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { openLog } from '../../src/log/log.ts';
import { checkRound, kept, withLog } from '../support/log-check.ts';
import { LogWriter } from '../support/log-child.ts';
import { needs } from '../support/needs.ts';

async function onTmpfs(megabytes: number, use: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'lanpost-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'lanpost-test', dir]);
  try {
    await use(dir);
  } finally {
    execFileSync('umount', ['-l', dir]);
    await rm(dir, { recursive: true, force: true });
  }
}

/** Takes all but `left` bytes of what is free. */
async function fill(dir: string, free: number, left: number): Promise<string> {
  const file = join(dir, 'filler');
  await writeFile(file, Buffer.alloc(Math.max(0, free - left), 1)).catch((error: unknown) => {
    // The writer was quicker: full is what is wanted.
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  });
  return file;
}

describe.skipIf(!needs('root'))('a disk that runs full', () => {
  it('refuses appends, serves readers, and takes appends again when there is room', { timeout: 120_000 }, async () => {
    await onTmpfs(80, async (dir) => {
      const location = join(dir, 'log');
      const database = new LevelDatabase(location);
      let resume = (): void => undefined;
      const resumed = new Promise<void>((resolve) => { resume = resolve; });
      const log = await openLog({ database, clock: createSystemClock(), boxId: 'abcdefghijklmnop', trouble: ({ kind }) => { if (kind === 'log.resumed') resume(); }, limits: { diskFloor: 0 } });
      await log.cursor({ name: 'keeper', filter: 'keep/#', from: 'start', durable: true });
      const append = (n: number) => log.append({ topic: 'keep/0', kind: 'publish', payload: { contentType: 'text/plain', bytes: Buffer.from(`1 ${n} ${'x'.repeat(1000)}`) } });
      const acked = new Map<number, number>();
      let n = 0;
      const batch = async (count: number): Promise<unknown[]> => {
        const refused: unknown[] = [];
        await Promise.all(Array.from({ length: count }, async () => {
          const mine = ++n;
          try {
            acked.set(mine, (await append(mine)).seq);
          } catch (error) {
            refused.push(error);
          }
        }));
        return refused;
      };
      expect(await batch(1000)).toEqual([]);
      const filler = await fill(dir, await database.free(), 600_000);

      let refused: unknown[] = [];
      for (let i = 0; i < 100 && refused.length === 0; i++) refused = await batch(64);
      expect(refused[0]).toMatchObject({ code: 'disk-full' });
      expect(log.state).toBe('refusing');
      await expect(append(++n)).rejects.toMatchObject({ code: 'disk-full' });
      const before = await kept(log, 1);
      checkRound(before, 1, acked);

      await truncate(filler, 0);
      await resumed;
      expect(log.state).toBe('open');
      const sum = acked.size + 10_000;
      while (acked.size < sum) expect(await batch(1000)).toEqual([]);
      checkRound(await kept(log, 1), 1, acked);
      await log.close();
      const { result, troubles } = await withLog(location, (again) => kept(again, 1));
      expect(troubles).toEqual([]);
      checkRound(result, 1, acked);
    });
  });

  it('loses nothing acknowledged after it, when the writer is then killed', { timeout: 120_000 }, async () => {
    await onTmpfs(80, async (dir) => {
      const location = join(dir, 'log');
      const writer = new LogWriter({ dir: location, run: 1, inFlight: 64, bytes: 1000, limits: { diskFloor: 0, maxItems: 1_000_000 } });
      await writer.until(() => writer.acked.size >= 1000);
      const filler = await fill(dir, await new LevelDatabase(location).free(), 1_000_000);
      await writer.until(() => writer.refused.length > 0);
      expect(new Set(writer.refused)).toEqual(new Set(['disk-full']));
      const atRefusal = writer.acked.size;
      await truncate(filler, 0);
      await writer.until(() => writer.acked.size >= atRefusal + 10_000);
      await writer.kill();
      const { result, troubles } = await withLog(location, (log) => kept(log, 1));
      expect(troubles.filter(({ kind }) => kind !== 'log.refusing')).toEqual([]);
      checkRound(result, 1, writer.acked);
      expect((await readdir(location)).length).toBeGreaterThan(0);
    });
  });
});
