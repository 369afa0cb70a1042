import { apply, type Batch, type Op } from './database.ts';
import { topicKey } from './keys.ts';
import type { Loss } from './loss.ts';
import type { LogState } from './state.ts';
import { type Topic, type TopicChange, copyTopic, encodeTopic } from './topics.ts';

/**
 * One batch being built. Memory changes only after the disk has it: a failed write leaves
 * readers with what is there.
 */
export class Transaction {
  /** Items that this batch takes out of the view, so that nothing later in it takes them for live. */
  readonly gone: Set<number> = new Set();
  /** Records that this batch deletes: more than one job may come upon them, and each counts once. */
  readonly deleted: Set<number> = new Set();
  /** What readers lose by this batch: goes to the ledger with it. */
  readonly losses: Loss[] = [];
  readonly #state: LogState;
  #batch: Batch | undefined;
  readonly #changes = new Map<Topic, TopicChange>();
  readonly #touched = new Set<Topic>();
  readonly #dropped = new Set<Topic>();
  readonly #after: (() => void)[] = [];

  constructor(state: LogState) {
    this.#state = state;
  }

  /** Both are copied: the caller may use its buffers again. */
  put(key: Uint8Array, value: Uint8Array): void {
    (this.#batch ??= this.#state.database.batch()).put(key, value);
  }

  del(key: Uint8Array): void {
    (this.#batch ??= this.#state.database.batch()).del(key);
  }

  apply(ops: readonly Op[]): void {
    for (const op of ops) apply(this, op);
  }

  /** To the disk, if there is anything. Memory follows with `committed`. */
  async write(options: { readonly sync: boolean }): Promise<void> {
    await this.#batch?.write(options);
  }

  /** Instead of `write`. */
  async discard(): Promise<void> {
    await this.#batch?.discard();
  }

  /** The topic as this batch leaves it; to be written to, and then touched. */
  topic(topic: Topic): TopicChange {
    let change = this.#changes.get(topic);
    if (!change) {
      change = copyTopic(topic);
      this.#changes.set(topic, change);
    }
    return change;
  }

  touch(topic: Topic): void {
    this.#touched.add(topic);
  }

  /** The topic's row goes with this batch if it was deleted and nothing of it is left. */
  drop(topic: Topic): void {
    this.#dropped.add(topic);
  }

  #gone(topic: Topic): boolean {
    const { deleted, bytes } = this.topic(topic);
    return this.#dropped.has(topic) && deleted && bytes <= 0;
  }

  lose(loss: Loss): void {
    this.losses.push(loss);
  }

  onCommit(call: () => void): void {
    this.#after.push(call);
  }

  /** One row per topic touched, whatever happened to it. */
  seal(): void {
    for (const topic of this.#touched) {
      const change = this.topic(topic);
      if (this.#gone(topic)) this.del(topicKey(topic.no));
      else this.put(topicKey(topic.no), encodeTopic(topic.name, change));
    }
  }

  committed(): void {
    for (const topic of this.#touched) {
      const change = this.topic(topic);
      this.#state.bytes += change.bytes - topic.bytes;
      Object.assign(topic, change);
      this.#state.topics.keep(topic);
      if (this.#gone(topic)) this.#state.topics.remove(topic);
    }
    for (const call of this.#after) call();
  }
}
