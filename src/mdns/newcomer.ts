import { addressFromBytes, dotted } from './address.ts';
import { HEADER, MAX_MESSAGE_BYTES, MAX_POINTERS } from './decode.ts';
import { TYPE } from './message.ts';
import { labelFromBytes, MAX_LABEL_BYTES, MAX_NAME_BYTES, nameKey } from './name.ts';
import type { Browsed } from './browses.ts';
import type { Resolved } from './output.ts';

export interface Acquaintance {
  /** What is browsed, where a name is its own key. */
  readonly browses: { readonly plain: readonly Browsed[] };
  /** Whether an instance of that key is known; whether anybody is known to be at that host, by its key. */
  readonly instances: { has(key: string): boolean; isAt(host: string): boolean };
}

/**
 * Who is new and says all of himself in one packet, in the usual order, as announcements do: he is told of at a glance at the
 * bytes, before the packet is read, and its records remembered, which is most of the work. Whatever is not as plain as that, or
 * not as it should be, is nobody here; the records tell. Of two that contradict each other the last is the newest.
 *
 * What comes after a silence runs from cold caches, where each function and each object costs more than what it does: so
 * this is one long loop, soon compiled as a whole, and makes nothing that it does not give. Each turn of it reads a name, as
 * `decodeMessage` would: of a record, or of what the record leads to.
 */
export function newcomer(bytes: Buffer, { browses, instances }: Acquaintance): Resolved | undefined {
  const size = bytes.length;
  if (size > MAX_MESSAGE_BYTES || !isPlainAnswer(bytes)) return undefined;
  let type = '';
  let typeSize = 0;
  for (let index = 0; index < browses.plain.length && typeSize === 0; index++) {
    const browsed = browses.plain[index];
    if (!browsed) continue;
    const { length } = browsed.bytes;
    let same = 0;
    while (same < length && bytes[HEADER + same] === browsed.bytes[same]) same++;
    if (same < length) continue;
    type = browsed.name;
    typeSize = length;
  }
  // Of the first record.
  const fixed = HEADER + typeSize;
  if (typeSize === 0 || fixed + 10 > size || word(bytes, fixed) !== TYPE.PTR || isGoodbye(bytes, fixed)) return undefined;
  const whole = bytes.toString('latin1');
  // RFC 1035 §4.1.1
  let left = word(bytes, 6) + word(bytes, 10);
  let target = '';
  let targetAt = -1;
  let key = '';
  let label = '';
  let port = -1;
  let host = '';
  let isHostLower = true;
  let hostAt = -1;
  let textAt = -1;
  let textEnd = -1;
  const addresses: string[] = [];

  let at = fixed + 10;
  /** In a record: whose it is, its type, whether it is a goodbye, and where its data ends. */
  let said = type;
  let rrtype: number = TYPE.PTR;
  let gone = false;
  let stop = at + word(bytes, fixed + 8);
  if (stop > size) return undefined;
  while (left > 0) {
    let name = '';
    let named = 1;
    let first = '';
    let isFirstPlain = true;
    let labels = 0;
    /** Whether it is its own key. */
    let isLower = true;
    /** Whether it is one label before the first name of the packet, which is the browsed one. */
    let isUnder = false;
    let pointers = 0;
    let limit = at;
    let next = -1;
    for (let from = at; ;) {
      if (from >= size) return undefined;
      const length = bytes[from] ?? 0;
      if (length >= 0xc0) {
        // Only ever back.
        const to = word(bytes, from) & 0x3fff;
        if (from + 1 >= size || to >= limit || to < HEADER || ++pointers > MAX_POINTERS) return undefined;
        if (next < 0) next = from + 2;
        from = to;
        limit = to;
        // A name that was said before is mostly no more than a pointer to where that was.
        if (labels > 0) {
          if (to !== HEADER) continue;
          named += typeSize - 1;
          if (named > MAX_NAME_BYTES) return undefined;
          name = `${name}.${type}`;
          isUnder = labels === 1;
        } else if (to === targetAt) {
          name = target;
          isLower = false; // who has a host of its own name is looked at again
        } else if (to === hostAt) {
          name = host;
          isLower = isHostLower;
        } else continue;
        break;
      }
      if (length === 0) {
        if (next < 0) next = from + 1;
        break;
      }
      const start = from + 1;
      from = start + length;
      named += length + 1;
      if (length > MAX_LABEL_BYTES || from > size || named > MAX_NAME_BYTES) return undefined;
      let isPlain = true;
      for (let each = start; each < from; each++) {
        const byte = bytes[each] ?? 0;
        if (byte < 0x21 || byte > 0x7e || byte === 0x2e || byte === 0x5c) isPlain = false;
        else if (byte >= 0x41 && byte <= 0x5a) isLower = false;
      }
      const one = isPlain ? whole.slice(start, from) : labelFromBytes(bytes, start, from);
      if (labels++ === 0) {
        first = name = one;
        isFirstPlain = isPlain;
      }
      else name = `${name}.${one}`;
    }

    if (stop < 0) {
      const start = next + 10;
      if (start > size) return undefined;
      rrtype = word(bytes, next);
      gone = isGoodbye(bytes, next);
      stop = start + word(bytes, next + 8);
      if (stop > size) return undefined;
      said = name;
      switch (rrtype) {
        case TYPE.PTR: case TYPE.NSEC:
          at = start;
          continue;
        case TYPE.SRV:
          at = start + 6;
          continue;
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
        default: // says nothing here
      }
    } else if (rrtype === TYPE.NSEC) {
      if (next > stop) return undefined;
    } else {
      if (next !== stop) return undefined;
      if (targetAt < 0) {
        key = isLower ? name : nameKey(name);
        if (instances.has(key)) return undefined;
        if (!isUnder && (key.length !== first.length + 1 + type.length || !key.endsWith(type))) return undefined;
        // What is escaped in it is for others to read.
        if (!isFirstPlain && first.includes('\\')) return undefined;
        target = name;
        targetAt = at;
        label = first;
      } else if (rrtype === TYPE.SRV && said === target && !gone) {
        port = word(bytes, at - 2);
        host = name;
        isHostLower = isLower;
        hostAt = (bytes[at] ?? 0) >= 0xc0 ? word(bytes, at) & 0x3fff : at;
      }
    }
    at = stop;
    stop = -1;
    left--;
  }
  if (port < 0 || textAt < 0 || addresses.length === 0 || instances.isAt(isHostLower ? host : nameKey(host))) return undefined;
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
