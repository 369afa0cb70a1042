import { decodeRow, encodeRow } from './cbor.ts';
import { cursorKey, heldCursorKey, subscriptionKey } from './keys.ts';
import type { Progress } from './progress.ts';
import { type ProgressRow, decodeProgress, encodeProgress, progressNumbers, progressOf } from './progress-row.ts';
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
  /** Records handed out and not confirmed. */
  readonly unconfirmed: number;
  /** From another place on, as if nothing of it had been read. */
  restart(row: ProgressRow): void;
  /** Records that were put aside are wanted once more. */
  retry(seqs: readonly number[]): void;
}

/** A cursor that survives restarts, open or not. */
export class Durable implements Reader {
  readonly name: string;
  readonly filter: string;
  extra: unknown;
  readonly durable = true;
  /** Topics that it holds back, each with a cursor of its own. */
  readonly held: Map<string, HeldTopic> = new Map();
  /** As it stands on disk. */
  row: ProgressRow;
  holder: Holder | undefined;
  /** The batch being built, or one to come, deletes its rows: nothing else may write them. */
  leaving = false;
  /** The batch being built sends it elsewhere: where it was is not to be written any more. */
  moving = false;
  /** Up to here a crash may have been the fault of a record that had been handed out. */
  suspect = 0;
  /** What goes with its next row. */
  readonly #riders = new Set<(tx: Transaction) => void>();
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

  /** Up to where the topic's records are none of its business; 0 for nowhere. */
  heldUntil(topic: string): number {
    return this.held.size === 0 ? 0 : this.held.get(topic)?.until ?? 0;
  }

  /** Goes with the next row of it that is written. */
  ride(rider: (tx: Transaction) => void): void {
    this.#riders.add(rider);
  }

  annotate(tx: Transaction, extra: unknown): void {
    tx.put(subscriptionKey(this.name), encodeRow([this.filter, extra]));
    tx.onCommit(() => { this.extra = extra; });
  }

  /** Goes on elsewhere once the batch is on disk, with whoever has it open. */
  move(tx: Transaction, row: ProgressRow): void {
    this.moving = true;
    tx.put(this.key, this.encoded(row));
    tx.onCommit(() => {
      this.moving = false;
      this.row = row;
      this.holder?.restart(row);
    });
  }

  /**
   * Puts its row into the batch. What is handed out must not be above the bound on disk: after a
   * power cut it could not be told from what was never handed out.
   */
  write(tx: Transaction, now: number, handed: number): void {
    const { holder } = this;
    if (this.leaving || this.moving) return;
    const row: ProgressRow = holder
      ? rowOf(holder, Math.max(handed, holder.handed))
      : this.row;
    tx.put(this.key, this.encoded(row));
    for (const held of this.held.values()) if (row.position >= held.until) held.forget(tx);
    const riders = [...this.#riders];
    for (const rider of riders) rider(tx);
    tx.onCommit(() => {
      for (const rider of riders) this.#riders.delete(rider);
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
    tx.put(this.key, this.encoded(this.row));
  }

  remove(tx: Transaction): void {
    tx.del(subscriptionKey(this.name));
    tx.del(this.key);
    this.leaving = true;
    for (const held of this.held.values()) {
      tx.del(held.key);
      held.leaving = true;
    }
  }

  get key(): Uint8Array {
    return cursorKey(this.name);
  }

  protected encoded(row: ProgressRow): Uint8Array {
    return encodeProgress(row);
  }
}

/** A topic of a subscription that is held back alone: a cursor of its own, until it has caught up. */
export class HeldTopic extends Durable {
  readonly parent: Durable;
  /** Up to here the topic's records are its business. */
  until: number;

  constructor(parent: Durable, topic: string, row: ProgressRow, until: number = Infinity) {
    super(parent.name, topic, undefined, row);
    this.parent = parent;
    this.until = until;
  }

  override get key(): Uint8Array {
    return heldCursorKey(this.name, this.filter);
  }

  /** It has caught up: from here on the topic is the subscription's again, which may not have come so far yet. */
  end(tx: Transaction, until: number): void {
    this.leaving = true;
    tx.put(this.key, encodeRow([until, ...progressNumbers(this.row)]));
  }

  /** The subscription has passed all that was its business. */
  forget(tx: Transaction): void {
    this.leaving = true;
    tx.del(this.key);
    tx.onCommit(() => { if (this.parent.held.get(this.filter) === this) this.parent.held.delete(this.filter); });
  }

  protected override encoded(row: ProgressRow): Uint8Array {
    return encodeRow([0, ...progressNumbers(row)]);
  }
}

function rowOf({ position, progress }: Holder, handed: number): ProgressRow {
  return { position, handed, done: progress.ranges(), above: Math.max(0, progress.doneAbove) };
}

export function loadDurable(name: string, subscription: Uint8Array, cursor: Uint8Array | undefined): Durable {
  const [filter, extra] = decodeRow<[string, unknown]>(subscription);
  return new Durable(name, filter, extra, cursor ? decodeProgress(cursor) : { position: 0, handed: 0, done: [] });
}

export function loadHeld(parent: Durable, topic: string, bytes: Uint8Array): HeldTopic {
  const [until = 0, ...row] = decodeRow<number[]>(bytes);
  return new HeldTopic(parent, topic, progressOf(row), until || Infinity);
}
