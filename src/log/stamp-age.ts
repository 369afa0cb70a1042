import type { Clock } from '../clock.ts';
import type { Log } from './log.ts';
import type { LogRecord, Stamp } from './record.ts';

export interface StampAgesParts {
  readonly clock: Clock;
  /** The log's epoch: stamps of the same one share a monotonic clock. */
  readonly boot: () => string;
  /** The log's. */
  readonly trustedNow: () => number | undefined;
}

/** How old records are, in time that can be trusted: a clock that is set, or that jumps, makes none of them old. */
export class StampAges {
  readonly #clock: Clock;
  readonly #trustedNow: () => number | undefined;
  readonly #boot: () => string;
  readonly #began: number;

  constructor(parts: StampAgesParts) {
    this.#clock = parts.clock;
    this.#trustedNow = parts.trustedNow;
    this.#boot = parts.boot;
    this.#began = parts.clock.mono();
  }

  /** Milliseconds since then; undefined while nothing is known of it. */
  of({ wall, mono, boot, trusted }: Stamp): number | undefined {
    const now = this.#clock.mono();
    if (boot === this.#boot()) return now - mono;
    if (!trusted) return now - this.#began; // at least that
    const today = this.#trustedNow();
    return today === undefined ? undefined : today - wall;
  }
}

/** How old the records of a log are, at least. */
export class RecordAges {
  readonly #log: Pick<Log, 'acceptedBy'>;
  readonly #ages: StampAges;

  constructor(log: Pick<Log, 'acceptedBy' | 'epoch' | 'trustedNow'>, clock: Clock) {
    this.#log = log;
    this.#ages = new StampAges({ clock, boot: () => log.epoch, trustedNow: () => log.trustedNow() });
  }

  /** Milliseconds since its acceptance; undefined while nothing is known of it. */
  of(record: Pick<LogRecord, 'seq' | 'stamp'>): number | undefined {
    return this.#ages.of({ ...record.stamp, wall: this.#log.acceptedBy(record) });
  }
}
