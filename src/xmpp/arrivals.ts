import type { Clock } from '../clock.ts';
import type { StreamEvent } from './xml-stream.ts';

/** What arrives while a stream is being opened, in order, for the one who waits for it. */
export class Arrivals<T extends object = StreamEvent> {
  readonly #clock: Clock;
  readonly #kept: T[] = [];
  #waiting: { readonly resolve: (arrival: T | undefined) => void; readonly reject: (error: Error) => void } | undefined;
  #lost: Error | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many came and nobody took. */
  get size(): number {
    return this.#kept.length;
  }

  /** Of what came and nobody took. */
  sum(of: (arrival: T) => number): number {
    return this.#kept.reduce((sum, arrival) => sum + of(arrival), 0);
  }

  get lost(): Error | undefined {
    return this.#lost;
  }

  push(arrival: T): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) waiting.resolve(arrival);
    else this.#kept.push(arrival);
  }

  unread(arrival: T): void {
    this.#kept.unshift(arrival);
  }

  /** The next one; only one may wait at a time. */
  next(): Promise<T>;
  /** The same, but nothing when it does not come within `ms`. */
  next(ms: number | undefined): Promise<T | undefined>;
  async next(ms?: number): Promise<T | undefined> {
    const arrival = this.#kept.shift();
    if (arrival) return arrival;
    if (this.#lost) throw this.#lost;
    const timer = ms === undefined ? undefined : this.#clock.after(ms, () => {
      this.#waiting?.resolve(undefined);
      this.#waiting = undefined;
    });
    try {
      return await new Promise((resolve, reject) => { this.#waiting = { resolve, reject }; });
    } finally {
      timer?.stop();
    }
  }

  /** Everything that has come and nobody took. */
  takeAll(): T[] {
    return this.#kept.splice(0);
  }

  /** The first loss is the reason; later ones follow from it. */
  lose(error: Error): void {
    this.#lost ??= error;
    this.#waiting?.reject(this.#lost);
    this.#waiting = undefined;
  }
}
