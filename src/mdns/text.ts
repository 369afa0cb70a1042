import { LanpostError } from '../errors.ts';
import { asBuffer } from './message.ts';
import { cutText } from './name.ts';

/** RFC 6763 §6.2 asks for less than 1300; beyond this it could not be announced at all. */
const MAX_TEXT_BYTES = 8000;

/** A value as it is when its bytes are shown; `true` is a key without `=` (RFC 6763 §6.4). */
export type TextValue = string | true;

/**
 * The data of a TXT record. A pair over 255 bytes is cut between code points, as libpurple does;
 * of a repeated key the first counts (RFC 6763 §6.4, XEP-0174 §3: no key twice).
 */
export function encodeText(pairs: readonly (readonly [string, string])[]): Buffer {
  const seen = new Set<string>();
  const parts: Buffer[] = [];
  for (const [key, value] of pairs) {
    // RFC 6763 §6.4: printable US-ASCII, no "=", at least one character.
    if (!/^[\x20-\x3c\x3e-\x7e]{1,200}$/.test(key)) throw new LanpostError('invalid-value', `not a TXT key: ${JSON.stringify(key)}`);
    if (seen.has(key.toLowerCase())) continue;
    seen.add(key.toLowerCase());
    const text = Buffer.from(`${key}=${cutText(value, 255 - key.length - 1)}`);
    parts.push(Buffer.of(text.length), text);
  }
  // RFC 6763 §6.1: an empty TXT record is one zero byte.
  const bytes = parts.length === 0 ? Buffer.of(0) : Buffer.concat(parts);
  if (bytes.length > MAX_TEXT_BYTES) throw new LanpostError('too-large', `TXT data over ${MAX_TEXT_BYTES} bytes`);
  return bytes;
}

/** Keys in lower case: they have no case (RFC 6763 §6.4). Strings cut short or without a key are left out. As bytes, or a character for each. */
export function decodeText(data: Uint8Array | string): Map<string, TextValue> {
  const text = new Map<string, TextValue>();
  const whole = typeof data === 'string' ? data : asBuffer(data).toString('latin1');
  for (let at = 0; at < whole.length;) {
    const start = at + 1;
    const end = start + whole.charCodeAt(at);
    if (end > whole.length) break;
    at = end;
    const sign = whole.indexOf('=', start);
    const equals = sign < 0 || sign > end ? end : sign;
    const key = whole.slice(start, equals).toLowerCase();
    if (key === '' || text.has(key)) continue;
    text.set(key, equals === end ? true : textFromBytes(whole.slice(equals + 1, end)));
  }
  return text;
}

/** What UTF-8 says that is kept as a character for each byte. */
export function textFromBytes(bytes: string): string {
  for (let at = 0; at < bytes.length; at++) if (bytes.charCodeAt(at) > 0x7f) return Buffer.from(bytes, 'latin1').toString();
  return bytes;
}
