import { isIPv6 } from 'node:net';

// Addresses as text in one canonical form (RFC 5952 for IPv6), so that they compare by `===`.

const ZONE = 0x25; // %

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

/** Each instance that is found has one of these: so by hand. */
function fourBytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(4);
  let at = 0;
  for (let part = 0; part < 4; part++) {
    const start = at;
    let value = 0;
    for (; at < text.length && at - start < 3; at++) {
      const digit = text.charCodeAt(at) - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    const digits = at - start;
    if (digits === 0 || value > 255 || (digits > 1 && text.charCodeAt(start) === 0x30)) return undefined;
    if (part < 3 && text.charCodeAt(at++) !== 0x2e) return undefined;
    bytes[part] = value;
  }
  return at === text.length || text.charCodeAt(at) === ZONE ? bytes : undefined;
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
  if (address.length === 4) return address[0] !== 0 && address[0] !== 127 && (address[0] ?? 0) < 224;
  if (address[0] === 0xff) return false;
  const bytes = Buffer.from(address);
  if (bytes.readUInt32BE(0) !== 0 || bytes.readUInt32BE(4) !== 0) return true;
  // RFC 4291 §2.5.5.2: an IPv4 address in the form of an IPv6 one is what it is in its own.
  return bytes.readUInt32BE(8) === 0xffff ? isHostAddress(address.subarray(12)) : bytes.readUInt32BE(8) !== 0;
}
