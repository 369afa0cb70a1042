// One value with a media type, in the bytes of that media type.
import type { Value } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { XmlFault } from '../xml/fault.ts';
import { parseElement } from '../xml/parse.ts';
import { serializeStandalone } from '../xml/serialize.ts';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { decodeJson, encodeJson } from './json.ts';
import { checkValue } from './value.ts';

export interface Payload {
  readonly contentType: string;
  readonly bytes: Uint8Array;
  /** It has come as an element, and its text can go out as one without being looked at again. Not kept on disk. */
  readonly legible?: true;
}

const TYPE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+\/[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*;[ \t]*[\t\x20-\x7e]+)?$/;
const MAX_TYPE = 255;

export function isMediaType(type: string): boolean {
  return type.length <= MAX_TYPE && TYPE.test(type);
}

export type Form = 'json' | 'xml' | 'cbor' | 'text' | 'bytes';

/** How a media type is written down; RFC 6838 suffixes count. */
export function formOf(contentType: string): Form {
  const essence = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  if (essence === 'application/json' || essence.endsWith('+json')) return 'json';
  if (essence === 'application/xml' || essence === 'text/xml' || essence.endsWith('+xml')) return 'xml';
  if (essence === 'application/cbor' || essence.endsWith('+cbor')) return 'cbor';
  return essence.startsWith('text/') ? 'text' : 'bytes';
}

/** In the media type of its kind. */
function inOwnType(value: Value, hasBytes: boolean): Payload {
  if (typeof value === 'string') return { contentType: 'text/plain', bytes: Buffer.from(value) };
  if (ArrayBuffer.isView(value)) return { contentType: 'application/octet-stream', bytes: copy(value) };
  // JSON has no bytes; rather than refuse them within a value, it travels as what has both.
  if (hasBytes) return { contentType: 'application/cbor', bytes: encodeCbor(value) };
  return { contentType: 'application/json', bytes: encodeJson(value) };
}

/** Throws LanpostError `invalid-value` that says what and where. */
export function toPayload(value: Value, contentType?: string): Payload {
  const hasBytes = checkValue(value);
  if (contentType === undefined) return inOwnType(value, hasBytes);
  if (!isMediaType(contentType)) throw new LanpostError('invalid-value', `Not a media type: ${JSON.stringify(contentType.slice(0, 64))}.`);
  return { contentType, bytes: encode(value, contentType, hasBytes) };
}

function copy({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength).slice();
}

function encode(value: Value, type: string, hasBytes: boolean): Uint8Array {
  const form = formOf(type);
  if (form === 'json') {
    if (ArrayBuffer.isView(value) || hasBytes) throw new LanpostError('invalid-value', 'Bytes do not travel as JSON; use application/cbor or application/octet-stream.');
    return encodeJson(value);
  }
  if (form === 'cbor') return encodeCbor(value);
  if (form === 'xml' && typeof value === 'string') return encodeXml(value);
  if (typeof value === 'string') return Buffer.from(value);
  if (ArrayBuffer.isView(value) && form !== 'xml') return copy(value);
  throw new LanpostError('invalid-value', `Only text${form === 'xml' ? '' : ' or bytes'} can be published as ${type}.`);
}

/** Kept in one canonical spelling, so that a trip over XMPP does not change it. */
function encodeXml(text: string): Uint8Array {
  try {
    return Buffer.from(serializeStandalone(parseElement(text, { stanzaBytes: Number.MAX_SAFE_INTEGER, depth: 64 })));
  } catch (error) {
    if (error instanceof XmlFault) throw new LanpostError('invalid-value', `Not one well-formed XML element: ${error.message}.`, { cause: error });
    throw error;
  }
}

export function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new LanpostError('invalid-value', 'The text is not UTF-8.', { cause: error });
  }
}

/** The inverse; throws `invalid-value` when the bytes are not what the media type says. */
export function fromPayload(payload: Payload): Value {
  const form = formOf(payload.contentType);
  if (form === 'json') return decodeJson(payload.bytes);
  if (form === 'cbor') return decodeCbor(payload.bytes);
  return form === 'bytes' ? Uint8Array.from(payload.bytes) : decodeText(payload.bytes);
}
