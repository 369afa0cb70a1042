// Files of the database that are damaged in any way: what is left is read, what is not is told, and the rest of the box
// does not have to know. Or it is said clearly that nothing can be read, and how to go on.
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Trouble } from '../../src/api.ts';
import { createSystemClock } from '../../src/clock.ts';
import { LanpostError } from '../../src/errors.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { openLog } from '../../src/log/log.ts';
import type { LogRecord } from '../../src/log/record.ts';
import { auditLog } from '../support/log-audit.ts';
import { kept, withLog } from '../support/log-check.ts';
import { LogWriter } from '../support/log-child.ts';
import { seeded } from '../support/seeded.ts';

const TRIALS = Number(process.env['LANPOST_DAMAGES'] ?? 24);
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
    return await kept(log, 1);
  } finally {
    await log.close();
  }
}

/** Each acknowledged item is there as it was, or in a gap; nothing else is. */
function account(where: string, records: readonly LogRecord[], acked: ReadonlyMap<string, number>, there: (seq: number) => boolean): number {
  const gaps = records.flatMap(({ gap }) => gap ? [gap] : []);
  const items = new Map<number, string>();
  let before = 0;
  for (const { seq, kind, payload } of records) {
    expect([where, seq > before]).toEqual([where, true]);
    before = seq;
    if (kind !== 'publish') continue;
    const text = Buffer.from(payload?.bytes ?? []).toString();
    const [, run, n, again] = /^(\d+) (\d+) x+ \d+ \d+ x+ (\d+ \d+)\.$/.exec(text) ?? [];
    expect([where, again]).toEqual([where, `${run} ${n}`]);
    items.set(seq, `${run} ${n}`);
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

describe('damaged files', () => {
  const parent = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'lanpost-corrupt-'));
  const dir = join(parent, 'log');
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
  });
  afterAll(() => rmSync(parent, { recursive: true, force: true }));

  it('are told as gaps, repaired, or refused until they are repaired', { timeout: 170_000 }, async () => {
    const random = seeded(11);
    let told = 0;
    for (let i = 0; i < TRIALS; i++) {
      const copy = join(parent, `copy${i}`);
      cpSync(dir, copy, { recursive: true });
      const files = readdirSync(copy).filter((name) => !name.startsWith('LOG')).concat('CURRENT');
      const file = files[Math.floor(random() * files.length)] ?? 'CURRENT';
      const how = Object.keys(damages)[i % 4] ?? 'flipped';
      damages[how]?.(join(copy, file), random);
      const where = `${i}: ${file} ${how}`;
      const troubles: Trouble[] = [];
      const records = await read(copy, false, troubles).catch((error: unknown) => {
        if (!(error instanceof LanpostError && error.code === 'corrupt')) throw new Error(where, { cause: error });
        return read(copy, true, troubles);
      });
      const seqs = new Set(records.map(({ seq }) => seq));
      const lost = account(where, records, acked, (seq) => seqs.has(seq) && !records.some(({ gap }) => gap?.from === seq));
      if (lost > 0) told++;
      expect([where, lost === 0 || troubles.some(({ code }) => code === 'corrupt')]).toEqual([where, true]);
      // A record that is found damaged when it is read is told each time; a repair takes it out.
      const mended = await read(copy, true, []);
      expect([where, account(where, mended, acked, () => false) >= lost]).toEqual([where, true]);
      expect([where, await auditLog(copy)]).toEqual([where, []]);
      rmSync(copy, { recursive: true });
    }
    expect(told).toBeGreaterThan(0);
  });
});
