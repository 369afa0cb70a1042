import type { Clock, Timer } from '../clock.ts';

/** Changes of which each wakes at once; then one for each so many ms. */
const BURST = 16;
const PAUSE = 500;

/** Wakes whoever waits for a road when something has changed, but not as often as strangers come, go and change. */
export class Wakes {
  readonly #clock: Pick<Clock, 'mono' | 'after'>;
  readonly #wake: () => void;
  #left = BURST;
  #since: number;
  #timer: Timer | undefined;

  constructor(clock: Pick<Clock, 'mono' | 'after'>, wake: () => void) {
    this.#clock = clock;
    this.#wake = wake;
    this.#since = clock.mono();
  }

  changed(): void {
    if (this.#timer) return; // what has changed meanwhile is seen then, too
    const now = this.#clock.mono();
    const earned = Math.floor((now - this.#since) / PAUSE);
    this.#left = Math.min(BURST, this.#left + earned);
    this.#since = this.#left === BURST ? now : this.#since + earned * PAUSE;
    if (this.#left > 0) {
      this.#left -= 1;
      this.#wake();
      return;
    }
    this.#timer = this.#clock.after(PAUSE, () => {
      this.#timer = undefined;
      this.#since = this.#clock.mono();
      this.#wake();
    });
  }

  stop(): void {
    this.#timer?.stop();
  }
}
