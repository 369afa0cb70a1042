import type { Horizon } from './horizon.ts';
import { decodeIndex } from './index-row.ts';
import { garbageKey, getSeq, getU32, indexKey, recordKey } from './keys.ts';
import { keptFrom, tellLost } from './reader.ts';
import type { LogState } from './state.ts';
import type { Transaction } from './transaction.ts';

/** Deletes records that left the view out of turn: replaced, retracted, or no items at all. */
export class GarbageSweep {
  readonly #state: LogState;
  readonly #horizon: Horizon;
  /** Next row to look at in this round. */
  #next = 0;
  /** By the numbers of topics, the lowest row that a reader still wanted. */
  readonly #wanted = new Map<number, number>();
  /** The lowest row that was put aside, and how much had been let go of when it was looked at. */
  #aside = Infinity;
  #freed = 0;

  constructor(state: LogState, horizon: Horizon) {
    this.#state = state;
    this.#horizon = horizon;
  }

  /** Whether another round may find something; begins it. */
  get due(): boolean {
    const { topics, readers, asides: { freed } } = this.#state;
    if (freed !== this.#freed) {
      this.#next = Math.min(this.#next, this.#aside);
      this.#aside = Infinity;
    }
    this.#freed = freed;
    // What the readers of a topic held last time they still hold, unless all of them have passed it.
    for (const [no, first] of this.#wanted) {
      const topic = topics.byNo.get(no);
      if (topic && keptFrom(readers.of(topic), this.#horizon.seq) < first) continue;
      this.#next = Math.min(this.#next, first);
      this.#wanted.delete(no);
    }
    return this.#next < Math.min(this.#state.window.start, this.#state.head + 1);
  }

  /** A record that is kept although its topic has been swept: to be looked at with the others. */
  keep(seq: number): void {
    this.#next = Math.min(this.#next, seq);
  }

  reset(): void {
    this.#next = 0;
    this.#aside = Infinity;
    this.#wanted.clear();
  }

  async page(tx: Transaction, budget: number, deleted: (seq: number, bytes: number) => void): Promise<{ used: number; more: boolean }> {
    const { database, topics, readers, asides, window, head } = this.#state;
    const end = Math.min(window.start, head + 1);
    const rows = await database.range({ gte: garbageKey(this.#next), lt: garbageKey(end), limit: Math.min(budget, 256) });
    const found = rows.map(([key, value]) => ({ key, seq: getSeq(key, 1), no: getU32(value, 0) }));
    const indexes = await database.getMany(found.map(({ no, seq }) => indexKey(no, seq)));
    for (const [i, { key, seq, no }] of found.entries()) {
      const row = indexes[i];
      const topic = topics.byNo.get(no);
      if (!row || !topic || tx.deleted.has(seq)) {
        tx.del(key);
        continue;
      }
      const index = decodeIndex(row);
      // `latest` keeps only the newest per key, whoever has not read the others.
      const dropped = topic.settings.lane === 'latest' && index.state === 'superseded';
      const wanted = seq > keptFrom(readers.of(topic), this.#horizon.seq);
      if (asides.keeps(seq)) {
        this.#aside = Math.min(this.#aside, seq);
        continue;
      }
      if (wanted && !dropped) {
        this.#wanted.set(no, Math.min(this.#wanted.get(no) ?? seq, seq));
        continue;
      }
      if (wanted) tx.topic(topic).replaced++;
      tx.deleted.add(seq);
      tx.del(key);
      tx.del(recordKey(seq));
      tx.del(indexKey(no, seq));
      tx.topic(topic).bytes -= index.size;
      tx.touch(topic);
      tx.drop(topic);
      deleted(seq, index.size);
      if (!dropped) tx.onCommit(() => tellLost(readers.of(topic), topic.name, [seq]));
    }
    const last = found.at(-1);
    const more = last !== undefined && found.length === Math.min(budget, 256);
    this.#next = more ? last.seq + 1 : end;
    return { used: 2 * found.length + 1, more };
  }
}
