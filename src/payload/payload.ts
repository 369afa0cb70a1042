// One value with a media type, in the bytes of that media type.
import type { Value } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { Element } from '../xml/element.ts';
import { XmlFault } from '../xml/fault.ts';
import { parseElement } from '../xml/parse.ts';
import { serializeStandalone } from '../xml/serialize.ts';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { decodeJson, encodeJson, encodeSignedJson } from './json.ts';
import { cborToSenml } from './senml/cbor.ts';
import { checkSenml, type SenmlPack } from './senml/pack.ts';
import { elementToSenml } from './senml/xml.ts';
import { checkValue, type Traits } from './value.ts';

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

/** A media type without its parameters, as it is compared. */
export function essenceOf(contentType: string): string {
  return (contentType.split(';')[0] ?? '').trim().toLowerCase();
}

/** How a media type is written down; RFC 6838 suffixes count. */
export function formOf(contentType: string): Form {
  const essence = essenceOf(contentType);
  if (essence === 'application/json' || essence.endsWith('+json')) return 'json';
  if (essence === 'application/xml' || essence === 'text/xml' || essence.endsWith('+xml')) return 'xml';
  if (essence === 'application/cbor' || essence.endsWith('+cbor')) return 'cbor';
  return essence.startsWith('text/') ? 'text' : 'bytes';
}

/** In the media type of its kind. */
function inOwnType(value: Value, traits: Traits): Payload {
  if (typeof value === 'string') return { contentType: 'text/plain', bytes: Buffer.from(value) };
  if (ArrayBuffer.isView(value)) return { contentType: 'application/octet-stream', bytes: copy(value) };
  // JSON has no bytes; rather than refuse them within a value, it travels as what has both.
  if (traits.bytes) return { contentType: 'application/cbor', bytes: asCbor(value, traits) };
  return { contentType: 'application/json', bytes: asJson(value, traits) };
}

function asJson(value: Value, { minusZero }: Traits): Uint8Array {
  return minusZero ? encodeSignedJson(value) : encodeJson(value);
}

function asCbor(value: Value, { minusZero }: Traits): Uint8Array {
  if (minusZero) throw new LanpostError('invalid-value', '-0 does not travel as CBOR; publish 0, or JSON without bytes.');
  return encodeCbor(value);
}

/** Throws LanpostError `invalid-value` that says what and where. */
export function toPayload(value: Value, contentType?: string): Payload {
  const traits = checkValue(value);
  if (contentType === undefined) return inOwnType(value, traits);
  if (typeof contentType !== 'string') throw new TypeError('a media type must be a string');
  if (!isMediaType(contentType)) throw new LanpostError('invalid-value', `Not a media type, as application/json or text/plain are: ${JSON.stringify(contentType.slice(0, 64))}.`);
  return senmlPayload(value, contentType) ?? { contentType, bytes: encode(value, contentType, traits) };
}

export const SENML_JSON = 'application/senml+json';

/** SenML is one value inside, whichever of its forms it comes in (RFC 8428 §5 to §7). */
function senmlPayload(value: Value, contentType: string): Payload | undefined {
  switch (essenceOf(contentType)) {
    case SENML_JSON: return inSenml(checkSenml(value));
    case 'application/senml+xml': return typeof value === 'string' ? inSenml(elementToSenml(xmlOf(value))) : undefined;
    case 'application/senml+cbor': return inSenml(ArrayBuffer.isView(value) ? cborToSenml(copy(value)) : checkSenml(value));
    default: return undefined;
  }
}

function inSenml(pack: SenmlPack): Payload {
  return { contentType: SENML_JSON, bytes: asJson(pack, checkValue(pack)) };
}

function copy({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength).slice();
}

function encode(value: Value, type: string, traits: Traits): Uint8Array {
  const form = formOf(type);
  if (form === 'json') {
    if (ArrayBuffer.isView(value) || traits.bytes) throw new LanpostError('invalid-value', 'Bytes do not travel as JSON; use application/cbor or application/octet-stream.');
    return asJson(value, traits);
  }
  if (form === 'cbor') return asCbor(value, traits);
  if (form === 'xml' && typeof value === 'string') return encodeXml(value);
  if (typeof value === 'string') return Buffer.from(value);
  if (ArrayBuffer.isView(value) && form !== 'xml') return copy(value);
  throw new LanpostError('invalid-value', `Only text${form === 'xml' ? '' : ' or bytes'} can be published as ${type}.`);
}

/** Kept in one canonical spelling, so that a trip over XMPP does not change it. */
function encodeXml(text: string): Uint8Array {
  const element = xmlOf(text);
  // No stream may have one (RFC 6120 §11.1); to leave it out would be to change what was published.
  if (hasComment(text)) throw new LanpostError('invalid-value', 'XML with a comment cannot be published: XMPP has none.');
  return Buffer.from(serializeStandalone(element));
}

/** In well-formed text; what stands in a CDATA section is none. */
function hasComment(text: string): boolean {
  for (let at = 0; ;) {
    const comment = text.indexOf('<!--', at);
    if (comment < 0) return false;
    const cdata = text.indexOf('<![CDATA[', at);
    if (cdata < 0 || comment < cdata) return true;
    at = text.indexOf(']]>', cdata) + 3;
  }
}

function xmlOf(text: string): Element {
  try {
    return parseElement(text, { stanzaBytes: Number.MAX_SAFE_INTEGER, depth: 64 });
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
