import type { Standing } from './outcomes.ts';
import type { ProgressRow } from './progress-row.ts';
import { AGAIN, alike, ASIDE, DONE, HANDED, HOLE, type Run, TAKEN, together } from './run.ts';

/** Out-of-order confirmations kept at most; then delivery waits. */
export const MAX_RANGES = 1000;

/**
 * How far one reader has got: records are handed out in order of seq and confirmed in any order.
 * Pure: knows neither disk nor time.
 */
export class Progress {
  /** Next seq to look at. */
  scan: number;
  #runs: Run[] = [];
  #start = 0;
  #again: number[] = [];
  #ranges = 0;
  #unconfirmed = 0;
  #open = 0;
  #taken = 0;
  #doneAbove = 0;
  #holes = 0;
  /** Ranges still before it that were done before a restart, or are not wanted. */
  #skip: (readonly [number, number])[];
  #skipAbove: number;

  constructor(row: ProgressRow) {
    this.scan = row.position + 1;
    this.#skip = [...row.done];
    this.#skipAbove = row.above ?? 0;
  }

  get position(): number {
    for (let i = this.#start; i < this.#runs.length; i++) {
      const { from, state } = this.#runs[i]!;
      if (state !== DONE && state !== ASIDE) return from - 1;
    }
    return this.scan - 1;
  }

  /** Where one record is: not read yet, being worked on, taken, or behind, whether it was handed out or not. */
  standing(seq: number): Exclude<Standing, 'gone'> {
    if (seq >= this.scan) return this.#skip.some(([from, to]) => from <= seq && seq <= to) ? 'past' : 'ahead';
    const at = this.#find(seq);
    const state = at === undefined ? DONE : this.#runs[at]!.state;
    if (state === DONE) return 'past';
    return state === TAKEN ? 'taken' : 'open';
  }

  /** Handed out and neither done nor given back. */
  get unconfirmed(): number {
    return this.#unconfirmed;
  }

  /** Read, and not done for good. */
  get pending(): number {
    return this.#open + this.#taken;
  }

  /** Of those, what is not even confirmed for now. */
  get open(): number {
    return this.#open;
  }

  /** Records confirmed although one before them is not. */
  get doneAbove(): number {
    return this.#doneAbove + this.#skipAbove;
  }

