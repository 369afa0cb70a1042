// A peer is its key, and may come back under a name that nobody here knows: renamed by its owner, or because another
// had its name (RFC 6762 §9). Who it is shows under TLS only, so boxes that show none now are called for it.
import type { Clock } from '../clock.ts';

/** How long a key has to come back under its own name, or to call; ms. */
export const PATIENCE = 5_000;
/** Between two calls: names cost nothing, and a thousand strangers must not be called all together; ms. */
export const PAUSE = 10_000;
/** Before one that could not be reached, or was another, is called again: doubled each time; ms. */
const AGAIN = { first: 60_000, most: 3_600_000 };
/** Names that are remembered to have been called. */
const CALLED = 1_024;

/** A box that does not show who it is. */
export interface Unknown {
  readonly name: string;
  readonly addresses: readonly string[];
}

export interface SearchParts {
  readonly clock: Pick<Clock, 'mono'>;
  /** The keys that have been away for so many ms, of those that something is wanted of. */
  readonly missing: (ms: number) => Iterable<string>;
  /** The address where that key was last. */
  readonly placeOf: (fingerprint: string) => string | undefined;
  readonly unknown: () => Iterable<Unknown>;
  /** Opens a stream, and says whose it is. */
  readonly prove: (name: string) => Promise<unknown>;
  readonly random?: () => number;
}

/** Looks for keys that are missing among the boxes of the link that nobody here knows: one call at a time, and few. */
export class Search {
  readonly #parts: SearchParts;
  /** By name, the longest ago first. */
  readonly #called = new Map<string, { readonly times: number; readonly next: number }>();
  #calling = false;
  #last = -Infinity;
  #closed = false;

  constructor(parts: SearchParts) {
    this.#parts = parts;
  }

  /** Whether somebody is to be called, to be asked every few seconds. */
  async look(): Promise<void> {
    const { clock, missing, prove } = this.#parts;
    const now = clock.mono();
    if (this.#closed || this.#calling || now - this.#last < PAUSE) return;
    const keys = [...missing(PATIENCE)];
    const name = keys.length === 0 ? undefined : this.#pick(keys, now);
    if (name === undefined) return;
    this.#calling = true;
    this.#last = now;
    this.#note(name, now);
    try {
      // Whose key it was is told where streams are opened; another has its next turn later.
      await prove(name);
    } catch {
      // Why is told where streams are opened, too; it has its next turn.
    } finally {
      this.#calling = false;
    }
  }

  close(): void {
    this.#closed = true;
  }

  /** First where one of them was last. Then any, at random: whoever announces many names must not be able to come first for long. */
  #pick(missing: readonly string[], now: number): string | undefined {
    const { placeOf, unknown, random = Math.random } = this.#parts;
    const places = new Set(missing.flatMap((fingerprint) => placeOf(fingerprint) ?? []));
    let best: { readonly name: string; readonly rank: number } | undefined;
    for (const { name, addresses } of unknown()) {
      const before = this.#called.get(name);
      if (before && now < before.next) continue;
      const isThere = addresses.some((address) => places.has(address));
      const rank = (isThere ? 0 : 1_000) + (before?.times ?? 0) + random();
      if (!best || rank < best.rank) best = { name, rank };
    }
    return best?.name;
  }

  #note(name: string, now: number): void {
    const times = (this.#called.get(name)?.times ?? 0) + 1;
    this.#called.delete(name);
    this.#called.set(name, { times, next: now + Math.min(AGAIN.most, AGAIN.first * 2 ** (times - 1)) });
    const [longest] = this.#called.keys();
    if (this.#called.size > CALLED && longest !== undefined) this.#called.delete(longest);
  }
}
