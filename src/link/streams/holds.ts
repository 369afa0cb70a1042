import type { Clock, Timer } from '../../clock.ts';

/** Why nothing is read: too much in work, too fast a peer, answers it does not take, a stream that is not open yet, a slow disk. */
export type Hold = 'busy' | 'pace' | 'answers' | 'early' | 'disk';

/** A socket that is read only while nothing speaks against it. */
export class Holds {
  readonly #socket: { pause(): void; resume(): void };
  readonly #clock: Clock;
  readonly #held = new Set<Hold>();
  /** Until when a fast peer is not read, and what ends that. */
  #restUntil = 0;
  #rest: Timer | undefined;

  constructor(socket: { pause(): void; resume(): void }, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
  }

  has(why: Hold): boolean {
    return this.#held.has(why);
  }

  hold(why: Hold): void {
    if (this.#held.size === 0) this.#socket.pause();
    this.#held.add(why);
  }

  release(why: Hold): void {
    if (this.#held.delete(why) && this.#held.size === 0) this.#socket.resume();
  }

  /** Monotonic time until which a fast peer is not read, or was not. */
  get restUntil(): number {
    return this.#restUntil;
  }

  /** One read of the socket may bring many: the rest is as long as the longest that one of them asks for. */
  pace(ms: number): void {
    if (ms <= 0) return;
    this.#restUntil = Math.max(this.#restUntil, this.#clock.mono() + ms);
    this.hold('pace');
    this.#rest ??= this.#clock.after(ms, () => this.#rested());
  }

  stop(): void {
    this.#rest?.stop();
  }

  #rested(): void {
    const left = this.#restUntil - this.#clock.mono();
    this.#rest = left > 0 ? this.#clock.after(left, () => this.#rested()) : undefined;
    if (!this.#rest) this.release('pace');
  }
}
