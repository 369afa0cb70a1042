import { FilterTree } from './filter-tree.ts';
import type { Reader } from './reader.ts';
import type { Topic } from './topics.ts';

/** Which readers match a topic, without trying every pair on every record. */
export class Readers {
  readonly #all = new Set<Reader>();
  readonly #tree = new FilterTree<Reader>();
  /** Changes whenever there are others. */
  #version = 0;

  add(reader: Reader): void {
    this.#version++;
    this.#all.add(reader);
    this.#tree.add(reader.filter, reader);
  }

  remove(reader: Reader): void {
    if (!this.#all.delete(reader)) return;
    this.#version++;
    this.#tree.delete(reader.filter, reader);
  }

  all(): IterableIterator<Reader> {
    return this.#all.values();
  }

  /** The readers of a topic; the answer is kept until readers change. */
  of(topic: Topic): readonly Reader[] {
    if (topic.readers?.version === this.#version) return topic.readers.list;
    const list = this.#tree.of(topic.name);
    topic.readers = { version: this.#version, list };
    return list;
  }
}
