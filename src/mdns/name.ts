import { isUtf8 } from 'node:buffer';
import { LanpostError } from '../errors.ts';

// A domain name is kept as text in the presentation form of RFC 1035 §5.1, without the last dot:
// `.` and `\` inside a label are escaped, a byte of a label that is no UTF-8 is `\DDD`. So
// `john.doe@pc` is one label, `john\.doe@pc`, and every name survives a round trip byte by byte.

/** RFC 1035 §2.3.4, RFC 6762 §16. */
export const MAX_LABEL_BYTES = 63;
/** RFC 6762 appendix C: 255 with the length bytes, without the final zero byte. */
export const MAX_NAME_BYTES = 255;

export function escapeLabel(text: string): string {
  return /[.\\]/.test(text) ? text.replace(/[.\\]/g, (found) => `\\${found}`) : text;
}

/** One label as it came from the wire. */
export function labelFromBytes(bytes: Buffer, start: number = 0, end: number = bytes.length): string {
  if (isPlainLabel(bytes, start, end)) return bytes.toString('latin1', start, end);
  const label = bytes.subarray(start, end);
  if (isUtf8(label)) return escapeLabel(label.toString());
  let text = '';
  for (const byte of label) {
    if (byte > 0x7e) text += `\\${byte}`;
    else text += escapeLabel(String.fromCharCode(byte));
  }
  return text;
}

/** Whether each byte of a label stands for itself. */
export function isPlainLabel(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x21 || byte > 0x7e || byte === 0x2e || byte === 0x5c) return false;
  }
  return true;
}

/** Where the label that begins at `start` ends: the index of its dot, or the name's length. */
export function labelEnd(name: string, start: number): number {
  let at = start;
  while (at < name.length) {
    const code = name.charCodeAt(at);
    if (code === 0x2e) break;
    at += code === 0x5c ? 2 : 1;
  }
  return Math.min(at, name.length);
}

/** The bytes of one escaped label. */
export function labelToBytes(label: string): Buffer {
  if (!label.includes('\\')) return Buffer.from(label);
  const parts: Buffer[] = [];
  for (const [piece] of label.matchAll(/\\\d{3}|\\.|[^\\]+/gsu)) {
    if (/^\\\d/.test(piece)) parts.push(Buffer.of(Number(piece.slice(1)) & 0xff));
    else parts.push(Buffer.from(piece.startsWith('\\') ? piece.slice(1) : piece));
  }
  return Buffer.concat(parts);
}

/** A name as it is written in a packet, without pointers. */
export function nameToBytes(name: string): Buffer {
  const parts: Buffer[] = [];
  for (let start = 0; start < name.length;) {
    const end = labelEnd(name, start);
    const label = labelToBytes(name.slice(start, end));
    parts.push(Buffer.of(label.length), label);
    start = end + 1;
  }
  return Buffer.concat([...parts, Buffer.of(0)]);
}

/** The first label, unescaped, and what follows it; `label` is absent if it is no UTF-8. */
export function firstLabel(name: string): { label?: string; rest: string } {
  const end = labelEnd(name, 0);
  const escaped = name.slice(0, end);
  const rest = name.slice(end + 1);
  if (!escaped.includes('\\')) return { label: escaped, rest };
  if (/\\\d{3}/.test(escaped.replaceAll('\\\\', ''))) return { rest };
  return { label: escaped.replace(/\\(.)/gsu, '$1'), rest };
}

/** `invalid-value` when it cannot be written: what others gave us always can, what a caller made up must be looked at. */
export function checkName(name: string): void {
  let bytes = 1;
  for (let start = 0; start < name.length;) {
    const end = labelEnd(name, start);
    const { length } = labelToBytes(name.slice(start, end));
    bytes += length + 1;
    if (length === 0 || length > MAX_LABEL_BYTES || bytes > MAX_NAME_BYTES) throw new LanpostError('invalid-value', `not a domain name: ${name}`);
    start = end + 1;
  }
}

/** What names are compared by: ASCII letters without case, everything else byte by byte (RFC 6762 §16). */
export function nameKey(name: string): string {
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    if (code >= 0x41 && code <= 0x5a) return name.replace(/[A-Z]+/g, (found) => found.toLowerCase());
  }
  return name;
}

export function sameName(a: string, b: string): boolean {
  return a === b || nameKey(a) === nameKey(b);
}

/** Cuts text so that its UTF-8 form has at most `bytes` bytes, between code points. */
export function cutText(text: string, bytes: number): string {
  const whole = Buffer.from(text);
  if (whole.length <= bytes) return text;
  let end = bytes;
  while (end > 0 && ((whole[end] ?? 0) & 0xc0) === 0x80) end--;
  return whole.toString('utf8', 0, end);
}
