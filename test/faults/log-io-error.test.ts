// One write or sync of the database's files fails: a disk that is full for a moment, or that has a bad block. Which ones there are is
// seen first in a run without a fault, whose files rotate and are compacted all the time.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Called, type DiskCall, type Fault, readCalls, shimmed, type Which } from '../support/disk-shim.ts';
import { auditLeft, checkRound, kept, withLog } from '../support/log-check.ts';
import { LogWriter, type WriterOptions } from '../support/log-child.ts';
import { needs } from '../support/needs.ts';
import { seeded } from '../support/seeded.ts';

const { EIO, ENOSPC } = constants.errno;
/** Acknowledged after it; by others that come after it, sometimes fewer. */
const MORE = 10_000;
const FEWER = 1000;
const COUNT = 3000;
const LIMIT = { timeout: 120_000 };

/** How many of each are tried while it writes: most of what can be lost hangs by a sync. */
const WRITING: readonly (DiskCall & { readonly rounds: number })[] = [
  { call: 'fdatasync', file: 'log', rounds: 9 }, { call: 'fdatasync', file: 'table', rounds: 5 }, { call: 'fdatasync', file: 'manifest', rounds: 4 }, { call: 'fsync', file: 'folder', rounds: 3 },
  { call: 'write', file: 'log', rounds: 5 }, { call: 'write', file: 'table', rounds: 5 }, { call: 'write', file: 'manifest', rounds: 4 }, { call: 'write', file: 'witness', rounds: 2 },
];
/** And while it opens what a killed one left. */
const OPENING: readonly (DiskCall & { readonly rounds: number })[] = [
  { call: 'fdatasync', file: 'table', rounds: 2 }, { call: 'fdatasync', file: 'manifest', rounds: 2 }, { call: 'fdatasync', file: 'current', rounds: 1 }, { call: 'fdatasync', file: 'log', rounds: 1 }, { call: 'fsync', file: 'folder', rounds: 3 },
  { call: 'write', file: 'table', rounds: 2 }, { call: 'write', file: 'manifest', rounds: 2 }, { call: 'write', file: 'current', rounds: 1 }, { call: 'write', file: 'log', rounds: 1 },
];
const CLOSING = 6;
/** What fails next, when the database is closed and opened again because something has. */
const REOPENING: readonly Which[] = [
  { call: 'fsync', file: 'folder', nth: 1 }, { call: 'fsync', file: 'folder', nth: 2 }, { call: 'fdatasync', file: 'witness', nth: 1 },
  { call: 'write', file: 'table', nth: 3 }, { call: 'fdatasync', file: 'manifest', nth: 1 }, { call: 'write', file: 'current', nth: 1 }, { call: 'fdatasync', file: 'log', nth: 1 },
];

interface Written { readonly run: number; readonly acked: ReadonlyMap<number, number> }

interface Round extends DiskCall { readonly at: number; readonly errno: number; readonly half: boolean; readonly bytes: number; readonly thorough: boolean }

/** Spread over all there are of each; `at` is where, from 0 to 1. */
function rounds(kinds: readonly (DiskCall & { readonly rounds: number })[], seed: number): Round[] {
  const random = seeded(seed);
  const all = kinds.flatMap(({ call, file, rounds: count }) => Array.from({ length: count }, (_, i) => ({ call, file, at: Number(((i + random()) / count).toFixed(2)) })));
  return all.map((one, i) => ({ ...one, errno: i % 2 === 0 ? EIO : ENOSPC, half: i % 3 === 0, bytes: i % 2 === 0 ? 100 : 700, thorough: i % 3 === 1 }));
}

/** It was refused as it is documented, readers were served meanwhile, and then it took more by itself. */
const WENT_ON = { refused: ['disk-full'], troubles: ['log.refusing', 'log.resumed'], missing: 0, served: true, more: true };
const NOTHING_SEEN = { refused: [], troubles: [] };
const NOT_OPENED = { failed: 'disk-full' };

/** What became of a writer. */
function came({ failed, refused, troubles, served, acked, ackedAtRefusal = 0 }: LogWriter): object {
  if (failed !== undefined) return { failed: failed.split(' ', 1)[0] };
  if (refused.length === 0) return { refused, troubles };
  const { records, due, missing } = served ?? { records: 0, due: Infinity, missing: Infinity };
  return { refused: [...new Set(refused)], troubles, missing, served: records >= Math.min(1, due), more: acked.size - ackedAtRefusal >= MORE };
}

