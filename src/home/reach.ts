// Whether a home can be reached from here, and what it is called when others are asked to reach it.
import type { Clock } from '../clock.ts';
import type { Account } from './account.ts';
import { dial } from './dial.ts';
import { dialUrl } from './https.ts';
import { Unusable } from './loss.ts';
import { PORTS } from './resolve.ts';
import { isTcp } from './target.ts';
import { ways, type Whereabouts } from './ways.ts';

export interface ReachOptions extends Whereabouts {
  readonly domain: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Resolves when there is a connection by one of the ways; nothing is said on it. */
export async function reach({ domain, transport = 'auto', host, port, url, ca, pin, proxy, resolver, random, clock, signal }: ReachOptions): Promise<void> {
  const trust = { ca, pin };
  const dialing = { clock, proxy, signal };
  let failure: unknown;
  for await (const target of ways({ domain, transport, host, port, url, trust, dialing, resolver, random })) {
    try {
      (await (isTcp(target) ? dial(target, dialing) : dialUrl(new URL(target.url), trust, dialing))).destroy();
      return;
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure ?? new Unusable('the domain offers no service for clients');
}

/** As neighbours are asked for it: the domain, where DNS says which host serves it, else `HOST:PORT`. */
export function destinationOf({ host, port, url, transport, address: { domain } }: Pick<Account, 'host' | 'port' | 'url' | 'transport' | 'address'>): string {
  const at = url === undefined ? undefined : new URL(url);
  if (at) return `${at.hostname}:${at.port === '' ? 443 : at.port}`;
  if (host === undefined && port === undefined && transport !== 'tls') return `xmpp:${domain}`;
  return `${host?.includes(':') === true ? `[${host}]` : host ?? domain}:${port ?? PORTS[transport === 'tls' ? 'tls' : 'starttls']}`;
}
