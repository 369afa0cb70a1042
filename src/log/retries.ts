/** Records that were put aside and are wanted once more: handed out beside what a cursor reads, by seq. Pure. */
export class Retries {
  /** To be handed out. */
  readonly #ready = new Set<number>();
  readonly #out = new Set<number>();
  /** Confirmed for now, with which tag. */
  readonly #taken = new Map<number, number>();

  get hasReady(): boolean {
    return this.#ready.size > 0;
  }

  /** Handed out and neither done nor given back. */
  get unconfirmed(): number {
    return this.#out.size;
  }

  get pending(): number {
    return this.#ready.size + this.#out.size + this.#taken.size;
  }

  has(seq: number): boolean {
    return this.#ready.has(seq) || this.#out.has(seq) || this.#taken.has(seq);
  }

  add(seqs: Iterable<number>): void {
    for (const seq of seqs) if (!this.#out.has(seq) && !this.#taken.has(seq)) this.#ready.add(seq);
  }

  next(max: number): number[] {
    const taken = [...this.#ready].slice(0, Math.max(0, max));
    for (const seq of taken) {
      this.#ready.delete(seq);
      this.#out.add(seq);
    }
    return taken;
  }

  /** Handed out, and wanted once more. */
  again(seq: number): boolean {
    if (!this.#out.delete(seq)) return false;
    this.#ready.add(seq);
    return true;
  }

  /** All that was handed out is wanted once more: whoever had it is gone. */
  rewind(): void {
    for (const seq of this.#out) this.#ready.add(seq);
    this.#out.clear();
  }

  /** Confirmed, put aside again, or gone. */
  done(seq: number): boolean {
    return this.#out.delete(seq) || this.#ready.delete(seq) || this.#taken.delete(seq);
  }

  /** Confirmed for now. */
  take(seq: number, tag: number): boolean {
    if (!this.#out.delete(seq)) return false;
    this.#taken.set(seq, tag);
    return true;
  }

  /** What was taken up to `tag`: it is done when whoever asks says so. */
  settled(tag: number): number[] {
    return [...this.#taken].filter(([, taken]) => taken <= tag).map(([seq]) => seq);
  }

  /** What was taken may not have stayed where it went: it is handed out again. */
  doubt(): void {
    for (const seq of this.#taken.keys()) this.#ready.add(seq);
    this.#taken.clear();
  }
}
