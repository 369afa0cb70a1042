import { type Ahead, Newest, NOTHING, Older } from './ahead.ts';
import type { LogRecordDelivery } from './cursor.ts';
import { hasWildcard } from './filter.ts';
import type { MemoryEntry } from './memory-entry.ts';
import { isInMemory } from './memory-seq.ts';
import type { LostTally } from './lost-topics.ts';
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
  /** Items of views with which it begins: found when they are wanted, for a slow reader must not keep them. */
  #ahead: Ahead = NOTHING;
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
    if (from === 'last') {
      this.#ahead = new Newest(memory.topics(), matches);
      return;
    }
    const oldest = memory.ring.first;
    this.#ahead = new Older(memory, oldest, (entry) => matches(entry.topic) && isFrom(memory, entry, from));
    this.#seek(oldest, (entry) => isFrom(memory, entry, from));
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
    const ahead = this.#ahead.next();
    if (ahead) return ahead.after;
    if (this.#ahead.isLost) return -1;
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
    let ahead = this.#ahead.next();
    for (; ahead && found.length < max && ahead.after < scan; ahead = this.#ahead.next()) {
      found.push(this.#hand(entryRecord(ahead)));
      this.#ahead.take(ahead);
    }
    const { ring } = this.#parts.memory;
    if (ahead || found.length === max) return found;
    if (this.#ahead.isLost) {
      const lost = this.#ahead.lost();
      this.#ahead = NOTHING;
      found.push(this.#gap(lost));
    }
    if (this.#next === Infinity || found.length === max) return found;
    if (this.#next < ring.first) {
      found.push(this.#gap(this.#parts.memory.evicted.tally(this.#next, ring.first - 1, this.#parts.matches)));
      this.#seek(ring.first);
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

  /** It was too slow. */
  #gap({ range = { from: 0, to: 0 }, found }: LostTally): LogRecordDelivery {
    const { memory, filter, stamp } = this.#parts;
    const isOne = !hasWildcard(filter);
    const gap = { ...range, reason: 'overflow' as const, ...(!isOne && found) };
    return this.#hand({ seq: gap.to, topic: isOne ? filter : '', kind: 'gap', previous: 0, recordId: memory.recordId(gap.to), stamp: stamp(), gap });
  }
}

function isFrom(memory: MemoryTopics, entry: MemoryEntry, from: CursorFrom): boolean {
  if (typeof from !== 'object') return true;
  if ('time' in from) return memory.isSince(entry, from.time);
  return isInMemory(from.seq) ? entry.seq >= from.seq : entry.after >= from.seq;
}
