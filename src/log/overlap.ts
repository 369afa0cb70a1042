import { performance } from 'node:perf_hooks';
import { BATCH_RECORDS } from './limits.ts';

/** Fewer than so many are never parted. */
const LEAST = 32;
/** Weight of the newest measurement. */
const NEW = 0.2;

/** What a second sync costs has to be made up for, and so does assembling that the disk waits for. */
const WORTH = 2;
/** How fast an old least write is forgotten: it doubles in 350 batches. */
const FORGET = 1.002;
/** After so many whole batches of many, a small one tells again what a sync costs. */
const PROBE_EVERY = 200;

/** Milliseconds that this thread has been at work, whoever for. */
const systemBusy = (): number => performance.eventLoopUtilization().active;

/**
 * Whether the disk should work on one half of what waits while the callers of the other half are
 * busy with their next append. Each record costs the disk the same in one batch or in two, so what
 * it costs is one sync more. On a fast disk that is up to 1.9 times the rate (measured); where an
 * fsync takes longer than the callers do, as on SD cards, it would only double the fsyncs.
 */
export class Overlap {
  readonly #busy: () => number;
  #busyBefore: number;
  /** Milliseconds this thread works for a record: its callers, the log, and everything else meanwhile. */
  #working = 0;
  /** Milliseconds a write of few takes, which is mostly its sync: the least of late, for what is measured includes waiting for this thread. */
  #syncing = Infinity;
  /** Whole batches of many since the last small one. */
  #whole = 0;

  constructor(busy: () => number = systemBusy) {
    this.#busy = busy;
    this.#busyBefore = busy();
  }

  /** A batch of so many records took so long. */
  wrote(records: number, ms: number): void {
    const busy = this.#busy();
    this.#working += NEW * ((busy - this.#busyBefore) / records - this.#working);
    this.#syncing = Math.min(ms, this.#syncing * FORGET);
    this.#busyBefore = busy;
    this.#whole = records > LEAST ? this.#whole + 1 : 0;
  }

  /** For so many that wait, or are on their way to the disk. */
  pays(records: number): boolean {
    return records >= LEAST && this.#syncing * WORTH < this.#working * records;
  }

  /** How many of those that wait for an idle disk go first. */
  share(waiting: number): number {
    if (this.pays(waiting)) return Math.min(BATCH_RECORDS, Math.ceil(waiting / 2));
    return this.#whole >= PROBE_EVERY && waiting > 2 * LEAST ? LEAST : BATCH_RECORDS;
  }
}
