import type { Clock } from '../clock.ts';

/** What is told is the growth over so long, ms, and over no less than that. */
const WINDOW = 15 * 60_000;
const LEAST = 60_000;

/** How fast what the log holds grows. */
export class Growth {
  readonly #clock: Clock;
  #seen: { readonly at: number; readonly bytes: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** It holds so many bytes now; noted about as often as a part of `LEAST`. */
  note(bytes: number): void {
    const at = this.#clock.mono();
    this.#seen.push({ at, bytes });
    // One from before the window's beginning stays, to count from.
    const first = this.#seen.findIndex((one) => one.at > at - WINDOW);
    if (first > 1) this.#seen.splice(0, first - 1);
  }

  /** Bytes a millisecond; undefined while nothing can be told, or it does not grow. */
  get rate(): number | undefined {
    const [first, last] = [this.#seen[0], this.#seen.at(-1)];
    if (!first || !last || last.at - first.at < LEAST || last.bytes <= first.bytes) return undefined;
    return (last.bytes - first.bytes) / (last.at - first.at);
  }
}
