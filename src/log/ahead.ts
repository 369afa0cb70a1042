import type { MemoryEntry } from './memory-entry.ts';
import type { HeldItem, MemoryTopic } from './memory-topic.ts';
import type { MemoryTopics } from './memory-topics.ts';
import type { Topic } from './topics.ts';

/** What of the views comes before what comes in. */
export interface Ahead {
  /** Undefined when there is no more. */
  next(): MemoryEntry | undefined;
  take(entry: MemoryEntry): void;
  /** When there is no more: what was there at the beginning and went before it was read. */
  readonly lost: { readonly from: number; readonly to: number } | undefined;
}

export const NOTHING: Ahead = { next: () => undefined, take: () => undefined, lost: undefined };

/** The newest item of each topic. One that has gone since has made room for a newer one. */
export class Newest implements Ahead {
  readonly #items: HeldItem[] = [];
  readonly lost: undefined;

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
}

/** Items of views that come before what is in the ring. */
export class Older implements Ahead {
  readonly #memory: MemoryTopics;
  readonly #end: number;
  readonly #fits: (entry: MemoryEntry) => boolean;
  readonly #begin: number = Infinity;
  #from = 0;
  /** Not read yet, of those that were there at the beginning; in the lane `latest` one that goes has made room for a newer one. */
  #left = 0;

  constructor(memory: MemoryTopics, end: number, fits: (entry: MemoryEntry) => boolean) {
    this.#memory = memory;
    this.#end = end;
    this.#fits = fits;
    for (const entry of memory.items(0)) {
      if (entry.seq >= end) break;
      if (!fits(entry)) continue;
      this.#begin = Math.min(this.#begin, entry.seq);
      if (isHistory(entry)) this.#left++;
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
    if (isHistory(entry)) this.#left--;
  }

  get lost(): { readonly from: number; readonly to: number } | undefined {
    return this.#left > 0 && this.#from >= this.#end ? { from: this.#begin, to: this.#end - 1 } : undefined;
  }
}

function isHistory({ topic }: MemoryEntry): boolean {
  return topic.settings.lane !== 'latest';
}
