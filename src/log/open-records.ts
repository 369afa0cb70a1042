import type { LogRecord } from './record.ts';

/** Those done before they are let go of. */
const DONE = 64;

/**
 * Records handed out and not done, in the order of their seqs. Most are done in that order: then nothing is looked for,
 * and nothing made (a map that is always filled and emptied is made anew all the time).
 */
export class OpenRecords {
  /** Those before `#start` have gone; the others that have are undefined. */
  #records: (LogRecord | undefined)[] = [];
  #seqs: number[] = [];
  #start = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Newer than all before. */
  add(record: LogRecord): void {
    this.#records.push(record);
    this.#seqs.push(record.seq);
    this.#size++;
  }

  get(seq: number): LogRecord | undefined {
    const at = this.#find(seq);
    return at === undefined ? undefined : this.#records[at];
  }

  delete(seq: number): void {
    const at = this.#find(seq);
    if (at === undefined || !this.#records[at]) return;
    this.#records[at] = undefined;
    this.#size--;
    while (this.#start < this.#records.length && !this.#records[this.#start]) this.#start++;
    if (this.#start < DONE || this.#start * 2 < this.#records.length) return;
    this.#records.splice(0, this.#start);
    this.#seqs.splice(0, this.#start);
    this.#start = 0;
  }

  seqs(): number[] {
    return this.#seqs.filter((_, at) => this.#records[at] !== undefined);
  }

  #find(seq: number): number | undefined {
    if (this.#seqs[this.#start] === seq) return this.#start;
    let [low, high] = [this.#start, this.#seqs.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = this.#seqs[middle]!;
      if (found === seq) return middle;
      if (found < seq) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }
}
