// Nothing that was acknowledged is lost to a power cut, wherever it falls: what was done to the files is written down, and
// the directory built as it would be after a cut at many points of it.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shimmed } from '../support/disk-shim.ts';
import { auditLog } from '../support/log-audit.ts';
import { auditLeft, checkOthers, checkRound, kept, withLog } from '../support/log-check.ts';
import { hear, LogWriter, type Said } from '../support/log-child.ts';
import { needs } from '../support/needs.ts';
import { Disk, type DiskOp, type Entries, readTrace, type Tail } from '../support/power-cut.ts';
import { seeded } from '../support/seeded.ts';

const RUNS = 3;
const CUTS = 75;
/** Of each of these as many cuts fall right behind one. */
const AT_EACH = 5;
/** What compaction and trimming do to the table files, and to the list of them. */
const AT: Readonly<Record<string, (op: DiskOp) => boolean>> = {
  'a table is begun': ({ op, name }) => op === 'O' && name.endsWith('.ldb'),
  'a table is written': ({ op, name }) => op === 'W' && name.endsWith('.ldb'),
  'a table is synced': ({ op, name }) => op === 'S' && name.endsWith('.ldb'),
  'the list of tables is written': ({ op, name }) => op === 'W' && name.includes('MANIFEST'),
  'the list of tables is synced': ({ op, name }) => op === 'S' && name.includes('MANIFEST'),
  'a table goes': ({ op, name }) => op === 'U' && name.endsWith('.ldb'),
};
const TAILS: readonly Tail[] = ['lost', 'half', 'garbage', 'zeros', 'kept'];

type Heard = Said & { readonly runs: Map<number, Map<number, number>>; opened: boolean };

function nothingSaid(): Heard {
  return { acked: new Map(), refused: [], confirmed: new Set(), configured: 0, subscriptions: new Map(), runs: new Map(), opened: false };
}

/** The writer's lines up to here. */
function listen(said: Heard, text: string): void {
  for (const line of text.split('\n')) {
    if (line.startsWith('open ')) said.opened = true;
    const [run, n, seq] = line.split(' ').map(Number);
    if (run !== undefined && n !== undefined && seq !== undefined && run > 0) {
      const ofRun = said.runs.get(run) ?? new Map<number, number>();
      said.runs.set(run, ofRun.set(n, seq));
    } else hear(said, line);
  }
}

