import { type Durable, HeldTopic } from './durable.ts';
import { matcher } from './filter.ts';
import type { LogState } from './state.ts';
import type { Topic } from './topics.ts';

/** Which records one cursor reads: those of the topics that its filter matches, but for what a cursor of their own reads. */
export class Selection {
  readonly #state: LogState;
  readonly #durable: Durable | undefined;
  readonly #match: (topic: string) => boolean;
  /** Topic number to whether it matches; filled as topics are met. */
  readonly #known = new Map<number, boolean>();
  #matched: { version: number; topics: readonly Topic[] } = { version: -1, topics: [] };

  constructor(filter: string, state: LogState, durable: Durable | undefined) {
    this.#state = state;
    this.#durable = durable;
    this.#match = matcher(filter);
  }

  /** Whether its filter matches the topic, whoever reads that. */
  names(topic: string): boolean {
    return this.#match(topic);
  }

  matches(topic: Topic, seq: number): boolean {
    if (this.#durable !== undefined && seq <= this.#durable.heldUntil(topic.name)) return false;
    return this.#concerns(topic);
  }

  /** Those there are now. */
  get topics(): readonly Topic[] {
    const { topics } = this.#state;
    if (this.#matched.version !== topics.version) this.#matched = { version: topics.version, topics: [...topics.byName.values()].filter((topic) => this.matches(topic, Number.MAX_SAFE_INTEGER)) };
    return this.#matched.topics;
  }

  /** Which topics have a cursor of their own has changed. */
  renew(): void {
    this.#matched = { version: -1, topics: [] };
  }

  /** A gap that concerns every topic is told by the subscription, not by each topic that it holds back. */
  isOthers(seq: number): boolean {
    return this.#durable instanceof HeldTopic && this.#state.gaps.includes(seq);
  }

  #concerns(topic: Topic): boolean {
    let known = this.#known.get(topic.no);
    if (known === undefined) {
      known = this.#match(topic.name);
      this.#known.set(topic.no, known);
    }
    return known;
  }
}
