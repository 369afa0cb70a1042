import { LanpostError } from '../errors.ts';
import { OneByOne } from '../one-by-one.ts';
import type { Cursor, CursorParts } from './cursor.ts';
import type { Wakeable } from './cursors.ts';
import { type Durable, HeldTopic, type Holder } from './durable.ts';
import { MAX_HELD } from './limits.ts';
import { Progress } from './progress.ts';
import type { Topic } from './topics.ts';
import type { Transaction } from './transaction.ts';

/** A cursor as its subscription sees it. */
export interface HeldCursor extends Cursor, Holder, Wakeable {
  readonly closed: boolean;
  /** It goes on where another had come to. */
  inherit(other: HeldCursor): void;
  /** Which topics it reads itself has changed. */
  reselect(): void;
  /** Puts its row into the batch. */
  write(tx: Transaction): void;
}

/** The topics that an open subscription holds back, each with a cursor of its own. */
export class HeldTopics {
  readonly cursors: Map<string, HeldCursor> = new Map();
  readonly #parts: CursorParts;
  readonly #durable: Durable;
  readonly #main: HeldCursor;
  readonly #make: (held: HeldTopic, progress: Progress) => HeldCursor;
  /** One change at a time. */
  readonly #turns = new OneByOne();

  constructor(parts: CursorParts, durable: Durable, main: HeldCursor, make: (held: HeldTopic, progress: Progress) => HeldCursor) {
    this.#make = make;
    this.#parts = parts;
    this.#durable = durable;
    this.#main = main;
    for (const held of durable.held.values()) if (held.until === Infinity) this.#open(held, new Progress(held.row));
  }

  hold(topic: string): Promise<Cursor> {
    return this.#turns.run(async () => {
      const known = this.cursors.get(topic);
      if (known) return known;
      const no = this.#parts.state.topics.byName.get(topic);
      if (!no?.stored) throw new LanpostError('not-found', `There is no topic ${topic}.`);
      if (this.cursors.size >= MAX_HELD) throw new LanpostError('busy', `${this.#durable.name} holds ${MAX_HELD} topics back, its limit.`);
      await this.#split(no);
      const cursor = this.cursors.get(topic);
      if (!cursor) throw new LanpostError('closed', 'The reader has been closed.');
      return cursor;
    });
  }

  unhold(topic: string): Promise<boolean> {
    return this.#turns.run(async () => {
      await this.#parts.committer.task((tx) => {
        const cursor = this.cursors.get(topic);
        const held = this.#durable.held.get(topic);
        const last = this.#parts.state.topics.byName.get(topic)?.last ?? 0;
        if (!cursor || !held || !this.#here || !cursor.progress.clear || cursor.progress.scan <= last) return;
        if (this.#main.position >= last) {
          this.#main.write(tx);
          held.forget(tx);
        } else held.end(tx, last);
        this.#parts.cursors.forget(held);
        tx.onCommit(() => {
          this.#parts.cursors.unhold(held, last);
          this.cursors.delete(topic);
          cursor.end();
          this.#main.reselect();
        });
      }).catch((error: unknown) => {
        // It is still held.
        const held = this.#durable.held.get(topic);
        if (held) held.leaving = false;
        throw error;
      });
      return !this.cursors.has(topic);
    });
  }

  async close(): Promise<void> {
    await this.#turns.settled();
    await Promise.all([...this.cursors.values()].map((cursor) => cursor.close()));
  }

  get #here(): boolean {
    return !this.#main.closed && !this.#durable.leaving && this.#parts.cursors.has(this.#durable);
  }

  /** What is not done of the topic becomes the business of a cursor of its own, from the moment its row is on disk. */
  async #split(topic: Topic): Promise<void> {
    const { committer, cursors, state } = this.#parts;
    const main = this.#main;
    const before = this.#durable.heldUntil(topic.name);
    await committer.task((tx) => {
      if (!this.#here) return;
      const now = main.progress.fork(topic.no, before);
      const held = new HeldTopic(this.#durable, topic.name, { position: now.position, handed: this.#durable.row.handed, done: now.ranges() });
      held.write(tx, state.clock.mono(), 0);
      tx.onCommit(() => {
        if (!this.#here) return;
        const progress = main.progress.fork(topic.no, before);
        main.progress.release(topic.no);
        cursors.hold(held);
        this.#open(held, progress).inherit(main);
        main.reselect();
      });
    });
  }

  #open(held: HeldTopic, progress: Progress): HeldCursor {
    const cursor = this.#make(held, progress);
    held.holder = cursor;
    this.cursors.set(held.filter, cursor);
    this.#parts.cursors.watch(held, cursor);
    return cursor;
  }
}
