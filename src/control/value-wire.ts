// Values across the socket. JSON travels as its text: no limit of CBOR's nesting or number
// forms comes between what one side gave and what the other gets.
import type { Value } from '../api.ts';
import { isRecord } from './record.ts';
import { take } from './take.ts';
import { ProtocolError } from './wire.ts';

export type WireValue = { readonly text: string } | { readonly bytes: Uint8Array } | { readonly json: string };

export function packValue(value: Value): WireValue {
  if (typeof value === 'string') return { text: value };
  if (value instanceof Uint8Array) return { bytes: value };
  return { json: JSON.stringify(value) };
}

export function unpackValue(packed: unknown): Value {
  if (isRecord(packed)) {
    if (typeof packed['text'] === 'string') return packed['text'];
    // A copy: what was decoded is a window on the socket's own buffer.
    if (packed['bytes'] instanceof Uint8Array) return new Uint8Array(packed['bytes']);
    if (typeof packed['json'] === 'string') return take<Value>(JSON.parse(packed['json']));
  }
  throw new ProtocolError('not a value');
}
