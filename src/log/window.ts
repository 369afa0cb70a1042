import type { Op, Row } from './database.ts';
import { commitKey, getSeq, getU32, putSeq, putU32 } from './keys.ts';

/** One batch of records, as its `b` row tells it. */
export interface CommitRow {
  readonly first: number;
  readonly count: number;
  /** CRC-32 over its records' CRCs, in order; 0 in a row that stands for a hole. */
  readonly crc: number;
  readonly bytes: number;
  /** It stands where records were lost: `count` seqs, of which only the first holds a gap record. */
  readonly hole: boolean;
  /** The oldest commit kept when this one was written: what is missing from there on was lost, not dropped. */
  readonly oldest: number;
}

export function encodeCommit(row: CommitRow): Uint8Array {
  const bytes = new Uint8Array(21);
  putU32(bytes, 0, row.count);
  putU32(bytes, 4, row.crc);
  putU32(bytes, 8, row.bytes);
  bytes[12] = row.hole ? 1 : 0;
  putSeq(bytes, 13, row.oldest);
  return bytes;
}

export function decodeCommit([key, value]: Row): CommitRow {
  return { first: getSeq(key, 1), count: getU32(value, 0), crc: getU32(value, 4), bytes: getU32(value, 8), hole: value[12] === 1, oldest: getSeq(value, 13) };
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

  /** Of their records. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Rows to delete when a commit of `bytes` at `first` comes in, and the oldest left then. Changes nothing yet. */
  overflow(first: number, bytes: number): { dropped: Op[]; oldest: number } {
    const dropped: Op[] = [];
    let held = this.#bytes + bytes;
    let at = this.#start;
    for (; at < this.#commits.length && held > this.#limit; at++) {
      const commit = this.#commits[at]!;
      dropped.push({ key: commitKey(commit.first) });
      held -= commit.bytes;
    }
    return { dropped, oldest: this.#commits[at]?.first ?? first };
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
