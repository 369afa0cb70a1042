import { isIPv6 } from 'node:net';

// Addresses as text in one canonical form (RFC 5952 for IPv6), so that they compare by `===`.

const ZONE = 0x25; // %
const DOT = 0x2e;

/** The IPv4 address that begins there. */
export function dotted(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

export function addressFromBytes(bytes: Uint8Array): string {
  if (bytes.length === 4) return dotted(bytes, 0);
  const groups: number[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0));
  let best = { start: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let end = at;
    while (end < 8 && groups[end] === 0) end++;
    if (end - at > best.length) best = { start: at, length: end - at };
    if (end > at) at = end;
  }
  const hex = (from: number, to: number): string => groups.slice(from, to).map((group) => group.toString(16)).join(':');
  if (best.start < 0) return hex(0, 8);
  return `${hex(0, best.start)}::${hex(best.start + best.length, 8)}`;
}

/** 4 or 16 bytes; undefined when it is no address. A zone (`%eth0`) is left out. */
export function addressToBytes(address: string): Uint8Array | undefined {
  if (!address.includes(':')) return fourBytes(address);
  const text = withoutZone(address);
  if (!isIPv6(text)) return undefined;
  const mixed = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const plain = mixed
    ? `${mixed[1]}${((Number(mixed[2]) << 8) | Number(mixed[3])).toString(16)}:${((Number(mixed[4]) << 8) | Number(mixed[5])).toString(16)}`
    : text;
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const bytes = Buffer.alloc(16);
  for (const [index, group] of left.entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  for (const [index, group] of right.entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), (8 - right.length + index) * 2);
  return bytes;
}

function fourBytes(text: string): Uint8Array | undefined {
  const value = fourNumber(text);
  return value < 0 ? undefined : Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** An IPv4 address as a number, a zone left out; -1 when it is none. Each instance that is found has one of these: so by hand. */
export function fourNumber(text: string): number {
  let whole = 0;
  let value = 0;
  let digits = 0;
  let parts = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const digit = code - 0x30;
    if (digit >= 0 && digit <= 9) {
      // Not 01.
      if (digits > 0 && value === 0) return -1;
      value = value * 10 + digit;
      digits++;
      if (value > 255) return -1;
      continue;
    }
    if (code === ZONE) break;
    if (code !== DOT || digits === 0 || parts === 3) return -1;
    whole = whole * 256 + value;
    value = 0;
    digits = 0;
    parts++;
  }
  return parts === 3 && digits > 0 ? whole * 256 + value : -1;
}

/** As `isLinkLocal`: 169.254. */
export function isLinkLocalNumber(four: number): boolean {
  return four >= 0xa9fe_0000 && four <= 0xa9fe_ffff;
}

/** As `isHostAddress`. */
export function isHostNumber(four: number): boolean {
  const first = Math.floor(four / 0x100_0000);
  return first !== 0 && first !== 127 && first < 224;
}

export function withoutZone(address: string): string {
  const at = address.indexOf('%');
  return at < 0 ? address : address.slice(0, at);
}

export function canonicalAddress(address: string): string {
  const bytes = addressToBytes(address);
  return bytes ? addressFromBytes(bytes) : withoutZone(address);
}

export function inSubnet(address: Uint8Array, subnet: Uint8Array, prefix: number): boolean {
  if (address.length !== subnet.length) return false;
  const whole = prefix >> 3;
  for (let at = 0; at < whole; at++) if (address[at] !== subnet[at]) return false;
  const rest = prefix & 7;
  if (rest === 0) return true;
  const mask = (0xff << (8 - rest)) & 0xff;
  return ((address[whole] ?? 0) & mask) === ((subnet[whole] ?? 0) & mask);
}

export function isLinkLocal(address: Uint8Array): boolean {
  return address.length === 4
    ? address[0] === 169 && address[1] === 254
    : address[0] === 0xfe && ((address[1] ?? 0) & 0xc0) === 0x80;
}

/** Whether it can be one host's address on a link: not loopback, multicast, unspecified or broadcast. */
export function isHostAddress(address: Uint8Array): boolean {
  if (address.length === 4) return isHostNumber((address[0] ?? 0) * 0x100_0000);
  if (address[0] === 0xff) return false;
  const bytes = Buffer.from(address);
  if (bytes.readUInt32BE(0) !== 0 || bytes.readUInt32BE(4) !== 0) return true;
  // RFC 4291 §2.5.5.2: an IPv4 address in the form of an IPv6 one is what it is in its own.
  return bytes.readUInt32BE(8) === 0xffff ? isHostAddress(address.subarray(12)) : bytes.readUInt32BE(8) !== 0;
}
