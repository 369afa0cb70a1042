/** How many there are, and how old the oldest is, in ms; 0 when there is none. */
export interface Queue {
  readonly size: number;
  readonly age: number;
}

/** What has begun and has not ended, in the order in which it began. */
export class UnderWay<T extends object> implements Queue {
  readonly #since = new Map<T, number>();

  get size(): number {
    return this.#since.size;
  }

  get age(): number {
    for (const since of this.#since.values()) return performance.now() - since;
    return 0;
  }

  begin(one: T): void {
    this.#since.set(one, performance.now());
  }

  end(one: T): void {
    this.#since.delete(one);
  }

  /** Ends all that there are. */
  endAll(): T[] {
    const all = [...this.#since.keys()];
    this.#since.clear();
    return all;
  }
}
