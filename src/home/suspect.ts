/** Finds the record that a server answers by ending the stream: it is the one alone in flight when that happens twice. */
export class Suspect {
  #seq: number | undefined;
  #times = 0;
  /** In flight when the stream died, and still under way: while there are any, only one may be in flight. */
  readonly #open = new Set<number>();

  get open(): ReadonlySet<number> {
    return this.#open;
  }

  /** The stream died with these in flight. */
  died(inFlight: readonly number[]): void {
    for (const one of inFlight) this.#open.add(one);
    const [seq] = inFlight;
    if (seq === undefined || inFlight.length > 1) return;
    this.#times = this.#seq === seq ? this.#times + 1 : 1;
    this.#seq = seq;
  }

  guilty(seq: number): boolean {
    return this.#seq === seq && this.#times >= 2;
  }

  /** It was answered, or put aside. */
  clear(seq: number): void {
    this.#open.delete(seq);
    if (this.#seq === seq) this.#seq = undefined;
  }
}
