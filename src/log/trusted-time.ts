import type { Clock } from '../clock.ts';

/** A box that was off for longer than this is taken for one whose clock is wrong. */
const LONGEST_OFF = 5 * 365 * 86_400_000;

/**
 * Wall time that jumps cannot move: it begins when the clock is first believed and goes on with
 * the monotonic clock, so that a jump of fifty years expires nothing, nor does one while the box is off.
 */
export class TrustedTime {
  readonly #clock: Clock;
  #offset: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How far it had come when it was last noted. */
  resume(noted: number | undefined): void {
    if (noted === undefined || !Number.isFinite(noted)) return;
    const wall = this.#clock.wall();
    // No time has passed, as far as this tells: then things are kept for longer than they need be.
    if (!this.#clock.isSet() || wall - noted > LONGEST_OFF) this.#offset = noted - this.#clock.mono();
  }

  /** Undefined while the clock is not set. */
  now(): number | undefined {
    const mono = this.#clock.mono();
    const set = this.#clock.isSet();
    if (this.#offset === undefined && !set) return undefined;
    const offset = this.#clock.wall() - mono;
    // Set back, it was wrong before.
    if (this.#offset === undefined || (set && offset < this.#offset)) this.#offset = offset;
    return mono + this.#offset;
  }
}
