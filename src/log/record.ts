import { crc32 } from 'node:zlib';
import { decodeRow, encodeRow } from './cbor.ts';
import { getSeq, getU32, putSeq, putU32 } from './keys.ts';

export type DraftKind = 'publish' | 'retract' | 'purge' | 'delete' | 'configure';
export type RecordKind = DraftKind | 'gap';
export type GapReason = 'corrupt' | 'overflow' | 'disk-full' | 'expired' | 'trimmed' | 'unknown';

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
  readonly lane?: 'history' | 'latest';
  readonly [key: string]: unknown;
}

/** What a caller wants appended. */
export interface Draft {
  readonly topic: string;
  readonly kind: DraftKind;
  readonly id?: string;
  readonly payload?: RecordPayload;
  readonly publisher?: string;
  readonly origin?: Origin;
  /** Anything CBOR can hold, e.g. a message's envelope. */
  readonly extra?: unknown;
  readonly config?: TopicSettings;
  /** Wall time in milliseconds after which nobody wants it. */
  readonly expires?: number;
}

export interface Stamp {
  readonly wall: number;
  readonly mono: number;
  /** The opening of the store that `mono` belongs to. */
  readonly boot: string;
  readonly trusted: boolean;
}

export interface GapInfo {
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

// Header: version u8, kind u8, flags u8, 0, topic u32, CRC-32 of everything else u32,
// previous u64, wall u64, mono u64 (thousandths of a millisecond). Then one CBOR array.
export const HEADER_BYTES = 36;
const VERSION = 1;
const TRUSTED = 1;
const CRC_AT = 8;
const KINDS: readonly RecordKind[] = ['publish', 'retract', 'purge', 'delete', 'configure', 'gap'];
// Common media types travel as their index.
const TYPES: readonly string[] = ['application/json', 'text/plain', 'application/octet-stream', 'application/xml'];

export interface Header {
  readonly kind: RecordKind;
  readonly topic: number;
  readonly previous: number;
  readonly wall: number;
  readonly mono: number;
  readonly trusted: boolean;
}

/** The part of a record that is known before its place in the log. */
export function encodeBody(draft: Draft, gap?: GapInfo): Uint8Array {
  const { payload, id, publisher, origin, expires, extra, config } = draft;
  const type = payload && TYPES.indexOf(payload.contentType);
  const fields: unknown[] = [
    payload && (type === -1 ? payload.contentType : type), payload?.bytes, id, publisher,
    origin && [origin.box, origin.epoch, origin.seq, origin.previous], expires, extra, config,
    gap && [gap.from, gap.to, gap.count, gap.reason],
  ];
  while (fields.length > 0 && fields.at(-1) === undefined) fields.pop();
  return encodeRow(fields);
}

/** The row of one record; its CRC stands in the header. */
export function encodeRecord(header: Header, body: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  bytes[0] = VERSION;
  bytes[1] = KINDS.indexOf(header.kind);
  bytes[2] = header.trusted ? TRUSTED : 0;
  bytes[3] = 0;
  putU32(bytes, 4, header.topic);
  putSeq(bytes, 12, header.previous);
  putSeq(bytes, 20, Math.max(0, Math.floor(header.wall)));
  putSeq(bytes, 28, Math.floor(header.mono * 1000));
  bytes.set(body, HEADER_BYTES);
  putU32(bytes, CRC_AT, crcOf(bytes));
  return bytes;
}

export function recordCrc(bytes: Uint8Array): number {
  return getU32(bytes, CRC_AT);
}

/** Whether the row is one this version wrote and undamaged. */
export function recordIntact(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_BYTES || bytes[0] !== VERSION) return false;
  return crcOf(bytes) === recordCrc(bytes);
}

/** Over everything but its own four bytes. */
function crcOf(bytes: Uint8Array): number {
  return crc32(bytes.subarray(CRC_AT + 4), crc32(bytes.subarray(0, CRC_AT)));
}

export function decodeHeader(bytes: Uint8Array): Header {
  return {
    kind: KINDS[bytes[1]!] ?? 'gap',
    topic: recordTopic(bytes),
    previous: getSeq(bytes, 12),
    wall: getSeq(bytes, 20),
    mono: getSeq(bytes, 28) / 1000,
    trusted: (bytes[2]! & TRUSTED) !== 0,
  };
}

/** Topic number, without decoding more. */
export function recordTopic(bytes: Uint8Array): number {
  return getU32(bytes, 4);
}

/** What a body holds; only for rows that are `recordIntact`. */
export function decodeBody(bytes: Uint8Array): Omit<Draft, 'topic' | 'kind'> & { readonly gap?: GapInfo } {
  const [type, payload, id, publisher, origin, expires, extra, config, gap] = decodeRow<[
    number | string | undefined, Uint8Array | undefined, string | undefined, string | undefined,
    [string, string, number, number | undefined] | undefined, number | undefined, unknown,
    TopicSettings | undefined, [number, number, number | undefined, GapReason] | undefined,
  ]>(bytes.subarray(HEADER_BYTES));
  return {
    ...(type !== undefined && payload && {
      payload: {
        contentType: typeof type === 'number' ? TYPES[type] ?? 'application/octet-stream' : type,
        bytes: new Uint8Array(payload.buffer, payload.byteOffset, payload.length),
      },
    }),
    ...(id !== undefined && { id }),
    ...(publisher !== undefined && { publisher }),
    ...(origin && { origin: { box: origin[0], epoch: origin[1], seq: origin[2], ...(origin[3] !== undefined && { previous: origin[3] }) } }),
    ...(expires !== undefined && { expires }),
    ...(extra !== undefined && { extra }),
    ...(config !== undefined && { config }),
    ...(gap && { gap: { from: gap[0], to: gap[1], ...(gap[2] !== undefined && { count: gap[2] }), reason: gap[3] } }),
  };
}
