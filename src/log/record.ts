import { crc32 } from 'node:zlib';
import type { Gap } from '../api.ts';
import { getSeq, getU32, putSeq, putU32 } from './keys.ts';

export type RecordKind = 'publish' | 'retract' | 'purge' | 'delete' | 'configure' | 'gap';
export type GapReason = Gap['reason'];

export interface RecordPayload {
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

/** Where a record was first accepted; `previous` is its topic's previous record in the same epoch there. */
export interface Origin {
  readonly box: string;
  readonly epoch: string;
  readonly seq: number;
  readonly previous?: number;
  /** One of several sequences that its box feeds into the topic here; each has a mark of its own. Not kept with the record. */
  readonly chain?: string;
}

/** Opaque to the log, except for what bounds the view. */
export interface TopicSettings {
  readonly maxItems?: number;
  /** Bytes of the items in the view; the newest stays whatever it has. */
  readonly maxBytes?: number;
  /** Milliseconds after which an item leaves the view. */
  readonly maxAge?: number;
  /** The same, as whoever sends items says it. */
  readonly itemExpire?: number;
  /** What becomes of an item for which the view has no room: the oldest goes, or it is refused `topic-full`. */
  readonly full?: 'drop-oldest' | 'reject';
  readonly lane?: 'history' | 'latest';
  readonly [key: string]: unknown;
}

/** What a caller wants appended. */
export interface Draft {
  readonly topic: string;
  readonly kind: RecordKind;
  readonly id?: string;
  /** In the lane `latest`: what else it replaces, besides the item with its id, is the item with this key. */
  readonly key?: string;
  readonly payload?: RecordPayload;
  readonly publisher?: string;
  readonly origin?: Origin;
  /** Anything CBOR can hold, e.g. a message's envelope. */
  readonly extra?: unknown;
  readonly config?: TopicSettings;
  /** Wall time in milliseconds after which nobody wants it. */
  readonly expires?: number;
  /** When it was accepted, of one that was somewhere else before. Default now. */
  readonly stamp?: Pick<Stamp, 'wall' | 'trusted'>;
  /** What is lost where this was first accepted, of a gap. */
  readonly gap?: GapInfo;
  /** From whoever may take things away, without a payload: it is taken below the disk's floor as well, so that there can be room again. */
  readonly makesRoom?: boolean;
}

export interface Stamp {
  readonly wall: number;
  readonly mono: number;
  /** The opening of the store that `mono` belongs to. */
  readonly boot: string;
  readonly trusted: boolean;
  /** `wall` and `trusted` are another log's: `mono` tells only since when it is here. */
  readonly elsewhere?: boolean;
}

export interface GapInfo {
  /** Positions in the log that lost them. */
  readonly from: number;
  readonly to: number;
  readonly count?: number;
  readonly reason: GapReason;
}

export interface LogRecord {
  readonly seq: number;
  /** Empty for a gap that concerns every topic. */
  readonly topic: string;
  readonly kind: RecordKind;
  /** Seq of the topic's previous record, 0 for the first. */
  readonly previous: number;
  readonly id?: string;
  readonly recordId: string;
  readonly payload?: RecordPayload;
  readonly publisher?: string;
  readonly origin?: Origin;
  readonly extra?: unknown;
  readonly config?: TopicSettings;
  readonly stamp: Stamp;
  readonly expires?: number;
  readonly gap?: GapInfo;
}

// Header: CRC-32 of the row with these four bytes zero u32, version u8, kind u8, flags u8, 0,
// topic u32, previous u64, wall u64, mono u64 (thousandths of a millisecond). Then the body (body.ts).
export const HEADER_BYTES = 36;
const VERSION = 1;
const TRUSTED = 1, ELSEWHERE = 2;
const VERSION_AT = 4, KIND_AT = 5, FLAGS_AT = 6, TOPIC_AT = 8, PREVIOUS_AT = 12, WALL_AT = 20, MONO_AT = 28;
const KINDS: readonly RecordKind[] = ['publish', 'retract', 'purge', 'delete', 'configure', 'gap'];
/** The CRC of the four zero bytes that its own place counts as. */
const CRC_OF_ITS_PLACE: number = crc32(new Uint8Array(4));

export interface Header extends Omit<Stamp, 'boot'> {
  readonly kind: RecordKind;
  readonly topic: number;
  readonly previous: number;
}

/** The row of one record; its CRC stands in the header. */
export function encodeRecord(header: Header, body: Uint8Array): Uint8Array {
  const row = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  row.set(body, HEADER_BYTES);
  sealRecord(row, header.kind, header.topic, header.previous, header);
  return row;
}

/** Puts the header before a body that is in place. */
export function sealRecord(row: Uint8Array, kind: RecordKind, topic: number, previous: number, { wall, mono, trusted, elsewhere }: Omit<Stamp, 'boot'>): void {
  putU32(row, 0, 0);
  row[VERSION_AT] = VERSION;
  row[KIND_AT] = KINDS.indexOf(kind);
  row[FLAGS_AT] = (trusted ? TRUSTED : 0) | (elsewhere === true ? ELSEWHERE : 0);
  row[FLAGS_AT + 1] = 0;
  putU32(row, TOPIC_AT, topic);
  putSeq(row, PREVIOUS_AT, previous);
  putSeq(row, WALL_AT, Math.max(0, Math.floor(wall)));
  putSeq(row, MONO_AT, Math.floor(mono * 1000));
  putU32(row, 0, crc32(row));
}

export function recordCrc(row: Uint8Array): number {
  return getU32(row, 0);
}

/** Whether the row is one this version wrote and undamaged. */
export function recordIntact(row: Uint8Array): boolean {
  if (row.length < HEADER_BYTES || row[VERSION_AT] !== VERSION) return false;
  return crc32(row.subarray(4), CRC_OF_ITS_PLACE) === recordCrc(row);
}

export function decodeHeader(row: Uint8Array): Header {
  return {
    kind: KINDS[row[KIND_AT]!] ?? 'gap',
    topic: recordTopic(row),
    previous: getSeq(row, PREVIOUS_AT),
    wall: getSeq(row, WALL_AT),
    mono: getSeq(row, MONO_AT) / 1000,
    trusted: (row[FLAGS_AT]! & TRUSTED) !== 0,
    ...((row[FLAGS_AT]! & ELSEWHERE) !== 0 && { elsewhere: true }),
  };
}

/** Topic number, without decoding more. */
export function recordTopic(row: Uint8Array): number {
  return getU32(row, TOPIC_AT);
}

/** What follows the header. */
export function recordBody(row: Uint8Array): Uint8Array {
  return row.subarray(HEADER_BYTES);
}
