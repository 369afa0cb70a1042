// Where a neighbour may be relayed to, as owners write it and boxes ask for it: one spelling, so that they compare as text.
import { isIPv6 } from 'node:net';
import { LanpostError } from '../errors.ts';

export type RelayTarget = { readonly host: string; readonly port: number } | { readonly domain: string };

const DOMAIN = /^(?=.{1,253}$)[\p{L}\p{N}_](?:[\p{L}\p{N}_.-]*[\p{L}\p{N}_])?$/u;

/** `HOST:PORT`, `[IPV6]:PORT` or `xmpp:DOMAIN`; throws `invalid-value` when it is none. */
export function parseRelayTarget(text: string): RelayTarget {
  const [, domain] = /^xmpp:(.+)$/iu.exec(text) ?? [];
  if (domain !== undefined && DOMAIN.test(domain)) return { domain: domain.toLowerCase() };
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits ?? 0);
  const host = bracketed ?? plain ?? '';
  if (domain !== undefined || port < 1 || port > 65_535 || !(bracketed === undefined ? DOMAIN.test(host) : isIPv6(host))) {
    throw new LanpostError('invalid-value', `${JSON.stringify(text.slice(0, 80))} is no HOST:PORT, [IPV6]:PORT or xmpp:DOMAIN`);
  }
  return { host: host.toLowerCase(), port };
}

export function formatRelayTarget(target: RelayTarget): string {
  if ('domain' in target) return `xmpp:${target.domain}`;
  return `${isIPv6(target.host) ? `[${target.host}]` : target.host}:${target.port}`;
}
