// What the owner says about a home, checked at the door and kept in the log's registry.
import type { HomeOptions } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { validFilter } from '../log/filter.ts';
import type { Registry } from '../log/registry.ts';
import { bare, isBareJid, parseJid, type Jid } from '../xmpp/jid.ts';

export interface Account {
  /** Bare, normalised. */
  readonly jid: string;
  readonly address: Jid;
  readonly password: string;
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly ca: string | undefined;
  readonly service: string;
  readonly topics: readonly string[];
}

const KEYS = new Set(['jid', 'password', 'host', 'port', 'ca', 'service', 'topics']);
const MAX_TOPICS = 64;

function text(value: unknown, name: string): string {
  if (typeof value !== 'string' || value === '') throw new TypeError(`home ${name} must be a non-empty string`);
  return value;
}

/** Throws TypeError for wrong types, LanpostError for what cannot be. */
export function toAccount(options: Partial<HomeOptions>): Account {
  if (typeof options !== 'object' || options === null) throw new TypeError('home options must be an object');
  for (const key of Object.keys(options)) if (!KEYS.has(key)) throw new TypeError(`unknown home option ${key}`);
  const given = text(options.jid, 'jid');
  const address = parseJid(given);
  const jid = bare(given);
  if (!address || jid === undefined || !isBareJid(given)) throw new LanpostError('invalid-value', `Not an account: ${JSON.stringify(given)}. Give it as name@domain.`);
  const { host, port, ca, service, topics = [] } = options;
  if (port !== undefined && (!Number.isInteger(port) || port < 1 || port > 65_535)) throw new TypeError('home port must be 1 to 65535');
  if (ca !== undefined && !text(ca, 'ca').includes('-----BEGIN CERTIFICATE-----')) throw new LanpostError('invalid-value', 'The certificate authority of a home must be PEM.');
  if (service !== undefined && !parseJid(text(service, 'service'))) throw new LanpostError('invalid-value', `Not an address: ${JSON.stringify(service)}.`);
  if (!Array.isArray(topics)) throw new TypeError('home topics must be a list of filters');
  for (const filter of topics) {
    if (typeof filter !== 'string') throw new TypeError('home topics must be a list of filters');
    if (!validFilter(filter)) throw new LanpostError('invalid-topic', `Not a topic or filter: ${JSON.stringify(filter)}.`);
  }
  if (topics.length > MAX_TOPICS) throw new LanpostError('too-large', `A home takes at most ${MAX_TOPICS} filters.`);
  return {
    jid, address, password: text(options.password, 'password'), port, ca,
    host: host === undefined ? undefined : text(host, 'host'),
    service: service ?? `pubsub.${address.domain}`,
    topics: [...new Set(topics)],
  };
}

const PREFIX = 'home:';

export async function saveAccount(registry: Registry, account: Account): Promise<void> {
  const { address: _address, ...kept } = account;
  const row: Record<string, unknown> = { ...kept };
  for (const key of Object.keys(row)) if (row[key] === undefined) delete row[key];
  await registry.set(`${PREFIX}${account.jid}`, row);
}

export async function forgetAccount(registry: Registry, jid: string): Promise<void> {
  await registry.set(`${PREFIX}${jid}`, undefined);
}

/** Every home that was ever added and not removed. */
export function loadAccounts(registry: Registry): Account[] {
  // The rows are our own, but an older or newer version may have written them: they are checked like any other.
  return registry.entries(PREFIX).map(([, row]) => toAccount(typeof row === 'object' && row !== null ? row : {}));
}
