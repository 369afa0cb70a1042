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
}

const STATES = ['live', 'superseded', 'retracted'] as const;
const HAS_ID = 2;
/** Without an id. */
export const INDEX_BYTES = 14;

export function encodeIndex(row: IndexRow): Uint8Array {
  const { id } = row;
  const bytes = Buffer.allocUnsafe(id === undefined ? INDEX_BYTES : INDEX_BYTES + Buffer.byteLength(id));
  putIndex(bytes, row);
  if (id !== undefined) bytes.write(id, INDEX_BYTES);
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
  return {
    state: STATES[bytes[0]!] ?? 'live',
    item: (flags & 1) !== 0,
    size: getU32(bytes, 2),
    ordinal: getSeq(bytes, 6),
    ...((flags & HAS_ID) !== 0 && { id: Buffer.from(bytes.buffer, bytes.byteOffset + INDEX_BYTES, bytes.length - INDEX_BYTES).toString() }),
  };
}

export function isItem(kind: RecordKind): boolean {
  return kind === 'publish';
}
