import { LanpostError } from '../errors.ts';
import type { Appended } from './appended.ts';
import type { Committer } from './commit.ts';
import type { MemoryTopic } from './memory-topic.ts';
import type { Draft } from './record.ts';
import type { LogState } from './state.ts';

/** Appends to topics in memory: at once, but for the first record of a mirror, whose name goes to disk. */
export class MemoryWriter {
  readonly #state: LogState;
  readonly #committer: Committer;
  /** Mirrors that are being made: what comes meanwhile comes after. */
  readonly #making = new Map<string, Promise<void>>();

  constructor(state: LogState, committer: Committer) {
    this.#state = state;
    this.#committer = committer;
  }

  append(draft: Draft): Promise<Appended> {
    const making = this.#making.get(draft.topic);
    const memory = making ? undefined : this.#of(draft.topic);
    if (memory) return this.#append(memory, draft);
    return (making ?? this.#make(draft.topic)).then(() => {
      const made = this.#of(draft.topic);
      if (!made) throw new LanpostError('not-found', `There is no topic ${draft.topic} any more.`);
      return this.#append(made, draft);
    });
  }

  #append(memory: MemoryTopic, draft: Draft): Promise<Appended> {
    const result = this.#state.memory.append(memory, draft, this.#state.head);
    return result instanceof LanpostError ? Promise.reject(result) : Promise.resolve(result);
  }

  /** A mirror is in memory as long as what comes is. */
  #of(name: string): MemoryTopic | undefined {
    const { memory, topics } = this.#state;
    const known = memory.get(name);
    if (known) return known;
    const topic = topics.byName.get(name);
    return topic?.stored && !topic.deleted ? memory.open(topic) : undefined;
  }

  #make(name: string): Promise<void> {
    const { topics } = this.#state;
    const making = this.#committer.task((tx) => {
      const topic = topics.byName.get(name) ?? topics.allocate(name);
      tx.topic(topic).deleted = false;
      tx.touch(topic);
    });
    this.#making.set(name, making);
    const made = (): void => { this.#making.delete(name); };
    making.then(made, made);
    return making;
  }
}
