import { crc32 } from 'node:zlib';
import type { Gap, GapRange } from '../api.ts';
import { getSeq, getU32, getU48, putU32, putU48 } from './keys.ts';
import type { LostTopics } from './lost-topics.ts';
import type { Follow } from './outcomes.ts';

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
  /** What of the same box and chain must have been taken before: else it is refused (`busy`), and comes again behind that. Not kept. */
  readonly after?: Pick<Origin, 'epoch' | 'seq'>;
  /** Anything CBOR can hold, e.g. a message's envelope. */
  readonly extra?: unknown;
  readonly config?: TopicSettings;
  /** Wall time in milliseconds after which nobody wants it. */
  readonly expires?: number;
  /** Of a retraction: the position of the item that is meant, and no newer one of its name. Not kept. */
  readonly meant?: number;
  /** When it was accepted, of one that was somewhere else before. Default now. */
  readonly stamp?: Pick<Stamp, 'wall' | 'trusted'>;
  /** What is lost where this was first accepted, of a gap. */
  readonly gap?: GapInfo;
  /** Whoever appends it wants to know how it ends for that reader: `Log.outcome`. Not kept. */
  readonly follow?: Follow;
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

/** `from`, `to`: positions in the log that lost them. */
export interface GapInfo extends GapRange, LostTopics {
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

// Header: CRC-32 of the row with these four bytes zero u32, version u8, kind and flags u8,
// topic u32, previous u48, wall u48, mono u48 (sixteenths of a millisecond). Then the body (body.ts).
// Version 1, of stores up to format 3, had flags and kind apart, and eight bytes for each of the last three.
export const HEADER_BYTES = 28;
const VERSION = 2;
const VERSION_AT = 4, KIND_AT = 5, TOPIC_AT = 6, PREVIOUS_AT = 10, WALL_AT = 16, MONO_AT = 22;
const MONO_STEPS = 16;
const LATEST = 2 ** 48 - 1;
const FIRST = { version: 1, bytes: 36, flagsAt: 6, topicAt: 8, previousAt: 12, wallAt: 20, monoAt: 28, monoSteps: 1000 } as const;
/** Flags, above the kind. */
const TRUSTED = 0x10, ELSEWHERE = 0x20;
const KIND_MASK = 0x0f;
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
  row[KIND_AT] = KINDS.indexOf(kind) | (trusted ? TRUSTED : 0) | (elsewhere === true ? ELSEWHERE : 0);
  putU32(row, TOPIC_AT, topic);
  putU48(row, PREVIOUS_AT, previous);
  // Beyond the year 10 889 it is as late as can be said, and not early again.
  putU48(row, WALL_AT, Math.min(LATEST, Math.max(0, Math.floor(wall))));
  putU48(row, MONO_AT, Math.floor(mono * MONO_STEPS));
  putU32(row, 0, crc32(row));
}

export function recordCrc(row: Uint8Array): number {
  return getU32(row, 0);
}

/** Whether the row is one that was written here, and undamaged. */
export function recordIntact(row: Uint8Array): boolean {
  return hasHeader(row) && crc32(row.subarray(4), CRC_OF_ITS_PLACE) === recordCrc(row);
}

/** Whether it is long enough for its header, and that is of a known version. */
export function hasHeader(row: Uint8Array): boolean {
  return (row[VERSION_AT] === VERSION && row.length >= HEADER_BYTES) || (isFirst(row) && row.length >= FIRST.bytes);
}

const isFirst = (row: Uint8Array): boolean => row[VERSION_AT] === FIRST.version;

export function decodeHeader(row: Uint8Array): Header {
  return isFirst(row) ? decodeFirst(row) : {
    kind: KINDS[row[KIND_AT]! & KIND_MASK] ?? 'gap',
    topic: recordTopic(row),
    previous: getU48(row, PREVIOUS_AT),
    wall: getU48(row, WALL_AT),
    mono: getU48(row, MONO_AT) / MONO_STEPS,
    trusted: (row[KIND_AT]! & TRUSTED) !== 0,
    ...((row[KIND_AT]! & ELSEWHERE) !== 0 && { elsewhere: true }),
  };
}

function decodeFirst(row: Uint8Array): Header {
  const flags = row[FIRST.flagsAt]!;
  return {
    kind: KINDS[row[KIND_AT]!] ?? 'gap',
    topic: recordTopic(row),
    previous: getSeq(row, FIRST.previousAt),
    wall: getSeq(row, FIRST.wallAt),
    mono: getSeq(row, FIRST.monoAt) / FIRST.monoSteps,
    trusted: (flags & 1) !== 0,
    ...((flags & 2) !== 0 && { elsewhere: true }),
  };
}

/** Topic number, without decoding more. */
export function recordTopic(row: Uint8Array): number {
  return getU32(row, isFirst(row) ? FIRST.topicAt : TOPIC_AT);
}

/** What follows the header. */
export function recordBody(row: Uint8Array): Uint8Array {
  return row.subarray(isFirst(row) ? FIRST.bytes : HEADER_BYTES);
}
