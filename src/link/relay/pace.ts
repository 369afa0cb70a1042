import type { Clock } from '../../clock.ts';

/** So many bytes a second, of which one second's may come at once. */
export class Pace {
  readonly #clock: Pick<Clock, 'mono'>;
  readonly #rate: number;
  /** When all that was taken is paid for, by the monotonic clock. */
  #paidAt: number;

  constructor(clock: Pick<Clock, 'mono'>, rate: number) {
    this.#clock = clock;
    this.#rate = rate;
    this.#paidAt = clock.mono();
  }

  /** Milliseconds that whoever moves so many bytes has to wait. */
  take(bytes: number): number {
    const now = this.#clock.mono();
    this.#paidAt = Math.max(this.#paidAt, now - 1_000) + bytes * 1_000 / this.#rate;
    return Math.max(0, Math.ceil(this.#paidAt - now));
  }
}
