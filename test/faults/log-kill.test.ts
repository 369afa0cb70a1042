// Nothing that was acknowledged is lost to SIGKILL, and what each one leaves fits together before anything is mended.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createSystemClock } from '../../src/clock.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { openLog } from '../../src/log/log.ts';
import { changed } from '../support/file-changes.ts';
import { auditLeft, checkOthers, checkRound, kept, withLog } from '../support/log-check.ts';
import { LogWriter } from '../support/log-child.ts';
import { seeded } from '../support/seeded.ts';

const ROUNDS = 32;
const MIXED_ROUNDS = 50;

/** Keeps all of keep/# for the checks, whatever the views do. */
async function prepare(dir: string): Promise<void> {
  const log = await openLog({ database: new LevelDatabase(dir), clock: createSystemClock(), boxId: 'abcdefghijklmnop', trouble: () => {} });
  await log.cursor({ name: 'keeper', filter: 'keep/#', from: 'start', durable: true });
  await log.close();
}

/** The files that LevelDB writes to before it makes tables of them, newest last. */
async function writeAheadFiles(dir: string): Promise<string[]> {
  return (await readdir(dir)).filter((name) => name.endsWith('.log')).toSorted();
}

it('keeps every acknowledged append over 32 kills, some while opening, trimming and rotating files', { timeout: 300_000 }, async () => {
  const random = seeded(20261123);
  const dir = await mkdtemp(join(tmpdir(), 'lanpost-kill-'));
  try {
    await prepare(dir);
    let from = 1;
    let rotated = 0;
    const wrong: string[] = [];
    for (let run = 1; run <= ROUNDS; run++) {
      // Within a round a small write-ahead file rotates, and at last, with large items, also one of 10 MiB as a box has it; a small window lets trimming delete.
      const rotates = run % 3 === 0;
      const large = run >= ROUNDS - 3;
      const options = { dir, run, inFlight: 64, bytes: rotates && large ? 14_000 : 300, churn: true, ...(rotates && !large && { memtableBytes: 256 << 10 }), limits: { windowBytes: 64 << 10 } };
      const writer = new LogWriter(options);
      const target = 1000 + Math.floor(random() * 1500);
      await writer.until(() => writer.state === 'open');
      const atFirst = await writeAheadFiles(dir);
      await writer.until(() => writer.acked.size >= target);
      await writer.kill();
      wrong.push(...await auditLeft(dir));
      rotated += rotates && (await writeAheadFiles(dir)).at(-1) !== atFirst.at(-1) ? 1 : 0;
      expect(writer.acked.size).toBeGreaterThanOrEqual(1000);
      if (run % 4 === 0) {
        // What it left needs recovering: kill that, too.
        const over = new AbortController();
        const enough = changed(dir, Math.floor(random() * 20), over.signal);
        const opening = new LogWriter({ ...options, run: 1000 + run });
        opening.until(() => opening.state === 'open').then(() => over.abort(), () => undefined); // killed before that
        await enough;
        await opening.kill();
        wrong.push(...await auditLeft(dir));
      }
      const { result, troubles } = await withLog(dir, async (log) => ({ records: await kept(log, from), head: log.head }));
      expect(troubles).toEqual([]);
      checkRound(result.records, run, writer.acked);
      from = result.head + 1;
    }
    expect(wrong).toEqual([]);
    expect(rotated).toBe(Math.floor(ROUNDS / 3));
    // And the early ones have not gone since.
    const { result } = await withLog(dir, async (log) => kept(log, 1));
    expect(result.length).toBeGreaterThanOrEqual(ROUNDS * 1000);
    expect(new Set(result.map(({ recordId }) => recordId)).size).toBe(result.length);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

/** Kills one store's writers again and again, whatever they are about; gives what does not fit together then. */
async function mixedKills(dir: string, seed: number): Promise<string[]> {
  const wrong: string[] = [];
  const random = seeded(seed);
  await prepare(dir);
  const confirmed = new Set<number>();
  let from = 1;
  for (let run = 1; run <= MIXED_ROUNDS; run++) {
    const writer = new LogWriter({ dir, run, inFlight: 32, bytes: run % 5 === 0 ? 3000 : 100, churn: true, mixed: true, limits: { windowBytes: 64 << 10 } });
    const target = Math.floor(random() * 500);
    await writer.until(() => writer.state === 'open' && writer.acked.size >= target);
    await writer.kill();
    for (const seq of writer.confirmed) confirmed.add(seq);
    wrong.push(...await auditLeft(dir));
    const { result: head, troubles } = await withLog(dir, async (log) => {
      const records = await kept(log, from);
      checkRound(records, run, writer.acked);
      await checkOthers(log, { confirmed, configured: writer.configured || (log.topic('configured')?.settings.maxItems ?? 0), subscriptions: writer.subscriptions }, records);
      return log.head;
    });
    expect(troubles).toEqual([]);
    from = head + 1;
  }
  return wrong;
}

it('keeps what was published, confirmed, configured, subscribed and dropped over 100 kills at any moment', { timeout: 300_000 }, async () => {
  const dirs = await Promise.all([1, 2].map(() => mkdtemp(join(tmpdir(), 'lanpost-kill-'))));
  try {
    const wrong = await Promise.all(dirs.map((dir, i) => mixedKills(dir, 20261124 + i)));
    expect(wrong.flat()).toEqual([]);
  } finally {
    await Promise.all(dirs.map((dir) => rm(dir, { recursive: true, force: true })));
  }
});
