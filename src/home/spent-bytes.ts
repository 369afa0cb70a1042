// What went within a span of time that ends now, in sixty parts: so that never more goes in any such span, whenever it begins.

export interface Spent {
  readonly bytes: number;
  /** Monotonic; they count until then. */
  readonly until: number;
}

const PARTS = 60;

export class SpentBytes {
  readonly #span: number;
  readonly #most: number;
  /** The first to go first. */
  #spent: Spent[];

  constructor(span: number, most: number, spent: readonly Spent[] = []) {
    this.#span = span;
    this.#most = most;
    this.#spent = spent.toSorted((a, b) => a.until - b.until);
  }

  /** Until so many can go, ms; what is more than the whole goes alone. */
  wait(now: number, bytes: number): number {
    let spent = this.at(now);
    let until = now;
    let sum = spent.reduce((total, one) => total + one.bytes, 0);
    while (sum > 0 && sum + bytes > this.#most) {
      until = spent[0]?.until ?? until;
      spent = this.#after(spent, until);
      sum = spent.reduce((total, one) => total + one.bytes, 0);
    }
    return Math.ceil(until - now);
  }

  add(now: number, bytes: number): void {
    const part = this.#span / PARTS;
    // It counts as if it had gone at the end of its part.
    const until = (Math.floor(now / part) + 1) * part + this.#span;
    const last = this.#spent.at(-1);
    if (last && last.until >= until && last.until < until + part) this.#spent[this.#spent.length - 1] = { bytes: last.bytes + bytes, until: last.until };
    else this.#spent = [...this.#spent, { bytes, until }].toSorted((a, b) => a.until - b.until);
  }

  /** What counts still. */
  at(now: number): readonly Spent[] {
    this.#spent = this.#after(this.#spent, now);
    return this.#spent;
  }

  /** One that was larger than the whole counts for a span more with each whole that it had. */
  #after(spent: readonly Spent[], now: number): Spent[] {
    return spent.flatMap(({ bytes, until }) => {
      let [left, end] = [bytes, until];
      while (end <= now && left > 0) [left, end] = [left - this.#most, end + this.#span];
      return left > 0 ? [{ bytes: left, until: end }] : [];
    }).toSorted((a, b) => a.until - b.until);
  }
}
