import { decodeRow, encodeRow } from './cbor.ts';
import { cursorKey, subscriptionKey } from './keys.ts';
import { type Progress, type ProgressRow, decodeProgress, encodeProgress } from './progress.ts';
import type { Reader } from './reader.ts';
import type { Transaction } from './transaction.ts';

/** How far above what is handed out the bound on disk is put, so that it need not be moved for every record. */
export const HANDED_STEP = 1024;
const MIN_INTERVAL = 250;
const MIN_RECORDS = 1000;

/** Whoever holds a durable cursor open. */
export interface Holder {
  readonly progress: Progress;
  /** Every matching record up to here is done; at the tail this is the head. */
  readonly position: number;
  /** Highest seq ever handed out. */
  readonly handed: number;
  /** It has read nearly everything there is. */
  readonly keepsUp: boolean;
}

/** A cursor that survives restarts, open or not. */
export class Durable implements Reader {
  readonly name: string;
  readonly filter: string;
  readonly extra: unknown;
  readonly durable = true;
  /** As it stands on disk. */
  row: ProgressRow;
  holder: Holder | undefined;
  #writtenAt = -Infinity;

  constructor(name: string, filter: string, extra: unknown, row: ProgressRow) {
    this.name = name;
    this.filter = filter;
    this.extra = extra;
    this.row = row;
  }

  get position(): number {
    return this.holder?.position ?? this.row.position;
  }

  /** Deletions wait for what the disk has, not for what memory knows. */
  get kept(): number {
    return this.row.position;
  }

  lost(): void {
    // Cannot be: what it has not passed is kept.
  }

  /** Whether its row may go with a batch that is written anyway. */
  due(now: number): boolean {
    return now - this.#writtenAt >= MIN_INTERVAL || this.position - this.row.position >= MIN_RECORDS;
  }

  /**
   * Puts its row into the batch. What is handed out must not be above the bound on disk: after a
   * power cut it could not be told from what was never handed out.
   */
  write(tx: Transaction, now: number, handed: number): void {
    const { holder } = this;
    const row: ProgressRow = holder
      ? rowOf(holder, Math.max(handed, holder.handed))
      : this.row;
    tx.put(cursorKey(this.name), encodeProgress(row));
    tx.onCommit(() => {
      this.row = row;
      this.#writtenAt = now;
    });
  }

  /** Its holder lets go; what the holder knew stays, whether or not the disk has it yet. */
  release(holder: Holder): void {
    this.row = rowOf(holder, holder.handed);
    this.holder = undefined;
  }

  create(tx: Transaction): void {
    tx.put(subscriptionKey(this.name), encodeRow([this.filter, this.extra]));
    tx.put(cursorKey(this.name), encodeProgress(this.row));
  }

  remove(tx: Transaction): void {
    tx.del(subscriptionKey(this.name));
    tx.del(cursorKey(this.name));
  }
}

function rowOf({ position, progress }: Holder, handed: number): ProgressRow {
  return { position, handed, done: progress.ranges(), above: Math.max(0, progress.doneAbove) };
}

export function loadDurable(name: string, subscription: Uint8Array, cursor: Uint8Array | undefined): Durable {
  const [filter, extra] = decodeRow<[string, unknown]>(subscription);
  return new Durable(name, filter, extra, cursor ? decodeProgress(cursor) : { position: 0, handed: 0, done: [] });
}
