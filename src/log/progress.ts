import { decodeRow, encodeRow } from './cbor.ts';

const HANDED = 0;
const AGAIN = 1;
const DONE = 2;

/** What the disk keeps of a cursor. */
export interface ProgressRow {
  /** Every matching record up to here is done. */
  readonly position: number;
  /** Nothing above this has ever been handed out. */
  readonly handed: number;
  /** Ranges above `position` that are done too. */
  readonly done: readonly (readonly [from: number, to: number])[];
  /** Records in those ranges, as far as they were counted. */
  readonly above?: number;
}

/** Out-of-order confirmations kept at most; then delivery waits. */
export const MAX_RANGES = 1000;

/**
 * How far one reader has got: records are handed out in order of seq and confirmed in any order.
 * Pure: knows neither disk nor time.
 */
export class Progress {
  /** Next seq to look at. */
  scan: number;
  #seqs: number[] = [];
  #states: number[] = [];
  #start = 0;
  #again: number[] = [];
  #ranges = 0;
  #unconfirmed = 0;
  #doneAbove = 0;
  /** Ranges still before it that were done before a restart, or are not wanted. */
  #skip: (readonly [number, number])[];
  #skipAbove: number;

  constructor(row: ProgressRow) {
    this.scan = row.position + 1;
    this.#skip = [...row.done];
    this.#skipAbove = row.above ?? 0;
  }

  get position(): number {
    return (this.#seqs[this.#start] ?? this.scan) - 1;
  }

  get unconfirmed(): number {
    return this.#unconfirmed;
  }

  /** Records confirmed although one before them is not. */
  get doneAbove(): number {
    return this.#doneAbove + this.#skipAbove;
  }

  /** Where the part to read ends, because what follows is done. Passes over it if that is here. */
  skipDone(): number {
    for (;;) {
      const skip = this.#skip[0];
      if (!skip) return Infinity;
      const [from, to] = skip;
      if (from > this.scan) return from - 1;
      this.#skip.shift();
      if (to < this.scan) continue;
      if (this.#start < this.#seqs.length) {
        // Something before it is open, so the range must be remembered, by its ends.
        this.#push(from, DONE);
        if (to > from) this.#push(to, DONE);
        this.#doneAbove += to > from ? 2 : 1;
        this.#skipAbove -= to > from ? 2 : 1;
        if (this.#states[this.#seqs.length - (to > from ? 3 : 2)] !== DONE) this.#ranges++;
      } else this.#skipAbove = 0;
      this.scan = to + 1;
    }
  }

  /** Too many holes between confirmed records: hand out nothing new. */
  get full(): boolean {
    return this.#ranges >= MAX_RANGES;
  }

  get hasAgain(): boolean {
    return this.#again.length > 0;
  }

  /** A record was found at `seq` and is handed out. */
  hand(seq: number): void {
    this.scan = seq + 1;
    this.#push(seq, HANDED);
    this.#unconfirmed++;
  }

  done(seq: number): boolean {
    const at = this.#find(seq);
    if (at === undefined || this.#states[at] === DONE) return false;
    if (this.#states[at] === HANDED) this.#unconfirmed--;
    this.#states[at] = DONE;
    this.#doneAbove++;
    const before = at > this.#start && this.#states[at - 1] === DONE;
    const after = this.#states[at + 1] === DONE;
    this.#ranges += 1 - Number(before) - Number(after);
    if (at === this.#start) this.#advance();
    return true;
  }

  /** Handed out, not done, and wanted once more. */
  again(seq: number): boolean {
    const at = this.#find(seq);
    if (at === undefined || this.#states[at] !== HANDED) return false;
    this.#states[at] = AGAIN;
    this.#unconfirmed--;
    let low = 0;
    let high = this.#again.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#again[middle]! < seq) low = middle + 1;
      else high = middle;
    }
    this.#again.splice(low, 0, seq);
    return true;
  }

  /** Handed out and neither done nor given back. */
  *handedOut(): IterableIterator<number> {
    for (let i = this.#start; i < this.#seqs.length; i++) if (this.#states[i] === HANDED) yield this.#seqs[i]!;
  }

  rewind(): void {
    this.#again = [];
    for (let i = this.#start; i < this.#seqs.length; i++) {
      if (this.#states[i] === DONE) continue;
      this.#states[i] = AGAIN;
      this.#again.push(this.#seqs[i]!);
    }
    this.#unconfirmed = 0;
  }

  /** The next seqs to hand out once more, oldest first. */
  takeAgain(max: number): number[] {
    const taken: number[] = [];
    let used = 0;
    for (const seq of this.#again) {
      if (taken.length >= max) break;
      used++;
      const at = this.#find(seq);
      if (at === undefined || this.#states[at] !== AGAIN) continue;
      this.#states[at] = HANDED;
      this.#unconfirmed++;
      taken.push(seq);
    }
    this.#again.splice(0, used);
    return taken;
  }

  /** Ranges of confirmed records above `position`. */
  ranges(): [number, number][] {
    const ranges: [number, number][] = [];
    let open = false;
    for (let i = this.#start; i < this.#seqs.length; i++) {
      const seq = this.#seqs[i]!;
      if (this.#states[i] !== DONE) open = false;
      else if (open) ranges.at(-1)![1] = seq;
      else {
        ranges.push([seq, seq]);
        open = true;
      }
    }
    // What a restart confirmed beyond the scan is still confirmed.
    for (const [from, to] of this.#skip) if (to >= this.scan) ranges.push([Math.max(from, this.scan), to]);
    return ranges;
  }

  #advance(): void {
    while (this.#states[this.#start] === DONE) {
      this.#start++;
      this.#doneAbove--;
    }
    this.#ranges--;
    if (this.#start > 1024 && this.#start * 2 > this.#seqs.length) {
      this.#seqs = this.#seqs.slice(this.#start);
      this.#states = this.#states.slice(this.#start);
      this.#start = 0;
    }
  }

  #push(seq: number, state: number): void {
    if (this.#start === this.#seqs.length) {
      this.#seqs.length = 0;
      this.#states.length = 0;
      this.#start = 0;
    }
    this.#seqs.push(seq);
    this.#states.push(state);
  }

  #find(seq: number): number | undefined {
    let low = this.#start;
    let high = this.#seqs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#seqs[middle]! < seq) low = middle + 1;
      else high = middle;
    }
    return this.#seqs[low] === seq ? low : undefined;
  }
}

export function encodeProgress(row: ProgressRow): Uint8Array {
  return encodeRow([row.position, row.handed, row.above ?? 0, ...row.done.flat()]);
}

export function decodeProgress(bytes: Uint8Array): ProgressRow {
  const [position = 0, handed = 0, above = 0, ...flat] = decodeRow<number[]>(bytes);
  const done: [number, number][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) done.push([flat[i]!, flat[i + 1]!]);
  return { position, handed, done, above };
}
