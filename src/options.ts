import { resolve } from 'node:path';
import type { About, BoxOptions, HomeOptions, Limits } from './api.ts';
import { LanpostError } from './errors.ts';

/** Defaults of every limit; `docs/LIMITS.md` says what each is for. */
export const DEFAULT_LIMITS: Limits = {
  diskFloor: 64 * 1024 * 1024,
  itemBytes: 128 * 1024,
  stanzaBytes: 256 * 1024,
  xmlDepth: 32,
  peers: 1024,
  streams: 128,
  fileBytes: 64 * 1024 * 1024,
  peerFilesBytes: 256 * 1024 * 1024,
  filesBytes: 1024 * 1024 * 1024,
  topics: 100_000,
  subscriptions: 20_000,
};

/** Who is called, and may call, where no multicast reaches; what is in them the link checks. */
export interface OffLinkOptions {
  readonly peers: readonly string[];
  readonly accept: readonly string[];
  readonly domains: readonly string[];
  readonly dns: readonly string[];
}

/** Options with every default filled in, checked once, at the door. */
export interface CheckedOptions {
  readonly dir: string;
  readonly name: string | undefined;
  readonly link: false | { readonly interfaces: readonly string[] | undefined; readonly port: number | undefined; readonly offLink: OffLinkOptions };
  /** What it may say is known to the link, which checks it. */
  readonly about: About;
  readonly homes: readonly HomeOptions[];
  readonly control: boolean;
  readonly limits: Limits;
}

const KNOWN = new Set(['dir', 'name', 'link', 'homes', 'control', 'limits']);

export function checkedOptions(options: BoxOptions = {}): CheckedOptions {
  if (typeof options !== 'object' || options === null) throw new TypeError('createBox takes an options object');
  for (const key of Object.keys(options)) if (!KNOWN.has(key)) throw new TypeError(`createBox has no option "${key}"`);
  if (options.dir !== undefined && (typeof options.dir !== 'string' || options.dir === '')) throw new TypeError('dir must be a path');
  if (options.control !== undefined && typeof options.control !== 'boolean') throw new TypeError('control must be true or false');
  if (options.homes !== undefined && !Array.isArray(options.homes)) throw new TypeError('homes must be a list');
  return {
    dir: resolve(options.dir ?? '.lanpost'),
    name: checkedName(options.name),
    link: checkedLink(options.link),
    about: aboutOf(options.link),
    homes: options.homes ?? [],
    control: options.control ?? true,
    limits: checkedLimits(options.limits),
  };
}

/** XEP-0174 §3: the user part of `user@machine`; one DNS label holds both, so it stays short. */
function checkedName(name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  if (typeof name !== 'string') throw new TypeError('name must be a string');
  // libpurple compares names undecoded, so what XML would escape is refused (docs/LIMITS.md).
  if (!/^[^\p{Cc}@&<>"']+$/u.test(name) || Buffer.byteLength(name) > 30) {
    throw new LanpostError('invalid-value', `the name "${name}" must have 1 to 30 bytes and none of @ & < > " '`);
  }
  return name;
}

function checkedLink(link: BoxOptions['link']): CheckedOptions['link'] {
  if (link === false) return false;
  if (link !== undefined && (typeof link !== 'object' || link === null)) throw new TypeError('link must be false or an object');
  const { interfaces, port, peers = [], accept = [], domains = [], dns = [] } = link ?? {};
  if (interfaces !== undefined && !(Array.isArray(interfaces) && interfaces.every((name) => typeof name === 'string' && name !== ''))) {
    throw new TypeError('link.interfaces must be a list of interface names');
  }
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port < 65536)) {
    throw new LanpostError('invalid-value', 'link.port must be a whole number from 0 to 65535');
  }
  for (const [name, list] of Object.entries({ peers, accept, domains, dns })) {
    if (!(Array.isArray(list) && list.every((one) => typeof one === 'string'))) throw new TypeError(`link.${name} must be a list of texts`);
  }
  return { interfaces, port, offLink: { peers, accept, domains, dns } };
}

function aboutOf(link: BoxOptions['link']): About {
  if (!link) return {};
  const { about, personal } = link;
  if (personal !== undefined && typeof personal !== 'boolean') throw new TypeError('link.personal must be true or false');
  if (about !== undefined && (typeof about !== 'object' || about === null)) throw new TypeError('link.about must be an object');
  if (about && 'personal' in about) throw new TypeError('link.about has no member "personal"; it is link.personal');
  return { ...about, ...(personal === undefined ? {} : { personal }) };
}

function checkedLimits(limits: Partial<Limits> = {}): Limits {
  for (const [name, value] of Object.entries(limits)) {
    if (!(name in DEFAULT_LIMITS)) throw new TypeError(`there is no limit "${name}"`);
    if (!Number.isSafeInteger(value) || value < 0) throw new LanpostError('invalid-value', `limits.${name} must be a whole number`);
  }
  return { ...DEFAULT_LIMITS, ...limits };
}
