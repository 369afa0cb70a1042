import type { Clock, Timer } from '../clock.ts';

/** Milliseconds. */
const AFTER = 5_000;

/** Tries again what has failed although its peer's stream is open: a while later, once for all of it. */
export class Again {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #call: () => void;
  #timer: Timer | undefined;
  #closed = false;

  constructor(clock: Pick<Clock, 'after'>, call: () => void) {
    this.#clock = clock;
    this.#call = call;
  }

  wanted(): void {
    if (this.#closed) return;
    this.#timer ??= this.#clock.after(AFTER, () => {
      this.#timer = undefined;
      this.#call();
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.stop();
  }
}
