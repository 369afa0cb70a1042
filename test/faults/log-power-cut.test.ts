// Nothing that was acknowledged is lost to a power cut, wherever it falls: what was done to the files is written down, and
// the directory built as it would be after a cut at many points of it.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shimmed } from '../support/disk-shim.ts';
import { auditLog } from '../support/log-audit.ts';
import { checkOthers, checkRound, kept, withLog } from '../support/log-check.ts';
import { hear, LogWriter, type Said } from '../support/log-child.ts';
import { needs } from '../support/needs.ts';
import { Disk, type DiskOp, type Entries, readTrace, type Tail } from '../support/power-cut.ts';
import { seeded } from '../support/seeded.ts';

const RUNS = 3;
const CUTS = 60;
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

  beforeAll(async () => {
    const dir = join(parent, 'box');
    const trace = join(parent, 'trace');
    for (let run = 1; run <= RUNS; run++) {
      // Files of 10 MiB rotate, with what is churned; a small window lets trimming delete, and a small rest has compaction work.
      const limits = { windowBytes: 64 << 10, garbageBytes: 1 << 20, trimLagBytes: 1 << 20, maxItems: 1_000_000 };
      const writer = new LogWriter({ dir: join(dir, 'log'), run, inFlight: 32, bytes: run === 2 ? 8000 : 300, churn: true, mixed: true, limits, ...(run === RUNS && { count: 700 }) }, [], await shimmed({ dir, trace }));
      if (run === RUNS) await writer.ended();
      else {
        await writer.until(() => writer.acked.size >= 700);
        await writer.kill();
      }
    }
    ops = readTrace(readFileSync(trace));
  });
  afterAll(() => rmSync(parent, { recursive: true, force: true }));

  it('finds files that are only written, synced, renamed and deleted', () => {
    expect(new Set(ops.map(({ op }) => op))).toEqual(new Set(['D', 'O', 'W', 'S', 'R', 'U', 'A']));
    const rotated = new Set(ops.filter(({ op, name }) => op === 'O' && name.endsWith('.log')).map(({ name }) => name));
    expect(rotated.size).toBeGreaterThan(RUNS + 1);
  });

  it('would be seen to lose what is not synced', async () => {
    const disk = new Disk();
    const some = ops.slice(0, Math.floor(ops.length * 0.6));
    for (const op of some) if (op.op !== 'S' || !op.name.endsWith('.log')) disk.apply(op);
    const dir = join(parent, 'control');
    disk.cut(dir, 'lost', 'undone', Math.random);
    const said = nothingSaid();
    for (const { op, bytes } of some) if (op === 'A') listen(said, bytes.toString());
    const { result } = await withLog(join(dir, 'log'), (log) => kept(log, 1));
    expect(result.length).toBeLessThan([...said.runs.values()].reduce((sum, run) => sum + run.size, 0));
  });

  it.each(['undone', 'kept'] as const)('loses nothing that was acknowledged, and breaks nothing, names since the last sync of their directory %s', { timeout: 170_000 }, async (entries: Entries) => {
    const random = seeded(entries === 'kept' ? 3 : 4);
    const points = new Set<number>();
    // Where files come and go, and anywhere.
    for (const [i, { op }] of ops.entries()) if ('ORU'.includes(op) && random() < 0.25) points.add(i);
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
      const { troubles } = await withLog(log, async (opened) => {
        const records = await kept(opened, 1);
        for (const [run, acked] of said.runs) checkRound(records, run, acked);
        if (said.configured > 0) await checkOthers(opened, said, records);
      });
      // A store that was not there yet may have been cut off while its first files were made.
      expect([where, said.opened ? troubles : []]).toEqual([where, []]);
      expect([where, await auditLog(log)]).toEqual([where, []]);
      rmSync(dir, { recursive: true });
    }
    expect(done).toBeGreaterThanOrEqual(CUTS);
  });
});
