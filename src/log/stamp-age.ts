import type { Clock } from '../clock.ts';
import { TrustedTime } from './trusted-time.ts';
import type { Stamp } from './record.ts';

/** How old records are, in time that can be trusted: a clock that is set, or that jumps, makes none of them old. */
export class StampAges {
  readonly #clock: Clock;
  readonly #time: TrustedTime;
  readonly #boot: () => string;
  readonly #began: number;

  constructor(parts: { readonly clock: Clock; /** The log's epoch: stamps of the same one share a monotonic clock. */ readonly boot: () => string }) {
    this.#clock = parts.clock;
    this.#time = new TrustedTime(parts.clock);
    this.#boot = parts.boot;
    this.#began = parts.clock.mono();
  }

  /** Milliseconds since its acceptance; undefined while nothing is known of it. */
  of({ wall, mono, boot, trusted }: Stamp): number | undefined {
    const now = this.#clock.mono();
    if (boot === this.#boot()) return now - mono;
    if (!trusted) return now - this.#began; // at least that
    const today = this.#time.now();
    return today === undefined ? undefined : today - wall;
  }
}
