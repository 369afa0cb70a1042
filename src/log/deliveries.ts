import { decodeRow, encodeRow } from './cbor.ts';
import type { Batch, Row } from './database.ts';
import { deliveryKey, readerSeqOf } from './keys.ts';

/** The batch being built. */
type Changes = Pick<Batch, 'put' | 'del'> & { onCommit(call: () => void): void };

/** How often records were handed out that a durable reader has not confirmed, where somebody counts that. */
export class Deliveries {
  readonly #byName = new Map<string, Map<number, number>>();

  load(rows: readonly Row[]): void {
    this.#byName.clear();
    for (const [key, value] of rows) {
      const { name, seq } = readerSeqOf(key);
      this.#set(name, seq, decodeRow(value));
    }
  }

  get(name: string, seq: number): number | undefined {
    return this.#byName.get(name)?.get(seq);
  }

  put(tx: Changes, name: string, seq: number, count: number): void {
    tx.put(deliveryKey(name, seq), encodeRow(count));
    tx.onCommit(() => this.#set(name, seq, count));
  }

  /** Those records, or all, are confirmed or no business of this reader any more. */
  forget(tx: Changes, name: string, seqs: Iterable<number> = [...this.#byName.get(name)?.keys() ?? []]): void {
    for (const seq of seqs) {
      tx.del(deliveryKey(name, seq));
      tx.onCommit(() => this.#remove(name, seq));
    }
  }

  #set(name: string, seq: number, count: number): void {
    const counts = this.#byName.get(name) ?? new Map<number, number>();
    this.#byName.set(name, counts.set(seq, count));
  }

  #remove(name: string, seq: number): void {
    const counts = this.#byName.get(name);
    if (counts?.delete(seq) && counts.size === 0) this.#byName.delete(name);
  }
}
