import type { Delivery, SubscribeOptions, Subscription } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { Cursor } from '../log/cursor.ts';
import type { LogRecord } from '../log/record.ts';
import { PullStream } from '../pull-stream.ts';
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
 * the next delivery confirms the previous one, so leaving the loop confirms nothing. The lease is
 * taken when the options are found to be right.
 */
export function pullSubscription(lease: () => Promise<Lease>, options: Pick<SubscribeOptions, 'ack' | 'inFlight' | 'signal'>): Subscription {
  const reader = new Reader(options);
  return new PullStream<Lease, Delivery>({
    source: lease(),
    signal: options.signal,
    next: (source, ended) => reader.next(source, ended),
    close: (source) => reader.close(source),
  });
}

class Reader {
  readonly #manual: boolean;
  readonly #inFlight: number;
  #page: Waiting[] = [];
  #unconfirmed = new Set<number>();
  #previous: number | undefined;
  #room: (() => void) | undefined;

  constructor({ ack, inFlight }: Pick<SubscribeOptions, 'ack' | 'inFlight'>) {
    this.#manual = ack === 'manual';
    this.#inFlight = checkedInFlight(inFlight);
  }

  async next(lease: Lease, ended: AbortSignal): Promise<Delivery | undefined> {
    const { cursor } = lease;
    if (!this.#manual && this.#previous !== undefined) {
      this.#confirm(cursor, this.#previous);
      this.#previous = undefined;
    }
    while (!ended.aborted) {
      if (this.#unconfirmed.size >= this.#inFlight) {
        await this.#roomLeft();
        continue;
      }
      const waiting = this.#page.shift();
      if (waiting) return this.#hand(cursor, waiting);
      this.#page = await lease.next(Math.min(PAGE, this.#inFlight - this.#unconfirmed.size));
      if (this.#page.length === 0) await cursor.wait(ended);
    }
    // Closed while it was reading: those who share the cursor get it instead.
    this.#putBack(cursor);
    return undefined;
  }

  async close(lease: Lease): Promise<void> {
    this.#room?.();
    this.#putBack(lease.cursor);
    for (const seq of this.#unconfirmed) lease.cursor.again(seq, 0);
    this.#unconfirmed = new Set();
    await lease.release();
  }

  #putBack(cursor: Cursor): void {
    for (const { record } of this.#page.splice(0)) cursor.again(record.seq, 0);
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