/** Those made to fail so far. */
const failed = (report: string): string[] => (existsSync(report) ? readFileSync(report, 'utf8').trimEnd().split('\n').map((line) => line.split(' ', 2).join(' ')) : []);

describe.skipIf(!needs('gcc'))('a write or sync that fails', () => {
  const parent = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'lanpost-eio-'));
  const killed = join(parent, 'killed');
  const ofKilled = new Map<number, number>();
  let writing: Called[] = [];
  let opening: Called[] = [];
  let closing: Called[] = [];
  let made = 0;
  const place = (): string => {
    const dir = join(parent, `${++made}`);
    mkdirSync(dir);
    return dir;
  };
  const writer = (dir: string, more: Partial<WriterOptions>, environment: Readonly<Record<string, string>> = {}): LogWriter => new LogWriter(
    { dir: join(dir, 'log'), run: 1, inFlight: 100, bytes: 700, churn: true, memtableBytes: 192 << 10, serves: true, limits: { diskFloor: 0, maxItems: 1_000_000, windowBytes: 64 << 10, trimLagBytes: 64 << 10 }, ...more }, [], environment);
  const failing = async (dir: string, fault: Omit<Fault, 'report'>, more: Partial<WriterOptions> = {}): Promise<LogWriter> => writer(dir, more, await shimmed({ dir: join(dir, 'log'), fail: { ...fault, report: join(dir, 'failed') } }));
  const nth = (calls: readonly Called[], { call, file, at }: Round): number => 1 + Math.floor(at * calls.filter((one) => one.call === call && one.file === file).length);
  /** Whatever it was, it takes as many more afterwards. */
  const goesOn = async (dir: string, more: number): Promise<Written> => {
    const again = writer(dir, { run: 2, bytes: 100 });
    await again.until(() => again.acked.size >= more);
    await again.kill();
    expect(came(again)).toEqual(NOTHING_SEEN);
    return { run: 2, acked: again.acked };
  };
  /** `thorough`: each row is compared with those it belongs to, which takes longer than all the rest. */
  const check = async (dir: string, writers: readonly Written[], thorough: boolean = true): Promise<void> => {
    expect(thorough ? await auditLeft(join(dir, 'log')) : []).toEqual([]);
    const { result, troubles } = await withLog(join(dir, 'log'), (opened) => kept(opened, 1));
    expect(troubles).toEqual([]);
    for (const { run, acked } of writers) checkRound(result, run, acked);
    rmSync(dir, { recursive: true });
  };
  beforeAll(async () => {
    const dir = place();
    const calls = join(dir, 'calls');
    const counted = writer(dir, { count: COUNT }, await shimmed({ dir: join(dir, 'log'), calls }));
    await counted.ended();
    const all = readCalls(calls);
    const end = all.findIndex(({ call, file }) => call === 'said' && file === 'closing');
    writing = all.slice(0, end).filter(({ call }) => call !== 'said');
    closing = all.slice(end).filter(({ call }) => call !== 'said');

    const left = writer(parent, { run: 9, memtableBytes: 1 << 20, dir: killed });
    await left.until(() => left.acked.size >= COUNT);
    await left.kill();
    for (const [n, seq] of left.acked) ofKilled.set(n, seq);
    const other = place();
    cpSync(killed, join(other, 'log'), { recursive: true });
    const reader = writer(other, { count: 1 }, await shimmed({ dir: join(other, 'log'), calls: join(other, 'calls') }));
    await reader.ended();
    const again = readCalls(join(other, 'calls'));
    opening = again.slice(0, again.findIndex(({ call, file }) => call === 'said' && file === 'open')).filter(({ call }) => call !== 'said');
  });
  afterAll(() => rmSync(parent, { recursive: true, force: true }));

  it('is one of many that are tried, most of them syncs, and of each kind of file', () => {
    const tried = [...WRITING, ...OPENING];
    const sum = (some: readonly { readonly rounds: number }[]): number => some.reduce((so, { rounds: count }) => so + count, 0);
    expect(sum(tried) + CLOSING + REOPENING.length).toBeGreaterThanOrEqual(60);
    expect(sum(tried.filter(({ call }) => call !== 'write'))).toBeGreaterThan(sum(tried) / 3);
    // The files rotate, and what is churned is compacted away.
    for (const { call, file, rounds: count } of WRITING) expect([call, file, writing.filter((one) => one.call === call && one.file === file).length >= count]).toEqual([call, file, true]);
    for (const { call, file } of OPENING) expect([call, file, opening.some((one) => one.call === call && one.file === file)]).toEqual([call, file, true]);
    expect(closing.length).toBeGreaterThan(CLOSING);
  });

  it.concurrent.each(rounds(WRITING, 5))('$call of $file, at $at of all, takes nothing with it', LIMIT, async (round) => {
    const dir = place();
    const report = join(dir, 'failed');
    const { call, file, errno, half, bytes } = round;
    const one = await failing(dir, { nth: nth(writing, round), call, file, errno, half }, { bytes });
    let since: number | undefined;
    await one.until(() => {
      if (since === undefined && failed(report).length > 0) since = one.acked.size;
      return one.failed !== undefined || (since !== undefined && one.acked.size - Math.max(since, one.ackedAtRefusal ?? 0) >= MORE);
    });
    await one.kill();
    expect(failed(report)).toEqual([`${call} ${file}`]);
    expect(came(one)).toEqual(one.state === 'opening' ? NOT_OPENED : file === 'witness' ? NOTHING_SEEN : WENT_ON);
    const again = one.failed === undefined ? [] : [await goesOn(dir, MORE)];
    await check(dir, [{ run: 1, acked: one.acked }, ...again], round.thorough);
  });

  it.concurrent.each(rounds(OPENING, 6))('$call of $file, at $at of all when a killed one is opened, takes nothing with it', LIMIT, async (round) => {
    const dir = place();
    cpSync(killed, join(dir, 'log'), { recursive: true });
    const { call, file, errno, half } = round;
    const one = await failing(dir, { nth: nth(opening, round), call, file, errno, half });
    await one.until(() => one.failed !== undefined || one.acked.size - (one.ackedAtRefusal ?? Infinity) >= MORE);
    await one.kill();
    expect(failed(join(dir, 'failed'))).toEqual([`${call} ${file}`]);
    expect(came(one)).toEqual(one.state === 'opening' ? NOT_OPENED : WENT_ON);
    const again = one.failed === undefined ? [] : [await goesOn(dir, round.thorough ? MORE : FEWER)];
    await check(dir, [{ run: 9, acked: ofKilled }, { run: 1, acked: one.acked }, ...again], round.thorough);
  });

  it.concurrent.each(Array.from({ length: CLOSING }, (_, i) => ({ at: Number((i / CLOSING).toFixed(2)), errno: i % 2 === 0 ? ENOSPC : EIO })))('at $at of all when it is closed takes nothing with it', LIMIT, async ({ at, errno }) => {
    const dir = place();
    const one = await failing(dir, { nth: 1 + Math.floor(at * closing.length / 2), errno, after: 'closing' }, { count: COUNT });
    await one.ended();
    expect([one.state, failed(join(dir, 'failed')).length, one.refused]).toEqual(['done', 1, []]);
    expect(one.troubles.filter((kind) => kind !== 'log.close')).toEqual([]);
    const again = await goesOn(dir, FEWER);
    await check(dir, [{ run: 1, acked: one.acked }, again]);
  });

  // A large memtable: between the two nothing else is written.
  it.concurrent.each(REOPENING.map((again, i) => ({ again, nth: 4 + i })))('and the next $again.call of $again.file, when it is opened again, only delays it', LIMIT, async ({ again, nth: first }) => {
    const dir = place();
    const report = join(dir, 'failed');
    const one = await failing(dir, { call: 'fdatasync', file: 'log', nth: first, errno: EIO, again }, { memtableBytes: 4 << 20 });
    let both = false;
    await one.until(() => {
      both ||= failed(report).length === 2;
      return one.failed !== undefined || (both && one.acked.size - (one.ackedAtRefusal ?? Infinity) >= MORE);
    });
    await one.kill();
    expect(failed(report)).toEqual(['fdatasync log', `${again.call} ${again.file}`]);
    expect(came(one)).toEqual({ ...WENT_ON, troubles: ['log.refusing', 'log.reopen', 'log.resumed'] });
    await check(dir, [{ run: 1, acked: one.acked }]);
  });
});
