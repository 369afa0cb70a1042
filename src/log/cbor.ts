import { Encoder } from 'cbor-x';

// useRecords: false, so that any CBOR reader can read the rows; bytes untagged, as RFC 8949 has them.
const encoder = new Encoder({ useRecords: false, variableMapSize: true, tagUint8Array: false });

export function encodeRow(value: unknown): Uint8Array {
  return encoder.encode(value);
}

/** Rows are our own and checked by CRC or by LevelDB, so their shape is known to who reads them. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names the row's shape
export function decodeRow<T>(bytes: Uint8Array): T {
  return encoder.decode(bytes);
}
