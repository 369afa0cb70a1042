// Sets of positions as runs, flat: first and last of each, in order.

export class Runs {
  readonly #flat: number[];

  constructor(flat: readonly number[] = []) {
    this.#flat = [...flat];
  }

  get flat(): readonly number[] {
    return this.#flat;
  }

  get count(): number {
    return this.#flat.length / 2;
  }

  /** How many positions. */
  get size(): number {
    let size = 0;
    for (let i = 0; i < this.#flat.length; i += 2) size += (this.#flat[i + 1] ?? 0) - (this.#flat[i] ?? 0) + 1;
    return size;
  }

  /** Above all there are; `previous`: the one before it, if that is there. */
  push(seq: number, previous: number | undefined): void {
    if (previous !== undefined && previous === this.#flat.at(-1)) this.#flat[this.#flat.length - 1] = seq;
    else this.#flat.push(seq, seq);
  }

  /** Above all there are. */
  add(first: number, last: number): void {
    this.#flat.push(first, last);
  }

  /** These and no more than `most` runs, which may then have others between them in. */
  static around(seqs: readonly number[], most: number): Runs {
    const sorted = [...new Set(seqs)].toSorted((a, b) => a - b);
    const gaps = sorted.slice(1).map((seq, i) => seq - (sorted[i] ?? seq)).toSorted((a, b) => b - a);
    // Of the widest, as many as there may be.
    const wide = Math.max(1, gaps[most - 1] ?? 1);
    const runs = new Runs();
    let from = sorted[0];
    for (const [i, seq] of sorted.entries()) {
      if (from !== undefined && (sorted[i + 1] ?? Infinity) - seq > wide) {
        runs.add(from, seq);
        from = sorted[i + 1];
      }
    }
    return runs;
  }

  has(seq: number): boolean {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#flat[middle * 2 + 1] ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    const first = this.#flat[low * 2];
    return first !== undefined && first <= seq;
  }
}

/** The runs without those others, both flat: each of these ends one, and the next begins behind it. */
export function without(runs: readonly number[], gone: readonly number[]): Runs {
  const left = new Runs();
  const not = pairsOf(gone).toSorted(([a], [b]) => a - b);
  for (const [first, last] of pairsOf(runs)) {
    let from = first;
    for (const [start, end] of not) {
      if (end < from || start > last) continue;
      if (start > from) left.add(from, start - 1);
      from = end + 1;
    }
    if (from <= last) left.add(from, last);
  }
  return left;
}

function pairsOf(flat: readonly number[]): [first: number, last: number][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[i * 2] ?? 0, flat[i * 2 + 1] ?? 0]);
}
