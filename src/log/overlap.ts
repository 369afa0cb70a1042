import { BATCH_RECORDS } from './limits.ts';

/** Fewer than so many are never parted. */
const LEAST = 32;
/** What callers do from one append to the next, by what it takes to assemble one (measured: 3 to 5). */
const CALLERS = 4;
/** Weight of the newest measurement. */
const NEW = 0.2;

/**
 * Whether the disk should work on one half of what waits while the callers of the other half are
 * busy with their next append. On a fast disk that is up to 1.9 times the rate (measured); where
 * each fsync takes longer than the callers do, as on SD cards, it would only double the fsyncs.
 */
export class Overlap {
  /** Milliseconds to assemble a record. */
  #assembling = 0;
  /** Milliseconds a write takes whatever is in it. */
  #syncing = 0;

  built(records: number, ms: number): void {
    this.#assembling += NEW * (ms / records - this.#assembling);
  }

  /** LevelDB takes about as long for a record as it takes to assemble it; the rest is the fsync. */
  wrote(records: number, ms: number): void {
    this.#syncing += NEW * (Math.max(0, ms - records * this.#assembling) - this.#syncing);
  }

  /** For so many that wait, or are on their way to the disk. */
  pays(records: number): boolean {
    return records >= LEAST && this.#syncing < CALLERS * this.#assembling * records;
  }

  /** How many of those that wait for an idle disk go first. */
  share(waiting: number): number {
    return this.pays(waiting) ? Math.min(BATCH_RECORDS, Math.ceil(waiting / 2)) : BATCH_RECORDS;
  }
}