  /** Of those, what is still before it. */
  get doneAhead(): number {
    return this.#skipAbove;
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
      // Counted all together: the last range has what the others leave of it.
      const count = this.#skip.length === 0 ? this.#skipAbove : Math.min(this.#skipAbove, 1);
      this.#skipAbove -= count;
      // Something before it is open, so the range must be remembered.
      if (this.#start < this.#runs.length) this.#push({ from, to, count, state: DONE, topic: 0, tag: 0 });
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

  /** Where what it has to hand out begins. */
  get next(): number {
    return Math.min(this.#again[0] ?? Infinity, this.scan);
  }

  /** Goes on from `to`; what is to be handed out before it is left, to be read beside what follows. */
  leap(to: number): void {
    if (this.#again.length > 0) {
      const given = this.#runs.slice(this.#start);
      this.#restart(given.map((run) => (run.state === AGAIN ? { ...run, count: 0, state: HOLE, topic: 0 } : run)));
    }
    while (this.scan < to) {
      const end = Math.min(this.skipDone() + 1, to);
      if (this.scan < end) this.#push({ from: this.scan, to: end - 1, count: 0, state: HOLE, topic: 0, tag: 0 });
      this.scan = Math.max(this.scan, end);
    }
    this.#advance();
  }

  /** From the first that was left to the last. */
  get hole(): { readonly from: number; readonly to: number } | undefined {
    if (this.#holes === 0) return undefined;
    const first = this.#runs.find(({ state }, i) => i >= this.#start && state === HOLE);
    const last = this.#runs.findLast(({ state }) => state === HOLE);
    return first && last && { from: first.from, to: last.to };
  }

  /** What of that is to be read next. */
  get left(): readonly [from: number, to: number] | undefined {
    const run = this.#runs[this.#firstHole];
    return run && [run.from, run.to];
  }

  /** A record of what was left is handed out; there is none before it. */
  handLeft(seq: number, topic: number = 0): void {
    const at = this.#firstHole;
    const run = this.#runs[at];
    if (!run || seq < run.from || seq > run.to) return;
    this.#runs.splice(at, 0, { from: seq, to: seq, count: 1, state: HANDED, topic, tag: 0 });
    this.#unconfirmed++;
    this.#open++;
    this.#leaveFrom(at + 1, seq + 1);
  }

  /** There is none before `next`. */
  passLeft(next: number): void {
    const at = this.#firstHole;
    if ((this.#runs[at]?.from ?? Infinity) < next) this.#leaveFrom(at, next);
  }

  get #firstHole(): number {
    if (this.#holes === 0) return -1;
    let at = this.#start;
    while (this.#runs[at]?.state !== HOLE) at++;
    return at;
  }

  /** The hole begins there, or is none any more. */
  #leaveFrom(at: number, from: number): void {
    const run = this.#runs[at]!;
    run.from = from;
    if (run.from <= run.to) return;
    this.#runs.splice(at, 1);
    this.#holes--;
    if (at < this.#runs.length) this.#join(at);
    this.#advance();
  }

  /** A record was found at `seq` and is handed out. */
  hand(seq: number, topic: number = 0): void {
    this.scan = seq + 1;
    this.#push({ from: seq, to: seq, count: 1, state: HANDED, topic, tag: 0 });
    this.#unconfirmed++;
    this.#open++;
  }

  /** What lies from here up to `seq` is not there any more: it is passed, and `seq` stands for it, handed out. */
  handGap(seq: number): void {
    const from = this.scan;
    if (from < seq && this.#start < this.#runs.length) this.#push({ from, to: seq - 1, count: 0, state: DONE, topic: 0, tag: 0 });
    this.#skip = this.#skip.flatMap(([start, end]): (readonly [number, number])[] => (end <= seq ? [] : [[Math.max(start, seq + 1), end]]));
    if (this.#skip.length === 0) this.#skipAbove = 0;
    this.hand(seq);
  }

  done(seq: number): boolean {
    const at = this.#single(seq);
    if (at === undefined) return false;
    this.#leave(at);
    this.#finish(at);
    return true;
  }

  /** Whoever got it has it; it is done for good when what was taken by then is settled. */
  take(seq: number, tag: number): boolean {
    const at = this.#single(seq);
    if (at === undefined) return false;
    this.#leave(at);
    const run = this.#runs[at]!;
    run.state = TAKEN;
    run.tag = tag;
    run.topics = new Map([[run.topic, 1]]);
    this.#taken++;
    this.#join(at);
    return true;
  }

  /** What was taken up to `tag` is done. */
  settle(tag: number): boolean {
    return this.#change((run) => run.state === TAKEN && run.tag <= tag, (run) => {
      this.#taken -= run.count;
      run.state = DONE;
      run.topics = undefined;
    });
  }

  /** As if all that is taken had been just now. */
  retake(tag: number): void {
    this.#change((run) => run.state === TAKEN, (run) => { run.tag = tag; });
  }

  /** Where there is something taken; other than it of the topics read lies between. */
  takenRanges(): [number, number][] {
    return this.#runs.slice(this.#start).filter(({ state }) => state === TAKEN).map(({ from, to }) => [from, to]);
  }

  /** Counted as done until it is known whether that could be written. */
  aside(seq: number): boolean {
    const at = this.#single(seq);
    if (at === undefined || this.#runs[at]!.state !== HANDED) return false;
    this.#runs[at]!.state = ASIDE;
    this.#unconfirmed--;
    return true;
  }

  /** It could not be written. */
  notAside(seq: number): void {
    const at = this.#find(seq);
    if (at === undefined || this.#runs[at]!.state !== ASIDE) return;
    this.#runs[at]!.state = HANDED;
    this.#unconfirmed++;
  }

  /** Handed out, not done, and wanted once more. */
  again(seq: number): boolean {
    const at = this.#find(seq);
    if (at === undefined || this.#runs[at]!.state !== HANDED) return false;
    this.#runs[at]!.state = AGAIN;
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
    for (let i = this.#start; i < this.#runs.length; i++) if (this.#runs[i]!.state === HANDED) yield this.#runs[i]!.from;
  }

  rewind(): void {
    this.#again = [];
    for (let i = this.#start; i < this.#runs.length; i++) {
      const run = this.#runs[i]!;
      if (run.state !== HANDED && run.state !== AGAIN) continue;
      run.state = AGAIN;
      this.#again.push(run.from);
    }
    this.#unconfirmed = 0;
  }

  /** All from there on is read anew, but for what is done. */
  rewindTo(from: number): void {
    // What lies before the first that is open is done, and is remembered nowhere else.
    const seq = Math.max(from, this.#runs[this.#start]?.from ?? this.scan);
    if (seq >= this.scan) return;
    const done: (readonly [number, number])[] = [];
    let above = 0;
    const runs: Run[] = [];
    for (const run of this.#runs.slice(this.#start)) {
      if (run.to < seq) runs.push(run);
      else if (run.state === DONE) {
        done.push([Math.max(run.from, seq), run.to]);
        above += run.count;
      } else if (run.from < seq) runs.push({ ...run, to: seq - 1 });
    }
    this.#skip = [...done, ...this.#skip];
    this.#skipAbove += above;
    this.scan = seq;
    this.#restart(runs);
  }

  /** From another place on, as if nothing of it had been read. */
  restart(row: ProgressRow): void {
    this.scan = row.position + 1;
    this.#skip = [...row.done];
    this.#skipAbove = row.above ?? 0;
    this.#restart([]);
  }

  /** The next seqs to hand out once more, oldest first. */
  takeAgain(max: number): number[] {
    const taken: number[] = [];
    let used = 0;
    for (const seq of this.#again) {
      if (taken.length >= max) break;
      used++;
      const at = this.#find(seq);
      if (at === undefined || this.#runs[at]!.state !== AGAIN) continue;
      this.#runs[at]!.state = HANDED;
      this.#unconfirmed++;
      taken.push(seq);
    }
    this.#again.splice(0, used);
    return taken;
  }

  /** Ranges of confirmed records above `position`; with `taken` also of those confirmed for now. */
  ranges(taken: boolean = false): [number, number][] {
    const { position } = this;
    const ranges: [number, number][] = [];
    let open = false;
    for (let i = this.#start; i < this.#runs.length; i++) {
      const { from, to, state } = this.#runs[i]!;
      if (from <= position) continue;
      if (state !== DONE && state !== ASIDE && !(taken && state === TAKEN)) open = false;
      else if (open) ranges.at(-1)![1] = to;
      else {
        ranges.push([from, to]);
        open = true;
      }
    }
    // What a restart confirmed beyond the scan is still confirmed.
    for (const [from, to] of this.#skip) if (to >= this.scan) ranges.push([Math.max(from, this.scan), to]);
    return ranges;
  }

  /**
   * What of this concerns one topic alone, as the progress of a reader of its own. Up to `known` it had
   * a reader of its own before, which has done all there was.
   */
  fork(topic: number, known: number): Progress {
    const above = this.#skip.filter(([, to]) => to > known).map(([from, to]): [number, number] => [Math.max(from, known + 1), to]);
    const fork = new Progress({ position: Math.max(known, this.scan - 1), handed: 0, done: above });
    const runs: Run[] = [];
    let gap = false;
    for (const run of this.#runs.slice(this.#start)) {
      if (run.to <= known) continue;
      const mine = run.state === TAKEN || (run.topic === topic && run.state !== DONE);
      const last = runs.at(-1);
      if (mine && last && gap) runs.push({ from: last.to + 1, to: run.from - 1, count: 0, state: DONE, topic: 0, tag: 0 });
      // Other topics' records lie among those taken. How many its own are is seen from the index, which knows a single topic's.
      if (mine) runs.push(run.state === TAKEN ? { ...run, from: Math.max(run.from, known + 1), count: 0, topics: undefined } : { ...run });
      gap = mine ? false : gap || run.state === DONE;
    }
    const last = runs.at(-1);
    if (last && last.to < this.scan - 1 && gap) runs.push({ from: last.to + 1, to: this.scan - 1, count: 0, state: DONE, topic: 0, tag: 0 });
    fork.#restart(runs.filter(({ from, to }) => from <= to));
    return fork;
  }

  /** The topic has a reader of its own now. */
  release(topic: number): void {
    for (const run of this.#runs) {
      run.count -= run.topics?.get(topic) ?? 0;
      run.topics?.delete(topic);
    }
    // Gone, not done: a range for each of thousands between those of another topic would be too many.
    this.#restart(this.#runs.slice(this.#start).filter((run) => run.topic !== topic || run.state === TAKEN));
  }

  /** What is read of it and not done is nothing. */
  get clear(): boolean {
    return this.#start === this.#runs.length;
  }

  #leave(at: number): void {
    if (this.#runs[at]!.state === HANDED) this.#unconfirmed--;
    this.#open--;
  }

  /** A record that stands alone becomes done. */
  #finish(at: number): void {
    this.#runs[at]!.state = DONE;
    this.#ranges++;
    this.#doneAbove++;
    this.#join(at);
    this.#advance();
  }

  /** With its neighbours, where they fare alike. */
  #join(at: number): void {
    const runs = this.#runs;
    let first = at;
    let last = at;
    while (first > this.#start && alike(runs[first - 1]!, runs[at]!)) first--;
    while (last + 1 < runs.length && alike(runs[last + 1]!, runs[at]!)) last++;
    if (first === last) return;
    if (runs[at]!.state === DONE) this.#ranges -= last - first;
    const joined: Run = { ...runs[first]!, to: runs[last]!.to, count: 0, topic: 0, topics: undefined };
    for (let i = first; i <= last; i++) {
      joined.count += runs[i]!.count;
      joined.topics = together(joined.topics, runs[i]!.topics);
    }
    runs.splice(first, last - first + 1, joined);
  }

  #advance(): void {
    while (this.#runs[this.#start]?.state === DONE) {
      this.#doneAbove -= this.#runs[this.#start]!.count;
      this.#ranges--;
      this.#start++;
    }
    if (this.#start === this.#runs.length) {
      this.#runs.length = 0;
      this.#start = 0;
    } else if (this.#start > 1024 && this.#start * 2 > this.#runs.length) {
      this.#runs = this.#runs.slice(this.#start);
      this.#start = 0;
    }
  }

  #push(run: Run): void {
    const last = this.#start < this.#runs.length ? this.#runs.at(-1) : undefined;
    if (run.state === DONE) this.#doneAbove += run.count;
    if (last && alike(last, run)) {
      last.to = run.to;
      last.count += run.count;
      last.topic = 0;
      last.topics = together(last.topics, run.topics);
      return;
    }
    if (run.state === DONE) this.#ranges++;
    if (run.state === HOLE) this.#holes++;
    this.#runs.push(run);
  }

  #change(which: (run: Run) => boolean, how: (run: Run) => void): boolean {
    let changed = false;
    for (let i = this.#start; i < this.#runs.length; i++) {
      const run = this.#runs[i]!;
      if (!which(run)) continue;
      how(run);
      changed = true;
    }
    if (changed) this.#restart(this.#runs.slice(this.#start));
    return changed;
  }

  /** With these runs, counted anew. */
  #restart(runs: readonly Run[]): void {
    this.#runs = [];
    this.#start = 0;
    this.#ranges = 0;
    this.#doneAbove = 0;
    this.#again = [];
    this.#unconfirmed = 0;
    this.#open = 0;
    this.#taken = 0;
    this.#holes = 0;
    for (const run of runs) {
      if (run.state === HANDED) this.#unconfirmed++;
      if (run.state === AGAIN) this.#again.push(run.from);
      if (run.state === TAKEN) this.#taken += run.count;
      else if (run.state !== DONE && run.state !== HOLE) this.#open++;
      this.#push({ ...run });
    }
    this.#advance();
  }

  /** Where the record stands, when it is not done for good or taken. */
  #single(seq: number): number | undefined {
    const at = this.#find(seq);
    if (at === undefined) return undefined;
    const { state } = this.#runs[at]!;
    return state === DONE || state === TAKEN || state === HOLE ? undefined : at;
  }

  #find(seq: number): number | undefined {
    let low = this.#start;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#runs[middle]!.to < seq) low = middle + 1;
      else high = middle;
    }
    const run = this.#runs[low];
    return run !== undefined && run.from <= seq ? low : undefined;
  }
}
