import type { MemoryEntry } from './memory-entry.ts';

/** An item in the view of a topic in memory. */
export interface Held<Of> {
  readonly seq: number;
  readonly of: Of;
  /** What it is found by, besides its place. */
  readonly names: readonly string[];
  /** Gone once it has left the view: its place in a line may be kept a while longer. */
  entry: MemoryEntry | undefined;
}

/** Places of items that have left, up to which a line is not closed up. */
const LOOSE = 32;

/** Items in the order of their seqs; each may leave at any time, most often the oldest. */
export class ItemLine<Of> {
  /** Those before `#start` have gone. */
  #items: (Held<Of> | undefined)[] = [];
  #start = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The oldest. */
  get first(): Held<Of> | undefined {
    const items = this.#items;
    while (this.#start < items.length && items[this.#start]?.entry === undefined) items[this.#start++] = undefined;
    return items[this.#start];
  }

  push(held: Held<Of>): void {
    this.#items.push(held);
    this.#count++;
  }

  /** One of them has lost its entry. */
  left(): void {
    this.#count--;
    const gone = this.#items.length - this.#count;
    if (gone <= LOOSE || gone <= this.#count) return;
    this.#items = this.#items.filter((held) => held?.entry !== undefined);
    this.#start = 0;
  }

  at(seq: number): Held<Of> | undefined {
    const held = this.#items[this.#indexOf(seq)];
    return held?.seq === seq && held.entry ? held : undefined;
  }

  /** The newest. */
  get last(): Held<Of> | undefined {
    return this.#items.findLast((held) => held?.entry !== undefined);
  }

  /** Those at `seq` and above, oldest first. */
  *from(seq: number): IterableIterator<MemoryEntry> {
    for (let i = this.#indexOf(seq); i < this.#items.length; i++) {
      const entry = this.#items[i]?.entry;
      if (entry) yield entry;
    }
  }

  /** Those below `seq`, newest first. */
  *below(seq: number): IterableIterator<MemoryEntry> {
    for (let i = this.#indexOf(seq) - 1; i >= this.#start; i--) {
      const entry = this.#items[i]?.entry;
      if (entry) yield entry;
    }
  }

  /** Of the first at `seq` or above, whether or not it has left. */
  #indexOf(seq: number): number {
    let low = this.#start;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#items[middle]?.seq ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
