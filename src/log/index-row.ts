import { getSeq, getU32, putSeq, putU32 } from './keys.ts';
import type { RecordKind } from './record.ts';

/** The value of a `t` row: what can be known of a record without reading it. */
export interface IndexRow {
  readonly state: 'live' | 'superseded' | 'retracted';
  /** Whether it is an item, and so counts in the view. */
  readonly item: boolean;
  readonly size: number;
  /** The how-manieth record of its topic it is. */
  readonly ordinal: number;
  readonly id?: string;
  readonly key?: string;
}

const STATES = ['live', 'superseded', 'retracted'] as const;
const HAS_ID = 2;
/** Then the id, if there is one, has its length before it, and the key follows. */
const HAS_KEY = 4;
/** Without an id. */
export const INDEX_BYTES = 14;

export function encodeIndex(row: IndexRow): Uint8Array {
  const { id, key } = row;
  if (key !== undefined) return withKey(row, id ?? '', key);
  const bytes = Buffer.allocUnsafe(id === undefined ? INDEX_BYTES : INDEX_BYTES + Buffer.byteLength(id));
  putIndex(bytes, row);
  if (id !== undefined) bytes.write(id, INDEX_BYTES);
  return bytes;
}

function withKey(row: IndexRow, id: string, key: string): Uint8Array {
  const length = Buffer.byteLength(id);
  const bytes = Buffer.allocUnsafe(INDEX_BYTES + 4 + length + Buffer.byteLength(key));
  putIndex(bytes, row);
  bytes[1]! |= HAS_KEY;
  putU32(bytes, INDEX_BYTES, length);
  bytes.write(id, INDEX_BYTES + 4);
  bytes.write(key, INDEX_BYTES + 4 + length);
  return bytes;
}

/** All but the id itself. */
export function putIndex(bytes: Uint8Array, { state, item, size, ordinal, id }: IndexRow): void {
  bytes[0] = STATES.indexOf(state);
  bytes[1] = (item ? 1 : 0) | (id === undefined ? 0 : HAS_ID);
  putU32(bytes, 2, size);
  putSeq(bytes, 6, ordinal);
}

export function decodeIndex(bytes: Uint8Array): IndexRow {
  const flags = bytes[1]!;
  const hasKey = (flags & HAS_KEY) !== 0;
  const from = hasKey ? INDEX_BYTES + 4 : INDEX_BYTES;
  const to = hasKey ? from + getU32(bytes, INDEX_BYTES) : bytes.length;
  return {
    state: STATES[bytes[0]!] ?? 'live',
    item: (flags & 1) !== 0,
    size: getU32(bytes, 2),
    ordinal: getSeq(bytes, 6),
    ...((flags & HAS_ID) !== 0 && { id: text(bytes, from, to) }),
    ...(hasKey && { key: text(bytes, to, bytes.length) }),
  };
}

function text(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString();
}

export function isItem(kind: RecordKind): boolean {
  return kind === 'publish';
}
