/** Told when a listener throws; what one throws harms nobody else. */
type Failed = (error: unknown) => void;

/**
 * Who is told of something, in the order in which they came. Whoever leaves meanwhile is told no more; whoever comes hears of what
 * is next. By index: most is told to one or two, and an iterator costs more than they do.
 */
export class Audience<T> {
  readonly #failed: Failed;
  #all: readonly ((event: T) => void)[] = [];

  constructor(failed: Failed) {
    this.#failed = failed;
  }

  get isEmpty(): boolean {
    return this.#all.length === 0;
  }

  /** Gives how to leave again. */
  add(listener: (event: T) => void): () => void {
    this.#all = [...this.#all, listener];
    let left = false;
    return () => {
      // The same may be here twice.
      if (!left) this.#all = this.#all.toSpliced(this.#all.indexOf(listener), 1);
      left = true;
    };
  }

  tell(event: T): void {
    const all = this.#all;
    for (let index = 0; index < all.length; index++) {
      const one = all[index];
      if (!one || (all !== this.#all && !this.#all.includes(one))) continue;
      try {
        one(event);
      } catch (error) {
        this.#failed(error);
      }
    }
  }
}
