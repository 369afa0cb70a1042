import { getSeq, getU32 } from './keys.ts';
import type { RecordKind } from './record.ts';

/** The value of a `t` row: what can be known of a record without reading it. */
export interface IndexRow {
  readonly state: 'live' | 'superseded' | 'retracted';
  /** Whether it is an item, and so counts in the view. */
  readonly item: boolean;
  readonly size: number;
  /** The how-manieth record of its topic it is. */
  readonly ordinal: number;
  /** When it is over, ms since 1970: under that it has an `x` row, while it is live. */
  readonly expires?: number;
  readonly id?: string;
  readonly key?: string;
}

// State and flags u8; size and ordinal, seven bits a byte, the lowest first, all but the last with its eighth bit set;
// when it is over likewise, and with a key
// the length of the id; then the id, and the key.
const STATES = ['live', 'superseded', 'retracted'] as const;
const STATE_MASK = 0x03, ITEM = 0x04, HAS_ID = 0x08, HAS_KEY = 0x10, HAS_EXPIRES = 0x20, SHORT = 0x80;
const NUMBER_BYTES = 8;
/** At most, without what few have. */
export const INDEX_BYTES: number = 1 + 2 * NUMBER_BYTES;
// Of stores up to format 3: state u8, flags u8, size u32, ordinal u64; with a key the id's length u32; id; key.
const LONG = { item: 1, hasId: 2, hasKey: 4, sizeAt: 2, ordinalAt: 6, bytes: 14 } as const;

export function encodeIndex(row: IndexRow): Uint8Array {
  const { id = '', key, expires } = row;
  const idBytes = Buffer.byteLength(id);
  const bytes = Buffer.allocUnsafe(INDEX_BYTES + 2 * NUMBER_BYTES + idBytes + Buffer.byteLength(key ?? ''));
  let end = putIndex(bytes, row);
  if (expires !== undefined) {
    bytes[0]! |= HAS_EXPIRES;
    end = putNumber(bytes, end, expires);
  }
  if (key !== undefined) {
    bytes[0]! |= HAS_KEY;
    end = putNumber(bytes, end, idBytes);
  }
  end += bytes.write(id, end);
  end += bytes.write(key ?? '', end);
  return bytes.subarray(0, end);
}

/** What all have; gives where it ends. */
export function putIndex(bytes: Uint8Array, { state, item, size, ordinal, id }: IndexRow): number {
  bytes[0] = SHORT | STATES.indexOf(state) | (item ? ITEM : 0) | (id === undefined ? 0 : HAS_ID);
  return putNumber(bytes, putNumber(bytes, 1, size), ordinal);
}

export function decodeIndex(bytes: Uint8Array): IndexRow {
  const head = bytes[0]!;
  if ((head & SHORT) === 0) return decodeLong(bytes);
  const [size, ordinalAt] = getNumber(bytes, 1);
  const [ordinal, expiresAt] = getNumber(bytes, ordinalAt);
  const hasExpires = (head & HAS_EXPIRES) !== 0;
  const [expires, end] = hasExpires ? getNumber(bytes, expiresAt) : [0, expiresAt];
  const hasKey = (head & HAS_KEY) !== 0;
  const [length, from] = hasKey ? getNumber(bytes, end) : [bytes.length - end, end];
  return {
    state: STATES[head & STATE_MASK] ?? 'live',
    item: (head & ITEM) !== 0,
    size,
    ordinal,
    ...(hasExpires && { expires }),
    ...((head & HAS_ID) !== 0 && { id: text(bytes, from, from + length) }),
    ...(hasKey && { key: text(bytes, from + length, bytes.length) }),
  };
}

function decodeLong(bytes: Uint8Array): IndexRow {
  const flags = bytes[1]!;
  const hasKey = (flags & LONG.hasKey) !== 0;
  const from = hasKey ? LONG.bytes + 4 : LONG.bytes;
  const to = hasKey ? from + getU32(bytes, LONG.bytes) : bytes.length;
  return {
    state: STATES[bytes[0]!] ?? 'live',
    item: (flags & LONG.item) !== 0,
    size: getU32(bytes, LONG.sizeAt),
    ordinal: getSeq(bytes, LONG.ordinalAt),
    ...((flags & LONG.hasId) !== 0 && { id: text(bytes, from, to) }),
    ...(hasKey && { key: text(bytes, to, bytes.length) }),
  };
}

function putNumber(bytes: Uint8Array, at: number, value: number): number {
  let left = value;
  let end = at;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes[end++] = (left % 0x80) | 0x80;
  bytes[end++] = left;
  return end;
}

function getNumber(bytes: Uint8Array, at: number): [value: number, end: number] {
  let value = 0;
  let end = at;
  for (let place = 1; end < bytes.length; place *= 0x80) {
    const byte = bytes[end++]!;
    value += (byte & 0x7f) * place;
    if (byte < 0x80) break;
  }
  return [value, end];
}

function text(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString();
}

export function isItem(kind: RecordKind): boolean {
  return kind === 'publish';
}
