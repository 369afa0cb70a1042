import { LanpostError } from '../errors.ts';
import type { Timer } from '../clock.ts';
import type { Committer } from './commit.ts';
import type { Cursors, Wakeable } from './cursors.ts';
import { type Durable, HANDED_STEP, type Holder } from './durable.ts';
import { matcher } from './filter.ts';
import { PAGE_RECORDS } from './limits.ts';
import { Progress, type ProgressRow } from './progress.ts';
import type { Reading } from './reading.ts';
import type { Reader } from './reader.ts';
import type { LogRecord } from './record.ts';
import { entryRecord } from './ring.ts';
import type { LogState } from './state.ts';
import type { Topic } from './topics.ts';

export interface LogRecordDelivery {
  readonly record: LogRecord;
  /** This reader may have been given it before. */
  readonly redelivered: boolean;
}

/** One reader of the log. */
export interface Cursor {
  readonly name: string;
  readonly filter: string;
  readonly durable: boolean;
  /** Every matching record up to here is done. */
  readonly position: number;
  /** Records handed out and not confirmed. */
  readonly unconfirmed: number;
  /** Up to `max` records not handed out yet, oldest first; none at the tail. One call at a time. */
  next(max: number): LogRecordDelivery[] | Promise<LogRecordDelivery[]>;
  /** Resolves when `next` may have something, or `signal` aborts, or it is closed. */
  wait(signal?: AbortSignal): Promise<void>;
  done(seq: number): void;
  again(seq: number, delayMs?: number): void;
  /** Everything handed out and not confirmed will be handed out again. */
  rewind(): void;
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface CursorParts {
  readonly state: LogState;
  readonly reading: Reading;
  readonly cursors: Cursors;
  readonly committer: Committer;
}

export class LogCursor implements Cursor, Holder, Wakeable, Reader {
  readonly name: string;
  readonly filter: string;
  readonly progress: Progress;
  readonly #parts: CursorParts;
  readonly #durable: Durable | undefined;
  readonly #match: (topic: string) => boolean;
  /** Topic number to whether it matches; filled as topics are met. */
  readonly #known = new Map<number, boolean>();
  /** Up to here records may have been handed out before a restart. */
  readonly #handedBefore: number;
  #matched: { version: number; topics: readonly Topic[] } = { version: -1, topics: [] };
  readonly #timers = new Set<Timer>();
  readonly #redelivered = new Set<number>();
  handed: number;
  #lost = 0;
  #atTail = false;
  #closed = false;
  #released = false;
  readonly #waiting = new Set<() => void>();

  constructor(parts: CursorParts, o: { name: string; filter: string; row: ProgressRow; durable?: Durable | undefined }) {
    this.#parts = parts;
    this.name = o.name;
    this.filter = o.filter;
    this.progress = new Progress(o.row);
    this.#durable = o.durable;
    this.#match = matcher(o.filter);
    this.#handedBefore = o.row.handed;
    this.handed = o.row.handed;
  }

  get durable(): boolean {
    return this.#durable !== undefined;
  }

