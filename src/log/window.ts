import type { Op, Row } from './database.ts';
import { commitKey, getSeq, getU32, putU32 } from './keys.ts';

/** One batch of records, as its `b` row tells it. */
export interface CommitRow {
  readonly first: number;
  readonly count: number;
  /** CRC-32 over its records' CRCs, in order; 0 in a row that stands for a hole. */
  readonly crc: number;
  readonly bytes: number;
  /** It stands where records were lost: `count` seqs, of which only the first holds a gap record. */
  readonly hole: boolean;
}

export function encodeCommit(row: CommitRow): Uint8Array {
  const bytes = new Uint8Array(13);
  putU32(bytes, 0, row.count);
  putU32(bytes, 4, row.crc);
  putU32(bytes, 8, row.bytes);
  bytes[12] = row.hole ? 1 : 0;
  return bytes;
}

export function decodeCommit([key, value]: Row): CommitRow {
  return { first: getSeq(key, 1), count: getU32(value, 0), crc: getU32(value, 4), bytes: getU32(value, 8), hole: value[12] === 1 };
}

/**
 * The newest commits, by bytes. Their records stay on disk even when nobody wants them any more,
 * so that at the next opening each commit is either there whole or damaged.
 */
export class CommitWindow {
  readonly #limit: number;
  #commits: { first: number; bytes: number }[] = [];
  #start = 0;
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  load(rows: readonly CommitRow[]): void {
    this.#commits = rows.map(({ first, bytes }) => ({ first, bytes }));
    this.#start = 0;
    this.#bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
  }

  /** Lowest seq in it; Infinity when empty. */
  get start(): number {
    return this.#commits[this.#start]?.first ?? Infinity;
  }

  /** Rows to delete when `bytes` more come in. Changes nothing yet. */
  overflow(bytes: number): Op[] {
    const ops: Op[] = [];
    let held = this.#bytes + bytes;
    for (let i = this.#start; i < this.#commits.length && held > this.#limit; i++) {
      const commit = this.#commits[i]!;
      ops.push({ key: commitKey(commit.first) });
      held -= commit.bytes;
    }
    return ops;
  }

  /** The commit is on disk, and so are the deletions `overflow` gave. */
  add(first: number, bytes: number, dropped: number): void {
    for (let i = 0; i < dropped; i++) this.#bytes -= this.#commits[this.#start++]!.bytes;
    this.#commits.push({ first, bytes });
    this.#bytes += bytes;
    if (this.#start > 1024 && this.#start * 2 > this.#commits.length) {
      this.#commits = this.#commits.slice(this.#start);
      this.#start = 0;
    }
  }
}
