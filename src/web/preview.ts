import type { Value } from '../index.ts';

/** The beginning of a value, in so many characters; what is beyond them is not even looked at. */
export function preview(value: Value, most: number): string {
  const words = typeof value === 'string' ? value.slice(0, most + 1) : said(value, most + 1);
  return words.length > most ? `${words.slice(0, most)}…` : words;
}

function said(value: Value, room: number): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, Math.max(0, room)));
  if (value === null || typeof value !== 'object') return String(value);
  if (room <= 0) return ''; // each level takes of it, so it is never deep
  if (ArrayBuffer.isView(value)) return bytes(value, room);
  return isList(value) ? `[${joined(value.values(), room, (one, left) => said(one, left - 1))}]`
    : `{${joined(ownEntries(value), room, ([key, one], left) => `${JSON.stringify(key.slice(0, Math.max(0, left)))}:${said(one, left - key.length - 1)}`)}}`;
}

const isList = (value: object): value is readonly Value[] => Array.isArray(value);

/** Without a list of all keys first: there may be very many. */
function* ownEntries(value: { readonly [key: string]: Value }): Generator<[string, Value]> {
  for (const key in value) {
    const one = value[key];
    if (Object.hasOwn(value, key) && one !== undefined) yield [key, one];
  }
}

function joined<T>(parts: Iterable<T>, room: number, words: (part: T, room: number) => string): string {
  let text = '';
  for (const part of parts) {
    if (text.length > room) break;
    text += (text === '' ? '' : ',') + words(part, room - text.length);
  }
  return text;
}

function bytes(value: Uint8Array, room: number): string {
  const shown = value.subarray(0, Math.max(1, Math.floor(room / 3)));
  const hex = [...shown].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return `${value.length} ${value.length === 1 ? 'byte' : 'bytes'}: ${hex}`;
}
