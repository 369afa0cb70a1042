import { Encoder } from 'cbor-x';
import { LanpostError } from '../errors.ts';

// useRecords: false, so that any CBOR reader can read the rows; bytes untagged, as RFC 8949 has them.
const encoder = new Encoder({ useRecords: false, variableMapSize: true, tagUint8Array: false });

export function encodeRow(value: unknown): Uint8Array {
  return encoder.encode(value);
}

/** As `encodeRow`, of what a caller gave. To be done before a batch: what fails within one ends writing. */
export function encodeGiven(value: unknown): Uint8Array {
  try {
    return encoder.encode(value);
  } catch (cause) {
    throw new LanpostError('invalid-value', 'The record holds something that cannot be stored.', { cause });
  }
}

/** Rows are our own and checked by CRC or by LevelDB, so their shape is known to who reads them. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names the row's shape
export function decodeRow<T>(bytes: Uint8Array): T {
  return encoder.decode(bytes);
}
