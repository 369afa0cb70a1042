// RFC 6763 §4, §11 over unicast DNS: peers that a domain lists. They are called like those that the owner names.
import type { Trouble } from '../api.ts';
import type { Clock, Timer } from '../clock.ts';
import { isHostAddress, isLinkLocal, addressToBytes } from '../mdns/address.ts';
import { type DnsRecord, TYPE } from '../mdns/message.ts';
import { firstLabel } from '../mdns/name.ts';
import { decodeText } from '../mdns/text.ts';
import { BOX_KEY } from './claims.ts';
import { LISTED, type Wanted } from './static-peers.ts';
import type { DnsQuery } from './unicast-dns.ts';

/** Between two looks: the TTL of what was found, within these bounds; ms. */
const LEAST = 30_000;
const MOST = 3_600_000;
/** After a look that failed, and when nothing was found. */
const AGAIN = 60_000;

export interface DomainsParts {
  readonly domains: readonly string[];
  readonly clock: Clock;
  readonly query: DnsQuery;
  readonly trouble: (trouble: Trouble) => void;
  /** All that one domain lists now. */
  readonly listed: (domain: string, wanted: readonly Wanted[]) => void;
}

export class Domains {
  readonly #parts: DomainsParts;
  readonly #timers = new Map<string, Timer>();
  readonly #failing = new Set<string>();
  #closed = false;

  constructor(parts: DomainsParts) {
    this.#parts = parts;
  }

  start(): void {
    for (const domain of this.#parts.domains) void this.#look(domain);
  }

  /** Where a listed box is now. Whoever can forge DNS must not make us call ourselves, or what is on this link. */
  async resolve(host: string): Promise<string[]> {
    const [a, aaaa] = await Promise.all([TYPE.A, TYPE.AAAA].map((type) => this.#parts.query(host, type)));
    return [...a ?? [], ...aaaa ?? []].flatMap(({ data }) => (data.kind === 'address' && isElsewhere(data.address) ? [data.address] : []));
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) timer.stop();
  }

  async #look(domain: string): Promise<void> {
    let wait = AGAIN;
    try {
      const { wanted, ttl } = await this.#list(domain);
      if (this.#closed) return;
      this.#failing.delete(domain);
      this.#parts.listed(domain, wanted);
      if (wanted.length > 0) wait = Math.min(Math.max(ttl * 1_000, LEAST), MOST);
    } catch (error) {
      // Those that were listed are called on: that DNS does not answer says nothing of them.
      if (!this.#failing.has(domain)) this.#parts.trouble({ kind: 'link.domain', message: error instanceof Error ? error.message : String(error), code: 'unreachable' });
      this.#failing.add(domain);
    }
    if (!this.#closed) this.#timers.set(domain, this.#parts.clock.after(wait, () => void this.#look(domain)));
  }

  async #list(domain: string): Promise<{ wanted: Wanted[]; ttl: number }> {
    const { query } = this.#parts;
    const type = `_presence._tcp.${domain}`;
    const pointers = await query(type, TYPE.PTR);
    const found = await Promise.all(pointers.slice(0, LISTED).map(async (pointer) => {
      const name = pointer.data.kind === 'name' ? pointer.data.target : '';
      const { label, rest } = firstLabel(name);
      if (label === undefined || rest.toLowerCase() !== type.toLowerCase()) return undefined;
      const [services, texts] = await Promise.all([query(name, TYPE.SRV), query(name, TYPE.TXT)]);
      return listedBox(domain, label, services, texts, pointer.ttl);
    }));
    const boxes = found.flatMap((one) => one ?? []);
    return { wanted: boxes.map(({ wanted }) => wanted), ttl: Math.min(...boxes.map(({ ttl }) => ttl)) };
  }
}

/** Only what says that it is a box: nothing else can show a key. */
function listedBox(domain: string, label: string, services: readonly DnsRecord[], texts: readonly DnsRecord[], ttl: number): { wanted: Wanted; ttl: number } | undefined {
  const isBox = texts.some(({ data }) => data.kind === 'bytes' && decodeText(data.bytes).has(BOX_KEY));
  const [service] = services.toSorted((x, y) => priorityOf(x) - priorityOf(y));
  // RFC 2782: a target "." says that the service is not there.
  if (!isBox || service?.data.kind !== 'service' || service.data.target === '') return undefined;
  const { target, port } = service.data;
  return { wanted: { label: `${label}.${domain}`, host: target, port, domain }, ttl: Math.min(ttl, service.ttl) };
}

function priorityOf({ data }: DnsRecord): number {
  return data.kind === 'service' ? data.priority : Infinity;
}

function isElsewhere(address: string): boolean {
  const bytes = addressToBytes(address);
  return bytes !== undefined && isHostAddress(bytes) && !isLinkLocal(bytes);
}
