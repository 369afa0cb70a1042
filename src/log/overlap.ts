import { performance } from 'node:perf_hooks';
import { BATCH_RECORDS } from './limits.ts';

/** Fewer than so many are never parted. */
const LEAST = 32;
/** Weight of the newest measurement. */
const NEW = 0.2;

/** Two writes for one, and assembling that the disk waits for, have to be made up for (measured: even at about this). */
const WORTH = 2;
/** How fast an old least one is forgotten: it doubles in 35 batches. */
const FORGET = 1.02;

/** Milliseconds that this thread has been at work, whoever for. */
const systemBusy = (): number => performance.eventLoopUtilization().active;

/**
 * Whether the disk should work on one half of what waits while the callers of the other half are
 * busy with their next append. On a fast disk that is up to 1.9 times the rate (measured); where
 * an fsync takes longer than the callers do, as on SD cards, it would only double the fsyncs.
 */
export class Overlap {
  readonly #busy: () => number;
  #busyBefore: number;
  /** Milliseconds this thread works for a record: its callers, the log, and everything else meanwhile. */
  #working = 0;
  /** Milliseconds a write takes: the least of late, for what is measured includes waiting for this thread. */
  #writing = Infinity;

  constructor(busy: () => number = systemBusy) {
    this.#busy = busy;
    this.#busyBefore = busy();
  }

  /** A batch of so many records took so long. */
  wrote(records: number, ms: number): void {
    const busy = this.#busy();
    this.#working += NEW * ((busy - this.#busyBefore) / records - this.#working);
    this.#writing = Math.min(ms, this.#writing * FORGET);
    this.#busyBefore = busy;
  }

  /** For so many that wait, or are on their way to the disk. */
  pays(records: number): boolean {
    return records >= LEAST && this.#writing * WORTH < this.#working * records;
  }

  /** How many of those that wait for an idle disk go first. */
  share(waiting: number): number {
    return this.pays(waiting) ? Math.min(BATCH_RECORDS, Math.ceil(waiting / 2)) : BATCH_RECORDS;
  }
}
