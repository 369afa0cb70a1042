import type { GapRange } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { Timer } from '../clock.ts';
import type { Cursor, CursorParts, LogRecordDelivery } from './cursor.ts';
import { type Durable, HANDED_STEP, HeldTopic } from './durable.ts';
import { type HeldCursor, HeldTopics } from './held-topics.ts';
import { hasWildcard } from './filter.ts';
import { MAX_ASIDES, MAX_DELAYED, PAGE_RECORDS } from './limits.ts';
import { type Loss, lossesOf } from './loss.ts';
import { clearTo, type LostRange } from './lost-range.ts';
import { gapWithin, LostTally, type LostTopics } from './lost-topics.ts';
import { MemoryReader } from './memory-reader.ts';
import { isInMemory } from './memory-seq.ts';
import type { Outcome } from './outcomes.ts';
import type { Progress } from './progress.ts';
import type { ProgressRow } from './progress-row.ts';
import type { Reader } from './reader.ts';
import type { LogRecord, Stamp } from './record.ts';
import { Retries } from './retries.ts';
import { entryRecord } from './ring.ts';
import { Selection } from './selection.ts';
import type { CursorFrom } from './start.ts';
import type { Transaction } from './transaction.ts';

export class LogCursor implements HeldCursor, Reader {
  readonly name: string;
  readonly filter: string;
  readonly progress: Progress;
  readonly #parts: CursorParts;
  readonly #durable: Durable | undefined;
  readonly #selection: Selection;
  /** Up to here records may have been handed out before a restart. */
  #handedBefore: number;
  readonly #timers = new Set<Timer>();
  readonly #redelivered = new Set<number>();
  handed: number;
  counts = false;
  /** What was put aside and is wanted once more: its subscription's, which hands it out. */
  readonly #retries: Retries;
  /** The head when it was opened: what came before came while it was away. */
  readonly #openedAt: number;
  /** Of a topic held back: the subscription's own. */
  readonly #main: LogCursor | undefined;
  readonly #restarts = new Set<() => void>();
  /** What was deleted before it had read it, until it is told. */
  #lost: LostTally | undefined;
  /** Grows with each going back: what was being read from disk then is read anew. */
  #turn = 0;
  #atTail = false;
  /** Until nothing is left behind. */
  #parked = false;
  #closed = false;
  #released = false;
  readonly #waiting = new Set<() => void>();
  /** Of whoever waited last. */
  #signal: AbortSignal | undefined;
  readonly #topicsHeld: HeldTopics | undefined;
  /** Of one that is not durable. */
  readonly #memory: MemoryReader | undefined;
  /** It passes over what is on disk. */
  readonly #memoryOnly: boolean;

  constructor(parts: CursorParts, o: { name: string; filter: string; progress: Progress; handed: number; durable?: Durable | undefined; only?: 'memory' | undefined; main?: LogCursor }) {
    this.#parts = parts;
    this.name = o.name;
    this.filter = o.filter;
    this.progress = o.progress;
    this.#durable = o.durable;
    this.#selection = new Selection(o.filter, parts.state, o.durable);
    this.#handedBefore = o.handed;
    this.handed = o.handed;
    this.#main = o.main;
    this.#openedAt = parts.state.head;
    this.#retries = o.main ? o.main.#retries : new Retries();
    this.#memoryOnly = o.only === 'memory';
    this.#atTail = this.#memoryOnly;
    if (!o.durable) {
      const { memory } = parts.state;
      this.#memory = new MemoryReader({ memory, filter: o.filter, matches: (topic) => this.#selection.matches(topic, 0), stamp: () => this.#stamp() });
    }
    if (!o.durable || o.durable instanceof HeldTopic) return;
    this.#retries.add(parts.state.asides.wanted(o.name));
    this.#topicsHeld = new HeldTopics(parts, o.durable, this, (held, progress) => LogCursor.of(parts, held, progress, this));
  }

  /** A topic held back is read as any subscription. */
  static of(parts: CursorParts, durable: Durable, progress: Progress, main?: LogCursor): LogCursor {
    return new LogCursor(parts, { name: durable.name, filter: durable.filter, progress, handed: durable.row.handed, durable, ...(main && { main }) });
  }

