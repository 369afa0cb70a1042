// A peer is its key, and may come back under a name that nobody here knows: renamed by its owner, or because another
// had its name (RFC 6762 §9). Who it is shows under TLS only, so boxes that show none now are called for it. What is called
// is a place, not a name: a key answers there or not, however many names lead there.
import type { Clock } from '../clock.ts';
import { plainAddress } from './source-address.ts';

/** How long a key has to come back under its own name, or to call; ms. */
export const PATIENCE = 5_000;
/** Between two turns: names cost nothing, and a thousand strangers must not be called all together; ms. */
export const PAUSE = 10_000;
/** Before a place where nobody could be reached, or another was, is called again: doubled each time; ms. */
const AGAIN = { first: 60_000, most: 3_600_000 };
/** Places that are remembered to have been called. */
const CALLED = 4_096;
/** Places of one name that are called in its turn: it may announce more, and one where nobody answers takes seconds. */
const A_TURN = 4;
/** Of so many turns one is for those at an address where a key was last: anybody can say to be there, and others must not wait for long. */
const NEAR_EVERY = 4;

export interface SearchPlace {
  /** As it is dialled. */
  readonly address: string;
  readonly port: number;
}

/** A box that does not show who it is. */
export interface Unknown {
  readonly name: string;
  readonly places: readonly SearchPlace[];
}

export interface SearchParts {
  readonly clock: Pick<Clock, 'mono'>;
  /** The keys that have been away for so many ms, of those that something is wanted of. */
  readonly missing: (ms: number) => Iterable<string>;
  /** Where that key was last. */
  readonly placeOf: (fingerprint: string) => { readonly address: string; readonly port?: number | undefined } | undefined;
  readonly unknown: () => Iterable<Unknown>;
  /** Opens a stream, if one of the keys is there. */
  readonly seek: (place: SearchPlace, missing: ReadonlySet<string>) => Promise<unknown>;
  readonly random?: () => number;
}

/** The same for all names that lead there. */
const keyOf = ({ address, port }: SearchPlace): string => `${port} ${address}`;

/** Looks for keys that are missing among the boxes of the link that nobody here knows: one call at a time, and few. */
export class Search {
  readonly #parts: SearchParts;
  /** By place, the longest ago first. */
  readonly #called = new Map<string, { readonly times: number; readonly next: number }>();
  #turns = 0;
  #calling = false;
  #last = -Infinity;
  #closed = false;

  constructor(parts: SearchParts) {
    this.#parts = parts;
  }

  /** Whether somebody is to be called, to be asked every few seconds. */
  async look(): Promise<void> {
    const { clock, missing, seek } = this.#parts;
    const now = clock.mono();
    if (this.#closed || this.#calling || now - this.#last < PAUSE) return;
    const keys = new Set(missing(PATIENCE));
    const places = keys.size === 0 ? [] : this.#pick(keys, now);
    if (places.length === 0) return;
    this.#calling = true;
    this.#last = now;
    this.#turns += 1;
    try {
      for (const place of places) {
        // One that takes calls and says nothing takes no more than its turn.
        if (this.#closed || clock.mono() - now >= PAUSE) return;
        this.#note(keyOf(place), now);
        if (await seek(place, keys).then(() => true, () => false)) return; // why not is of no account: the place has its next turn
      }
    } finally {
      this.#calling = false;
    }
  }

  close(): void {
    this.#closed = true;
  }

  /**
   * First the very place where one of them was last: that is one call, whoever claims it. Then any name, at random, and
   * now and then one at an address where one of them was last: whoever announces many names must not come first for long.
   */
  #pick(missing: ReadonlySet<string>, now: number): readonly SearchPlace[] {
    const { placeOf, unknown, random = Math.random } = this.#parts;
    const before = [...missing].flatMap((fingerprint) => placeOf(fingerprint) ?? []);
    const exactly = new Set(before.flatMap(({ address, port }) => (port === undefined ? [] : keyOf({ address, port }))));
    const near = this.#turns % NEAR_EVERY === 0 ? new Set(before.map(({ address }) => address)) : new Set<string>();
    let best: { readonly places: readonly SearchPlace[]; readonly rank: number } | undefined;
    for (const { places } of unknown()) {
      const due = places.filter((place) => now >= (this.#called.get(keyOf(place))?.next ?? -Infinity));
      const first = due.find(({ address, port }) => exactly.has(keyOf({ address: plainAddress(address), port })));
      if (first) return [first];
      if (due.length === 0) continue;
      const isNear = near.size > 0 && due.some(({ address }) => near.has(plainAddress(address)));
      const times = (place: SearchPlace): number => this.#called.get(keyOf(place))?.times ?? 0;
      const least = due.reduce((fewest, place) => Math.min(fewest, times(place)), Infinity);
      // Who was called before has a worse chance, and not none: there may be new ones without end.
      const rank = (isNear ? 0 : 1_000) + Math.min(3, least) / 4 + random();
      if (!best || rank < best.rank) best = { places: due.toSorted((a, b) => times(a) - times(b)).slice(0, A_TURN), rank };
    }
    return best?.places ?? [];
  }

  #note(place: string, now: number): void {
    const times = (this.#called.get(place)?.times ?? 0) + 1;
    this.#called.delete(place);
    this.#called.set(place, { times, next: now + Math.min(AGAIN.most, AGAIN.first * 2 ** (times - 1)) });
    const [longest] = this.#called.keys();
    if (this.#called.size > CALLED && longest !== undefined) this.#called.delete(longest);
  }
}
