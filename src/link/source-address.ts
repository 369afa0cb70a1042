// Addresses as sockets and records spell them, made comparable, and which of them may be dialled.
import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** Without `%scope` and without the IPv4-in-IPv6 wrapping, lower case. */
export function plainAddress(address: string): string {
  if (!/[%:]/.test(address)) return address;
  const bare = address.split('%')[0]?.toLowerCase() ?? '';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare);
  return mapped?.[1] ?? bare;
}

export interface OwnAddress {
  readonly address: string;
  readonly family: 4 | 6;
  readonly prefix: number;
}

const NEVER = new BlockList();
NEVER.addSubnet('0.0.0.0', 8, 'ipv4');
NEVER.addSubnet('127.0.0.0', 8, 'ipv4');
NEVER.addSubnet('224.0.0.0', 3, 'ipv4'); // multicast, reserved, broadcast
NEVER.addAddress('::', 'ipv6');
NEVER.addAddress('::1', 'ipv6');
NEVER.addSubnet('ff00::', 8, 'ipv6');

/**
 * Whether an address that a record claims is on the link of the interface it was learned on.
 * Whoever announces an address elsewhere would have us connect there in our name.
 */
export function onLink(address: string, own: Iterable<OwnAddress>): boolean {
  const plain = plainAddress(address);
  const type = isIPv4(plain) ? 'ipv4' : isIPv6(plain) ? 'ipv6' : undefined;
  if (!type || NEVER.check(plain, type)) return false;
  for (const mine of own) {
    if (mine.family !== (type === 'ipv4' ? 4 : 6)) continue;
    const subnet = new BlockList();
    subnet.addSubnet(plainAddress(mine.address), mine.prefix, type);
    if (subnet.check(plain, type)) return !isBroadcast(plain, mine);
  }
  return false;
}

function isBroadcast(address: string, own: OwnAddress): boolean {
  if (own.family !== 4 || own.prefix > 30) return false;
  const host = 2 ** (32 - own.prefix) - 1;
  const value = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  return value % (host + 1) === host;
}