  get durable(): boolean {
    return this.#durable !== undefined;
  }

  get position(): number {
    const { position, scan } = this.progress;
    // At the tail with nothing open, all that it was told of has been done, whatever it was.
    return this.#atTail && position + 1 === scan ? Math.max(position, this.#parts.cursors.told) : position;
  }

  get read(): number {
    const { hole } = this.progress;
    if (hole) return hole.from - 1;
    const read = this.progress.scan - 1;
    return this.#atTail ? Math.max(read, this.#parts.cursors.told) : read;
  }

  get atTail(): boolean {
    return this.#atTail;
  }

  get keepsUp(): boolean {
    return this.#atTail || this.progress.scan > this.#parts.state.head - HANDED_STEP;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get held(): ReadonlyMap<string, Cursor> {
    return this.#topicsHeld?.cursors ?? new Map();
  }

  get unconfirmed(): number {
    return this.progress.unconfirmed + (this.#main ? 0 : this.#retries.unconfirmed) + (this.#memory?.unconfirmed ?? 0);
  }

  /** Where it begins among the topics in memory. */
  begin(from: CursorFrom): void {
    this.#memory?.begin(from);
  }

  next(max: number): LogRecordDelivery[] | Promise<LogRecordDelivery[]> {
    if (this.#closed) throw new LanpostError('closed', 'The reader has been closed.');
    const { progress } = this;
    if (progress.hasAgain || this.#hasRetries) return this.#nextAgain(max);
    if (this.#memory?.hasAgain) return this.#memory.takeAgain(max);
    if (this.#waits || this.#isParked) return [];
    if (this.#memory?.ready(this.#scanned)) return this.#memory.take(max, this.#scanned);
    if (this.#lost?.range) return this.#gap(this.#lost.range, this.#lost.found);
    if (this.#isBlocked || this.#memoryOnly) return [];
    const lost = this.#durable?.lostAt(progress.scan);
    if (lost) return this.#lostRange(lost);
    if (progress.scan > this.#parts.state.head) return this.#tail([]);
    if (progress.scan >= this.#parts.state.ring.first && progress.scan <= this.#bound) return this.#fromRing(max);
    return this.#fromDisk(max);
  }

  async wait(signal?: AbortSignal): Promise<void> {
    if (this.#closed || this.#ready() || signal?.aborted) return;
    const heard = this.#hears(signal);
    await new Promise<void>((resolve) => {
      const wake = () => {
        if (!heard) signal?.removeEventListener('abort', wake);
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
      if (!heard) signal?.addEventListener('abort', wake, { once: true });
    });
  }

  /** Whoever waits by himself does so with the same signal each time: it is listened to once, not anew for each wait. */
  #hears(signal: AbortSignal | undefined): boolean {
    if (signal === this.#signal) return true;
    if (!signal || this.#waiting.size > 0) return false;
    this.#signal?.removeEventListener('abort', this.#aborted);
    this.#signal = signal;
    signal.addEventListener('abort', this.#aborted, { once: true });
    return true;
  }

  readonly #aborted = (): void => this.#wake();

  done(seq: number, outcome: Outcome = 'delivered'): void {
    if (isInMemory(seq)) {
      this.#memory?.done(seq);
      return;
    }
    const full = this.progress.full;
    if (this.#retries.has(seq)) (this.#main ?? this).#retried(seq);
    else if (!this.progress.done(seq)) return;
    this.#parts.state.outcomes.ended(this.name, seq, outcome);
    this.#redelivered.delete(seq);
    this.#uncount(seq);
    this.#moved();
    if (full) this.#wake();
  }

  #uncount(seq: number): void {
    if (this.counted(seq) !== undefined) this.#ride((tx) => this.#parts.state.deliveries.forget(tx, this.name, [seq]));
  }

  back(seq: number): void {
    if (isInMemory(seq)) this.#remember(seq, false);
    else if (this.#retries.again(seq)) (this.#main ?? this).#wake();
    else if (this.progress.again(seq)) this.#wake();
  }

  deliveries(seq: number): number | undefined {
    const durable = this.#durable;
    const counted = this.counted(seq);
    if (counted !== undefined) return counted;
    if (this.#redelivered.has(seq)) return 1;
    return this.#retries.has(seq) || (durable !== undefined && seq <= durable.suspect) ? 0 : undefined;
  }

  counted(seq: number): number | undefined {
    return this.#parts.state.deliveries.get(this.name, seq);
  }

  async count(seq: number, times: number): Promise<void> {
    const { state, committer } = this.#parts;
    await committer.task((tx) => {
      if (this.#durable?.leaving !== false) return;
      state.deliveries.put(tx, this.name, seq, times);
      // With what has been confirmed until now: whoever does not survive this one is not to be given the others again.
      if (!this.#closed) this.write(tx);
    });
  }

  onRestart(call: () => void): () => void {
    this.#restarts.add(call);
    return () => this.#restarts.delete(call);
  }

  restart(row: ProgressRow): void {
    this.#handedBefore = Math.max(this.#handedBefore, this.handed);
    this.#turn++;
    for (const timer of this.#timers) timer.stop();
    this.#timers.clear();
    this.#redelivered.clear();
    this.progress.restart(row);
    this.#atTail = false;
    this.#lost = undefined;
    for (const call of this.#restarts) call();
    this.#wake();
  }

  isRetried(seq: number): boolean {
    return this.#retries.has(seq);
  }

  doubtRetries(): void {
    this.#retries.doubt();
    if (this.#retries.hasReady) (this.#main ?? this).#wake();
  }

  /** It was put aside, and need not be any more. */
  #retried(seq: number): void {
    this.#retries.done(seq);
    this.#ride((tx) => this.#parts.state.asides.forget(tx, this.name, [seq]));
    this.#moved();
  }

  retry(seqs: readonly number[]): void {
    this.#retries.add(seqs);
    this.#wake();
  }

  again(seq: number, delayMs: number = 0): void {
    if (delayMs <= 0) {
      this.#again(seq);
      return;
    }
    const timer = this.#parts.state.clock.after(delayMs, () => {
      this.#timers.delete(timer);
      if (this.#closed) return;
      this.#again(seq);
      if (this.#timers.size === MAX_DELAYED - 1) this.#wake();
    });
    this.#timers.add(timer);
  }

  rewind(): void {
    for (const seq of this.progress.handedOut()) this.#redelivered.add(seq);
    this.progress.rewind();
    this.#retries.rewind();
    this.#memory?.rewind();
    if (this.progress.hasAgain || this.#retries.hasReady || this.#memory?.hasAgain) this.#wake();
  }

  rewindTo(seq: number): void {
    this.#handedBefore = Math.max(this.#handedBefore, this.handed);
    this.#parked = false;
    this.#goBack(seq);
  }

  #goBack(seq: number): void {
    this.#turn++;
    this.progress.rewindTo(seq);
    this.#parts.state.outcomes.untaken(this.name, (topic, at) => at >= seq && this.#owns(topic, at));
    this.#atTail = false;
    this.#wake();
  }

  unread(name: string, before: number): Promise<number> {
    const topic = this.#parts.state.topics.byName.get(name);
    // What one of many topics gave back is not told from the others'.
    const from = hasWildcard(this.filter) ? this.progress.scan : this.progress.next;
    return topic?.stored && from < before ? this.#parts.reading.count(topic, from, before - 1) : Promise.resolve(0);
  }

  unreadLeft(name: string): Promise<number> {
    const topic = this.#parts.state.topics.byName.get(name);
    const { hole } = this.progress;
    return topic?.stored && hole ? this.#parts.reading.count(topic, hole.from, hole.to) : Promise.resolve(0);
  }

  leap(seq: number): void {
    if (hasWildcard(this.filter)) throw new LanpostError('unsupported', 'Only a reader of one topic can leave something behind.');
    this.#turn++;
    this.progress.leap(seq);
    this.#wake();
  }

  get hole(): { readonly from: number; readonly to: number } | undefined {
    return this.progress.hole;
  }

  async nextLeft(max: number): Promise<LogRecordDelivery[]> {
    if (this.#closed) throw new LanpostError('closed', 'The reader has been closed.');
    const found: LogRecordDelivery[] = [];
    const { progress } = this;
    while (found.length === 0 && !this.#closed && !this.#waits) {
      const { left } = progress;
      if (!left) break;
      const turn = this.#turn;
      const page = await this.#parts.reading.page(this.#selection.topics, left[0], left[1], Math.min(max, PAGE_RECORDS));
      const last = page.records.at(-1);
      if (last) await this.#raise(last.seq);
      if (this.#closed) break;
      // What comes after it may have changed, or where it is.
      if (turn !== this.#turn) continue;
      this.#deliverPage(found, page.records, (seq, no) => progress.handLeft(seq, no));
      progress.passLeft(page.next);
    }
    if (!progress.left) this.#wake();
    return found;
  }

  park(seq: number): void {
    this.#parked = true;
    this.#goBack(seq);
  }

  get #isParked(): boolean {
    if (this.#parked && !this.progress.left) this.#parked = false;
    return this.#parked;
  }

  take(seq: number, tag: number, outcome: Outcome = 'delivered'): void {
    if (!this.#retries.take(seq, tag) && !this.progress.take(seq, tag)) return;
    this.#redelivered.delete(seq);
    this.#uncount(seq);
    this.#parts.state.outcomes.taken(this.name, seq, outcome);
  }

  settle(tag: number): void {
    const { full } = this.progress;
    const retried = this.#main ? [] : this.#retries.settled(tag);
    for (const seq of retried) this.#retried(seq);
    if (!this.progress.settle(tag)) return;
    this.#parts.state.outcomes.settled(this.name, (topic, seq) => this.#owns(topic, seq) && this.progress.standing(seq) === 'past');
    this.#moved();
    if (full) this.#wake();
  }

  retake(tag: number): void {
    this.progress.retake(tag);
  }

  async taken(topic: string, before: number, max: number): Promise<LogRecord[]> {
    const known = this.#parts.state.topics.byName.get(topic);
    if (!known) return [];
    // What the topic had a cursor of its own for lies between, but is done.
    const after = this.#durable?.heldUntil(topic) ?? 0;
    const ranges = this.progress.takenRanges().map(([from, to]): [number, number] => [Math.max(from, after + 1), to]);
    return this.#parts.reading.newest(known, ranges, before, max);
  }

  get handedBefore(): number {
    return this.#handedBefore;
  }

  async undone(topic: string, from: number, to: number): Promise<number[]> {
    const known = this.#parts.state.topics.byName.get(topic);
    const seqs: number[] = [];
    if (!known) return seqs;
    let next = Math.max(from, this.progress.position + 1, (this.#durable?.heldUntil(topic) ?? 0) + 1);
    for (const [start, end] of [...this.progress.ranges(), [Infinity, Infinity] as const]) {
      while (next < start && next <= to) {
        const page = await this.#parts.reading.index(known, { from: next, to: Math.min(start - 1, to), limit: PAGE_RECORDS });
        for (const { seq, row } of page) if (row.item) seqs.push(seq);
        next = page.length < PAGE_RECORDS ? start : page.at(-1)!.seq + 1;
      }
      next = Math.max(next, end + 1);
    }
    return seqs;
  }

  at(seqs: readonly number[]): Promise<LogRecord[]> {
    return this.#parts.reading.bySeqs(seqs);
  }

  async putAside(seq: number, note: unknown): Promise<void> {
    const durable = this.#durable;
    const { committer, state } = this.#parts;
    if (!durable) throw new LanpostError('unsupported', 'Only a durable reader can put a record aside.');
    const retried = this.#retries.has(seq);
    if (!retried && state.asides.count(durable.name) >= MAX_ASIDES) throw new LanpostError('busy', `${durable.name} has put ${MAX_ASIDES} records aside, its limit.`);
    const topic = hasWildcard(this.filter) ? (await this.#parts.reading.bySeqs([seq]))[0]?.topic ?? this.filter : this.filter;
    // Its topic may go its own way meanwhile, even with this very batch.
    const all = (): readonly HeldCursor[] => [this, ...this.#topicsHeld?.cursors.values() ?? []];
    try {
      await committer.task((tx) => {
        if (this.#closed || (durable instanceof HeldTopic ? durable.parent : durable).leaving) return;
        state.deliveries.forget(tx, durable.name, [seq]);
        if (retried) {
          state.asides.put(tx, durable.name, seq, note);
          tx.onCommit(() => {
            this.#retries.done(seq);
            this.#redelivered.delete(seq);
          });
          return;
        }
        const owner = all().find(({ progress }) => progress.aside(seq));
        if (!owner) return;
        state.asides.put(tx, durable.name, seq, note);
        // A line about lines would be the next that is put aside.
        if (topic !== state.ledger?.topic) tx.lose({ reader: durable.name, topic, from: seq, to: seq, count: 1, reason: 'poison' });
        owner.write(tx);
        tx.onCommit(() => {
          state.outcomes.ended(durable.name, seq, 'poison');
          for (const one of all()) one.done(seq);
        });
      });
    } catch (error) {
      for (const { progress } of all()) progress.notAside(seq);
      throw error;
    }
  }

  write(tx: Transaction): void {
    this.#durable?.write(tx, this.#parts.state.clock.mono(), this.#durable.row.handed);
  }

  hold(topic: string): Promise<Cursor> {
    if (!this.#topicsHeld) return Promise.reject(new LanpostError('unsupported', 'Only a durable subscription can hold a topic back.'));
    if (!this.#selection.names(topic)) return Promise.reject(new LanpostError('invalid-topic', `${this.name} does not read ${topic}.`));
    return this.#topicsHeld.hold(topic);
  }

  unhold(topic: string): Promise<boolean> {
    return this.#topicsHeld?.unhold(topic) ?? Promise.resolve(false);
  }

  /** It goes on where another had come to. */
  inherit(other: LogCursor): void {
    this.handed = other.handed;
    this.#handedBefore = other.#handedBefore;
    for (const seq of other.#redelivered) this.#redelivered.add(seq);
  }

  /** Which topics it reads itself has changed. */
  reselect(): void {
    this.#selection.renew();
    this.#moved();
  }

  async flush(): Promise<void> {
    const durable = this.#durable;
    if (durable && !this.#closed) await this.#parts.committer.task((tx) => durable.write(tx, this.#parts.state.clock.mono(), durable.row.handed));
  }

  async close(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    this.#signal?.removeEventListener('abort', this.#aborted);
    this.end();
    await this.#topicsHeld?.close();
    const { cursors, committer, state } = this.#parts;
    const durable = this.#durable;
    if (!durable) {
      cursors.unwatch(this);
      state.readers.remove(this);
      return;
    }
    if (!cursors.has(durable)) return;
    try {
      // Now exactly what was handed out, no bound ahead of it.
      await committer.task((tx) => {
        durable.write(tx, state.clock.mono(), 0);
        if (!this.counts || durable.leaving) return;
        for (const seq of this.#redelivered) if (state.deliveries.get(this.name, seq) === undefined) state.deliveries.put(tx, this.name, seq, 1);
      });
    } catch (error) {
      // A log that is closed wrote it then; one that cannot write now will when it can.
      if (!(error instanceof LanpostError && (error.code === 'closed' || error.code === 'disk-full'))) throw error;
      cursors.moved(durable);
    } finally {
      // Not before: what is committed until now must be known to be behind it.
      cursors.unwatch(durable);
      // What it had taken, whoever reads on is given again.
      if (!this.#main) state.outcomes.untaken(this.name, () => true);
      durable.release(this);
    }
  }

  end(): void {
    this.#closed = true;
    this.#wake();
    for (const timer of this.#timers) timer.stop();
    this.#timers.clear();
  }

  get kept(): number {
    return this.position;
  }

  /** It was too slow, and not durable: what it missed is told as a gap. */
  tellLost(topic: string, seqs: readonly number[]): void {
    if (this.#memoryOnly) return;
    const missed = seqs.filter((seq) => this.progress.standing(seq) === 'ahead');
    const [from, to] = [missed[0], missed.at(-1)];
    if (from === undefined || to === undefined) return;
    this.#lost ??= new LostTally();
    this.#lost.add(topic, from, to, missed.length);
    // A page may be under way that has some of them.
    this.#turn++;
  }

  /** A record it matches was committed. */
  committed(seq: number): void {
    if (this.#memoryOnly) return;
    if (this.#atTail) {
      this.#atTail = false;
      this.progress.scan = Math.max(this.progress.scan, seq);
    }
    this.#wake();
  }

  arrived(seq: number): void {
    this.#memory?.arrived(seq);
    if (this.#waiting.size > 0) this.#wake();
  }

  reread(): void {
    this.#turn++;
    this.#wake();
  }

  #ready(): boolean {
    const { progress } = this;
    if (this.#memory && (this.#memory.hasAgain || (!this.#waits && this.#memory.ready(this.#scanned)))) return true;
    return progress.hasAgain || this.#hasRetries || (!this.#atTail && !this.#waits && !this.#isParked && progress.scan <= this.#parts.state.head && !this.#isBlocked);
  }

  get #hasRetries(): boolean {
    return this.#main === undefined && this.#retries.hasReady;
  }

  /** Up to before where there is nothing left to read on disk. */
  get #scanned(): number {
    return this.#atTail ? Infinity : this.progress.scan;
  }

  /** Too much is open for anything new to be handed out. */
  get #waits(): boolean {
    return this.progress.full || this.#timers.size >= MAX_DELAYED;
  }

  /** Goes to disk with the next row of this cursor. */
  #ride(rider: (tx: Transaction) => void): void {
    this.#durable?.ride(rider);
  }

  get #blocked(): number {
    // A disk that takes nothing takes no drop either.
    return this.#durable && !this.#parts.committer.broken ? this.#durable.blocked : Infinity;
  }

  /** What comes next may be dropped for it with the batch under way. */
  get #isBlocked(): boolean {
    return this.progress.scan >= this.#blocked;
  }

  /** Up to where it may read on: then comes what is done, or lost. */
  #readTo(): number {
    const to = Math.min(this.progress.skipDone(), this.#memory?.before ?? Infinity);
    const lost = this.#durable?.lost ?? [];
    return lost.length === 0 ? Math.min(to, this.#blocked - 1) : Math.min(to, this.#blocked - 1, ...lost.map((one) => clearTo(one, this.progress.scan)));
  }

  #remember(seq: number, seen: boolean): void {
    this.#memory?.again(seq, seen);
    this.#wake();
  }

  #again(seq: number): void {
    if (isInMemory(seq)) {
      this.#remember(seq, true);
      return;
    }
    const retried = this.#retries.again(seq);
    if (!retried && !this.progress.again(seq)) return;
    this.#redelivered.add(seq);
    (retried ? this.#main ?? this : this).#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Whether the record is its own business, and not that of a topic that goes its own way. */
  #owns(topic: string, seq: number): boolean {
    const known = this.#parts.state.topics.byName.get(topic);
    return known !== undefined && this.#selection.matches(known, seq);
  }

  #moved(): void {
    if (this.#durable) this.#parts.cursors.moved(this.#durable);
  }

  #tail(found: LogRecordDelivery[]): LogRecordDelivery[] {
    if (!this.#atTail && found.length === 0) this.#moved();
    this.#atTail = true;
    return found;
  }

  /** Up to where the disk lets it hand out records. */
  get #bound(): number {
    // A disk that takes nothing stops no reader: the witness says that its bounds are not to be believed.
    return this.#durable && !this.#parts.committer.broken ? this.#durable.row.handed : Infinity;
  }

  /** Has the bound moved well before it is reached, or waits for it when it has been. */
  async #raise(seq: number): Promise<void> {
    const durable = this.#durable;
    const { committer, cursors } = this.#parts;
    if (durable && seq > this.#bound && !committer.broken) await committer.task(() => cursors.raise(durable, seq + HANDED_STEP * 4));
  }

  #raiseAhead(): void {
    const { scan } = this.progress;
    if (this.#durable && scan + HANDED_STEP > this.#bound && this.#bound < this.#parts.state.head) this.#parts.cursors.raise(this.#durable, scan + HANDED_STEP * 4);
  }

  #deliver(found: LogRecordDelivery[], record: LogRecord, topicNo: number, hand: (seq: number, topicNo: number) => void = (...what) => this.progress.hand(...what)): void {
    const { seq } = record;
    hand(seq, topicNo);
    const redelivered = seq <= this.#handedBefore || this.#redelivered.has(seq);
    if (seq > this.handed) this.handed = seq;
    if (record.kind === 'gap') this.#damaged(record);
    found.push({ record, redelivered });
  }

  /** What was found when the log was opened is in the ledger, what is found when it is read is not: of whom it is, nobody asks. */
  #damaged({ seq, topic, gap }: LogRecord): void {
    const { outcomes, gaps } = this.#parts.state;
    outcomes.ended(this.name, seq, 'corrupt');
    // That of a peer's log stands in a topic.
    if (!gap || topic !== '' || gaps.includes(seq)) return;
    this.#note(gap.topics ? gap : { others: gap }, '#', { reason: 'corrupt' });
  }

  /** A log that cannot be written cannot tell; the reader knows. */
  #note(found: LostTopics, filter: string, common: Pick<Loss, 'reader' | 'reason'>): void {
    this.#parts.committer.task((tx) => {
      for (const loss of lossesOf(found, filter, found.topics?.length ?? 0, common)) tx.lose(loss);
    }, false).catch(() => undefined); // as said
  }

  #fromRing(max: number): LogRecordDelivery[] {
    const { ring, head } = this.#parts.state;
    const { progress } = this;
    const found: LogRecordDelivery[] = [];
    const bound = Math.min(head, this.#bound);
    let to = Math.min(bound, this.#readTo());
    while (found.length < max && !progress.full) {
      if (progress.scan > to) {
        to = Math.min(bound, this.#readTo());
        if (progress.scan > to) break;
      }
      const entry = ring.at(progress.scan);
      if (!entry) break;
      // The lane `latest` keeps the newest only for who was away, as it is on disk.
      if (entry.stale && progress.scan <= this.#openedAt) progress.scan++;
      else if (this.#selection.matches(entry.topic, progress.scan)) this.#deliver(found, entryRecord(entry), entry.topic.no);
      else progress.scan++;
    }
    if (progress.scan > head) return this.#tail(found);
    this.#raiseAhead();
    return found;
  }

  async #fromDisk(max: number): Promise<LogRecordDelivery[]> {
    const { state, reading } = this.#parts;
    const { progress } = this;
    const found: LogRecordDelivery[] = [];
    while (found.length === 0 && !this.#closed && !progress.full) {
      const { head } = state;
      const to = Math.min(head, this.#readTo());
      if (progress.scan > head) return this.#tail(found);
      // Something lost stands here, or may soon: the next call tells.
      if (progress.scan > to) break;
      if (progress.scan >= state.ring.first) {
        await this.#raise(progress.scan);
        if (!this.#closed) found.push(...this.#fromRing(max));
        continue;
      }
      if (this.#lost) break;
      const turn = this.#turn;
      const page = await reading.page(this.#selection.topics, progress.scan, to, Math.min(max, PAGE_RECORDS));
      const last = page.records.at(-1);
      if (last) await this.#raise(last.seq);
      if (this.#closed) break;
      if (turn !== this.#turn) continue;
      this.#deliverPage(found, page.records);
      progress.scan = Math.max(progress.scan, page.next);
      this.#raiseAhead();
    }
    return found;
  }

  #deliverPage(found: LogRecordDelivery[], records: readonly LogRecord[], hand?: (seq: number, topicNo: number) => void): void {
    for (const record of records) {
      const topic = this.#parts.state.topics.byName.get(record.topic);
      if (topic ? !this.#selection.matches(topic, record.seq) : this.#selection.isOthers(record.seq)) continue;
      const mine = this.#mine(record);
      if (mine) this.#deliver(found, mine, topic?.no ?? 0, hand);
    }
  }

  /** Of a gap in all there is, what may be of the topics that it reads. */
  #mine(record: LogRecord): LogRecord | undefined {
    const { gap, topic } = record;
    if (!gap?.topics || topic !== '') return record;
    const mine = gapWithin(gap, (name) => this.#selection.names(name));
    return mine && { ...record, gap: { ...gap, ...mine } };
  }

  /** In place of what was dropped for it, and confirmed like a record. */
  async #lostRange(gap: LostRange): Promise<LogRecordDelivery[]> {
    await this.#raise(gap.to);
    if (this.#closed || this.#isBlocked || this.#durable?.lostAt(this.progress.scan) !== gap) return [];
    this.progress.handGap(gap.to);
    const redelivered = gap.to <= this.#handedBefore;
    if (gap.to > this.handed) this.handed = gap.to;
    return [{ record: this.#gapRecord(gap), redelivered }];
  }

  #gapRecord(gap: LostRange): LogRecord {
    const { epochs } = this.#parts.state;
    const stamp = this.#stamp();
    return { seq: gap.to, topic: hasWildcard(this.filter) ? '' : this.filter, kind: 'gap', previous: 0, recordId: epochs.recordId(gap.to), stamp, gap };
  }

  /** Of what is told now. */
  #stamp(): Stamp {
    const { epochs, clock } = this.#parts.state;
    return { wall: clock.wall(), mono: clock.mono(), boot: epochs.at(Infinity).name, trusted: clock.isSet() };
  }

  /** Stands at the position before the next record, which is done, so that confirming it does nothing. */
  #gap(range: GapRange, found: LostTopics): LogRecordDelivery[] {
    const { epochs } = this.#parts.state;
    const seq = this.progress.scan - 1;
    const stamp = this.#stamp();
    const isOne = !hasWildcard(this.filter);
    const reason = 'overflow';
    this.#lost = undefined;
    // Not with the drop: how much it is, is known when the reader is told.
    this.#note(found, this.filter, { reader: this.name, reason });
    const gap = { ...range, reason, ...(!isOne && found) } as const;
    return [{ record: { seq, topic: isOne ? this.filter : '', kind: 'gap', previous: 0, recordId: epochs.recordId(seq), stamp, gap }, redelivered: false }];
  }

  async #nextAgain(max: number): Promise<LogRecordDelivery[]> {
    const most = Math.min(max, PAGE_RECORDS);
    const again = this.progress.takeAgain(most);
    const seqs = [...again, ...(this.#main ? [] : this.#retries.next(most - again.length))];
    const { ring } = this.#parts.state;
    // Now: the ring moves on while the others are read.
    const entries = new Map(seqs.map((seq) => [seq, ring.at(seq)]));
    const missing = seqs.filter((seq) => !entries.get(seq));
    const read = new Map(missing.length === 0 ? [] : (await this.#parts.reading.bySeqs(missing)).map((record) => [record.seq, record]));
    const found: LogRecordDelivery[] = [];
    for (const seq of seqs) {
      const entry = entries.get(seq);
      // What was put aside before is not lost, though all around it may be.
      const gap = this.#retries.has(seq) ? undefined : this.#durable?.lostAt(seq);
      const onDisk = read.get(seq);
      const record = gap ? this.#gapRecord(gap) : entry ? entryRecord(entry) : onDisk && this.#mine(onDisk);
      // Trimmed meanwhile: nothing left to confirm.
      if (!record) this.done(seq, 'superseded');
      else found.push({ record, redelivered: seq <= this.#handedBefore || this.#redelivered.has(seq) || this.#retries.has(seq) });
      if (seq > this.handed) this.handed = seq;
    }
    return found;
  }
}
