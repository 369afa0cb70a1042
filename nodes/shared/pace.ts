import { setTimeout as sleep } from 'node:timers/promises';

/** So far it may be ahead of its pace before it waits: timers are no finer, and each costs. */
const AHEAD_MS = 20;

/** At most so many a second, spread evenly; 0 is as many as come. */
export class Pace {
  readonly #step: number;
  #due = 0;

  constructor(perSecond: number) {
    this.#step = perSecond > 0 ? 1000 / perSecond : 0;
  }

  /** Resolves when the next one may go, or `signal` says that none will, to whether it had to wait. */
  async turn(signal: AbortSignal): Promise<boolean> {
    if (this.#step === 0) return false;
    const now = performance.now();
    const ahead = this.#due - now;
    this.#due = Math.max(this.#due, now) + this.#step;
    if (ahead <= AHEAD_MS) return false;
    await sleep(ahead, undefined, { signal, ref: false }).catch(() => undefined); // aborted: whoever asks looks
    return true;
  }
}
