/** Finds the record that a server answers by ending the stream: it is the one alone in flight when that happens twice. */
export class Suspect {
  #seq: number | undefined;
  #times = 0;

  /** The stream died with these in flight. */
  died(inFlight: readonly number[]): void {
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
    if (this.#seq === seq) this.#seq = undefined;
  }
}
