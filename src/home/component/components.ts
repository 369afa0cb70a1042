// The components of a box: domains on a server of this machine, under which devices have addresses. Kept in the log's registry.
import { isIP } from 'node:net';
import type { ComponentOptions, ComponentStatus, Trouble } from '../../api.ts';
import type { Clock } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import { OneByOne } from '../../one-by-one.ts';
import { late } from '../../late.ts';
import { parseJid } from '../../xmpp/jid.ts';
import type { HomeReceiver } from '../home.ts';
import { reasonOf } from '../reason.ts';
import { componentRefusals, type RefusalsParts, triedEarly, unrefused } from '../refusals.ts';
import type { Component, ComponentAccount } from './component.ts';
import { ComponentRoad } from './component-road.ts';

const COMPONENTS = 8;
const DEVICES = 1_000;
const PREFIX = 'component:';
const PORT = 5347;
const KEYS = new Set(['domain', 'host', 'port', 'secret', 'devices']);

type Rows = readonly (readonly [key: string, value: unknown])[];

export interface ComponentsParts {
  readonly log: RefusalsParts['log'];
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly receive: HomeReceiver;
  readonly isDevice?: (name: string) => boolean;
  /** One has come: mail may have a road now. */
  readonly opened?: () => void;
  readonly random?: () => number;
}

