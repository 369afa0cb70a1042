import { decodeRow, encodeRow } from './cbor.ts';
import type { Batch, Row } from './database.ts';
import { asideKey, readerSeqOf } from './keys.ts';

/** The batch being built. */
type Changes = Pick<Batch, 'put' | 'del'> & { onCommit(call: () => void): void };

/** Whether a note says that the record is wanted once more. */
export function isWanted(note: unknown): boolean {
  return typeof note === 'object' && note !== null && 'wanted' in note && note.wanted === true;
}

/** Records that some reader would not take. Each stays, whole, as long as it is listed here. */
export class Asides {
  readonly #byName = new Map<string, Map<number, unknown>>();
  /** Seq to how many readers put it aside. */
  readonly #seqs = new Map<number, number>();
  /** Grows when a record need not stay any more. */
  freed = 0;

  load(rows: readonly Row[]): void {
    this.#byName.clear();
    this.#seqs.clear();
    for (const [key, value] of rows) {
      const { name, seq } = readerSeqOf(key);
      this.#add(name, seq, decodeRow(value));
    }
    this.freed++;
  }

  /** Whether any reader has put it aside. */
  keeps(seq: number): boolean {
    return this.#seqs.has(seq);
  }

  /** Lowest seq that stays; Infinity for none. */
  get first(): number {
    let first = Infinity;
    for (const seq of this.#seqs.keys()) first = Math.min(first, seq);
    return first;
  }

  count(name: string): number {
    return this.#byName.get(name)?.size ?? 0;
  }

  /** Seq to whatever its reader said of it, oldest first. */
  of(name: string): [seq: number, note: unknown][] {
    return [...this.#byName.get(name) ?? []].toSorted(([a], [b]) => a - b);
  }

  has(name: string, seq: number): boolean {
    return this.#byName.get(name)?.has(seq) ?? false;
  }

  /** Those that were put aside and are wanted once more. */
  wanted(name: string): number[] {
    return this.of(name).filter(([, note]) => isWanted(note)).map(([seq]) => seq);
  }

  /** Its reader gets it once more; it stays here until that has confirmed it. */
  want(tx: Changes, name: string, seq: number): void {
    const note = this.#byName.get(name)?.get(seq);
    this.put(tx, name, seq, { ...(typeof note === 'object' ? note : {}), wanted: true });
  }

  put(tx: Changes, name: string, seq: number, note: unknown): void {
    tx.put(asideKey(name, seq), encodeRow(note));
    tx.onCommit(() => this.#add(name, seq, note));
  }

  forget(tx: Changes, name: string, seqs: Iterable<number> = [...this.#byName.get(name)?.keys() ?? []]): void {
    for (const seq of seqs) {
      tx.del(asideKey(name, seq));
      tx.onCommit(() => this.#remove(name, seq));
    }
  }

  #add(name: string, seq: number, note: unknown): void {
    const rows = this.#byName.get(name) ?? new Map<number, unknown>();
    if (!rows.has(seq)) this.#seqs.set(seq, (this.#seqs.get(seq) ?? 0) + 1);
    this.#byName.set(name, rows.set(seq, note));
  }

  #remove(name: string, seq: number): void {
    const rows = this.#byName.get(name);
    if (!rows?.delete(seq)) return;
    if (rows.size === 0) this.#byName.delete(name);
    const left = (this.#seqs.get(seq) ?? 1) - 1;
    if (left > 0) this.#seqs.set(seq, left);
    else this.#seqs.delete(seq);
    this.freed++;
  }
}
