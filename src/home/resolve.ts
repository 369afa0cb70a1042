// Where a domain's clients connect: RFC 6120 §3.2 and XEP-0368 version 1.1.0.
import type { SrvRecord } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import type { TcpTarget } from './target.ts';

type Kind = TcpTarget['kind'];

export const PORTS: Readonly<Record<Kind, number>> = { starttls: 5222, tls: 5223 };
/** Of each kind of record, and places tried for one session. */
const MAX_RECORDS = 64;
const MAX_TARGETS = 8;

export interface ResolveOptions {
  readonly domain: string;
  readonly kinds: readonly Kind[];
  readonly resolver?: Pick<Resolver, 'resolveSrv'> | undefined;
  readonly random?: (() => number) | undefined;
}

/** In the order in which to try them; none when the domain says that it has no such service. */
export async function tcpTargets(options: ResolveOptions): Promise<TcpTarget[]> {
  const { domain, kinds, random = Math.random, resolver = new Resolver({ timeout: 2_000, tries: 2 }) } = options;
  const found = await Promise.all(kinds.map(async (kind) => {
    const name = `${kind === 'tls' ? '_xmpps-client' : '_xmpp-client'}._tcp.${domain}`;
    try {
      return (await resolver.resolveSrv(name)).slice(0, MAX_RECORDS).map((record) => ({ ...record, kind }));
    } catch {
      // No such record, or no resolver: the lookup of the domain's own address will say what is wrong.
      return [];
    }
  }));
  const records = found.flat();
  // XEP-0368 §3: one set, whichever of the two names a record came from.
  const ordered = inOrder(records.filter(({ name }) => name !== '' && name !== '.'), random);
  if (ordered.length > 0) return ordered.slice(0, MAX_TARGETS).map(({ kind, name: host, port }) => ({ kind, host, port }));
  // RFC 6120 §3.2.1: a single "." says that the service is not there; then the domain itself would not help either.
  const denied = new Set(records.map(({ kind }) => kind));
  return kinds.filter((kind) => !denied.has(kind) && (kind === 'starttls' || kinds.length === 1)).map((kind) => ({ kind, host: domain, port: PORTS[kind] }));
}

/** RFC 2782: the lowest priority first; within one, at random by weight. */
export function inOrder<T extends Pick<SrvRecord, 'priority' | 'weight'>>(records: readonly T[], random: () => number): T[] {
  // Those of weight 0 stand first: so they have a small chance, and no more.
  const left = records.toSorted((a, b) => a.priority - b.priority || Math.sign(a.weight) - Math.sign(b.weight));
  const ordered: T[] = [];
  while (left.length > 0) {
    const same = left.filter(({ priority }) => priority === left[0]?.priority);
    const draw = Math.floor(random() * (same.reduce((sum, { weight }) => sum + weight, 0) + 1));
    let running = 0;
    const chosen = same.findIndex(({ weight }) => (running += weight) >= draw);
    ordered.push(...left.splice(Math.max(0, chosen), 1));
  }
  return ordered;
}
