// Files of the database that are damaged in any way: what is left is read, what is not is told, and the rest of the box
// does not have to know. Or it is said clearly that nothing can be read, and how to go on.
import { closeSync, cpSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Trouble } from '../../src/api.ts';
import { createSystemClock } from '../../src/clock.ts';
import { LanpostError } from '../../src/errors.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { openLog } from '../../src/log/log.ts';
import type { GapInfo, LogRecord } from '../../src/log/record.ts';
import { auditLog } from '../support/log-audit.ts';
import { kept, withLog } from '../support/log-check.ts';
import { LogWriter } from '../support/log-child.ts';
import { seeded } from '../support/seeded.ts';

const TRIALS = Number(process.env['LANPOST_DAMAGES'] ?? 36);
const LIMITS = { maxItems: 1_000_000 };

type Random = () => number;

const damages: Readonly<Record<string, (file: string, random: Random) => void>> = {
  flipped(file, random) {
    const bytes = readFileSync(file);
    if (bytes.length === 0) return;
    for (let i = 0; i < 1 + random() * 3; i++) {
      const at = Math.floor(random() * bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
    }
    writeFileSync(file, bytes);
  },
  truncated: (file, random) => truncateSync(file, Math.floor(random() * statSync(file).size)),
  zeroed(file, random) {
    const bytes = readFileSync(file);
    const from = Math.floor(random() * bytes.length);
    writeFileSync(file, bytes.fill(0, from, Math.min(bytes.length, from + 4096)));
  },
  missing: (file) => rmSync(file),
};

/** Reads all, and the durable reader's rest; throws what the log throws. */
async function read(dir: string, mend: boolean, troubles: Trouble[]): Promise<LogRecord[]> {
  let resume = (): void => undefined;
  const resumed = new Promise<void>((resolve) => { resume = resolve; });
  const trouble = (told: Trouble): void => {
    troubles.push(told);
    if (told.kind === 'log.resumed') resume();
  };
  const log = await openLog({ database: new LevelDatabase(dir), clock: createSystemClock(), boxId: 'abcdefghijklmnop', trouble, mend, limits: LIMITS });
  const more = () => log.append({ topic: 'after', kind: 'publish', payload: { contentType: 'text/plain', bytes: Buffer.from('x') } });
  try {
    // Damage that is met while files are compacted ends writing, and is repaired when the log is opened again by itself.
    await more().catch((error: unknown) => {
      if (!(error instanceof LanpostError && error.code === 'disk-full')) throw error;
      return resumed.then(more);
    });
    return (await kept(log, 1, '#')).filter(({ topic }) => topic !== 'after');
  } finally {
    await log.close();
  }
}

/** Each acknowledged item is there as it was, or in a gap; nothing else is. */
function account(where: string, records: readonly LogRecord[], acked: ReadonlyMap<string, number>, there: (seq: number) => boolean): number {
  const gaps = records.flatMap(({ gap }) => gap ? [gap] : []);
  const items = new Map<number, string>();
  let before = 0;
  for (const { seq, topic, kind, payload } of records) {
    expect([where, seq > before]).toEqual([where, true]);
    before = seq;
    if (kind !== 'publish') continue;
    const text = Buffer.from(payload?.bytes ?? []).toString();
    const [, run, n, again] = /^(\d+) (\d+) x+ \d+ \d+ x+ (\d+ \d+)\.$/.exec(text) ?? [];
    // Of a topic that lost its name they are elsewhere; what other topics have is not looked at.
    const ours = topic.startsWith('keep/') || (topic.startsWith('lost/') && again !== undefined);
    expect([where, ours ? again : '']).toEqual([where, ours ? `${run} ${n}` : '']);
    if (ours) items.set(seq, `${run} ${n}`);
  }
  let lost = 0;
  for (const [name, seq] of acked) {
    const inGap = gaps.some(({ from, to }) => from <= seq && seq <= to);
    const whole = items.get(seq) === name;
    expect([where, name, seq, inGap, !whole && there(seq)]).toEqual([where, name, seq, !whole, false]);
    if (!whole) lost++;
  }
  return lost;
}

/** What came of a trial. */
interface Trial { readonly where: string; readonly lost: number; readonly gaps: readonly GapInfo[]; readonly troubles: readonly string[] }

describe('damaged files', () => {
  const parent = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'lanpost-corrupt-'));
  const dir = join(parent, 'log');
  /** The same, closed as it should be: then opening does not read all of the tables. */
  const closed = join(parent, 'closed');
  /** `<run> <n>` to its seq. */
  const acked = new Map<string, number>();

  beforeAll(async () => {
    const { result } = await withLog(dir, (log) => log.cursor({ name: 'keeper', filter: 'keep/#', from: 'start', durable: true }));
    await result.close();
    for (let run = 1; run <= 3; run++) {
      const writer = new LogWriter({ dir, run, inFlight: 32, bytes: 400, churn: true, mixed: true, limits: LIMITS });
      await writer.until(() => writer.acked.size >= 700);
      await writer.kill();
      for (const [n, seq] of writer.acked) acked.set(`${run} ${n}`, seq);
    }
    cpSync(dir, closed, { recursive: true });
    await (await openLog({ database: new LevelDatabase(closed), clock: createSystemClock(), boxId: 'abcdefghijklmnop', trouble: () => {}, limits: LIMITS })).close();
  });
  afterAll(() => rmSync(parent, { recursive: true, force: true }));

  it('are told as gaps, repaired, or refused until they are repaired', { timeout: 170_000 }, async () => {
    const random = seeded(11);
    const trials: Trial[] = [];
    for (let i = 0; i < TRIALS; i++) {
      const copy = join(parent, `copy${i}`);
      const clean = i % 3 === 2;
      cpSync(clean ? closed : dir, copy, { recursive: true });
      const files = readdirSync(copy).filter((name) => (clean ? name.endsWith('.ldb') : !name.startsWith('LOG'))).concat(clean ? [] : 'CURRENT');
      files.sort((a, b) => statSync(join(copy, a)).size - statSync(join(copy, b)).size);
      // Its own log, its largest table and its smallest, which LevelDB compacts as soon as it is open, come up often enough.
      const file = (i % 6 === 1 ? files.find((name) => name.endsWith('.log')) : i % 6 === 2 ? files.at(-1) : i % 6 === 5 ? files[0] : undefined) ?? files[Math.floor(random() * files.length)] ?? 'CURRENT';
      const how = i % 6 === 5 ? 'flipped' : Object.keys(damages)[i % 4] ?? 'flipped';
      damages[how]?.(join(copy, file), random);
      const where = `${i}: ${file} ${how}${clean ? ', after a clean end' : ''}`;
      const troubles: Trouble[] = [];
      const records = await read(copy, false, troubles).catch((error: unknown) => {
        if (!(error instanceof LanpostError && error.code === 'corrupt')) throw new Error(where, { cause: error });
        return read(copy, true, troubles);
      });
      const seqs = new Set(records.map(({ seq }) => seq));
      const lost = account(where, records, acked, (seq) => seqs.has(seq) && !records.some(({ gap }) => gap?.from === seq));
      expect([where, lost === 0 || troubles.some(({ code }) => code === 'corrupt')]).toEqual([where, true]);
      trials.push({ where, lost, gaps: records.flatMap(({ gap }) => gap ? [gap] : []), troubles: troubles.map(({ kind }) => kind) });
      // A record that is found damaged when it is read is told each time; a repair takes it out.
      const mended = await read(copy, true, []);
      expect([where, account(where, mended, acked, () => false) >= lost]).toEqual([where, true]);
      // Whatever it was, it is over then.
      const after: Trouble[] = [];
      expect([where, (await read(copy, false, after)).map(({ seq, kind }) => `${seq} ${kind}`)]).toEqual([where, mended.map(({ seq, kind }) => `${seq} ${kind}`)]);
      expect([where, after, await auditLog(copy)]).toEqual([where, [], []]);
      rmSync(copy, { recursive: true });
    }
    const met = (fits: (trial: Trial) => boolean): number => trials.filter(fits).length;
    // The end of LevelDB's own log is told of exactly, and needs no repair.
    expect(met(({ lost, gaps, troubles }) => lost > 0 && troubles.every((kind) => kind === 'log.gap') && gaps.every(({ from, to, count }) => count === to - from + 1))).toBeGreaterThan(1);
    // What can be made anew of the rest is, and nothing is lost by it; of tables only what was in the damaged parts.
    expect(met(({ lost, gaps, troubles }) => lost === 0 && gaps.length === 0 && troubles.join() === 'log.repair')).toBeGreaterThan(4);
    expect(met(({ lost, troubles }) => lost > 0 && lost < acked.size / 4 && troubles[0] === 'log.repair' && troubles[1] === 'log.gap')).toBeGreaterThan(3);
    // No gap without a loss that was told, no loss without a gap.
    expect(trials.filter(({ lost, gaps, troubles }) => (lost > 0) !== (gaps.length > 0) || (gaps.length > 0) !== troubles.includes('log.gap'))).toEqual([]);
  });

  it('that change under a log that has them open are refused to readers, with the way out, and nothing else is', async () => {
    const copy = join(parent, 'changed');
    cpSync(closed, copy, { recursive: true });
    const log = await openLog({ database: new LevelDatabase(copy), clock: createSystemClock(), boxId: 'abcdefghijklmnop', trouble: () => {}, limits: LIMITS });
    const [name = ''] = readdirSync(copy).filter((one) => one.endsWith('.ldb')).toSorted((a, b) => statSync(join(copy, b)).size - statSync(join(copy, a)).size);
    const file = openSync(join(copy, name), 'r+');
    // In each block, but not in the list of them, which it has in memory.
    for (let at = 1000; at < statSync(join(copy, name)).size - (64 << 10); at += 1500) writeSync(file, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 0, 6, at);
    closeSync(file);
    await expect(kept(log, 1)).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining('lanpost repair') });
    expect((await log.append({ topic: 'after', kind: 'publish', payload: { contentType: 'text/plain', bytes: Buffer.from('x') } })).seq).toBeGreaterThan(acked.size);
    await log.close();
    const troubles: Trouble[] = [];
    const records = await read(copy, true, troubles);
    const there = new Set(records.map(({ seq }) => seq));
    const lost = account('changed', records, acked, (seq) => there.has(seq) && !records.some(({ gap }) => gap?.from === seq));
    expect([lost > 0, lost < acked.size, troubles[0]?.kind]).toEqual([true, true, 'log.repair']);
    const after: Trouble[] = [];
    expect((await read(copy, false, after)).length).toBe(records.length);
    expect([after, await auditLog(copy)]).toEqual([[], []]);
  });
});
