import { LostTally } from './lost-topics.ts';
import type { MemoryEntry } from './memory-entry.ts';
import type { HeldItem, MemoryTopic } from './memory-topic.ts';
import type { MemoryTopics } from './memory-topics.ts';
import type { Topic } from './topics.ts';

/** What of the views comes before what comes in. */
export interface Ahead {
  /** Undefined when there is no more. */
  next(): MemoryEntry | undefined;
  take(entry: MemoryEntry): void;
  /** When there is no more: whether something was there at the beginning and went before it was read. */
  readonly isLost: boolean;
  lost(): LostTally;
}

export const NOTHING: Ahead = { next: () => undefined, take: () => undefined, isLost: false, lost: () => new LostTally() };

/** The newest item of each topic. One that has gone since has made room for a newer one. */
export class Newest implements Ahead {
  readonly #items: HeldItem[] = [];
  readonly isLost = false;

  constructor(topics: Iterable<MemoryTopic>, matches: (topic: Topic) => boolean) {
    for (const { topic, line } of topics) {
      const newest = matches(topic) ? line.last : undefined;
      if (newest) this.#items.push(newest);
    }
    this.#items.sort((a, b) => b.seq - a.seq);
  }

  next(): MemoryEntry | undefined {
    while (this.#items.length > 0 && !this.#items.at(-1)?.entry) this.#items.pop();
    return this.#items.at(-1)?.entry;
  }

  take(): void {
    this.#items.pop();
  }

  lost(): LostTally {
    return new LostTally();
  }
}

/** Of one topic: how many, and between which positions. */
interface Left { from: number; to: number; count: number }

/** Items of views that come before what is in the ring. */
export class Older implements Ahead {
  readonly #memory: MemoryTopics;
  readonly #end: number;
  readonly #fits: (entry: MemoryEntry) => boolean;
  #from = 0;
  /** Not read yet, of those that were there at the beginning, by topic; in the lane `latest` one that goes has made room for a newer one. */
  readonly #left = new Map<Topic, Left>();
  #count = 0;

  constructor(memory: MemoryTopics, end: number, fits: (entry: MemoryEntry) => boolean) {
    this.#memory = memory;
    this.#end = end;
    this.#fits = fits;
    for (const entry of memory.items(0)) {
      if (entry.seq >= end) break;
      if (!fits(entry)) continue;
      if (!isHistory(entry)) continue;
      const left = this.#left.get(entry.topic) ?? { from: entry.seq, to: entry.seq, count: 0 };
      left.to = entry.seq;
      left.count++;
      this.#left.set(entry.topic, left);
      this.#count++;
    }
  }

  next(): MemoryEntry | undefined {
    if (this.#from >= this.#end) return undefined;
    for (const entry of this.#memory.items(this.#from)) {
      if (entry.seq >= this.#end) break;
      if (!this.#fits(entry)) continue;
      this.#from = entry.seq;
      return entry;
    }
    this.#from = this.#end;
    return undefined;
  }

  take(entry: MemoryEntry): void {
    this.#from = entry.seq + 1;
    const left = this.#left.get(entry.topic);
    if (!left) return;
    left.from = entry.seq + 1;
    left.count--;
    this.#count--;
  }

  get isLost(): boolean {
    return this.#count > 0 && this.#from >= this.#end;
  }

  lost(): LostTally {
    const tally = new LostTally();
    const inOrder = [...this.#left].filter(([, { count }]) => count > 0).toSorted(([, a], [, b]) => a.from - b.from);
    for (const [{ name }, { from, to, count }] of inOrder) tally.add(name, from, to, count);
    return tally;
  }
}

function isHistory({ topic }: MemoryEntry): boolean {
  return topic.settings.lane !== 'latest';
}
