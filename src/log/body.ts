// What a record holds besides its header: one CBOR array (RFC 8949), its fields in a fixed order, those at the end left out.
import { decodeRow, encodeRow } from './cbor.ts';
import { putU32 } from './keys.ts';
import { type LostTopicsRow, lostTopicsOf, lostTopicsRow } from './lost-topics.ts';
import type { Draft, GapInfo, GapReason, TopicSettings } from './record.ts';

// Common media types travel as their index.
const TYPES: readonly string[] = ['application/json', 'text/plain', 'application/octet-stream', 'application/xml'];
const UNSIGNED = 0x00, BYTES = 0x40, TEXT = 0x60, ARRAY = 0x80, MAP = 0xa0, UNDEFINED = 0xf7, DOUBLE = 0xfb;
/** Of a field's head, and what a field that is no text and no bytes takes at most. */
const HEAD = 9;

type Fields = readonly unknown[];

function fieldsOf({ payload, id, publisher, origin, expires, extra, config, gap }: Draft): Fields {
  const type = payload && TYPES.indexOf(payload.contentType);
  const fields: unknown[] = [
    payload && (type === -1 ? payload.contentType : type), payload?.bytes, id, publisher,
    origin && [origin.box, origin.epoch, origin.seq, origin.previous], expires, extra, config,
    gap && [gap.from, gap.to, gap.count, gap.reason, ...lostTopicsRow(gap)],
  ];
  while (fields.length > 0 && fields.at(-1) === undefined) fields.pop();
  return fields;
}

/** The same bytes for every draft, by way of the library. */
export function encodeBody(draft: Draft): Uint8Array {
  return encodeRow(fieldsOf(draft));
}

/** Names for texts, and nothing else. */
type Texts = Readonly<Record<string, string>>;

/** One that `writeBody` can write: nothing in it may have any shape. */
export type PlainDraft = Draft & { readonly config?: undefined; readonly gap?: undefined; readonly extra?: Texts | undefined };

const isText = (value: unknown): boolean => value === undefined || typeof value === 'string';

/** Whether everything in it is what it says: what is not is its caller's fault, and is found out before a batch has it. */
export function isSound({ topic, id, key, publisher, expires, origin, payload }: Draft): boolean {
  return typeof topic === 'string' && isText(id) && isText(key) && isText(publisher) && (expires === undefined || (typeof expires === 'number' && Math.abs(expires) <= Number.MAX_SAFE_INTEGER))
    && (payload === undefined || (typeof payload.contentType === 'string' && payload.bytes instanceof Uint8Array))
    && (origin === undefined || (typeof origin.box === 'string' && typeof origin.epoch === 'string'));
}

export function isPlain(draft: Draft): draft is PlainDraft {
  const { extra, config, gap } = draft;
  if (config !== undefined || gap !== undefined) return false;
  if (extra === undefined) return true;
  return typeof extra === 'object' && extra !== null && Object.getPrototypeOf(extra) === Object.prototype
    && Object.values(extra).every((value) => typeof value === 'string');
}

/** Bytes that `writeBody` needs at most. */
export function bodyRoom({ payload, id = '', publisher = '', origin, extra }: PlainDraft): number {
  let room = 12 * HEAD + 3 * (id.length + publisher.length);
  for (const name in extra) room += 2 * HEAD + 3 * (name.length + extra[name]!.length);
  if (payload) room += payload.bytes.length + 3 * payload.contentType.length;
  if (origin) room += 3 * (origin.box.length + origin.epoch.length);
  return room;
}

