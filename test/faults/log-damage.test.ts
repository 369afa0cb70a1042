// Damage in the WAL is told, exactly.
import { cp, mkdtemp, open, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LogRecord } from '../../src/log/record.ts';
import { kept, withLog } from '../support/log-check.ts';
import { LogWriter } from '../support/log-child.ts';
import { seeded } from '../support/seeded.ts';

/** A store whose writer was killed, so that its newest records lie in the WAL. */
async function killedStore(parent: string): Promise<{ dir: string; acked: ReadonlyMap<number, number> }> {
  const dir = join(parent, 'log');
  const writer = new LogWriter({ dir, run: 1, inFlight: 16, bytes: 200, limits: { maxItems: 1_000_000 } });
  await writer.until(() => writer.acked.size >= 3000);
  await writer.kill();
  return { dir, acked: writer.acked };
}

async function wal(dir: string): Promise<{ file: string; size: number }> {
  const files = (await readdir(dir)).filter((name) => name.endsWith('.log')).toSorted();
  const file = join(dir, files.at(-1) ?? '');
  return { file, size: (await stat(file)).size };
}

async function flip(file: string, at: number): Promise<void> {
  const handle = await open(file, 'r+');
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, at);
  byte[0] = byte.readUInt8(0) ^ 0x55;
  await handle.write(byte, 0, 1, at);
  await handle.close();
}

/** Every acknowledged seq is either there or inside a gap, and nothing is both. */
function account(records: readonly LogRecord[], acked: ReadonlyMap<number, number>): number {
  const gaps = records.flatMap(({ gap }) => gap ? [gap] : []);
  const there = new Set(records.filter(({ kind }) => kind === 'publish').map(({ seq }) => seq));
  const inGap = (seq: number) => gaps.some(({ from, to }) => from <= seq && seq <= to);
  const ackedSeqs = new Set(acked.values());
  let lost = 0;
  for (const seq of ackedSeqs) {
    expect([seq, there.has(seq) !== inGap(seq)]).toEqual([seq, true]);
    if (inGap(seq)) lost++;
  }
  // Exact: nothing in a gap that is there, and its neighbours are.
  for (const { from, to, count, reason } of gaps) {
    expect([count, reason]).toEqual([to - from + 1, 'corrupt']);
    const neighbours = [from - 1, to + 1].filter((seq) => ackedSeqs.has(seq));
    expect(neighbours.filter((seq) => !there.has(seq))).toEqual([]);
  }
  return lost;
}

describe('flipped bytes in the WAL', () => {
  it('become gaps with the exact range, wherever they are', { timeout: 120_000 }, async () => {
    const parent = await mkdtemp(join(tmpdir(), 'lanpost-damage-'));
    const random = seeded(7);
    try {
      const { dir, acked } = await killedStore(parent);
      const { size } = await wal(dir);
      const places = [10, size >> 1, size - 40, ...Array.from({ length: 9 }, () => Math.floor(random() * size))];
      let lostAtAll = 0;
      for (const [i, at] of places.entries()) {
        const copy = join(parent, `copy${i}`);
        await cp(dir, copy, { recursive: true });
        await flip((await wal(copy)).file, at);
        const { result, troubles } = await withLog(copy, (log) => kept(log, 1));
        const lost = account(result, acked);
        lostAtAll += lost;
        // Also of what was on its way to the disk at the kill, which nobody was told to be kept.
        expect(troubles.some(({ kind }) => kind === 'log.gap')).toBe(result.some(({ gap }) => gap !== undefined));
        // Once told, not found again; and the reader gets it at the same place.
        const again = await withLog(copy, (log) => kept(log, 1));
        expect(again.troubles).toEqual([]);
        expect(again.result.map(({ seq, kind }) => `${seq}${kind}`)).toEqual(result.map(({ seq, kind }) => `${seq}${kind}`));
      }
      expect(lostAtAll).toBeGreaterThan(0);
    } finally {
      await rm(parent, { recursive: true, force: true });
    }
  });
});
