import { isIP, isIPv6 } from 'node:net';
import { LanpostError } from '../errors.ts';
import { addressToBytes, isHostAddress } from '../mdns/address.ts';
import { splitPort } from './host-port.ts';

/** Once hard-coded in every client (XEP-0174 §15.1, port.p2pj), and what a box takes unless it is told otherwise. */
export const USUAL_PORT = 5298;
/** RFC 1035 §2.3.4. */
const HOST_BYTES = 253;

/** Where a peer is that no multicast reaches, as the owner says it. */
export interface PeerTarget {
  /** As it is shown, and told apart: host and port. */
  readonly label: string;
  readonly host: string;
  readonly port: number;
}

/**
 * Whether a box can be at that address: no loopback (no box listens there, and what does is nobody else), nobody in
 * particular, and not many at once. An address of one of this machine's own interfaces can have another box.
 */
export function isCallable(address: string): boolean {
  const bytes = addressToBytes(address);
  return bytes !== undefined && isHostAddress(bytes);
}

/** What the owner gives, checked as far as it can be before its name is resolved. */
export function checkedTarget(text: string): PeerTarget {
  const target = parseTarget(text);
  if (isIP(target.host) !== 0 && !isCallable(target.host)) {
    throw new LanpostError('invalid-value', `no box can be called at ${target.host}: give an address on a network; for another box on this machine, one of its interfaces' (\`ip address\`)`);
  }
  return target;
}

/** `host`, `host:port`, `[IPv6]:port`, or an IPv6 address alone. */
export function parseTarget(text: string): PeerTarget {
  if (typeof text !== 'string') throw new TypeError('a peer is given as HOST or HOST:PORT');
  const { host, port, bracketed } = splitPort(text, USUAL_PORT) ?? { host: '', port: 0, bracketed: false };
  const isHost = (bracketed ? isIPv6(host) : /^[\w.-]+$/.test(host)) && host.length <= HOST_BYTES;
  if (!isHost) throw new LanpostError('invalid-value', `"${text}" is no HOST, HOST:PORT or [IPV6]:PORT`);
  return { host, port, label: `${bracketed ? `[${host}]` : host}:${port}` };
}
