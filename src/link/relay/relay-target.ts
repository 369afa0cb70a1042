// Where a relay may lead: what the owner allowed, word for word, and never to this machine or to nobody in particular.
import { lookup, resolveSrv } from 'node:dns/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { LanpostError } from '../../errors.ts';
import { addressToBytes, canonicalAddress, isHostAddress, isLinkLocal } from '../../mdns/address.ts';
import { formatRelayTarget, parseRelayTarget, type RelayTarget } from '../../trust/relay-target.ts';
import type { RelayService } from '../../xep/relay.ts';

/** Hosts that serve a domain, and addresses of all of them, that are tried. */
const HOSTS = 4;
const ADDRESSES = 8;
/** RFC 6120 §3.2.2: where DNS does not say. */
const USUAL_PORT = 5222;

const TRANSLATED = Buffer.from('0064ff9b0000000000000000', 'hex');

export interface RelayAddress {
  readonly address: string;
  readonly port: number;
}

/** What DNS says, and what addresses this machine has itself. */
export interface Names {
  readonly addresses: (host: string) => Promise<readonly string[]>;
  readonly servers: (domain: string, service: RelayService) => Promise<readonly { readonly name: string; readonly port: number; readonly priority: number }[]>;
  readonly own: () => readonly string[];
}

export const SYSTEM_NAMES: Names = {
  addresses: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
  servers: (domain, service) => resolveSrv(`_${service}._tcp.${domain}`),
  own: () => Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address)),
};

/** What the owner says of a target, by its address; of which nothing is said: `otherwise`. */
export type Judge = (target: string, otherwise: boolean) => boolean;

/**
 * Rejects with `forbidden` when it leads where no relay may, with `unreachable` when to nowhere. Whoever answers for a name may
 * say that it is anywhere, also at what only this network can reach.
 */
export async function relayAddresses({ to, service }: { readonly to: string; readonly service: RelayService }, names: Names, judge: Judge = (_target, otherwise) => otherwise): Promise<RelayAddress[]> {
  const target = parseRelayTarget(to);
  const hosts = 'domain' in target ? await serversOf(target.domain, service, names) : [target];
  const found: RelayAddress[] = [];
  for (const { host, port } of hosts.slice(0, HOSTS)) {
    const addresses = isIP(host) === 0 ? await names.addresses(host).catch(() => []) : [host];
    found.push(...addresses.map((address) => ({ address, port })));
  }
  if (found.length === 0) throw new LanpostError('unreachable', `DNS has no address for ${to}.`);
  const own = new Set(names.own().map(canonicalAddress));
  const fit = found.filter(({ address }) => mayBeRelayedTo(address) && !own.has(canonicalAddress(address)));
  if (fit.length === 0) throw new LanpostError('forbidden', `${to} is at this machine, or at no host's address: nothing is relayed there.`);
  const open = fit.filter((at) => mayLeadTo(to, at, judge));
  const [inside] = fit;
  if (open.length === 0 && inside) {
    const where = formatRelayTarget({ host: canonicalAddress(inside.address), port: inside.port });
    throw new LanpostError('forbidden', isPrivate(inside.address)
      ? `${to} is at ${inside.address} now, an address of a private network: it is relayed there only when ${where} is allowed as well.`
      : `${to} is at ${inside.address} now, and ${where} is denied.`);
  }
  return open.slice(0, ADDRESSES);
}

/** Whether a target that is allowed may be at that address: one of a private network is to be allowed by itself, and no other may be denied. */
export function mayLeadTo(to: string, { address, port }: RelayAddress, judge: Judge): boolean {
  return isNamed(parseRelayTarget(to), address) || judge(formatRelayTarget({ host: canonicalAddress(address), port }), !isPrivate(address));
}

/** The owner has given the address itself. */
function isNamed(target: RelayTarget, address: string): boolean {
  return 'host' in target && isIP(target.host) > 0 && canonicalAddress(target.host) === canonicalAddress(address);
}

async function serversOf(domain: string, service: RelayService, { servers }: Names): Promise<{ readonly host: string; readonly port: number }[]> {
  const records = await servers(domain, service).catch(() => []);
  // RFC 6120 §3.2.1: a single "." says that the service is not there.
  const listed = records.filter(({ name }) => name !== '' && name !== '.').toSorted((a, b) => a.priority - b.priority);
  if (records.length > 0) return listed.map(({ name, port }) => ({ host: name, port }));
  // XEP-0368 knows of no usual port.
  return service === 'xmpps-client' ? [] : [{ host: domain, port: USUAL_PORT }];
}

function mayBeRelayedTo(address: string): boolean {
  const bytes = addressToBytes(address);
  return bytes !== undefined && isHostAddress(bytes) && !isLinkLocal(mapped(bytes)) && isHostAddress(mapped(bytes));
}

/** RFC 1918, RFC 6598 §7, RFC 4193 §3.1, and RFC 3879: where the same address is somebody else in each network. */
function isPrivate(address: string): boolean {
  const bytes = addressToBytes(address);
  if (!bytes) return true;
  const [a = 0, b = 0] = mapped(bytes);
  if (mapped(bytes).length === 4) return a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) || (a === 100 && b >= 64 && b < 128);
  return (a & 0xfe) === 0xfc || (a === 0xfe && (b & 0xc0) === 0xc0);
}

/** RFC 4291 §2.5.5.2: an IPv4 address in the form of an IPv6 one is what it is in its own. */
function mapped(bytes: Uint8Array): Uint8Array {
  const isMapped = bytes.length === 16 && bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  // RFC 6052 §2.1: a translator of this network leads there.
  const isTranslated = bytes.length === 16 && Buffer.from(bytes.subarray(0, 12)).equals(TRANSLATED);
  return isMapped || isTranslated ? bytes.subarray(12) : bytes;
}
