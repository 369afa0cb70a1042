import { decodeIndex, encodeIndex } from './index-row.ts';
import { PREFIX, expiryKey, garbageKey, getSeq, getU32, idKey, indexKey, putU32 } from './keys.ts';
import { namesOf } from './item-names.ts';
import type { LogState } from './state.ts';
import type { Transaction } from './transaction.ts';

const PAGE = 256;

/** Items whose time is over leave the view; who has yet to read them still finds them, and when they were good until. */
export class Expiry {
  readonly #state: LogState;
  /** Nothing on disk is due before this. */
  #next = 0;

  constructor(state: LogState) {
    this.#state = state;
  }

  get due(): boolean {
    const now = this.#state.time.now();
    return now !== undefined && this.#next <= now;
  }

  /** The database was reopened: what was to leave the view may not have. */
  reset(): void {
    this.#next = 0;
  }

  /** A record with an expiry was appended. */
  added(due: number): void {
    this.#next = Math.min(this.#next, due);
  }

  async page(tx: Transaction): Promise<{ used: number; more: boolean }> {
    const { database, topics } = this.#state;
    const now = this.#state.time.now() ?? 0;
    const rows = await database.range({ gte: expiryKey(0, 0), lt: Uint8Array.of(PREFIX.expiry + 1), limit: PAGE });
    const due = rows.filter(([key]) => getSeq(key, 1) <= now);
    const indexes = await database.getMany(due.map(([key, value]) => indexKey(getU32(value, 0), getSeq(key, 9))));
    for (const [i, [key, value]] of due.entries()) {
      tx.del(key);
      const row = indexes[i];
      const topic = topics.byNo.get(getU32(value, 0));
      if (!row || !topic) continue;
      const seq = getSeq(key, 9);
      const index = decodeIndex(row);
      const change = tx.topic(topic);
      // Another page of the same batch reads the same rows again.
      if (!index.item || index.state !== 'live' || seq < change.viewFrom || tx.gone.has(seq)) continue;
      tx.touch(topic);
      change.count--;
      change.viewBytes -= index.size;
      tx.gone.add(seq);
      tx.put(indexKey(topic.no, seq), encodeIndex({ ...index, state: 'retracted' }));
      tx.put(garbageKey(seq), topicNumber(topic.no));
      for (const name of namesOf(index)) tx.del(idKey(topic.no, name));
    }
    const more = due.length === PAGE;
    const waiting = rows[due.length];
    if (!more) this.#next = waiting ? getSeq(waiting[0], 1) : Infinity;
    return { used: due.length + 1, more };
  }
}

/** Under which moment it stands among those to look at. */
export function dueAt(expires: number): number {
  return Math.max(0, Math.ceil(expires));
}

export function topicNumber(no: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(4);
  putU32(bytes, 0, no);
  return bytes;
}
