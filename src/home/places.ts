// The places that a node has for items, taken from the newest that is there backwards: what went before all of them was let go by the
// node, and is not lost. What went after the newest that is there has no bearing on that: a server that crashed has lost it.
import type { Entry } from './lane.ts';

export class Places {
  /** Unanswered when the session went, and there. */
  readonly #arrived: readonly Entry[];
  /** One of those looked at so far is there. */
  #begun = false;
  #taken = 0;

  constructor(arrived: readonly Entry[]) {
    this.#arrived = arrived;
  }

  /** Whether one of the page, newest first, is not there although a later one is. */
  hidesOne(page: readonly Entry[], present: ReadonlySet<Entry>, shown: ReadonlySet<Entry>): boolean {
    const from = page.findIndex((entry) => this.#isBehind(entry) || shown.has(entry));
    return from >= 0 && page.slice(from).some((entry) => !present.has(entry));
  }

  /** Those of the page, newest first, for which a node that keeps so many items has a place, or that it may never have had. */
  take(page: readonly Entry[], shown: ReadonlySet<Entry>, newest: ReadonlyMap<string, number>, keeps: number): readonly Entry[] {
    for (const [i, entry] of page.entries()) {
      if (this.#taken + this.#later(entry) >= keeps) return page.slice(0, i);
      this.#begun ||= shown.has(entry);
      // One that is not there had its place as well; of those with one id only the last has, and what was withdrawn has none.
      if (this.#isBehind(entry) && entry.kind === 'publish' && (newest.get(entry.itemId) ?? entry.seq) <= entry.seq) this.#taken++;
    }
    return page;
  }

  #isBehind(entry: Entry): boolean {
    return this.#begun || this.#later(entry) > 0;
  }

  #later({ seq }: Entry): number {
    return this.#arrived.filter((one) => one.seq > seq).length;
  }
}
