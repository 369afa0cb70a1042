import { hasWildcard, matcher } from './filter.ts';
import type { Reader } from './reader.ts';
import type { Topic, Topics } from './topics.ts';

/** Which readers match a topic, and the reverse, without trying every pair on every record. */
export class Readers {
  readonly #topics: Topics;
  readonly #exact = new Map<string, Set<Reader>>();
  readonly #wild = new Map<Reader, (topic: string) => boolean>();

  constructor(topics: Topics) {
    this.#topics = topics;
  }

  add(reader: Reader): void {
    const { filter } = reader;
    if (hasWildcard(filter)) {
      const match = matcher(filter);
      this.#wild.set(reader, match);
      for (const topic of this.#topics.byName.values()) if (topic.readers && match(topic.name)) topic.readers.push(reader);
      return;
    }
    const set = this.#exact.get(filter) ?? new Set();
    this.#exact.set(filter, set.add(reader));
    this.#topics.byName.get(filter)?.readers?.push(reader);
  }

  remove(reader: Reader): void {
    const set = this.#exact.get(reader.filter);
    if (set?.delete(reader) && set.size === 0) this.#exact.delete(reader.filter);
    for (const topic of this.#wild.delete(reader) ? this.#topics.byName.values() : [this.#topics.byName.get(reader.filter)]) {
      if (topic?.readers) topic.readers = topic.readers.filter((other) => other !== reader);
    }
  }

  *all(): IterableIterator<Reader> {
    for (const set of this.#exact.values()) yield* set;
    yield* this.#wild.keys();
  }

  /** The readers of a topic; the answer is kept until readers change. */
  of(topic: Topic): readonly Reader[] {
    if (topic.readers) return topic.readers;
    const readers = [...this.#exact.get(topic.name) ?? []];
    for (const [reader, match] of this.#wild) if (match(topic.name)) readers.push(reader);
    topic.readers = readers;
    return readers;
  }
}