describe.skipIf(!needs('gcc'))('a power cut', () => {
  const parent = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'lanpost-cut-'));
  let ops: DiskOp[] = [];
  /** Which run each op is of; those of an opening are of none. */
  let runOf: number[] = [];
  /** Where such an op is, in a run that opened what another had left. */
  const places = (at: (op: DiskOp) => boolean, runs: readonly number[] = [2, 3]): number[] => [...ops.entries()].flatMap(([i, op]) => (runs.includes(runOf[i] ?? 0) && at(op) ? [i] : []));

  beforeAll(async () => {
    const dir = join(parent, 'box');
    const trace = join(parent, 'trace');
    for (let run = 1; run <= RUNS; run++) {
      // Small files rotate and are compacted all the time; a small window lets trimming delete.
      const limits = { windowBytes: 64 << 10, garbageBytes: 1 << 20, trimLagBytes: 1 << 20, maxItems: 1_000_000 };
      const writer = new LogWriter({ dir: join(dir, 'log'), run, inFlight: 32, bytes: run === 2 ? 8000 : 300, churn: true, mixed: true, limits, memtableBytes: (run === 2 ? 512 : 96) << 10, ...(run === RUNS && { count: 1200 }) }, [], await shimmed({ dir, trace }));
      if (run === RUNS) await writer.ended();
      else {
        await writer.until(() => writer.acked.size >= 1200);
        await writer.kill();
      }
    }
    ops = readTrace(readFileSync(trace));
    let run = 0;
    let open = false;
    runOf = ops.map(({ op, bytes }) => {
      const text = op === 'A' ? bytes.toString() : '';
      if (text.startsWith('opening')) run++;
      open = !text.startsWith('opening') && (open || text.startsWith('open '));
      return open ? run : 0;
    });
  });
  afterAll(() => rmSync(parent, { recursive: true, force: true }));

  it('finds files that are only written, synced, renamed and deleted', () => {
    expect(new Set(ops.map(({ op }) => op))).toEqual(new Set(['D', 'O', 'W', 'S', 'R', 'U', 'A']));
    const rotated = new Set(ops.filter(({ op, name }) => op === 'O' && name.endsWith('.log')).map(({ name }) => name));
    expect(rotated.size).toBeGreaterThan(RUNS + 1);
  });

  it('finds tables that are made, and that go again because of what was trimmed, also in the runs that opened what another had left', () => {
    const none = Object.entries(AT).flatMap(([what, at]) => [1, 2, 3].filter((run) => places(at, [run]).length === 0).map((run) => `${what} in run ${run}`));
    expect(none).toEqual([]);
    expect(Object.entries(AT).filter(([, at]) => places(at).length < AT_EACH)).toEqual([]);
  });

  it('would be seen to lose what is not synced', async () => {
    let missing = 0;
    // A table may just have been made of all of it.
    for (const share of [0.2, 0.35, 0.5, 0.65, 0.8]) {
      const disk = new Disk();
      const said = nothingSaid();
      for (const op of ops.slice(0, Math.floor(ops.length * share))) {
        if (op.op !== 'S' || !op.name.endsWith('.log')) disk.apply(op);
        if (op.op === 'A') listen(said, op.bytes.toString());
      }
      const dir = join(parent, `control${share}`);
      disk.cut(dir, 'lost', 'undone', Math.random);
      const { result } = await withLog(join(dir, 'log'), (log) => kept(log, 1));
      const there = new Set(result.map(({ seq }) => seq));
      for (const acked of said.runs.values()) for (const seq of acked.values()) if (!there.has(seq)) missing++;
    }
    expect(missing).toBeGreaterThan(0);
  });

  it.each(['undone', 'kept'] as const)('loses nothing that was acknowledged, and breaks nothing, names since the last sync of their directory %s', { timeout: 170_000 }, async (entries: Entries) => {
    const random = seeded(entries === 'kept' ? 3 : 4);
    const points = new Set<number>();
    const among = (some: readonly number[]): number => some[Math.floor(random() * some.length)] ?? 0;
    for (const at of Object.values(AT)) {
      const some = places(at);
      for (let left = AT_EACH; left > 0;) {
        const point = among(some);
        if (!points.has(point)) left--;
        points.add(point);
      }
    }
    // Elsewhere where files come and go, and anywhere.
    const others = [...ops.entries()].flatMap(([i, { op }]) => ('ORU'.includes(op) ? [i] : []));
    while (points.size < CUTS - 15) points.add(among(others));
    while (points.size < CUTS) points.add(Math.floor(random() * ops.length));
    const disk = new Disk();
    const said = nothingSaid();
    let done = 0;
    for (const [i, op] of ops.entries()) {
      disk.apply(op);
      if (op.op === 'A') listen(said, op.bytes.toString());
      if (!points.has(i)) continue;
      const tail = TAILS[done % TAILS.length] ?? 'lost';
      const dir = join(parent, `cut${done++}`);
      disk.cut(dir, tail, entries, random);
      const log = join(dir, 'log');
      const where = `cut at ${i} of ${ops.length} (${op.op} ${op.name}), ${tail}`;
      // A store that was not there yet may have been cut off while its first files were made.
      const left = said.opened ? await auditLeft(log) : [];
      const { troubles } = await withLog(log, async (opened) => {
        const records = await kept(opened, 1);
        for (const [run, acked] of said.runs) checkRound(records, run, acked);
        if (said.configured > 0) await checkOthers(opened, said, records);
      });
      expect([where, left, said.opened ? troubles : []]).toEqual([where, [], []]);
      expect([where, await auditLog(log)]).toEqual([where, []]);
      rmSync(dir, { recursive: true });
    }
    expect(done).toBe(CUTS);
    expect(Object.entries(AT).filter(([, at]) => places(at).filter((i) => points.has(i)).length < AT_EACH)).toEqual([]);
  });
});