export class Components {
  readonly #parts: ComponentsParts;
  readonly #open = new Map<string, Component>();
  /** Kept, and not taken up: another version has kept it, say. */
  readonly #unread = new Map<string, ComponentStatus>();
  /** Mail from addresses of devices. */
  readonly road: ComponentRoad = new ComponentRoad(this.#open);
  readonly #turns = new OneByOne();

  constructor(parts: ComponentsParts) {
    this.#parts = parts;
  }

  /** Takes up every one that was added before. */
  async start(): Promise<void> {
    for (const [key, row] of this.#parts.log.registry.entries(PREFIX)) {
      try {
        await this.#connect(toComponent(isOptions(row) ? row : {}));
      } catch (error) {
        // One that another version has kept, and this one does not take, keeps neither the others nor the box.
        const domain = key.slice(PREFIX.length);
        const why = reasonOf(error);
        this.#unread.set(domain, {
          domain, devices: [], state: 'refused', since: this.#parts.clock.wall(),
          reason: `this version cannot take it up as it is kept: ${why}. \`lanpost component add ${domain}\` gives it anew, \`lanpost component remove ${domain}\` forgets it`,
        });
        this.#parts.trouble({ kind: 'component.start', message: `${domain} could not be taken up: ${why}` });
      }
    }
  }

  add(options: ComponentOptions): Promise<ComponentStatus> {
    return this.#turns.run(async () => {
      const account = toComponent(options);
      if (!this.#open.has(account.domain) && this.#open.size >= COMPONENTS) throw new LanpostError('busy', `${COMPONENTS} components are there already.`);
      const { registry } = this.#parts.log;
      const former = this.#open.get(account.domain);
      // First, so that what its server says of it meanwhile is not said of the new one.
      await former?.close();
      const key = componentRefusals(account.domain);
      const refused = former && isServedAlike(former.account, account) ? triedEarly(registry, key) : unrefused(registry, key);
      await this.#keep(former, [[PREFIX + account.domain, { ...account, devices: [...account.devices] }], ...refused]);
      return (await this.#connect(account)).status();
    });
  }

  list(): ComponentStatus[] {
    return [...[...this.#open.values()].map((component) => component.status()), ...this.#unread.values()];
  }

  remove(domain: string): Promise<void> {
    return this.#turns.run(async () => {
      const unread = typeof domain === 'string' ? [domain, domain.toLowerCase()].find((one) => this.#unread.has(one)) : undefined;
      if (unread !== undefined) {
        await this.#keep(undefined, this.#goneRows(unread));
        this.#unread.delete(unread);
        return;
      }
      const component = this.#of(domain);
      await component.close();
      await this.#keep(component, this.#goneRows(component.account.domain));
      this.#open.delete(component.account.domain);
    });
  }

  #goneRows(domain: string): Rows {
    return [[PREFIX + domain, undefined], ...unrefused(this.#parts.log.registry, componentRefusals(domain))];
  }

  /** A log that takes nothing leaves the component as it was; it is closed already. */
  async #keep(former: Component | undefined, rows: Rows): Promise<void> {
    try {
      await this.#parts.log.registry.setAll(rows);
    } catch (error) {
      if (former) await this.#connect(former.account);
      throw error;
    }
  }

  /** That of the first domain comes first, whatever is connected: a device does not change it. */
  addressesOf(device: string): string[] {
    return [...this.#open.values()].filter(({ account }) => account.devices.includes(device)).map(({ account }) => `${device}@${account.domain}`).toSorted();
  }

  /** The address it is from, bare. Throws when nobody can write that from there. */
  checked(from: string, to: string, body: string): string {
    if ([from, to, body].some((text) => typeof text !== 'string')) throw new TypeError('from, to and body must be texts');
    const address = parseJid(from);
    if (!address?.local) throw new LanpostError('invalid-value', `"${from}" is no address of a device.`);
    this.#of(address.domain).check(address.local, to, body);
    return `${address.local}@${address.domain}`;
  }

  async close(): Promise<void> {
    await this.#turns.settled();
    await Promise.all([...this.#open.values()].map((component) => component.close()));
  }

  #of(domain: string): Component {
    if (typeof domain !== 'string') throw new TypeError('a domain must be a text');
    const component = this.#open.get(domain.toLowerCase());
    if (!component && this.#unread.has(domain.toLowerCase())) throw new LanpostError('unreachable', `The component ${domain} cannot be taken up as it is kept: \`lanpost component list\` tells why.`);
    if (!component) throw new LanpostError('not-found', `There is no component ${domain}.`);
    return component;
  }

  async #connect(account: ComponentAccount): Promise<Component> {
    const { Component: Loaded } = await late('What speaks for devices', () => import('./component.ts'));
    const component = new Loaded({ ...this.#parts, account });
    this.#open.set(account.domain, component);
    this.#unread.delete(account.domain);
    return component;
  }
}

/** Whatever was said of the one is said of the other. */
function isServedAlike(a: ComponentAccount, b: ComponentAccount): boolean {
  return a.secret === b.secret && a.host === b.host && a.port === b.port;
}

function isOptions(row: unknown): row is ComponentOptions {
  return typeof row === 'object' && row !== null;
}

/** Throws TypeError for wrong types, LanpostError for what cannot be. */
export function toComponent(options: Partial<ComponentOptions>): ComponentAccount {
  if (typeof options !== 'object' || options === null) throw new TypeError('component options must be an object');
  for (const key of Object.keys(options)) if (!KEYS.has(key)) throw new TypeError(`unknown component option ${key}`);
  const { domain = '', host = '127.0.0.1', port = PORT, secret, devices = [] } = options;
  if (typeof domain !== 'string' || typeof host !== 'string') throw new TypeError('component domain and host must be texts');
  if (typeof secret !== 'string' || secret === '') throw new TypeError('component secret must be a non-empty text');
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new TypeError('component port must be 1 to 65535');
  if (!Array.isArray(devices) || devices.some((device) => typeof device !== 'string')) throw new TypeError('component devices must be a list of names');
  const address = parseJid(domain);
  if (!address || address.local !== undefined || address.resource !== undefined) throw new LanpostError('invalid-value', `Not a domain: ${JSON.stringify(domain)}.`);
  // The stream is in the clear, and its secret would be anybody's on the way.
  if (!(isIP(host) === 4 ? host.startsWith('127.') : host === '::1')) throw new LanpostError('invalid-value', 'A component is spoken with in the clear, so its server must be on this machine: 127.0.0.1 or ::1.');
  if (devices.length > DEVICES) throw new LanpostError('too-large', `A component has at most ${DEVICES} devices.`);
  const names = devices.map((device) => {
    const local = parseJid(`${device}@${address.domain}`)?.local;
    if (local === undefined || device.includes('@') || device.includes('/')) throw new LanpostError('invalid-value', `${JSON.stringify(device)} cannot be the name of a device's address.`);
    return local;
  });
  return { domain: address.domain, host, port, secret, devices: [...new Set(names)] };
}
