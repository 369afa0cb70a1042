import { sourceOf } from './remote-address.ts';

/** Wrong passwords that cost an address nothing; each further one doubles what it waits. */
export const FREE_TRIES = 5;
const FIRST_WAIT = 2000;
const LONGEST_WAIT = 15 * 60_000;
/** Milliseconds without a try after which an address is forgotten. */
const FORGOTTEN = 3_600_000;
export const MOST_SOURCES = 1024;
/** Wrong passwords of all addresses together, and in how many milliseconds one of them is forgiven. */
export const TRIES_OF_ALL = 100;
const FORGIVEN_EACH = 30_000;

interface Source { failures: number; until: number; last: number }

/** How often wrong passwords may be given: by one address, and by all of them, for whoever has many. */
export class Attempts {
  /** The one that tried longest ago first. */
  readonly #sources: Map<string, Source> = new Map();
  readonly #now: () => number;
  #ofAll = 0;
  #countedAt: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#countedAt = now();
  }

  /**
   * Begins a try, which counts as wrong until it is told to be right: many at once are no way around.
   * Milliseconds until this address may try, 0 when it may now.
   */
  begin(address: string): number {
    const now = this.#now();
    const key = sourceOf(address);
    const source = this.#sources.get(key) ?? { failures: 0, until: 0, last: now };
    if (now - source.last > FORGOTTEN) source.failures = 0;
    if (source.until > now) return source.until - now;
    this.#forgive(now);
    if (this.#ofAll >= TRIES_OF_ALL) return FORGIVEN_EACH;
    this.#ofAll++;
    source.failures++;
    source.last = now;
    source.until = source.failures < FREE_TRIES ? 0 : now + Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(30, source.failures - FREE_TRIES));
    this.#sources.delete(key);
    this.#sources.set(key, source);
    for (const [oldest] of this.#sources) {
      if (this.#sources.size <= MOST_SOURCES) break;
      this.#sources.delete(oldest);
    }
    return 0;
  }

  /** The password was right: all is forgotten of that address. */
  passed(address: string): void {
    this.#sources.delete(sourceOf(address));
    this.#ofAll = Math.max(0, this.#ofAll - 1);
  }

  #forgive(now: number): void {
    const forgiven = Math.floor((now - this.#countedAt) / FORGIVEN_EACH);
    this.#ofAll = Math.max(0, this.#ofAll - forgiven);
    this.#countedAt += forgiven * FORGIVEN_EACH;
  }
}
