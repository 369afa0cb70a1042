// CBOR (RFC 8949) for values. What comes from outside is walked first, so that the decoder never meets
// a length that is not there, a nesting without end, or an extension that makes objects of its own.
import { Encoder } from 'cbor-x';
import type { Value } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { assertValue, MAX_DEPTH } from './value.ts';

const MAX_ITEMS = 1_000_000;
const OPTIONS = { useRecords: false, variableMapSize: true, mapsAsObjects: true, tagUint8Array: false } as const;

function fault(what: string): never {
  throw new LanpostError('invalid-value', `Not acceptable CBOR: ${what}.`);
}

/** The value has been checked, and has no -0: that would be written as 0. */
export function encodeCbor(value: Value): Uint8Array {
  return Uint8Array.from(new Encoder(OPTIONS).encode(plain(value)));
}

/** What else is let in than values of ours have. */
export interface CborLeave {
  readonly integerKeys?: boolean;
  readonly tags?: readonly number[];
}

/** Well-formed (RFC 8949 §5.1), definite lengths only, bounded, one item and nothing after it. */
export function checkCbor(bytes: Uint8Array, { integerKeys = false, tags = [] }: CborLeave = {}): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let items = 0;
  const argument = (info: number): number => {
    if (info < 24) return info;
    const size = info === 24 ? 1 : info === 25 ? 2 : info === 26 ? 4 : info === 27 ? 8 : fault(info === 31 ? 'indefinite length' : 'reserved length');
    if (at + size > bytes.length) fault('cut short');
    const value = size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at) : size === 4 ? view.getUint32(at) : Number(view.getBigUint64(at));
    at += size;
    return value;
  };
  const isKey = (): boolean => {
    const kind = at < bytes.length ? view.getUint8(at) >> 5 : undefined;
    return kind === 3 || (integerKeys && (kind === 0 || kind === 1));
  };
  const item = (depth: number): void => {
    if (depth > MAX_DEPTH) fault(`more than ${MAX_DEPTH} deep`);
    if (++items > MAX_ITEMS) fault(`more than ${MAX_ITEMS} parts`);
    if (at >= bytes.length) fault('cut short');
    const head = view.getUint8(at++);
    const major = head >> 5;
    const value = argument(head & 31);
    switch (major) {
      case 0: case 1:
        if (value > Number.MAX_SAFE_INTEGER) fault('an integer over 53 bits');
        return;
      case 2: case 3:
        if (value > bytes.length - at) fault('cut short');
        at += value;
        return;
      case 4: case 5: {
        const count = major === 5 ? value * 2 : value;
        if (count > bytes.length - at) fault('cut short');
        for (let i = 0; i < count; i++) {
          if (major === 5 && i % 2 === 0 && !isKey()) fault('a key that is not text');
          item(depth + 1);
        }
        return;
      }
      case 6:
        if (!tags.includes(value)) fault('a tag');
        return item(depth + 1);
      default:
        if ((head & 31) === 23 || (head & 31) < 20 || (head & 31) === 24) fault('undefined, or a simple value');
    }
  };
  item(0);
  if (at !== bytes.length) fault('bytes after the end');
}

export function decodeCbor(bytes: Uint8Array): Value {
  checkCbor(bytes);
  let value: unknown;
  try {
    // As maps: of objects cbor-x renames the key `__proto__`.
    value = new Encoder({ ...OPTIONS, mapsAsObjects: false }).decode(Buffer.from(bytes));
  } catch (error) {
    throw new LanpostError('invalid-value', 'Not acceptable CBOR.', { cause: error });
  }
  const copy = plain(value);
  assertValue(copy);
  return copy;
}

/**
 * A copy in plain objects and bytes of this realm: cbor-x goes by constructors when it encodes, and when it
 * decodes it gives Buffers that share its input.
 */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object' || value === null) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
  if (Array.isArray(value)) return Array.from(value, plain);
  if (value instanceof Map) return Object.fromEntries(Array.from(value, ([key, child]: [unknown, unknown]) => [String(key), plain(child)]));
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, plain(child)]));
}
