import { decodeIndex } from './index-row.ts';
import { getSeq, indexKey, recordKey } from './keys.ts';
import { decodeHeader, hasHeader } from './record.ts';
import { maxAge } from './room.ts';
import type { LogState } from './state.ts';
import type { Topic, TopicChange } from './topics.ts';
import type { Transaction } from './transaction.ts';

/** Records are read to learn how old they are, so few at a time. */
const PAGE = 64;

/**
 * Which items are too old for the view of their topic. Age is time that is known to have passed: of what was
 * accepted since the store was opened the monotonic clock tells; of older ones wall time does, as far as it
 * can be trusted (trusted-time.ts), the later where it was set meanwhile, and never less than the time since the opening.
 */
export class Ages {
  readonly #state: LogState;
  readonly #opened: number;
  /** When the oldest item of a topic gets too old, by the monotonic clock; Infinity when there is none. */
  readonly #due = new WeakMap<Topic, { readonly at: number; readonly age: number }>();

  constructor(state: LogState) {
    this.#state = state;
    this.#opened = state.clock.mono();
  }

  due(topic: Topic): boolean {
    return maxAge(topic.settings) !== undefined && (this.#due.get(topic)?.at ?? 0) <= this.#state.clock.mono();
  }

  /** Something of the topic was committed: an item in an empty view, or other settings. */
  committed(topic: Topic): void {
    const age = maxAge(topic.settings);
    const due = this.#due.get(topic);
    if (age === undefined || due?.age !== age) this.#due.delete(topic);
    else if (due.at === Infinity) this.#due.set(topic, { at: this.#state.clock.mono() + age, age });
  }

  /** The database was reopened. */
  forget(topic: Topic): void {
    this.#due.delete(topic);
  }

  /** The view gives up its oldest items that are too old, a page of them. */
  async page(tx: Transaction, topic: Topic, change: TopicChange): Promise<{ used: number; more: boolean }> {
    const { database, clock } = this.#state;
    const limit = maxAge(change.settings);
    if (limit === undefined) return { used: 0, more: false };
    const rows = await database.range({ gte: indexKey(topic.no, change.viewFrom), lte: indexKey(topic.no, topic.last), limit: PAGE });
    const records = await database.getMany(rows.map(([key]) => recordKey(getSeq(key, 5))));
    for (const [i, [key, value]] of rows.entries()) {
      const seq = getSeq(key, 5);
      const index = decodeIndex(value);
      const record = records[i];
      const counted = index.item && index.state === 'live' && !tx.gone.has(seq);
      const rest = counted && record && hasHeader(record) ? limit - this.of(seq, record) : 0;
      if (rest > 0) {
        tx.onCommit(() => this.#due.set(topic, { at: clock.mono() + rest, age: limit }));
        return { used: i + 1, more: false };
      }
      if (counted) {
        change.count--;
        change.viewBytes -= index.size;
      }
      change.viewFrom = seq + 1;
      tx.touch(topic);
    }
    const more = rows.length === PAGE;
    if (!more) tx.onCommit(() => this.#due.set(topic, { at: Infinity, age: limit }));
    return { used: rows.length + 1, more };
  }

  /** How old a record is, as far as that is known. */
  of(seq: number, row: Uint8Array): number {
    const { clock, epochs, time, begun } = this.#state;
    const header = decodeHeader(row);
    const now = clock.mono();
    if (seq >= begun) return now - header.mono;
    const { wall, trusted } = epochs.latest(seq, header);
    const today = time.now();
    return Math.max(now - this.#opened, trusted && today !== undefined ? today - wall : 0);
  }
}
