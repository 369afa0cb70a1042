import { Encoder } from 'cbor-x';
import { checkCbor } from '../payload/cbor.ts';

export interface Codec {
  encode(message: object): Uint8Array;
  /** Throws on what is not well-formed, bounded CBOR. */
  decode(bytes: Uint8Array): unknown;
}

/** Messages as CBOR. One coder serves a connection's life: making one costs more than a message. */
export function createCodec(): Codec {
  const coder = new Encoder({ useRecords: false, variableMapSize: true, mapsAsObjects: true, tagUint8Array: false });
  return {
    encode: (message) => coder.encode(message),
    decode(bytes) {
      checkCbor(bytes);
      const message: unknown = coder.decode(bytes);
      return message;
    },
  };
}
