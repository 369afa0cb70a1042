// How to get to a home, and whom to believe there: what the owner says, checked.
import type { HomeOptions, HomeTransport } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { isServiceUrl } from './host-meta.ts';
import { parseProxy } from './proxy.ts';
import { kindOfUrl } from './target.ts';

export interface Connecting {
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly ca: string | undefined;
  readonly transport: HomeTransport;
  readonly url: string | undefined;
  readonly pin: readonly string[];
  /** As it was given, credentials and all. */
  readonly proxy: string | undefined;
  readonly plain: boolean;
  readonly group: string | undefined;
  readonly rank: number;
}

export const CONNECTING: readonly (keyof Connecting)[] = ['host', 'port', 'ca', 'transport', 'url', 'pin', 'proxy', 'plain', 'group', 'rank'];

const TRANSPORTS: readonly string[] = ['auto', 'starttls', 'tls', 'websocket', 'bosh'] satisfies readonly HomeTransport[];
const MAX_PINS = 16;
const MAX_RANK = 1_000;

/** A text that is there. */
export function text(value: unknown, name: string): string {
  if (typeof value !== 'string' || value === '') throw new TypeError(`home ${name} must be a non-empty string`);
  return value;
}

const isTransport = (value: unknown): value is HomeTransport => typeof value === 'string' && TRANSPORTS.includes(value);

/** Throws TypeError for wrong types, LanpostError for what cannot be. */
export function toConnecting(options: Partial<HomeOptions>): Connecting {
  const { host, port, ca, transport = 'auto', url, pin = [], proxy, plain = false } = options;
  if (port !== undefined && (!Number.isInteger(port) || port < 1 || port > 65_535)) throw new TypeError('home port must be 1 to 65535');
  if (ca !== undefined && !text(ca, 'ca').includes('-----BEGIN CERTIFICATE-----')) throw new LanpostError('invalid-value', 'The certificate authority of a home must be PEM.');
  if (!isTransport(transport)) throw new TypeError(`home transport must be one of ${TRANSPORTS.join(', ')}`);
  if (typeof plain !== 'boolean') throw new TypeError('home plain must be true or false');
  if (url !== undefined) {
    const kind = kindOfUrl(text(url, 'url'));
    if (!isServiceUrl(kind, url)) throw new LanpostError('invalid-value', 'Not an address of a home\'s service: it must begin with wss:// (WebSocket) or https:// (BOSH), and hold no password.');
    if (transport !== 'auto' && transport !== kind) throw new LanpostError('invalid-value', `That address is one for ${kind}, not for ${transport}.`);
    if (host !== undefined || port !== undefined) throw new LanpostError('invalid-value', 'Give a home either an address of its service or a host and port.');
  } else if ((transport === 'websocket' || transport === 'bosh') && (host !== undefined || port !== undefined)) {
    throw new LanpostError('invalid-value', `Where ${transport} is, is said by an address (url), not by a host and port.`);
  }
  if (!Array.isArray(pin) || pin.some((one) => typeof one !== 'string')) throw new TypeError('home pin must be a list of texts');
  if (pin.length > MAX_PINS) throw new LanpostError('too-large', `A home takes at most ${MAX_PINS} pins.`);
  for (const one of pin) if (!/^[A-Za-z0-9+/]{43}=$/.test(one)) throw new LanpostError('invalid-value', `Not a pin: ${JSON.stringify(one)}. It is the SHA-256 of the server's public key (SPKI), in base64.`);
  if (proxy !== undefined) parseProxy(text(proxy, 'proxy'));
  return { host: host === undefined ? undefined : text(host, 'host'), port, ca, transport, url, pin: [...new Set(pin)], proxy, plain, ...toGroup(options) };
}

function toGroup({ group, rank = 0 }: Partial<HomeOptions>): Pick<Connecting, 'group' | 'rank'> {
  if (group !== undefined && !/^[a-z0-9][a-z0-9-]{0,31}$/.test(text(group, 'group'))) throw new LanpostError('invalid-value', `Not a group of homes: ${JSON.stringify(group)}. It is up to 32 of a-z, 0-9 and -.`);
  if (!Number.isInteger(rank) || rank < 0 || rank > MAX_RANK) throw new TypeError(`home rank must be a whole number from 0 to ${MAX_RANK}`);
  return { group, rank };
}
