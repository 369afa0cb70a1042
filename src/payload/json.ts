import type { Value } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { assertValue } from './value.ts';

/** RFC 8259, UTF-8. The value has been checked. */
export function encodeJson(value: Value): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

/** The same of a value that has a -0, which `JSON.stringify` would write as 0. JSON has it. */
export function encodeSignedJson(value: Value): Uint8Array {
  return Buffer.from(written(value));
}

function written(value: Value): string {
  if (Object.is(value, -0)) return '-0';
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return JSON.stringify(value);
  if (isList(value)) return `[${value.map(written).join(',')}]`;
  return `{${Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}:${written(one)}`).join(',')}}`;
}

function isList(value: object): value is readonly Value[] {
  return Array.isArray(value);
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
