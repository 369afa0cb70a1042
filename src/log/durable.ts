import { decodeRow, encodeRow } from './cbor.ts';
import { cursorKey, heldCursorKey, lostKey, subscriptionKey } from './keys.ts';
import type { LostRange } from './lost-range.ts';
import type { Progress } from './progress.ts';
import { type ProgressRow, decodeProgress, encodeProgress, progressNumbers, progressOf } from './progress-row.ts';
import type { Reader } from './reader.ts';
import type { Transaction } from './transaction.ts';

/** How far above what is handed out the bound on disk is put, so that it need not be moved for every record. */
export const HANDED_STEP = 1024;
const MIN_INTERVAL = 250;
const MIN_RECORDS = 1000;

/** How much may wait for a subscription: the oldest is dropped for it beyond that. */
export interface MaxBacklog {
  readonly records?: number;
  /** Of the records, as they lie on disk. */
  readonly bytes?: number;
  /** Milliseconds. */
  readonly age?: number;
}

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
  /** Whether it is such a one, and not confirmed yet. */
  isRetried(seq: number): boolean;
  /** What it may read has changed: what is being read is to be read anew. */
  reread(): void;
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
  /** How much may wait for it. */
  maxBacklog: MaxBacklog | undefined;
  /** The head when it came to be, or was sent elsewhere: up to there something may have been deleted before it was wanted. */
  since: number;
  /** What it lost and does not know of yet, in order. */
  lost: readonly LostRange[] = [];
  /** What it must not read yet: it may be lost with the next batch. */
  blocked: number = Infinity;
  /** The batch being built, or one to come, deletes its rows: nothing else may write them. */
  leaving = false;
  /** The batch being built sends it elsewhere: where it was is not to be written any more. */
  moving = false;
  /** Up to here a crash may have been the fault of a record that had been handed out. */
  suspect = 0;
  /** What goes with its next row. */
  readonly #riders = new Set<(tx: Transaction) => void>();
  #writtenAt = -Infinity;

  constructor(name: string, filter: string, extra: unknown, row: ProgressRow, maxBacklog?: MaxBacklog, since: number = Infinity) {
    this.since = since;
    this.name = name;
    this.filter = filter;
    this.extra = extra;
    this.row = row;
    this.maxBacklog = maxBacklog;
  }

  get position(): number {
    return this.holder?.position ?? this.row.position;
  }

  /** Deletions wait for what the disk has, not for what memory knows. */
  get kept(): number {
    let kept = this.row.position;
    for (const { from, to } of this.lost) if (from <= kept + 1) kept = Math.max(kept, to);
    return kept;
  }

  tellLost(): void {
    // Cannot be: what it has not passed is kept, or dropped by itself.
  }

  /** After this lies what waits for it. */
  get base(): number {
    let base = this.position;
    for (const { from, to } of this.lost) if (from <= base + 1) base = Math.max(base, to);
    return base;
  }

  /** The first record that it has neither been handed nor lost. */
  get unread(): number {
    return Math.max(this.holder ? this.holder.progress.scan : this.row.position + 1, (this.lost.at(-1)?.to ?? 0) + 1);
  }

  /** Ranges of what was confirmed although one before it was not. */
  get done(): ProgressRow['done'] {
    return this.holder ? this.holder.progress.ranges() : this.row.done;
  }

  /** Whether whoever reads has been handed that gap. */
  wasTold({ to }: LostRange): boolean {
    return this.holder !== undefined && this.holder.progress.scan > to;
  }

  /** The batch is on disk; `instead` of one that it goes on. */
  lose(lost: LostRange, instead: LostRange | undefined): void {
    this.lost = [...this.lost.filter((one) => one !== instead), lost];
  }

  /** What is lost at a position. */
  lostAt(seq: number): LostRange | undefined {
    return this.lost.find(({ from, to }) => from <= seq && seq <= to);
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
    this.describe(tx, extra);
    tx.onCommit(() => { this.extra = extra; });
  }

  /** Goes on elsewhere once the batch is on disk, with whoever has it open. */
  move(tx: Transaction, row: ProgressRow, head: number): void {
    this.moving = true;
    tx.put(this.key, this.encoded(row));
    this.describe(tx, this.extra, head);
    this.#takeRiders(tx);
    tx.onCommit(() => {
      this.moving = false;
      this.since = head;
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
    this.#takeRiders(tx);
    this.#forgetLost(tx, row.position);
    tx.onCommit(() => {
      this.row = row;
      this.#writtenAt = now;
    });
  }

  #takeRiders(tx: Transaction): void {
    const riders = [...this.#riders];
    for (const rider of riders) rider(tx);
    tx.onCommit(() => { for (const rider of riders) this.#riders.delete(rider); });
  }

  /** It knows, and has confirmed that. */
  #forgetLost(tx: Transaction, position: number): void {
    for (const lost of this.lost) {
      if (lost.to > position) continue;
      tx.del(lostKey(this.name, lost.from));
      tx.onCommit(() => { this.lost = this.lost.filter((one) => one !== lost); });
    }
  }

  /** Its holder lets go; what the holder knew stays, whether or not the disk has it yet. */
  release(holder: Holder): void {
    this.row = rowOf(holder, holder.handed);
    this.holder = undefined;
  }

  create(tx: Transaction): void {
    this.describe(tx);
    tx.put(this.key, this.encoded(this.row));
  }

  /** What it reads, and how much may wait for it. */
  describe(tx: Transaction, extra: unknown = this.extra, since: number = this.since): void {
    const row: SubscriptionRow = [this.filter, extra, this.maxBacklog, since];
    tx.put(subscriptionKey(this.name), encodeRow(row));
  }

  remove(tx: Transaction): void {
    for (const { from } of this.lost) tx.del(lostKey(this.name, from));
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

/** Without the last two in stores of earlier versions. */
export type SubscriptionRow = [filter: string, extra: unknown, maxBacklog?: MaxBacklog | undefined, since?: number];

export function loadDurable(name: string, subscription: Uint8Array, cursor: Uint8Array | undefined): Durable {
  const [filter, extra, maxBacklog, since] = decodeRow<SubscriptionRow>(subscription);
  return new Durable(name, filter, extra, cursor ? decodeProgress(cursor) : { position: 0, handed: 0, done: [] }, maxBacklog, since);
}

export function loadHeld(parent: Durable, topic: string, bytes: Uint8Array): HeldTopic {
  const [until = 0, ...row] = decodeRow<number[]>(bytes);
  return new HeldTopic(parent, topic, progressOf(row), until || Infinity);
}
