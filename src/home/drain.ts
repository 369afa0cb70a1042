import type { DrainProgress } from '../api.ts';
import type { Clock } from '../clock.ts';

/** Records, of which fewer are no backlog: they go up as they come. */
const LEAST = 100;
const MINUTE = 60_000;

/** How far what waits for a home has gone up, counted from when there last was nothing to send, or no session. */
export class Drain {
  readonly #clock: Clock;
  #since: number;
  #began: number;
  /** Of all the home has ever acknowledged, what was before. */
  #before = 0;
  #last: DrainProgress | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.wall();
    this.#began = clock.mono();
  }

  /** From now on it is another. */
  begin(answered: number): void {
    // What nobody saw begin has not ended either.
    if (answered - this.#before >= LEAST) this.#last = this.#progress(answered, 0, 0);
    this.#before = answered;
    this.#since = this.#clock.wall();
    this.#began = this.#clock.mono();
  }

  /** The last one that was worth the word. */
  get last(): DrainProgress | undefined {
    return this.#last;
  }

  /** `rate`: records a second over the last minute. */
  now(answered: number, left: number, rate: number): DrainProgress | undefined {
    const done = answered - this.#before;
    return left === 0 || done === 0 || done + left < LEAST ? undefined : this.#progress(answered, left, rate);
  }

  #progress(answered: number, left: number, rate: number): DrainProgress {
    const done = answered - this.#before;
    const took = this.#clock.mono() - this.#began;
    const now = took < MINUTE || left === 0 ? (done * 1000) / Math.max(took, 1) : rate;
    return { since: this.#since, done, left, rate: Math.round(now * 100) / 100, ...(left > 0 && now > 0 ? { estimate: Math.round((left / now) * 1000) } : {}) };
  }
}