/** Writes a plain draft's body, without anything in between (measured: a third of the library's time); gives where it ends. */
export function writeBody(to: Buffer, at: number, { payload, id, publisher, origin, expires, extra }: PlainDraft): number {
  const count = extra !== undefined ? 7 : expires !== undefined ? 6 : origin ? 5 : publisher !== undefined ? 4 : id !== undefined ? 3 : payload ? 2 : 0;
  let end = head(to, at, ARRAY, count);
  if (count > 0) end = payload ? mediaType(to, end, payload.contentType) : nothing(to, end);
  if (count > 1) end = payload ? bytes(to, end, payload.bytes) : nothing(to, end);
  if (count > 2) end = text(to, end, id);
  if (count > 3) end = text(to, end, publisher);
  if (count > 4) {
    if (!origin) end = nothing(to, end);
    else {
      end = text(to, text(to, head(to, end, ARRAY, 4), origin.box), origin.epoch);
      end = number(to, number(to, end, origin.seq), origin.previous);
    }
  }
  if (count > 5) end = number(to, end, expires);
  return extra === undefined ? end : map(to, end, extra);
}

/** RFC 8949 §3: major type and argument. */
function head(to: Buffer, at: number, major: number, value: number): number {
  if (value < 24) {
    to[at] = major | value;
    return at + 1;
  }
  if (value < 0x100) {
    to[at] = major | 24;
    to[at + 1] = value;
    return at + 2;
  }
  if (value < 0x1_0000) {
    to[at] = major | 25;
    to[at + 1] = value >>> 8;
    to[at + 2] = value;
    return at + 3;
  }
  to[at] = major | 26;
  putU32(to, at + 1, value);
  return at + 5;
}

function nothing(to: Buffer, at: number): number {
  to[at] = UNDEFINED;
  return at + 1;
}

function mediaType(to: Buffer, at: number, contentType: string): number {
  const index = TYPES.indexOf(contentType);
  return index < 0 ? text(to, at, contentType) : head(to, at, UNSIGNED, index);
}

function bytes(to: Buffer, at: number, value: Uint8Array): number {
  const from = head(to, at, BYTES, value.length);
  to.set(value, from);
  return from + value.length;
}

function text(to: Buffer, at: number, value: string | undefined): number {
  if (value === undefined) return nothing(to, at);
  const length = Buffer.byteLength(value);
  const from = head(to, at, TEXT, length);
  to.write(value, from);
  return from + length;
}

function map(to: Buffer, at: number, texts: Texts): number {
  let end = head(to, at, MAP, Object.keys(texts).length);
  for (const name in texts) end = text(to, text(to, end, name), texts[name]);
  return end;
}

function number(to: Buffer, at: number, value: number | undefined): number {
  if (value === undefined) return nothing(to, at);
  if (Number.isInteger(value) && value >= 0 && value < 0x1_0000_0000) return head(to, at, UNSIGNED, value);
  to[at] = DOUBLE;
  to.writeDoubleBE(value, at + 1);
  return at + HEAD;
}

export type Body = Omit<Draft, 'topic' | 'kind' | 'stamp'>;

/** What a body holds; only for rows that are `recordIntact`. */
export function decodeBody(body: Uint8Array): Body {
  const [kind, payload, id, publisher, origin, expires, extra, config, gap] = decodeRow<[
    number | string | undefined, Uint8Array | undefined, string | undefined, string | undefined,
    [string, string, number, number | undefined] | undefined, number | undefined, unknown,
    TopicSettings | undefined, [number, number, number | undefined, GapReason, ...LostTopicsRow] | undefined,
  ]>(body);
  return {
    ...(kind !== undefined && payload && {
      payload: {
        contentType: typeof kind === 'number' ? TYPES[kind] ?? 'application/octet-stream' : kind,
        bytes: new Uint8Array(payload.buffer, payload.byteOffset, payload.length),
      },
    }),
    ...(id !== undefined && { id }),
    ...(publisher !== undefined && { publisher }),
    ...(origin && { origin: { box: origin[0], epoch: origin[1], seq: origin[2], ...(origin[3] !== undefined && { previous: origin[3] }) } }),
    ...(expires !== undefined && { expires }),
    ...(extra !== undefined && { extra }),
    ...(config !== undefined && { config }),
    ...(gap && { gap: gapOf(gap) }),
  };
}

function gapOf([from, to, count, reason, ...topics]: [number, number, number | undefined, GapReason, ...LostTopicsRow]): GapInfo {
  return { from, to, ...(count !== undefined && { count }), reason, ...lostTopicsOf(topics) };
}
