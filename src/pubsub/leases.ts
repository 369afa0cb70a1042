import type { From, SubscribeOptions } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import type { Cursor } from '../log/cursor.ts';
import type { Log } from '../log/log.ts';
import type { LogRecord } from '../log/record.ts';
import type { Abandonment } from './abandonment.ts';
import { checkedDurable } from './in-memory.ts';
import type { Terms } from './terms.ts';

/** What a subscription reads from, and how it lets go of it. */
export interface Lease {
  readonly cursor: Cursor;
  readonly clock: Clock;
  /** How often a record is handed out at most. */
  readonly maxDeliveries: number | undefined;
  /** The cursor's `next`, or a turn at it. */
  next(max: number): ReturnType<Cursor['next']>;
  /** Passes a record that was handed out so often and is not confirmed; false if that cannot be now. */
  putAside(record: LogRecord, deliveries: number): Promise<boolean>;
  /** Gives the cursor up; the last holder closes it. */
  release(): Promise<void>;
}

interface Shared {
  readonly cursor: Promise<Cursor>;
  readonly group: boolean;
  terms: Terms;
  holders: number;
  turn: Promise<unknown>;
}

export interface DurableRequest extends Pick<SubscribeOptions, 'maxDeliveries' | 'expires' | 'maxBacklog'> {
  /** Whole cursor name. */
  readonly name: string;
  readonly filter: string;
  readonly from: From;
  readonly group: boolean;
}

export interface LeaseParts {
  readonly log: Log;
  readonly clock: Clock;
  readonly abandonment: Abandonment;
  /** Whether one more durable reader may be; throws. */
  readonly admit: () => void;
  readonly putAside: (cursor: Cursor, record: LogRecord, deliveries: number) => Promise<boolean>;
}

/** Who holds which cursor: one reader a durable name, or several that asked to share it. */
export class Leases {
  readonly #parts: LeaseParts;
  readonly #held = new Map<string, Shared>();
  /** Those whose last reader has left, until they are closed. */
  readonly #closing = new Map<string, Promise<void>>();
  #liveReaders = 0;

  constructor(parts: LeaseParts) {
    this.#parts = parts;
  }

  /** How many readers it has. */
  readers(name: string): number {
    return this.#held.get(name)?.holders ?? 0;
  }

  async live(filter: string, from: From): Promise<Lease> {
    const { log, clock } = this.#parts;
    this.#liveReaders += 1;
    const cursor = await log.cursor({ name: `live:${this.#liveReaders}`, filter, from, durable: false });
    return { cursor, clock, maxDeliveries: undefined, next: (max) => cursor.next(max), putAside: async () => false, release: () => cursor.close() };
  }

  async durable(request: DurableRequest): Promise<Lease> {
    const { name, filter, group } = request;
    checkedDurable(filter, this.#parts.log.topic(filter));
    while (this.#closing.has(name)) await this.#closing.get(name);
    let shared = this.#held.get(name);
    if (shared && !(group && shared.group)) {
      throw new LanpostError('in-use', `the durable subscription "${label(name)}" has a reader already; give both \`group\` to share it`);
    }
    if (!shared) {
      if (!this.#parts.log.hasCursor(name)) this.#parts.admit();
      shared = { cursor: this.#open(request), group, terms: {}, holders: 0, turn: Promise.resolve() };
      this.#held.set(name, shared);
    }
    shared.holders += 1;
    const holding = shared;
    try {
      const cursor = await holding.cursor;
      if (cursor.filter !== filter) {
        throw new LanpostError('conflict', `the durable subscription "${label(name)}" reads ${cursor.filter}, not ${filter}; drop it or use another name`);
      }
      holding.terms = await this.#parts.abandonment.opened(name, request);
      cursor.counts = holding.terms.maxDeliveries !== undefined;
      return this.#lease(name, holding, cursor);
    } catch (error) {
      await this.#release(name, holding).catch(() => undefined); // the failure to open is the one to report
      throw error;
    }
  }

  #open({ name, filter, from, maxBacklog }: DurableRequest): Promise<Cursor> {
    const cursor = this.#parts.log.cursor({ name, filter, from, durable: true, ...(maxBacklog && { maxBacklog }) });
    cursor.catch(() => undefined); // whoever waits for it sees it
    return cursor;
  }

  #lease(name: string, shared: Shared, cursor: Cursor): Lease {
    const { clock, putAside } = this.#parts;
    return {
      cursor, clock,
      get maxDeliveries() { return shared.terms.maxDeliveries; },
      next: shared.group ? inTurn(shared, cursor) : (max) => cursor.next(max),
      putAside: (record, deliveries) => putAside(cursor, record, deliveries),
      release: () => this.#release(name, shared),
    };
  }

  async #release(name: string, shared: Shared): Promise<void> {
    shared.holders -= 1;
    if (shared.holders > 0) return;
    this.#held.delete(name);
    const closing = this.#close(name, shared).finally(() => { this.#closing.delete(name); });
    // Whoever wants it next waits for that, and need not know how it went.
    this.#closing.set(name, closing.catch(() => undefined));
    await closing;
  }

  async #close(name: string, shared: Shared): Promise<void> {
    await (await shared.cursor).close();
    await this.#parts.abandonment.left(name);
  }
}

/** A cursor answers one call at a time; those who share it get one record a turn, so that each gets some. */
function inTurn(shared: Shared, cursor: Cursor): Lease['next'] {
  return () => {
    const turn = shared.turn.then(() => cursor.next(1));
    shared.turn = turn.catch(() => undefined); // whoever asked sees it
    return turn;
  };
}

function label(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}
