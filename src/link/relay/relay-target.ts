// Where a relay may lead: what the owner allowed, word for word, and never to this machine or to nobody in particular.
import { lookup, resolveSrv } from 'node:dns/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { LanpostError } from '../../errors.ts';
import { addressToBytes, canonicalAddress, isHostAddress, isLinkLocal } from '../../mdns/address.ts';
import { parseRelayTarget } from '../../trust/relay-target.ts';

/** Hosts that serve a domain, and addresses of all of them, that are tried. */
const HOSTS = 4;
const ADDRESSES = 8;
/** RFC 6120 §3.2.2: where DNS does not say. */
const USUAL_PORT = 5222;

export interface RelayAddress {
  readonly address: string;
  readonly port: number;
}

/** What DNS says, and what addresses this machine has itself. */
export interface Names {
  readonly addresses: (host: string) => Promise<readonly string[]>;
  readonly servers: (domain: string) => Promise<readonly { readonly name: string; readonly port: number; readonly priority: number }[]>;
  readonly own: () => readonly string[];
}

export const SYSTEM_NAMES: Names = {
  addresses: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
  servers: (domain) => resolveSrv(`_xmpp-client._tcp.${domain}`),
  own: () => Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address)),
};

/** Rejects with `forbidden` when it leads where no relay may, with `unreachable` when to nowhere. */
export async function relayAddresses(to: string, names: Names): Promise<RelayAddress[]> {
  const target = parseRelayTarget(to);
  const hosts = 'domain' in target ? await serversOf(target.domain, names) : [target];
  const found: RelayAddress[] = [];
  for (const { host, port } of hosts.slice(0, HOSTS)) {
    const addresses = isIP(host) === 0 ? await names.addresses(host).catch(() => []) : [host];
    found.push(...addresses.map((address) => ({ address, port })));
  }
  if (found.length === 0) throw new LanpostError('unreachable', `DNS has no address for ${to}.`);
  const own = new Set(names.own().map(canonicalAddress));
  const fit = found.filter(({ address }) => mayBeRelayedTo(address) && !own.has(canonicalAddress(address)));
  if (fit.length === 0) throw new LanpostError('forbidden', `${to} is at this machine, or at no host's address: nothing is relayed there.`);
  return fit.slice(0, ADDRESSES);
}

async function serversOf(domain: string, { servers }: Names): Promise<{ readonly host: string; readonly port: number }[]> {
  const records = await servers(domain).catch(() => []);
  // RFC 6120 §3.2.1: a single "." says that the service is not there.
  const listed = records.filter(({ name }) => name !== '' && name !== '.').toSorted((a, b) => a.priority - b.priority);
  if (records.length > 0) return listed.map(({ name, port }) => ({ host: name, port }));
  return [{ host: domain, port: USUAL_PORT }];
}

function mayBeRelayedTo(address: string): boolean {
  const bytes = addressToBytes(address);
  return bytes !== undefined && isHostAddress(bytes) && !isLinkLocal(mapped(bytes)) && isHostAddress(mapped(bytes));
}

/** RFC 4291 §2.5.5.2: an IPv4 address in the form of an IPv6 one is what it is in its own. */
function mapped(bytes: Uint8Array): Uint8Array {
  const isMapped = bytes.length === 16 && bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return isMapped ? bytes.subarray(12) : bytes;
}
