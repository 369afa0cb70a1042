import type { Delivery, SubscribeOptions, Subscription } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { Cursor } from '../log/cursor.ts';
import type { LogRecord } from '../log/record.ts';
import { toDelivery } from './delivery.ts';

/** One page: how many records are taken from the log at a time. */
const PAGE = 64;

/** What a subscription reads from, and how it lets go of it. */
export interface Lease {
  readonly cursor: Cursor;
  /** The cursor's `next`, or a turn at it. */
  next(max: number): ReturnType<Cursor['next']>;
  /** Gives the cursor up; the last holder closes it. */
  release(): Promise<void>;
}

type Waiting = { readonly record: LogRecord; readonly redelivered: boolean };

/**
 * A reader that pulls. Nothing is handed out before it is asked for; with `auto`, asking for
 * the next delivery confirms the previous one, so leaving the loop confirms nothing.
 */
export class PullSubscription implements Subscription {
  readonly ready: Promise<void>;
  readonly #lease: Promise<Lease>;
  readonly #manual: boolean;
  readonly #inFlight: number;
  readonly #signal: AbortSignal | undefined;
  readonly #ended = new AbortController();
  #page: Waiting[] = [];
  #unconfirmed = new Set<number>();
  #previous: number | undefined;
  #room: (() => void) | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(lease: Promise<Lease>, options: Pick<SubscribeOptions, 'ack' | 'inFlight' | 'signal'>) {
    this.#lease = lease;
    this.#manual = options.ack === 'manual';
    this.#inFlight = checkedInFlight(options.inFlight);
    this.#signal = options.signal;
    this.ready = lease.then(() => undefined);
    // Whoever iterates sees the failure there; `ready` alone must not raise an unhandled rejection.
    this.ready.catch(() => undefined);
    this.#signal?.addEventListener('abort', this.#abort, { once: true });
    if (this.#signal?.aborted) this.#abort();
  }

  [Symbol.asyncIterator](): this { return this; }

  /** Calls are answered one after another, in the order in which they came. */
  next(): Promise<IteratorResult<Delivery>> {
    const turn = this.#turn.then(() => this.#next());
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async return(): Promise<IteratorResult<Delivery>> {
    await this.close();
    return { done: true, value: undefined };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> { return this.close(); }

  async #next(): Promise<IteratorResult<Delivery>> {
    const lease = await this.#lease;
    const { cursor } = lease;
    if (!this.#manual && this.#previous !== undefined && !this.#ended.signal.aborted) {
      this.#confirm(cursor, this.#previous);
      this.#previous = undefined;
    }
    while (!this.#ended.signal.aborted) {
      if (this.#unconfirmed.size >= this.#inFlight) {
        await this.#roomLeft();
        continue;
      }
      const waiting = this.#page.shift();
      if (waiting) return { done: false, value: this.#hand(cursor, waiting) };
      this.#page = await lease.next(Math.min(PAGE, this.#inFlight - this.#unconfirmed.size));
      if (this.#page.length === 0) await cursor.wait(this.#ended.signal);
    }
    // Closed while it was reading: those who share the cursor get it instead.
    for (const { record } of this.#page.splice(0)) cursor.again(record.seq, 0);
    this.#signal?.throwIfAborted();
    return { done: true, value: undefined };
  }

  #hand(cursor: Cursor, { record, redelivered }: Waiting): Delivery {
    this.#unconfirmed.add(record.seq);
    this.#previous = record.seq;
    return toDelivery(record, redelivered, {
      ack: () => this.#confirm(cursor, record.seq),
      nack: (options) => this.#giveBack(cursor, record.seq, checkedDelay(options?.delay)),
    });
  }

  #confirm(cursor: Cursor, seq: number): void {
    if (!this.#unconfirmed.delete(seq)) return;
    cursor.done(seq);
    this.#room?.();
  }

  #giveBack(cursor: Cursor, seq: number, delay: number): void {
    if (!this.#unconfirmed.delete(seq)) return;
    if (this.#previous === seq) this.#previous = undefined;
    cursor.again(seq, delay);
    this.#room?.();
  }

  #roomLeft(): Promise<void> {
    return new Promise((resolve) => {
      this.#room = () => { this.#room = undefined; resolve(); };
    });
  }

  readonly #abort = (): void => {
    this.#ended.abort();
    this.#room?.();
    this.close().catch(() => undefined); // the iteration reports it; closing again returns the same promise
  };

  async #close(): Promise<void> {
    this.#ended.abort();
    this.#room?.();
    this.#signal?.removeEventListener('abort', this.#abort);
    const lease = await this.#lease.catch(() => undefined); // never opened: nothing to give up
    if (!lease) return;
    for (const { record } of this.#page.splice(0)) lease.cursor.again(record.seq, 0);
    for (const seq of this.#unconfirmed) lease.cursor.again(seq, 0);
    this.#unconfirmed = new Set();
    await lease.release();
  }
}

/** Timers count no further than 2^31 - 1 ms, and take what is longer for nothing at all. */
function checkedDelay(delay = 0): number {
  if (typeof delay !== 'number' || Number.isNaN(delay)) throw new TypeError('delay must be a number of milliseconds');
  return Math.min(Math.max(0, delay), 2 ** 31 - 1);
}

function checkedInFlight(inFlight = 64): number {
  if (!Number.isInteger(inFlight) || inFlight < 1 || inFlight > 1000) {
    throw new LanpostError('invalid-value', 'inFlight must be a whole number from 1 to 1000');
  }
  return inFlight;
}
