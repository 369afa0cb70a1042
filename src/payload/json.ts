import type { Value } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { assertValue } from './value.ts';

/** RFC 8259, UTF-8. The value has been checked. */
export function encodeJson(value: Value): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

export function parseJson(text: string): Value {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new LanpostError('invalid-value', 'Not JSON.', { cause: error });
  }
  assertValue(value);
  return value;
}

export function decodeJson(bytes: Uint8Array): Value {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new LanpostError('invalid-value', 'The JSON is not UTF-8.', { cause: error });
  }
  return parseJson(text);
}
