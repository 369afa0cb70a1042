// All ways to a home, in the order in which to try them: what the owner says, else what DNS says, else what the
// domain's web server says.
import type { Resolver } from 'node:dns/promises';
import type { HomeTransport } from '../api.ts';
import { encryptedAnswer } from './host-meta-request.ts';
import type { Dialing } from './dial.ts';
import { fromJson, fromXrd } from './host-meta.ts';
import type { Trust } from './https.ts';
import { Unusable } from './loss.ts';
import type { Proxy } from './proxy.ts';
import { PORTS, tcpTargets } from './resolve.ts';
import { kindOfUrl, type Target, type TcpTarget } from './target.ts';

/** Where the owner says that a home is, whom to believe there, and who is asked where he does not say. */
export interface Whereabouts {
  readonly transport?: HomeTransport | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly url?: string | undefined;
  readonly ca?: string | undefined;
  readonly pin?: readonly string[] | undefined;
  readonly proxy?: Proxy | undefined;
  readonly resolver?: Pick<Resolver, 'resolveSrv'> | undefined;
  readonly random?: (() => number) | undefined;
}

export interface WaysOptions extends Pick<Whereabouts, 'host' | 'port' | 'url' | 'resolver' | 'random'> {
  readonly domain: string;
  readonly transport: HomeTransport;
  readonly trust: Trust;
  readonly dialing: Dialing;
  /** What worked last: tried first, so that behind a wall the others do not cost their deadlines each time. */
  readonly last?: Target['kind'] | undefined;
}

/** Ports at which TLS begins at once, by custom (XEP-0368 §5). */
const TLS_AT_ONCE: ReadonlySet<number> = new Set([443, PORTS.tls]);

export async function* ways(options: WaysOptions): AsyncGenerator<Target> {
  const { transport, url, last, dialing } = options;
  if (url !== undefined) {
    yield { kind: kindOfUrl(url), url };
    return;
  }
  // Whoever passes the bytes on looks for the host: what is left is how to speak with it.
  if (dialing.dial) {
    yield* await tcp(options);
    return;
  }
  const overHttp = (): Promise<Target[]> => httpTargets(options);
  const first = last === 'websocket' || last === 'bosh';
  let asked: Target[] = [];
  if (transport === 'auto' && first && options.host === undefined && options.port === undefined) yield* asked = await overHttp().catch(() => []);
  if (transport !== 'websocket' && transport !== 'bosh') yield* await tcp(options);
  if (asked.length === 0 && transport !== 'starttls' && transport !== 'tls' && options.host === undefined && options.port === undefined) yield* await overHttp();
}

async function tcp({ domain, transport, host, port, dialing, resolver, random, last }: WaysOptions): Promise<Target[]> {
  if (host !== undefined || port !== undefined) {
    const kind = transport === 'starttls' || transport === 'tls' ? transport : port !== undefined && TLS_AT_ONCE.has(port) ? 'tls' : 'starttls';
    return [{ kind, host: host ?? domain, port: port ?? PORTS[kind] }];
  }
  if (dialing.dial) return detoured(transport, last).map((kind) => ({ kind, host: domain, port: PORTS[kind] }));
  const kinds = transport === 'starttls' || transport === 'tls' ? [transport] : ['tls', 'starttls'] as const;
  // Behind a proxy names are the proxy's to look up, and it looks up no services.
  if (dialing.proxy) return kinds.map((kind) => ({ kind, host: domain, port: PORTS[kind] }));
  return tcpTargets({ domain, kinds, resolver, random });
}

/** STARTTLS first: a neighbour of an earlier version knows of no other. */
function detoured(transport: HomeTransport, last: Target['kind'] | undefined): readonly TcpTarget['kind'][] {
  if (transport !== 'auto') return [transport === 'tls' ? transport : 'starttls'];
  return last === 'tls' ? ['tls', 'starttls'] : ['starttls', 'tls'];
}

/** XEP-0156: in JSON, else in XML. */
async function httpTargets({ domain, transport, trust, dialing }: WaysOptions): Promise<Target[]> {
  let found: Target[] = [];
  let failure: unknown;
  let read = false;
  for (const [path, parse] of [['host-meta.json', fromJson], ['host-meta', fromXrd]] as const) {
    try {
      found = parse(await encryptedAnswer(new URL(`https://${domain}/.well-known/${path}`), trust.ca, dialing));
      read = true;
    } catch (error) {
      failure ??= error;
    }
    found = found.filter(({ kind }) => transport === 'auto' || kind === transport);
    if (found.length > 0) return found;
  }
  // Where it is only the last resort, that it is not there says less than what failed before.
  if (transport === 'auto') return [];
  throw failure instanceof Error && !read ? failure : new Unusable(`${domain} tells of no ${transport === 'bosh' ? 'BOSH' : 'WebSocket'} service: give its address`);
}
