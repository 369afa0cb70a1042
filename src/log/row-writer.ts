import { bodyRoom, type PlainDraft, writeBody } from './body.ts';
import { INDEX_BYTES, putIndex } from './index-row.ts';
import { indexKey, putIndexKey, putRecordKey, recordKey } from './keys.ts';
import { HEADER_BYTES, type RecordKind, sealRecord, type Stamp } from './record.ts';
import type { Transaction } from './transaction.ts';

/** Bytes of a row for which the buffer is kept. */
const USUAL = 65_536;
/** Bytes up to which views are kept. */
const VIEWS = 1024;

/** What a record's body is written from: a draft, or the body itself. */
export type Content = PlainDraft | Uint8Array;

export function contentBytes(content: Content): number {
  return content instanceof Uint8Array ? content.length : bodyRoom(content);
}

/** The two rows that every append needs, built in the same few buffers each time: a batch copies what it is given. */
export class RowWriter {
  #row: Buffer = Buffer.allocUnsafe(4096);
  /** Beginnings of `#row`, by length: records are alike, and a view costs as much as what is written into it. */
  #views: Uint8Array[] = [];
  readonly #recordKey = recordKey(0);
  readonly #indexKey = indexKey(0, 0);
  readonly #index = new Uint8Array(INDEX_BYTES);
  /** Beginnings of `#index`, by length. */
  readonly #indexViews: readonly Uint8Array[] = Array.from({ length: INDEX_BYTES + 1 }, (_, length) => this.#index.subarray(0, length));

  /** Gives the row, good until the next one. */
  record(tx: Pick<Transaction, 'put'>, seq: number, kind: RecordKind, topic: number, previous: number, stamp: Stamp, content: Content): Uint8Array {
    const room = HEADER_BYTES + contentBytes(content);
    const space = this.#space(room);
    let end = room;
    if (content instanceof Uint8Array) space.set(content, HEADER_BYTES);
    else end = writeBody(space, HEADER_BYTES, content);
    const row = space === this.#row ? this.#view(end) : space.subarray(0, end);
    sealRecord(row, kind, topic, previous, stamp);
    putRecordKey(this.#recordKey, seq);
    tx.put(this.#recordKey, row);
    return row;
  }

  /** A large item has a buffer of its own, for once. */
  #space(room: number): Buffer {
    if (room > USUAL) return Buffer.allocUnsafe(room);
    if (room > this.#row.length) {
      this.#row = Buffer.allocUnsafe(Math.min(USUAL, room * 2));
      this.#views = [];
    }
    return this.#row;
  }

  #view(length: number): Uint8Array {
    return length > VIEWS ? this.#row.subarray(0, length) : this.#views[length] ??= this.#row.subarray(0, length);
  }

  /** Of a live record without a chosen id. */
  index(tx: Pick<Transaction, 'put'>, topic: number, seq: number, item: boolean, size: number, ordinal: number): void {
    putIndexKey(this.#indexKey, topic, seq);
    const end = putIndex(this.#index, { state: 'live', item, size, ordinal });
    tx.put(this.#indexKey, this.#indexViews[end]!);
  }
}
