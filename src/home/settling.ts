// Acknowledged is not yet safe: a server may answer before its disk has it. What has been acknowledged for
// long enough on one unbroken session counts as settled.
import type { Clock, Timer } from '../clock.ts';

export interface SettlingParts {
  readonly clock: Clock;
  /** ms. */
  readonly settle: number;
  /** What was acknowledged up to `tag` has settled. */
  readonly settled: (tag: number) => void;
  /** Whether there is anything to wait for. */
  readonly waiting: () => boolean;
}

export class Settling {
  readonly #parts: SettlingParts;
  /** Time is told in steps, so that what is acknowledged at about the same time can be kept together. */
  readonly #step: number;
  #timer: Timer | undefined;
  #online = false;

  constructor(parts: SettlingParts) {
    this.#parts = parts;
    this.#step = Math.min(1_000, Math.max(10, parts.settle / 4));
  }

  /** For what is acknowledged at `at`. */
  tag(at: number): number {
    return Math.floor(at / this.#step);
  }

  /** Something was acknowledged. */
  added(): void {
    this.#soon();
  }

  /** Nothing settles while there is no connection. */
  pause(): void {
    this.#online = false;
    this.#timer?.stop();
    this.#timer = undefined;
  }

  resume(): void {
    this.#online = true;
    this.#soon();
  }

  #soon(): void {
    if (this.#timer || !this.#online || !this.#parts.waiting()) return;
    const { clock, settle, settled } = this.#parts;
    this.#timer = clock.after(this.#step, () => {
      this.#timer = undefined;
      // The whole step lies so far back.
      settled(this.tag(clock.mono() - settle) - 1);
      this.#soon();
    });
  }
}
