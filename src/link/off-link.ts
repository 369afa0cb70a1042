import { BlockList, isIP } from 'node:net';
import { lookup } from 'node:dns/promises';
import type { OffLinkPeer, Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { late } from '../late.ts';
import type { Registry } from '../trust/registry.ts';
import { checkedDomain, type DnsServer, parseServer } from './dns-server.ts';
import type { Domains } from './domains.ts';
import { checkedTarget, isCallable, parseTarget, type PeerTarget } from './peer-target.ts';
import { LISTED, StaticPeers, type Wanted } from './static-peers.ts';
import type { ProvenPeer } from './streams-port.ts';
import type { Far } from './streams/terms.ts';

/** Peers that the owner names, and networks that calls are taken from. */
const PEERS = 64;
/** Domains that are looked through. */
const DOMAINS = 8;
const ROW = 'link/peers';

/** What the owner said at the start; the constructor throws `invalid-value` when it cannot be. */
export interface OffLinkOptions {
  readonly peers: readonly string[];
  readonly accept: readonly string[];
  readonly domains: readonly string[];
  /** DNS servers; none: the system's. */
  readonly dns: readonly string[];
}

export interface OffLinkParts {
  readonly options: OffLinkOptions;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly trouble: (trouble: Trouble) => void;
  readonly call: (address: string, far: Far) => Promise<ProvenPeer>;
  readonly isOpen: (name: string) => boolean;
  /** Ends the stream to a peer that is not to be called any more. */
  readonly hangUp: (name: string) => void;
  /** Every address of a host, as the system knows them. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

/** The owner's exceptions from "only what is on the link": who is called elsewhere, and from where calls are taken. */
export class OffLink {
  readonly #parts: OffLinkParts;
  readonly #static: StaticPeers;
  readonly #accepted: BlockList;
  readonly #named: readonly PeerTarget[];
  readonly #added: Set<string>;
  readonly #servers: readonly DnsServer[];
  /** Loaded with the first domain. */
  #domains: Domains | undefined;
  #closed = false;

  constructor(parts: OffLinkParts) {
    this.#parts = parts;
    this.#accepted = networks(parts.options.accept);
    if (parts.options.peers.length > PEERS) throw new LanpostError('too-large', `at most ${PEERS} peers can be called`);
    this.#named = parts.options.peers.map(checkedTarget);
    this.#servers = parts.options.dns.map(parseServer);
    if (parts.options.domains.map(checkedDomain).length > DOMAINS) throw new LanpostError('too-large', `at most ${DOMAINS} domains can be looked through`);
    const row = parts.registry.get(ROW);
    this.#added = new Set(Array.isArray(row) ? row.filter((one): one is string => typeof one === 'string') : []);
    const { clock, call, isOpen, hangUp, resolve = systemAddresses } = parts;
    this.#static = new StaticPeers({
      clock, isOpen, hangUp,
      resolve: async ({ host, domain }) => (domain === undefined ? callable(host, await resolve(host)) : await this.#domains?.resolve(host) ?? []),
      call: async (wanted, address) => (await call(address, { host: wanted.host, port: wanted.port, via: viaOf(wanted) })).name,
    });
  }

  start(): void {
    for (const target of [...this.#named, ...[...this.#added].map(parseTarget)]) this.#static.add(target);
    if (this.#parts.options.domains.length === 0) return;
    this.#look().catch((error: unknown) => this.#parts.trouble({ kind: 'link.domain', message: error instanceof Error ? error.message : String(error), code: 'unsupported' }));
  }

  /** Whether a call from that address, which is not on the link, is taken at all; it has to show a key then. */
  admits(address: string): boolean {
    const family = isIP(address);
    return (family !== 0 && this.#accepted.check(address, family === 4 ? 'ipv4' : 'ipv6')) || this.#static.isAt(address);
  }

  /** Something has become of the streams to that name. */
  changed(name: string): void {
    this.#static.changed(name);
  }

  /** Durable when resolved. */
  async add(peer: string): Promise<void> {
    const target = checkedTarget(peer);
    if (this.#static.has(target.label)) return;
    if (this.#static.size >= PEERS) throw new LanpostError('busy', `more than ${PEERS} peers cannot be called`);
    this.#added.add(target.label);
    await this.#keep();
    this.#static.add(target);
  }

  async remove(peer: string): Promise<void> {
    const { label } = parseTarget(peer);
    if (!this.#added.delete(label)) {
      const known = this.#static.has(label);
      throw known ? new LanpostError('conflict', `${label} is named where the box is started, and is called as long as it is`)
        : new LanpostError('not-found', `${label} is not called: see \`lanpost peers\``);
    }
    await this.#keep();
    this.#static.remove(label);
  }

  list(): OffLinkPeer[] {
    return this.#static.list();
  }

  close(): void {
    this.#closed = true;
    this.#domains?.close();
    this.#static.close();
  }

  async #look(): Promise<void> {
    const { options, clock, trouble } = this.#parts;
    const [domains, dns] = await late('Unicast DNS', () => Promise.all([import('./domains.ts'), import('./unicast-dns.ts')]));
    if (this.#closed) return;
    this.#domains = new domains.Domains({
      domains: options.domains, clock, trouble,
      query: dns.createDnsQuery(this.#servers.length > 0 ? this.#servers : undefined),
      listed: (domain, wanted) => this.#listed(domain, wanted),
    });
    this.#domains.start();
  }

  #listed(domain: string, wanted: readonly Wanted[]): void {
    for (const gone of this.#static.notAmong(domain, wanted)) {
      const name = this.#static.remove(gone);
      if (name !== undefined) this.#parts.hangUp(name);
    }
    for (const one of wanted) if (this.#static.size < PEERS + LISTED) this.#static.add(one);
  }

  #keep(): Promise<void> {
    return this.#parts.registry.set(ROW, this.#added.size > 0 ? [...this.#added] : undefined);
  }
}

function viaOf({ domain }: Wanted): Far['via'] {
  return domain === undefined ? { kind: 'static' } : { kind: 'domain', domain };
}

/** A name may lead to this machine itself (`127.0.1.1` in its hosts file): that is no peer. */
function callable(host: string, addresses: readonly string[]): string[] {
  const found = addresses.filter(isCallable);
  if (found.length === 0 && addresses.length > 0) throw new LanpostError('unreachable', `${host} leads to ${addresses.join(', ')}, where no box can be called`);
  return found;
}

async function systemAddresses(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

function networks(accept: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of accept) {
    const [, address = '', digits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(network) ?? [];
    const family = isIP(address);
    const most = family === 4 ? 32 : 128;
    const prefix = digits === undefined ? most : Number(digits);
    if (family === 0 || prefix > most) throw new LanpostError('invalid-value', `"${network}" is no network: write 10.8.0.0/16, or fd00::/8`);
    list.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}
