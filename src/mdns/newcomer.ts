import { addressFromBytes, dotted } from './address.ts';
import { HEADER, MAX_MESSAGE_BYTES, MAX_POINTERS } from './decode.ts';
import { TYPE } from './message.ts';
import { isPlainLabel, labelFromBytes, labelEnd, MAX_LABEL_BYTES, MAX_NAME_BYTES, nameKey } from './name.ts';
import type { Resolved } from './output.ts';

export interface Acquaintance {
  /** The browsed name of that key, as it was asked for. */
  readonly browses: { name(key: string): string | undefined };
  /** Whether an instance of that key is known; whether anybody is known to be at that host, by its key. */
  readonly instances: { has(key: string): boolean; isAt(host: string): boolean };
}

/**
 * Who is new and says all of himself in one packet, in the usual order, as announcements do: he is told of at a glance at the
 * bytes, before the packet is read, and its records remembered, which is most of the work. Whatever is not as plain as that, or
 * not as it should be, is nobody here; the records tell. Of two that contradict each other the last is the newest.
 *
 * What comes after a silence runs from cold caches, where each function and each object costs more than what it does: so
 * this is long, and makes nothing that it does not give.
 */
export function newcomer(bytes: Buffer, { browses, instances }: Acquaintance): Resolved | undefined {
  if (bytes.length > MAX_MESSAGE_BYTES || !isPlainAnswer(bytes)) return undefined;
  // RFC 1035 §4.1.1
  let left = word(bytes, 6) + word(bytes, 10);
  let at = nameEnd(bytes, HEADER);
  if (at < 0 || word(bytes, at) !== TYPE.PTR || isGoodbye(bytes, at)) return undefined;
  const whole = bytes.toString('latin1');
  const targetAt = at + 10;
  const owner = nameAt(bytes, whole, HEADER);
  const target = nameAt(bytes, whole, targetAt);
  if (owner === undefined || target === undefined || nameEnd(bytes, targetAt) !== targetAt + word(bytes, at + 8)) return undefined;
  const ownerKey = nameKey(owner);
  const type = browses.name(ownerKey);
  const key = nameKey(target);
  if (type === undefined || instances.has(key)) return undefined;
  const end = labelEnd(target, 0);
  const label = target.slice(0, end);
  // What is escaped in it is for others to read.
  if (label.includes('\\') || !key.endsWith(ownerKey) || key.length !== end + 1 + ownerKey.length) return undefined;

  let port = -1;
  let host = '';
  let hostAt = -1;
  let textAt = -1;
  let textEnd = -1;
  const addresses: string[] = [];
  for (at = targetAt + word(bytes, at + 8), left--; left > 0; left--) {
    // A name that was said before is mostly a pointer to where that was.
    const named = pointee(bytes, at);
    const said: string | undefined = named === targetAt ? target : named === hostAt ? host : nameAt(bytes, whole, at);
    at = nameEnd(bytes, at);
    if (said === undefined || at < 0 || at + 10 > bytes.length) return undefined;
    const rrtype = word(bytes, at);
    const gone = isGoodbye(bytes, at);
    const start = at + 10;
    const stop = start + word(bytes, at + 8);
    if (stop > bytes.length) return undefined;
    at = stop;
    switch (rrtype) {
      case TYPE.PTR:
        if (nameEnd(bytes, start) !== stop || nameAt(bytes, whole, start) === undefined) return undefined;
        break;
      case TYPE.SRV: {
        const where = nameAt(bytes, whole, start + 6);
        if (where === undefined || nameEnd(bytes, start + 6) !== stop) return undefined;
        if (said !== target || gone) break;
        port = word(bytes, start + 4);
        host = where;
        hostAt = pointee(bytes, start + 6);
        break;
      }
      case TYPE.TXT:
        if (said !== target || gone) break;
        textAt = start;
        textEnd = stop;
        break;
      case TYPE.A: case TYPE.AAAA: {
        if (stop - start !== (rrtype === TYPE.A ? 4 : 16)) return undefined;
        if (port < 0 || said !== host || gone) break;
        const address = rrtype === TYPE.A ? dotted(bytes, start) : addressFromBytes(bytes.subarray(start, stop));
        if (!addresses.includes(address)) addresses.push(address);
        break;
      }
      case TYPE.NSEC:
        if (nameAt(bytes, whole, start) === undefined || nameEnd(bytes, start) > stop) return undefined;
        break;
      default: // says nothing here
    }
  }
  if (port < 0 || textAt < 0 || addresses.length === 0 || instances.isAt(nameKey(host))) return undefined;
  if (addresses.length > 1) addresses.sort();
  return { name: target, key, label, types: [type], host, port, text: whole.slice(textAt, textEnd), addresses };
}

/** RFC 6762 §18: a response, opcode and rcode 0; with answers, but neither questions nor authorities. */
function isPlainAnswer(bytes: Buffer): boolean {
  if (bytes.length < HEADER || word(bytes, 4) !== 0 || word(bytes, 6) === 0 || word(bytes, 8) !== 0) return false;
  return (word(bytes, 2) & 0xf80f) === 0x8000;
}

/** RFC 6762 §10.1: a TTL of 0, in the record whose fixed part begins there. */
function isGoodbye(bytes: Buffer, at: number): boolean {
  return word(bytes, at + 4) === 0 && word(bytes, at + 6) === 0;
}

/** Beyond the end: 0. */
function word(bytes: Buffer, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** Where the name that begins there is written: elsewhere, if it is no more than a pointer. */
function pointee(bytes: Buffer, at: number): number {
  return (bytes[at] ?? 0) >= 0xc0 ? word(bytes, at) & 0x3fff : at;
}

/** What follows the name that begins there; negative where it does not end. */
function nameEnd(bytes: Buffer, start: number): number {
  for (let at = start; at < bytes.length;) {
    const length = bytes[at] ?? 0;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2;
    at += length + 1;
  }
  return -1;
}

/** As `decodeMessage` reads it, from the packet as bytes and as text; undefined where that would not. */
function nameAt(bytes: Buffer, whole: string, start: number): string | undefined {
  let name = '';
  let size = 1;
  let pointers = 0;
  let limit = start;
  for (let at = start; at < bytes.length;) {
    const length = bytes[at] ?? 0;
    if (length === 0) return name;
    if (length >= 0xc0) {
      // Only ever back.
      const to = pointee(bytes, at);
      if (at + 1 >= bytes.length || to >= limit || to < HEADER || ++pointers > MAX_POINTERS) return undefined;
      at = to;
      limit = to;
      continue;
    }
    size += length + 1;
    if (length > MAX_LABEL_BYTES || at + 1 + length > bytes.length || size > MAX_NAME_BYTES) return undefined;
    const end = at + 1 + length;
    const label = isPlainLabel(bytes, at + 1, end) ? whole.slice(at + 1, end) : labelFromBytes(bytes, at + 1, end);
    name = name === '' ? label : `${name}.${label}`;
    at = end;
  }
  return undefined;
}
