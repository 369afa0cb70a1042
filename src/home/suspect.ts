/** Finds the record that a server answers by ending the stream: it is the one alone in flight when that happens twice. */
export class Suspect {
  #seq: number | undefined;
  #times = 0;
  #reason = '';
  /** In flight when the stream died, and still under way: while there are any, only one may be in flight. */
  readonly #open = new Set<number>();

  get open(): ReadonlySet<number> {
    return this.#open;
  }

  /** The stream died with these in flight; `reason`: as the server gave it. */
  died(inFlight: readonly number[], reason: string): void {
    for (const one of inFlight) this.#open.add(one);
    const [seq] = inFlight;
    if (seq === undefined || inFlight.length > 1) return;
    this.#times = this.#seq === seq ? this.#times + 1 : 1;
    this.#seq = seq;
    this.#reason = reason;
  }

  /** What the server said, when it is the one. */
  guilt(seq: number): string | undefined {
    return this.#seq === seq && this.#times >= 2 ? this.#reason : undefined;
  }

  /** It was answered, or put aside. */
  clear(seq: number): void {
    this.#open.delete(seq);
    if (this.#seq === seq) this.#seq = undefined;
  }
}
