import type { LogRecordDelivery } from './cursor.ts';
import { hasWildcard } from './filter.ts';
import type { MemoryEntry } from './memory-entry.ts';
import { isInMemory } from './memory-seq.ts';
import type { MemoryTopics } from './memory-topics.ts';
import { OpenRecords } from './open-records.ts';
import type { LogRecord, Stamp } from './record.ts';
import { entryRecord } from './ring.ts';
import type { CursorFrom } from './start.ts';
import type { Topic } from './topics.ts';

export interface MemoryReaderParts {
  readonly memory: MemoryTopics;
  readonly filter: string;
  readonly matches: (topic: Topic) => boolean;
  /** Of what is told now. */
  readonly stamp: () => Stamp;
}

/**
 * What one reader takes of the topics in memory, each record between those on disk that came before it and those that
 * came after. It stands nowhere until a record comes that it reads: what is not for it cannot pass it by.
 */
export class MemoryReader {
  readonly #parts: MemoryReaderParts;
  /** Items of views, older than the ring, with which it begins. */
  #ahead: MemoryEntry[] = [];
  /** The next in the ring that it reads; Infinity when there is none. */
  #next = Infinity;
  /** Handed out and not done. */
  readonly #open = new OpenRecords();
  /** Of those, what is to be handed out once more, oldest first. */
  #again: LogRecordDelivery[] = [];

  constructor(parts: MemoryReaderParts) {
    this.#parts = parts;
  }

  begin(from: CursorFrom): void {
    if (from === 'new') return;
    const { memory, matches } = this.#parts;
    const oldest = memory.ring.first;
    for (const { topic, line } of memory.topics()) {
      if (!matches(topic)) continue;
      const entries = from === 'last' ? newest(line.below(Infinity)) : line.from(0);
      for (const entry of entries) if (from === 'last' || (entry.seq < oldest && isFrom(entry, from))) this.#ahead.push(entry);
    }
    this.#ahead.sort((a, b) => a.seq - b.seq);
    if (from !== 'last') this.#seek(oldest, (entry) => isFrom(entry, from));
  }

  get unconfirmed(): number {
    return this.#open.size - this.#again.length;
  }

  get hasAgain(): boolean {
    return this.#again.length > 0;
  }

  /** Whether something comes next, for one that has read the disk up to before `scan`. */
  ready(scan: number): boolean {
    return this.before < scan;
  }

  /** After which position on disk the next one stands; Infinity when there is none. */
  get before(): number {
    const [ahead] = this.#ahead;
    if (ahead) return ahead.after;
    if (this.#next === Infinity) return Infinity;
    // What is lost is told first.
    return this.#parts.memory.ring.at(this.#next)?.after ?? -1;
  }

  /** A record that it reads is there. */
  arrived(seq: number): void {
    if (seq < this.#next) this.#next = seq;
  }

  takeAgain(max: number): LogRecordDelivery[] {
    return this.#again.splice(0, max);
  }

  /** What comes next, for one that has read the disk up to before `scan`. */
  take(max: number, scan: number): LogRecordDelivery[] {
    const found: LogRecordDelivery[] = [];
    if (this.#ahead.length > 0) {
      const later = this.#ahead.slice(0, max).findIndex(({ after }) => after >= scan);
      for (const entry of this.#ahead.splice(0, later < 0 ? max : later)) found.push(this.#hand(entryRecord(entry)));
    }
    const { ring } = this.#parts.memory;
    if (this.#ahead.length > 0 || this.#next === Infinity) return found;
    if (this.#next < ring.first) {
      if (found.length < max) found.push(this.#gap(ring.first));
      else return found;
    }
    while (found.length < max && this.#next !== Infinity) {
      const entry = ring.at(this.#next);
      if (!entry || entry.after >= scan) break;
      found.push(this.#hand(entryRecord(entry)));
      this.#seek(this.#next + 1);
    }
    return found;
  }

  done(seq: number): void {
    this.#open.delete(seq);
  }

  /** Handed out, and wanted once more; `seen`: whoever had it may have looked at it. */
  again(seq: number, seen: boolean): void {
    const record = this.#open.get(seq);
    if (!record || this.#again.some((one) => one.record === record)) return;
    this.#again.push({ record, redelivered: seen });
    this.#again.sort((a, b) => a.record.seq - b.record.seq);
  }

  rewind(): void {
    for (const seq of this.#open.seqs()) this.again(seq, true);
  }

  #hand(record: LogRecord): LogRecordDelivery {
    this.#open.add(record);
    return { record, redelivered: false };
  }

  /** The first in the ring from `seq` on that it reads. */
  #seek(seq: number, fits: (entry: MemoryEntry) => boolean = () => true): void {
    const { memory: { ring }, matches } = this.#parts;
    let next = seq;
    for (let entry = ring.at(next); entry; entry = ring.at(++next)) {
      if (!matches(entry.topic) || !fits(entry)) continue;
      this.#next = next;
      return;
    }
    this.#next = Infinity;
  }

  /** It was too slow. How many of those that are lost it would have read, nobody knows. */
  #gap(first: number): LogRecordDelivery {
    const { memory, filter, stamp } = this.#parts;
    const gap = { from: this.#next, to: first - 1, reason: 'overflow' as const };
    this.#seek(first);
    return this.#hand({ seq: gap.to, topic: hasWildcard(filter) ? '' : filter, kind: 'gap', previous: 0, recordId: memory.recordId(gap.to), stamp: stamp(), gap });
  }
}

function* newest<T>(entries: Iterable<T>): Generator<T> {
  for (const entry of entries) {
    yield entry;
    return;
  }
}

function isFrom({ seq, after, stamp }: MemoryEntry, from: CursorFrom): boolean {
  if (typeof from !== 'object') return true;
  if ('time' in from) return !stamp.trusted || stamp.wall >= from.time;
  return isInMemory(from.seq) ? seq >= from.seq : after >= from.seq;
}
