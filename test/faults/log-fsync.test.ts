// Issue 2, check 3: what is acknowledged is on disk first.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LogWriter } from '../support/log-child.ts';
import { needs } from '../support/needs.ts';

interface Seen {
  acks: number;
  syncs: number;
  early: string[];
}

/** Goes through a trace: between a write to the WAL and the next acknowledgement there must be a completed fdatasync. */
function follow(trace: string): Seen {
  const seen: Seen = { acks: 0, syncs: 0, early: [] };
  /** Writes not synced yet, by file; and which file each thread is syncing. */
  const dirty = new Map<string, number>();
  const syncing = new Map<string, { file: string; upTo: number }>();
  let writes = 0;
  const synced = (file: string, upTo: number): void => {
    seen.syncs++;
    if ((dirty.get(file) ?? 0) <= upTo) dirty.delete(file);
  };
  for (const line of trace.split('\n')) {
    const thread = /^(?:\[pid\s+)?(\d+)/.exec(line)?.[1] ?? '';
    const wal = /(?:write|pwrite64)\(\d+<([^>]*\/\d+\.log)>/.exec(line)?.[1];
    if (wal !== undefined) dirty.set(wal, ++writes);
    const sync = /fdatasync\(\d+<([^>]*)>/.exec(line)?.[1];
    if (sync !== undefined && line.includes('unfinished')) syncing.set(thread, { file: sync, upTo: writes });
    else if (sync !== undefined && line.endsWith(' = 0')) synced(sync, writes);
    const resumed = syncing.get(thread);
    if (resumed && line.includes('fdatasync resumed') && line.endsWith(' = 0')) {
      syncing.delete(thread);
      synced(resumed.file, resumed.upTo);
    }
    if (/write\(1<[^>]*>, "1 \d+ \d+\\n"/.test(line)) {
      seen.acks++;
      if (dirty.size > 0) seen.early.push(line);
    }
  }
  return seen;
}

describe.skipIf(!needs('strace'))('an acknowledgement', () => {
  it('comes after a completed fdatasync of the batch it stands for', { timeout: 60_000 }, async () => {
    const dir = await mkdtemp(join(tmpdir(), 'lanpost-strace-'));
    try {
      const trace = join(dir, 'trace');
      const writer = new LogWriter({ dir: join(dir, 'log'), run: 1, inFlight: 64, bytes: 500, count: 12_000 },
        ['strace', '-f', '-y', '-s', '64', '-e', 'trace=write,pwrite64,fdatasync,fsync', '-o', trace]);
      await writer.ended();
      expect(writer.state).toBe('done');
      const { acks, syncs, early } = follow(await readFile(trace, 'utf8'));
      expect(acks).toBe(12_000);
      // One for each batch of at most 64.
      expect(syncs).toBeGreaterThanOrEqual(12_000 / 64);
      expect(early.slice(0, 3)).toEqual([]);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
