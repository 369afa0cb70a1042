// Readers and what is kept for them.
import type { Delivery, From } from './item.ts';

/** Any of them; what has been handed out already is never dropped. */
export interface MaxBacklog {
  readonly records?: number;
  /** Bytes of the records, as they lie on disk. */
  readonly bytes?: number;
  /** Milliseconds. */
  readonly age?: number;
}

export interface SubscribeOptions {
  /** Name of a durable reader: its cursor survives restarts. */
  readonly durable?: string;
  /** Subscribe at a peer; what it sends is stored here first. */
  readonly at?: string;
  /** Where a new reader begins. Default `new`. A durable reader that exists goes on where it was. */
  readonly from?: From;
  /** Default `auto`: asking for the next item confirms the previous one. */
  readonly ack?: 'auto' | 'manual';
  /** Unconfirmed deliveries at once, 1 to 1000. Default 64. */
  readonly inFlight?: number;
  /** Shares the durable reader with others of the same name. */
  readonly group?: boolean;
  /** Milliseconds after which what is not confirmed is handed out again, to this reader or another of its group. Default never. */
  readonly ackWait?: number;
  /**
   * How much may wait for a durable reader: beyond it the oldest is dropped for it alone, and it gets a gap in their
   * place. Kept with the reader; `{}` takes it back. Default: all of it waits, whatever it takes.
   */
  readonly maxBacklog?: MaxBacklog;
  /**
   * How often an item is handed out at most, 1 to 1000: what is not confirmed then is put aside (`subscriptions.poison`), and
   * the others go on. Kept with the durable reader until another number is given; 0, the default, is no bound.
   */
  readonly maxDeliveries?: number;
  /**
   * Milliseconds, of those in which the box runs, without a reader, after which the durable reader is dropped. Kept
   * with it until another number is given; 0, the default, is never.
   */
  readonly expires?: number;
  readonly signal?: AbortSignal;
}

/** Pulls: nothing is read from disk before it is asked for. */
export interface Subscription extends AsyncIterableIterator<Delivery>, AsyncDisposable {
  /** Resolves when the reader is in place: what is published from now on will be delivered. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

export interface SubscriptionInfo {
  readonly name: string;
  readonly filter: string;
  /** `false` of a live reader at a peer, which is listed as long as it reads, for its `source`. Other live readers are not listed. */
  readonly durable: boolean;
  /** Who reads: `local`, `link:NAME`, `xmpp:JID`. */
  readonly reader: string;
  /**
   * Of one at a peer (`at`): the peer by the name it goes by now, its key, and since when this box has no stream to it, ms since 1970.
   * `askedAs`: the name that was given for it last, where that is another.
   * `approval`: `pending` as long as its owner has not let this box read there, `none` when that was refused; else it is absent.
   */
  readonly source?: { readonly peer: string; readonly fingerprint: string; readonly askedAs?: string; readonly awaySince?: number; readonly approval?: 'pending' | 'none' };
  /** Records that match and are not confirmed. */
  readonly pending: number;
  readonly position: number;
  /** Topics that wait alone while the others go on, as when a home refuses one. */
  readonly held: readonly string[];
  /** About how many bytes the pending records have, which stay for it. */
  readonly bytes: number;
  /** Milliseconds since the oldest of them was accepted, 0 when there is none; undefined while the clock does not tell. */
  readonly oldestAge?: number;
  /** Who has it open now. */
  readonly readers: number;
  /** Records handed out and not confirmed. */
  readonly unconfirmed: number;
  /** Records put aside: `subscriptions.poison` lists them. */
  readonly poison: number;
  /** Since when nobody has it open, ms since 1970. */
  readonly abandonedSince?: number;
  /** What `subscribe` has set. */
  readonly expires?: number;
  readonly maxDeliveries?: number;
  readonly maxBacklog?: MaxBacklog;
  /** When it will be dropped unless somebody reads it, ms since 1970. */
  readonly expiresAt?: number;
}

/** A record that a reader was handed too often without confirming it, or would never take. */
export interface Poison {
  readonly delivery: Delivery;
  /** How often it was handed out; absent when that was not counted. */
  readonly deliveries?: number;
  /** When it was put aside, ms since 1970. */
  readonly since: number;
  readonly reason: string;
}