  get position(): number {
    const { progress } = this;
    // At the tail with nothing open, all there is has been done, whatever it was.
    if (this.#atTail && progress.position + 1 === progress.scan) return this.#parts.state.head;
    return progress.position;
  }

  get keepsUp(): boolean {
    return this.#atTail || this.progress.scan > this.#parts.state.head - HANDED_STEP;
  }

  get unconfirmed(): number {
    return this.progress.unconfirmed;
  }

  next(max: number): LogRecordDelivery[] | Promise<LogRecordDelivery[]> {
    if (this.#closed) throw new LanpostError('closed', 'The reader has been closed.');
    const { progress } = this;
    if (progress.hasAgain) return this.#nextAgain(max);
    if (progress.full) return [];
    if (this.#lost >= progress.scan) return this.#gap();
    if (progress.scan > this.#parts.state.head) return this.#tail([]);
    if (progress.scan >= this.#parts.state.ring.first && progress.scan <= this.#bound) return this.#fromRing(max);
    return this.#fromDisk(max);
  }

  async wait(signal?: AbortSignal): Promise<void> {
    if (this.#closed || this.#ready() || signal?.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = () => {
        signal?.removeEventListener('abort', wake);
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal?.addEventListener('abort', wake, { once: true });
    });
  }

  done(seq: number): void {
    const full = this.progress.full;
    if (!this.progress.done(seq)) return;
    this.#redelivered.delete(seq);
    this.#moved();
    if (full) this.#wake();
  }

  again(seq: number, delayMs: number = 0): void {
    if (delayMs <= 0) {
      this.#again(seq);
      return;
    }
    const timer = this.#parts.state.clock.after(delayMs, () => {
      this.#timers.delete(timer);
      if (!this.#closed) this.#again(seq);
    });
    this.#timers.add(timer);
  }

  rewind(): void {
    for (const seq of this.progress.handedOut()) this.#redelivered.add(seq);
    this.progress.rewind();
    if (this.progress.hasAgain) this.#wake();
  }

  async flush(): Promise<void> {
    const durable = this.#durable;
    if (durable && !this.#closed) await this.#parts.committer.task((tx) => durable.write(tx, this.#parts.state.clock.mono(), durable.row.handed));
  }

  async close(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    this.end();
    const { cursors, committer, state } = this.#parts;
    const durable = this.#durable;
    if (!durable) {
      cursors.unwatch(this);
      state.readers.remove(this);
      return;
    }
    if (cursors.durable.get(this.name) !== durable) return;
    try {
      // Now exactly what was handed out, no bound ahead of it.
      await committer.task((tx) => durable.write(tx, state.clock.mono(), 0));
    } catch (error) {
      // A log that is closed wrote it then; one that cannot write now will when it can.
      if (!(error instanceof LanpostError && (error.code === 'closed' || error.code === 'disk-full'))) throw error;
      cursors.moved(durable);
    } finally {
      // Not before: what is committed until now must be known to be behind it.
      cursors.unwatch(durable);
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
  lost(seq: number): void {
    this.#lost = Math.max(this.#lost, seq);
  }

  /** A record it matches was committed. */
  committed(seq: number): void {
    if (this.#atTail) {
      this.#atTail = false;
      this.progress.scan = Math.max(this.progress.scan, seq);
    }
    this.#wake();
  }

  #matches(topic: Topic): boolean {
    let known = this.#known.get(topic.no);
    if (known === undefined) {
      known = this.#match(topic.name);
      this.#known.set(topic.no, known);
    }
    return known;
  }

  #ready(): boolean {
    const { progress } = this;
    return progress.hasAgain || (!this.#atTail && !progress.full && progress.scan <= this.#parts.state.head);
  }

  #again(seq: number): void {
    if (!this.progress.again(seq)) return;
    this.#redelivered.add(seq);
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
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

  #deliver(found: LogRecordDelivery[], record: LogRecord): void {
    const { seq } = record;
    this.progress.hand(seq);
    const redelivered = seq <= this.#handedBefore;
    if (seq > this.handed) this.handed = seq;
    found.push({ record, redelivered });
  }

  #fromRing(max: number): LogRecordDelivery[] {
    const { ring, head } = this.#parts.state;
    const { progress } = this;
    const found: LogRecordDelivery[] = [];
    const bound = Math.min(head, this.#bound);
    let to = Math.min(bound, progress.skipDone());
    while (found.length < max && !progress.full) {
      if (progress.scan > to) {
        to = Math.min(bound, progress.skipDone());
        if (progress.scan > to) break;
      }
      const entry = ring.at(progress.scan);
      if (!entry) break;
      if (this.#matches(entry.topic)) this.#deliver(found, entryRecord(entry));
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
      const to = Math.min(head, progress.skipDone());
      if (progress.scan > head) return this.#tail(found);
      if (progress.scan >= state.ring.first) {
        await this.#raise(progress.scan);
        if (!this.#closed) found.push(...this.#fromRing(max));
        continue;
      }
      const page = await reading.page(this.#topics(), progress.scan, to, Math.min(max, PAGE_RECORDS));
      const last = page.records.at(-1);
      if (last) await this.#raise(last.seq);
      if (this.#closed) break;
      for (const record of page.records) this.#deliver(found, record);
      progress.scan = Math.max(progress.scan, page.next);
      this.#raiseAhead();
    }
    return found;
  }

  #topics(): readonly Topic[] {
    const { topics } = this.#parts.state;
    if (this.#matched.version !== topics.version) this.#matched = { version: topics.version, topics: [...topics.byName.values()].filter((topic) => this.#matches(topic)) };
    return this.#matched.topics;
  }

  /** Stands at the position before the next record, which is done, so that confirming it does nothing. */
  #gap(): LogRecordDelivery[] {
    const { epochs, clock } = this.#parts.state;
    const from = this.progress.scan;
    const seq = from - 1;
    const stamp = { wall: clock.wall(), mono: clock.mono(), boot: epochs.at(Infinity).name, trusted: clock.isSet() };
    const gap = { from, to: this.#lost, reason: 'overflow' as const };
    this.#lost = 0;
    return [{ record: { seq, topic: '', kind: 'gap', previous: 0, recordId: epochs.recordId(seq), stamp, gap }, redelivered: false }];
  }

  async #nextAgain(max: number): Promise<LogRecordDelivery[]> {
    const seqs = this.progress.takeAgain(Math.min(max, PAGE_RECORDS));
    const { ring } = this.#parts.state;
    const onDisk = seqs.filter((seq) => !ring.at(seq));
    const read = new Map(onDisk.length === 0 ? [] : (await this.#parts.reading.bySeqs(onDisk)).map((record) => [record.seq, record]));
    const found: LogRecordDelivery[] = [];
    for (const seq of seqs) {
      const entry = ring.at(seq);
      const record = entry ? entryRecord(entry) : read.get(seq);
      // Trimmed meanwhile: nothing left to confirm.
      if (!record) this.done(seq);
      else found.push({ record, redelivered: seq <= this.#handedBefore || this.#redelivered.has(seq) });
      if (seq > this.handed) this.handed = seq;
    }
    return found;
  }
}
