import type { Delivery, SubscribeOptions, Subscription } from '../api.ts';
import type { Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { checkedDelay } from '../given.ts';
import type { Cursor } from '../log/cursor.ts';
import type { LogRecord } from '../log/record.ts';
import { PullStream } from '../pull-stream.ts';
import { toDelivery } from './delivery.ts';
import type { Lease } from './leases.ts';

/** One page: how many records are taken from the log at a time. */
const PAGE = 64;
/** Confirmations that may come although the record was taken back; the oldest are forgotten. */
const LATE = 1000;
/** What cannot be put aside now is tried again. */
const ASIDE_AGAIN = 60_000;
/** Timers count no further than 2^31 - 1 ms, and take what is longer for nothing at all. */
const LONGEST_TIMER = 2 ** 31 - 1;

type Waiting = { readonly record: LogRecord; readonly redelivered: boolean };
type ReaderOptions = Pick<SubscribeOptions, 'ack' | 'inFlight' | 'ackWait' | 'signal'>;

/**
 * A reader that pulls. Nothing is handed out before it is asked for; with `auto`, asking for
 * the next delivery confirms the previous one, so leaving the loop confirms nothing. The lease is
 * taken when the options are found to be right.
 */
export function pullSubscription(lease: () => Promise<Lease>, options: ReaderOptions): Subscription {
  const reader = new Reader(options);
  return new PullStream<Lease, Delivery>({
    source: lease().then((taken) => reader.begin(taken)),
    signal: options.signal,
    next: (source, ended) => reader.next(source, ended),
    close: (source) => reader.close(source),
  });
}

class Reader {
  readonly #manual: boolean;
  readonly #inFlight: number;
  readonly #ackWait: number;
  #page: Waiting[] = [];
  #unconfirmed = new Set<number>();
  /** Taken back because they were not confirmed in time. */
  #late = new Set<number>();
  /** By when each is to be confirmed, in that order. */
  #deadlines = new Map<number, number>();
  #timer: Timer | undefined;
  #previous: number | undefined;
  /** Nothing is handed out beside it: if the program does not survive it, it is known which it was. */
  #alone: number | undefined;
  #room: (() => void) | undefined;
  /** Grows when the cursor is sent elsewhere: what was handed out before is void. */
  #turn = 0;
  #ended = false;
  #forget: (() => void) | undefined;

  constructor({ ack, inFlight, ackWait }: ReaderOptions) {
    this.#manual = ack === 'manual';
    this.#inFlight = checkedInFlight(inFlight);
    this.#ackWait = ackWait ?? 0;
  }

  begin(lease: Lease): Lease {
    this.#forget = lease.cursor.onRestart(() => this.#restart());
    return lease;
  }

  async next(lease: Lease, ended: AbortSignal): Promise<Delivery | undefined> {
    const { cursor } = lease;
    if (!this.#manual && this.#previous !== undefined) {
      this.#confirm(cursor, this.#previous);
      this.#previous = undefined;
    }
    while (!ended.aborted) {
      if (this.#unconfirmed.size >= this.#inFlight || this.#alone !== undefined) {
        await this.#roomLeft();
        continue;
      }
      const waiting = this.#page.shift();
      if (waiting) {
        const delivery = lease.maxDeliveries === undefined ? this.#show(lease, waiting) : await this.#hand(lease, waiting, lease.maxDeliveries, ended);
        if (delivery) return delivery;
        continue;
      }
      await this.#read(lease, ended);
    }
    // Closed while it was reading: those who share the cursor get it instead.
    this.#putBack(cursor);
    return undefined;
  }

  async close(lease: Lease): Promise<void> {
    this.#ended = true;
    this.#forget?.();
    this.#timer?.stop();
    this.#room?.();
    this.#putBack(lease.cursor);
    for (const seq of this.#unconfirmed) lease.cursor.again(seq, 0);
    this.#unconfirmed = new Set();
    this.#late.clear();
    await lease.release();
  }

  async #read(lease: Lease, ended: AbortSignal): Promise<void> {
    const turn = this.#turn;
    const page = await lease.next(Math.min(PAGE, this.#inFlight - this.#unconfirmed.size));
    if (turn !== this.#turn) {
      // Read before the cursor was sent elsewhere, or after: the cursor knows.
      for (const { record } of page) lease.cursor.back(record.seq);
      return;
    }
    this.#page = page;
    if (page.length === 0) await lease.cursor.wait(ended);
  }

  #putBack(cursor: Cursor): void {
    for (const { record } of this.#page.splice(0)) cursor.back(record.seq);
  }

  /** Nothing when it is not to be handed out after all. */
  async #hand(lease: Lease, waiting: Waiting, maxDeliveries: number, ended: AbortSignal): Promise<Delivery | undefined> {
    const { cursor } = lease;
    const { seq } = waiting.record;
    const before = cursor.deliveries(seq);
    if (before === undefined) return this.#show(lease, waiting);
    const turn = this.#turn;
    if (before >= maxDeliveries) {
      if (!await lease.putAside(waiting.record, before)) cursor.again(seq, ASIDE_AGAIN);
      return undefined;
    }
    const alone = before + 1 >= maxDeliveries;
    if (alone && this.#unconfirmed.size > 0) {
      this.#page.unshift(waiting);
      await this.#roomLeft();
      return undefined;
    }
    // On disk before it is shown: whoever gets it may not live to say so. A disk that takes nothing stops no reader.
    await count(cursor, seq, before + 1);
    if (turn !== this.#turn) return undefined;
    if (ended.aborted) {
      await count(cursor, seq, before);
      cursor.back(seq);
      return undefined;
    }
    if (alone) this.#alone = seq;
    return this.#show(lease, waiting);
  }

  #show({ cursor, clock }: Lease, { record, redelivered }: Waiting): Delivery {
    const { seq } = record;
    const turn = this.#turn;
    this.#unconfirmed.add(seq);
    this.#late.delete(seq);
    this.#previous = seq;
    if (this.#ackWait > 0) {
      this.#deadlines.set(seq, clock.mono() + this.#ackWait);
      this.#arm(cursor, clock);
    }
    return toDelivery(record, redelivered, {
      ack: () => { if (turn === this.#turn) this.#confirm(cursor, seq); },
      nack: (options) => {
        const delay = Math.min(Math.max(0, checkedDelay(options?.delay)), LONGEST_TIMER);
        if (turn === this.#turn) this.#giveBack(cursor, seq, delay);
      },
    });
  }

  #confirm(cursor: Cursor, seq: number): void {
    if (!this.#leave(seq) && !this.#late.delete(seq)) return;
    cursor.done(seq);
    this.#room?.();
  }

  #giveBack(cursor: Cursor, seq: number, delay: number): void {
    if (!this.#leave(seq)) return;
    if (this.#previous === seq) this.#previous = undefined;
    cursor.again(seq, delay);
    // It comes before what was only read ahead.
    if (delay <= 0) this.#putBack(cursor);
    this.#room?.();
  }

  #leave(seq: number): boolean {
    this.#deadlines.delete(seq);
    if (this.#alone === seq) this.#alone = undefined;
    return this.#unconfirmed.delete(seq);
  }

  #arm(cursor: Cursor, clock: Lease['clock']): void {
    const [first] = this.#deadlines.values();
    if (this.#timer || first === undefined || this.#ended) return;
    this.#timer = clock.after(Math.min(Math.max(0, first - clock.mono()), LONGEST_TIMER), () => {
      this.#timer = undefined;
      const now = clock.mono();
      for (const [seq, deadline] of this.#deadlines) {
        if (deadline > now) break;
        this.#tooLate(cursor, seq);
      }
      this.#arm(cursor, clock);
    });
  }

  /** Whoever has it may still confirm it: if that comes before another does, nobody else need. */
  #tooLate(cursor: Cursor, seq: number): void {
    if (!this.#leave(seq)) return;
    this.#late.add(seq);
    const [oldest] = this.#late;
    if (this.#late.size > LATE && oldest !== undefined) this.#late.delete(oldest);
    cursor.again(seq, 0);
    this.#putBack(cursor);
    this.#room?.();
  }

  #restart(): void {
    this.#turn += 1;
    this.#page = [];
    this.#unconfirmed = new Set();
    this.#late.clear();
    this.#deadlines.clear();
    this.#previous = undefined;
    this.#alone = undefined;
    this.#room?.();
  }

  #roomLeft(): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return new Promise((resolve) => {
      this.#room = () => { this.#room = undefined; resolve(); };
    });
  }
}

async function count(cursor: Cursor, seq: number, times: number): Promise<void> {
  await cursor.count(seq, times).catch((error: unknown) => { if (!(error instanceof LanpostError)) throw error; });
}

function checkedInFlight(inFlight = 64): number {
  if (!Number.isInteger(inFlight) || inFlight < 1 || inFlight > 1000) {
    throw new LanpostError('invalid-value', 'inFlight must be a whole number from 1 to 1000');
  }
  return inFlight;
}
