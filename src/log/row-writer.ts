import { bodyRoom, writeBody } from './body.ts';
import { INDEX_BYTES, putIndex } from './index-row.ts';
import { indexKey, putIndexKey, putRecordKey, recordKey } from './keys.ts';
import { type Draft, HEADER_BYTES, type Header, sealRecord } from './record.ts';
import type { Transaction } from './transaction.ts';

/** The two rows that every append needs, built in the same few buffers each time: a batch copies what it is given. */
export class RowWriter {
  #row: Buffer = Buffer.allocUnsafe(4096);
  readonly #recordKey = recordKey(0);
  readonly #indexKey = indexKey(0, 0);
  readonly #index = new Uint8Array(INDEX_BYTES);

  /** Gives the row, good until the next one. `body` is that of a draft which is not plain. */
  record(tx: Transaction, seq: number, header: Header, draft: Draft, body: Uint8Array | undefined): Uint8Array {
    const room = HEADER_BYTES + (body?.length ?? bodyRoom(draft));
    if (room > this.#row.length) this.#row = Buffer.allocUnsafe(room * 2);
    if (body) this.#row.set(body, HEADER_BYTES);
    const row = this.#row.subarray(0, body ? room : writeBody(this.#row, HEADER_BYTES, draft));
    sealRecord(row, header);
    putRecordKey(this.#recordKey, seq);
    tx.put(this.#recordKey, row);
    return row;
  }

  /** Of a live record without a chosen id. */
  index(tx: Transaction, topic: number, seq: number, item: boolean, size: number, ordinal: number): void {
    putIndexKey(this.#indexKey, topic, seq);
    putIndex(this.#index, { state: 'live', item, size, ordinal });
    tx.put(this.#indexKey, this.#index);
  }
}
