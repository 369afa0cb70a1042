// Peers where multicast does not reach: the owner says where they are, or a domain lists them. A stream to each is
// kept open, for nothing else says whether it is there.
import type { OffLinkPeer } from '../api.ts';
import type { Clock, Timer } from '../clock.ts';
import { callFailure } from '../call-failure.ts';
import type { PeerTarget } from './peer-target.ts';
import { plainAddress } from './source-address.ts';

/** Milliseconds before a peer that was not reached is called again: doubled each time, half of it at random. */
const FIRST_DELAY = 500;
const LONGEST_DELAY = 30_000;
/** Addresses of one peer that are tried, and from which it may call. */
const ADDRESSES = 8;
/** Boxes that all domains list. */
export const LISTED = 64;

/** A peer to be called, and who says so. */
export interface Wanted extends PeerTarget {
  /** The domain that lists it; absent when the owner named it. */
  readonly domain?: string;
}

export interface StaticPeersParts {
  readonly clock: Clock;
  /** Every address of that host; asked at each call. */
  readonly resolve: (wanted: Wanted) => Promise<readonly string[]>;
  /** Opens a stream, and gives the name that its other end has proven to be. */
  readonly call: (wanted: Wanted, address: string) => Promise<string>;
  /** Whether a stream to the peer of that name is in use. */
  readonly isOpen: (name: string) => boolean;
  /** Ends the stream to a peer that is not to be called any more. */
  readonly hangUp: (name: string) => void;
  readonly random?: () => number;
}

interface Called {
  readonly wanted: Wanted;
  state: OffLinkPeer['state'];
  addresses: readonly string[];
  name: string | undefined;
  reason: string | undefined;
  delay: number;
  since: number;
  next: { readonly at: number; readonly timer: Timer } | undefined;
}

export class StaticPeers {
  readonly #parts: StaticPeersParts;
  readonly #called = new Map<string, Called>();

  constructor(parts: StaticPeersParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#called.size;
  }

  has(label: string): boolean {
    return this.#called.has(label);
  }

  add(wanted: Wanted): void {
    if (this.#called.has(wanted.label)) return;
    const called: Called = { wanted, state: 'calling', addresses: [], name: undefined, reason: undefined, delay: FIRST_DELAY, since: 0, next: undefined };
    this.#called.set(wanted.label, called);
    void this.#call(called);
  }

  /** Calls it no more. */
  remove(label: string): void {
    const called = this.#called.get(label);
    called?.next?.timer.stop();
    this.#called.delete(label);
    if (called?.name !== undefined) this.#parts.hangUp(called.name);
  }

  /** What that domain listed and does not any more, or with another place. */
  notAmong(domain: string, wanted: readonly Wanted[]): string[] {
    const still = new Set(wanted.map(({ label, host, port }) => `${label} ${host} ${port}`));
    return [...this.#called.values()].map((called) => called.wanted)
      .filter((known) => known.domain === domain && !still.has(`${known.label} ${known.host} ${known.port}`)).map(({ label }) => label);
  }

  /** Whether one of them is at that address: then it may call us, too. */
  isAt(address: string): boolean {
    for (const { addresses } of this.#called.values()) if (addresses.includes(address)) return true;
    return false;
  }

  /** Something has become of the streams to that name. */
  changed(name: string): void {
    for (const called of this.#called.values()) {
      if (called.name !== name || called.state !== 'open' || this.#parts.isOpen(name)) continue;
      // Whoever takes calls and hangs up at once is not called the more often for it.
      if (this.#parts.clock.mono() - called.since > LONGEST_DELAY) called.delay = FIRST_DELAY;
      this.#later(called, 'the stream was lost');
    }
  }

  list(): OffLinkPeer[] {
    const { clock } = this.#parts;
    return [...this.#called.values()].map(({ wanted, state, name, reason, next }) => ({
      peer: wanted.label, state,
      ...(wanted.domain === undefined ? {} : { domain: wanted.domain }),
      ...(name === undefined ? {} : { name }),
      ...(reason === undefined ? {} : { reason }),
      ...(next ? { nextAttempt: Math.round(clock.wall() + next.at - clock.mono()) } : {}),
    }));
  }

  close(): void {
    for (const { next } of this.#called.values()) next?.timer.stop();
    this.#called.clear();
  }

  async #call(called: Called): Promise<void> {
    const { clock, resolve, call, isOpen, hangUp } = this.#parts;
    const { wanted } = called;
    called.state = 'calling';
    called.next = undefined;
    let reason = `${wanted.host} has no address`;
    try {
      called.addresses = (await resolve(wanted)).slice(0, ADDRESSES).map(plainAddress);
    } catch (error) {
      reason = callFailure(error);
    }
    for (const address of called.addresses) {
      if (this.#called.get(wanted.label) !== called) return;
      try {
        called.name = await call(wanted, address);
        // Removed while it was being called.
        if (this.#called.get(wanted.label) !== called) return hangUp(called.name);
        called.since = clock.mono();
        called.state = 'open';
        called.reason = undefined;
        // It may have given way at once to one that came from there, or be gone again.
        if (!isOpen(called.name)) this.changed(called.name);
        return;
      } catch (error) {
        reason = callFailure(error);
      }
    }
    this.#later(called, reason);
  }

  #later(called: Called, reason: string): void {
    if (this.#called.get(called.wanted.label) !== called) return;
    const { clock, random = Math.random } = this.#parts;
    const wait = called.delay * (0.5 + 0.5 * random());
    called.delay = Math.min(called.delay * 2, LONGEST_DELAY);
    called.state = 'waiting';
    called.reason = reason;
    called.next = { at: clock.mono() + wait, timer: clock.after(wait, () => void this.#call(called)) };
  }
}
