import type { Value } from '../../src/index.ts';

/** What a flow wants a payload to be; `auto`: what it is. */
export const PAYLOAD_FORMS = ['auto', 'json', 'text', 'buffer', 'xml'] as const;
export type PayloadForm = (typeof PAYLOAD_FORMS)[number];

/** The value of an item as a flow wants it; throws, in words, when it cannot be that. */
export function flowPayload(value: Value, contentType: string, form: PayloadForm): unknown {
  switch (form) {
    case 'auto': return inFlow(value);
    case 'json': return typeof value === 'string' || value instanceof Uint8Array ? parsed(textOf(value)) : value;
    case 'text': return textOf(value);
    case 'buffer': return value instanceof Uint8Array ? inFlow(value) : Buffer.from(textOf(value));
    default:
      if (typeof value === 'string' && isXml(contentType)) return value;
      throw new Error(`the item is ${contentType}, not XML`);
  }
}

/** About how many bytes a value is. */
export function sizeOf(value: Value): number {
  return value instanceof Uint8Array ? value.byteLength : Buffer.byteLength(textOf(value));
}

/** Bytes are Buffers in Node-RED. */
export function inFlow(value: Value): unknown {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
}

/** A payload of a flow as it is published; throws, in words, when it cannot be that. */
export function publishable(payload: unknown, form: PayloadForm): Typed {
  if (!isValue(payload)) throw new Error(`msg.payload is ${payload === undefined ? 'missing' : `a ${typeof payload}`}: nothing that can be published`);
  switch (form) {
    case 'auto': return { value: payload };
    case 'json': return { value: typeof payload === 'string' || payload instanceof Uint8Array ? parsed(textOf(payload)) : payload, contentType: 'application/json' };
    case 'text': return { value: textOf(payload), contentType: 'text/plain' };
    case 'buffer': return { value: payload instanceof Uint8Array ? payload : Buffer.from(textOf(payload)), contentType: 'application/octet-stream' };
    default: return { value: textOf(payload), contentType: 'application/xml' };
  }
}

/** Bytes that are said to be text, JSON or XML are that, and so is text that is said to be JSON; throws, in words, when they are not. */
export function inMediaType(value: Value, contentType: string): Value {
  if (typeof value === 'string' && isJson(contentType)) return parsed(value);
  if (!(value instanceof Uint8Array)) return value;
  if (isJson(contentType)) return parsed(utf8Of(value));
  return /^text\//i.test(contentType) || isXml(contentType) ? utf8Of(value) : value;
}

export interface Typed { readonly value: Value; readonly contentType?: string }

/** The value in that media type, where it can be that; nodes of other makers set one, too, and know nothing of what a flow makes of the payload. */
export function fitting(contentType: string | undefined, value: Value): Typed | undefined {
  if (contentType === undefined || !/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+\s*(?:;.*)?$/.test(contentType)) return undefined;
  if (typeof value !== 'string' && !(value instanceof Uint8Array)) return isJson(contentType) || /^application\/([\w.-]+\+)?cbor\b/i.test(contentType) ? { value, contentType } : undefined;
  try {
    return { value: inMediaType(value, contentType), contentType };
  } catch {
    return undefined; // it is something else by now
  }
}

function utf8Of(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new Error('the Buffer is not text in UTF-8', { cause: error });
  }
}

/** What may be a value at all; what is inside it is the box's to judge. */
function isValue(payload: unknown): payload is Value {
  return ['string', 'number', 'boolean', 'object'].includes(typeof payload);
}

function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8') : JSON.stringify(value);
}

function parsed(text: string): Value {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what JSON holds is a value
    return JSON.parse(text) as Value;
  } catch (error) {
    throw new Error(`not JSON: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function isJson(contentType: string): boolean {
  return /^application\/json\b|^[^;]+\+json\b/i.test(contentType);
}

function isXml(contentType: string): boolean {
  return /^(application|text)\/xml\b|^[^;]+\+xml\b/i.test(contentType);
}
