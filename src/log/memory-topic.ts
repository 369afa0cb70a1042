import { type Held, ItemLine } from './item-line.ts';
import type { ItemsQuery } from './items-query.ts';
import type { MemoryEntry } from './memory-entry.ts';
import { isInMemory, MEMORY_FROM } from './memory-seq.ts';
import type { TopicSettings } from './record.ts';
import type { Topic, TopicState } from './topics.ts';

export type HeldItem = Held<MemoryTopic>;

/** What is kept of a topic that lives in memory: its view. Its name and settings are on disk like any other's. */
export class MemoryTopic implements TopicState {
  readonly topic: Topic;
  readonly line: ItemLine<MemoryTopic> = new ItemLine();
  readonly names: Map<string, HeldItem> = new Map();
  viewBytes: number = 0;
  /** Newest record in memory, 0 for none. */
  newest: number = 0;
  /** Records there ever were in memory. */
  records: number = 0;
  /** When the first item that says until when it is good is over; Infinity when none does. */
  expires: number = Infinity;
  readonly replaced: number = 0;

  readonly #opened: number;
  readonly #isSince: (entry: MemoryEntry, time: number) => boolean;

  /** `opened`: what comes first has at least that seq. */
  constructor(topic: Topic, opened: number, isSince: (entry: MemoryEntry, time: number) => boolean) {
    this.topic = topic;
    this.#opened = opened;
    this.#isSince = isSince;
  }

  precedes(seq: number): boolean {
    return seq < (isInMemory(seq) ? this.#opened : this.ended);
  }

  get no(): number {
    return this.topic.no;
  }

  get name(): string {
    return this.topic.name;
  }

  get settings(): TopicSettings {
    return this.topic.settings;
  }

  get deleted(): boolean {
    return this.topic.deleted;
  }

  get ended(): number {
    return this.topic.ended;
  }

  get viewFrom(): number {
    return this.line.first?.seq ?? MEMORY_FROM;
  }

  get first(): number {
    return this.topic.first;
  }

  get last(): number {
    return this.newest || this.topic.last;
  }

  get count(): number {
    return this.line.count;
  }

  get bytes(): number {
    return this.topic.bytes + this.viewBytes;
  }

  get ordinal(): number {
    return this.topic.ordinal + this.records;
  }

  /** The item with that name, or, if nobody chose one, with that record id. */
  find(name: string): HeldItem | undefined {
    const named = this.names.get(name);
    if (named) return named;
    const seq = Number(name.slice(name.lastIndexOf('-') + 1));
    const held = seq >= MEMORY_FROM ? this.line.at(seq) : undefined;
    return held?.entry?.recordId === name && held.entry.draft.id === undefined ? held : undefined;
  }

  /** Oldest first; of a view that holds what it may. */
  items({ ids, last, after, since, before, skip = 0, limit = Infinity }: ItemsQuery): MemoryEntry[] {
    if (ids) return this.#byIds(ids);
    if (after === undefined && since === undefined) return first(this.line.below(before ?? Infinity), Math.min(last ?? limit, limit)).toReversed();
    const from = since === undefined ? (after ?? 0) + 1 : this.#since(since);
    return first(this.line.from(from), skip + limit).slice(skip);
  }

  /** How many items lie below that position; undefined when there are more than `most`. */
  place(seq: number, most: number): number | undefined {
    const place = first(this.line.below(seq), most + 1).length;
    return place > most ? undefined : place;
  }

  #byIds(ids: readonly string[]): MemoryEntry[] {
    const found = new Set<MemoryEntry>();
    for (const id of ids) {
      const entry = this.find(id)?.entry;
      if (entry) found.add(entry);
    }
    return [...found].toSorted((a, b) => a.seq - b.seq);
  }

  /** The first that may have been accepted then, or later. */
  #since(time: number): number {
    for (const entry of this.line.from(0)) if (this.#isSince(entry, time)) return entry.seq;
    return Infinity;
  }
}

function first(entries: Iterable<MemoryEntry>, most: number): MemoryEntry[] {
  const found: MemoryEntry[] = [];
  if (most <= 0) return found;
  for (const entry of entries) {
    found.push(entry);
    if (found.length >= most) break;
  }
  return found;
}
