// What is acknowledged is on disk first.
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

/** Each item says who it is at its start, in its middle and at its end: where LevelDB splits a record, in blocks and in writes, one of them is whole. */
const ITEM = /1 (\d+) x|x 1 (\d+)\./g;

/** Goes through a trace: what was written to the WAL counts as on disk once an fdatasync that began later has completed. */
function follow(trace: string): Seen {
  const seen: Seen = { acks: 0, syncs: 0, early: [] };
  /** Items written and not synced yet, by file, with the number of their write; and which file each thread is syncing. */
  const written = new Map<string, { item: number; write: number }[]>();
  const syncing = new Map<string, { file: string; upTo: number }>();
  const onDisk = new Set<number>();
  let writes = 0;
  const synced = (file: string, upTo: number): void => {
    seen.syncs++;
    for (const { item, write } of written.get(file) ?? []) if (write <= upTo) onDisk.add(item);
    written.set(file, (written.get(file) ?? []).filter(({ write }) => write > upTo));
  };
  for (const line of trace.split('\n')) {
    const thread = /^(?:\[pid\s+)?(\d+)/.exec(line)?.[1] ?? '';
    const wal = /(?:write|pwrite64)\(\d+<([^>]*\/\d+\.log)>/.exec(line)?.[1];
    if (wal !== undefined) {
      const write = ++writes;
      const items = [...line.matchAll(ITEM)].map(([, start, end]) => ({ item: Number(start ?? end), write }));
      written.set(wal, [...written.get(wal) ?? [], ...items]);
    }
    const sync = /fdatasync\(\d+<([^>]*)>/.exec(line)?.[1];
    if (sync !== undefined && line.includes('unfinished')) syncing.set(thread, { file: sync, upTo: writes });
    else if (sync !== undefined && line.endsWith(' = 0')) synced(sync, writes);
    const resumed = syncing.get(thread);
    if (resumed && line.includes('fdatasync resumed') && line.endsWith(' = 0')) {
      syncing.delete(thread);
      synced(resumed.file, resumed.upTo);
    }
    const ack = /write\(1<[^>]*>, "1 (\d+) \d+\\n"/.exec(line)?.[1];
    if (ack === undefined) continue;
    seen.acks++;
    if (!onDisk.has(Number(ack))) seen.early.push(line);
  }
  return seen;
}

describe.skipIf(!needs('strace'))('an acknowledgement', () => {
  it('comes after a completed fdatasync of the batch it stands for', { timeout: 60_000 }, async () => {
    const dir = await mkdtemp(join(tmpdir(), 'lanpost-strace-'));
    try {
      const trace = join(dir, 'trace');
      const writer = new LogWriter({ dir: join(dir, 'log'), run: 1, inFlight: 64, bytes: 500, count: 12_000 },
        ['strace', '-f', '-y', '-s', '200000', '-e', 'trace=write,pwrite64,fdatasync,fsync', '-o', trace]);
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
