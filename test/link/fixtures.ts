import { once } from 'node:events';
import { type Socket, connect as connectTo, createServer } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { About, Trouble } from '../../src/api.ts';
import { txtData } from '../support/txt-data.ts';
import { type Clock, createSystemClock } from '../../src/clock.ts';
import { LanpostError } from '../../src/errors.ts';
import type { PeerContext } from '../../src/link/context.ts';
import { OwnPresence } from '../../src/link/own-presence.ts';
import { createLink, type Link, type LinkInit } from '../../src/link/link.ts';
import type { ProvenPeer } from '../../src/link/streams-port.ts';
import type { Tcp } from '../../src/link/tcp.ts';
import type { BrowseEvent, Found, InstanceRecord, Mdns, Publication, Service } from '../../src/mdns/mdns.ts';
import { selfSigned } from '../../src/trust/certificate.ts';
import { type Identity, loadIdentity } from '../../src/trust/identity.ts';
import { Trust } from '../../src/trust/trust.ts';
import { Disco } from '../../src/xep/disco.ts';
import { createPing } from '../../src/xep/ping.ts';
import { readMessage } from '../../src/xep/message-body.ts';
import { Dispatcher } from '../../src/xmpp/dispatch.ts';
import type { Element } from '../../src/xmpp/element.ts';
import { Bell } from '../support/bell.ts';
import { createRelay, type Relay } from './relay.ts';
import { memoryRegistry } from '../trust/fixtures.ts';

/** Hosts of the pretended networks are addresses of the loopback network, which has 16 million. */
const real = (address: string): string => address.replace(/^10\.(7[79])\.0/, '127.$1.0');
const pretended = (address: string | undefined): string => (address ?? '').replace(/^127\.(7[79])\.0/, '10.$1.0');
/** Hosts from 1001 on are on another link, which no multicast reaches. */
const ELSEWHERE = 1_000;

/** Multicast reaches one link: what the tests say of other addresses is said on the first one. */
function isHeard({ addresses }: Found, at: string): boolean {
  return addresses.some(({ address }) => address.startsWith('10.79.')) === at.startsWith('10.79.');
}

export interface Received { readonly body: string; readonly from: string; readonly context: PeerContext; readonly stanza: Element }

export interface TestBox {
  readonly link: Link;
  readonly name: string;
  readonly trust: Trust;
  readonly own: OwnPresence;
  readonly disco: Disco<PeerContext>;
  readonly identity: Identity;
  readonly dispatcher: Dispatcher<PeerContext>;
  readonly messages: Received[];
  readonly troubles: Trouble[];
  readonly opened: ProvenPeer[];
  readonly closed: ProvenPeer[];
  close(): Promise<void>;
}

export interface BoxSetup {
  readonly identity?: Identity;
  readonly timing?: LinkInit['timing'];
  /** What a message causes; it counts as handled when this resolves. */
  readonly handle?: (message: Received) => Promise<void>;
  readonly clock?: Clock;
  /** What the machine is called; default `h` and its number. */
  readonly host?: string;
  readonly roomy?: () => Promise<void> | undefined;
  /** What the first stream waits for. */
  readonly certificate?: () => Promise<string>;
  readonly limits?: { peers?: number; streams?: number; stanzaBytes?: number; xmlDepth?: number };
  readonly about?: About;
  readonly registry?: ReturnType<typeof memoryRegistry>;
  readonly offLink?: LinkInit['offLink'];
  readonly resolve?: LinkInit['resolve'];
  /** Discovery of its own, rather than by word of mouth. */
  readonly mdns?: LinkInit['mdns'];
}

/** A LAN in one process: real TCP between loopback addresses, discovery by word of mouth. */
export class SimulatedLan {
  readonly #services = new Map<string, Found>();
  /** Further records of each instance. */
  readonly records = new Map<string, readonly InstanceRecord[]>();
  /** Where instances have gone to without telling: it is known once it is asked for. */
  readonly untold = new Map<string, Found>();
  readonly #listeners = new Map<(event: BrowseEvent) => void, string>();
  readonly #closers: (() => Promise<void>)[] = [];
  readonly #identities: Identity[] = [];
  readonly #renaming = new Map<string, (to: string) => void>();
  /** Connections made, as `from>to`. */
  readonly dials: string[] = [];
  /** Whose records somebody asked about again. */
  readonly doubted: string[] = [];
  /** When records were last heard; of those not named nobody knows. */
  readonly heard = new Map<string, number>();
  readonly sockets = new Set<Socket>();
  /** Set before the first connection: each goes through one that can fall silent. */
  relays: Relay[] | undefined;
  /** Rings for whatever happens to the boxes, the peers and the sockets of this LAN. */
  readonly bell = new Bell();
  readonly #clock: Clock = this.bell.heard(createSystemClock());

  /** Resolves once `fits` holds. */
  until(fits: () => boolean): Promise<void> {
    return this.bell.until(fits);
  }

  address(host: number): string {
    return host > ELSEWHERE ? `10.79.0.${host - ELSEWHERE}` : `10.77.0.${host}`;
  }

  #tell(event: BrowseEvent): void {
    for (const [tell, address] of this.#listeners) if (isHeard(event.service, address)) tell(event);
  }

  async identity(): Promise<Identity> {
    const dir = await mkdtemp(join(tmpdir(), 'lanpost-link-'));
    const identity = await loadIdentity(dir, { machine: 'test' });
    await rm(dir, { recursive: true });
    this.#identities.push(identity);
    return identity;
  }

  announce(found: Found): void {
    const before = this.#services.has(found.instance);
    this.#services.set(found.instance, found);
    this.#tell({ type: before ? 'changed' : 'up', service: found });
  }

  portOf(instance: string): number | undefined {
    return this.#services.get(instance)?.port;
  }

  /** Another machine turns out to have had the name first. */
  rename(from: string, to: string): void {
    const found = this.#services.get(from);
    this.withdraw(from);
    this.#renaming.get(from)?.(to);
    if (found) this.announce({ ...found, instance: to });
  }

  withdraw(instance: string): void {
    const service = this.#services.get(instance);
    if (!service || !this.#services.delete(instance)) return;
    this.#tell({ type: 'down', service });
  }

  mdns(host: number): Pick<Mdns, 'publish' | 'browse' | 'interfaces' | 'addresses' | 'state'> {
    return {
      interfaces: () => [{ name: 'eth0', addresses: [{ address: this.address(host), family: 4, prefix: 24 }] }],
      addresses: () => new Set([this.address(host)]),
      state: () => ({ links: [], offers: [] }),
      publish: (service: Service): Publication => {
        const instance = `${service.user}@${service.host ?? `h${host}`}`;
        const found = (txt: Service['txt']): Found => ({
          instance, host: `h${host}.local`, port: service.port, text: txtData(txt),
          addresses: [{ address: this.address(host), family: 4, interface: 'eth0' }],
        });
        setImmediate(() => this.announce(found(service.txt)));
        this.records.set(instance, service.records ?? []);
        this.#renaming.set(instance, to => service.onRenamed?.({ instance: to, user: service.user, machine: '', host: '', numbers: { user: 1, host: 0 } }));
        return {
          instance, user: service.user, machine: service.host ?? '', host: `h${host}`, published: Promise.resolve(),
          update: (txt, records) => {
            if (records) this.records.set(instance, records);
            this.announce(found(txt ?? service.txt));
          },
          stop: () => { this.withdraw(instance); return Promise.resolve(); },
        };
      },
      browse: (_type, on) => {
        this.#listeners.set(on, this.address(host));
        for (const service of this.#services.values()) if (isHeard(service, this.address(host))) on({ type: 'up', service });
        return {
          stop: () => void this.#listeners.delete(on),
          reconfirm: name => void this.doubted.push(name),
          heard: name => this.heard.get(name),
          ask: async (name, type) => {
            const record = this.records.get(name)?.find(one => one.type === type);
            if (!record) throw new LanpostError('not-found', `${name} has no such record`);
            return record.bytes;
          },
          resolve: async name => {
            const found = this.untold.get(name);
            this.untold.delete(name);
            if (found) this.announce(found);
            return this.#services.get(name);
          },
        };
      },
    };
  }

  tcp(host: number): Tcp {
    const known = (socket: Socket, remote = socket.remoteAddress, local = socket.localAddress): Socket => {
      this.sockets.add(socket);
      this.bell.ring();
      socket.once('close', () => {
        this.sockets.delete(socket);
        this.bell.ring();
      });
      Object.defineProperties(socket, { remoteAddress: { value: pretended(remote) }, localAddress: { value: pretended(local) } });
      return socket;
    };
    return {
      connect: async (address, port) => {
        this.dials.push(`${host}>${address}`);
        const straight = { host: real(address), port, localAddress: real(this.address(host)) };
        const relay = this.relays && await createRelay(straight);
        if (relay) this.relays?.push(relay);
        const socket = connectTo({ ...(relay ? { host: '127.0.0.1', port: relay.port } : straight), allowHalfOpen: true });
        try {
          await once(socket, 'connect');
        } catch (cause) {
          throw new LanpostError('unreachable', cause instanceof Error ? cause.message : String(cause), { cause });
        }
        return known(socket, straight.host, straight.localAddress);
      },
      listen: (address, port, accept) => new Promise((resolve, reject) => {
        const server = createServer({ allowHalfOpen: true }, socket => accept(known(socket)));
        server.once('error', cause => reject(new LanpostError('in-use', cause.message, { cause })));
        server.listen(port, real(address), () => {
          const bound = server.address();
          resolve({
            address, port: typeof bound === 'object' && bound ? bound.port : 0,
            close: () => new Promise(done => { server.close(() => done()); }),
          });
        });
      }),
    };
  }

  async box(host: number, user: string, setup: BoxSetup = {}): Promise<TestBox> {
    const clock = setup.clock ? this.bell.heard(setup.clock) : this.#clock;
    const noted = <T>(list: T[]) => (one: T): void => {
      list.push(one);
      this.bell.ring();
    };
    const troubles: Trouble[] = [];
    const trouble = noted(troubles);
    const registry = setup.registry ?? memoryRegistry();
    const trust = new Trust({ registry, clock, trouble });
    const identity = setup.identity ?? await this.identity();
    const dispatcher = new Dispatcher<PeerContext>();
    const disco = new Disco<PeerContext>({ identities: [{ category: 'client', type: 'bot', name: 'lanpost' }], node: 'urn:lanpost:0' });
    const ping = createPing<PeerContext>();
    for (const extension of [disco, ping]) { disco.add(extension.features); extension.attach(dispatcher); }
    const messages: Received[] = [];
    dispatcher.message('jabber:client', 'body', async (stanza, _body, context) => {
      const message = { body: readMessage(stanza)?.body ?? '', from: String(stanza.attrs['from']), context, stanza };
      await setup.handle?.(message);
      noted(messages)(message);
    });
    const opened: ProvenPeer[] = [];
    const closed: ProvenPeer[] = [];
    const own = new OwnPresence({ registry, label: user, caps: () => disco.caps(), ...(setup.about ? { about: setup.about } : {}) });
    const link = createLink({
      mdns: setup.mdns ?? this.mdns(host), trust, identity, registry, clock, trouble, dispatcher, disco, own,
      certificate: setup.certificate ?? (() => selfSigned(identity.key)),
      name: user, host: setup.host ?? `h${host}`, port: 0, tcp: this.tcp(host),
      limits: { peers: 100, streams: 50, stanzaBytes: 262_144, xmlDepth: 32, ...setup.limits },
      ...(setup.timing ? { timing: setup.timing } : {}),
      ...(setup.offLink ? { offLink: setup.offLink } : {}),
      ...(setup.resolve ? { resolve: setup.resolve } : {}),
      ...(setup.roomy ? { roomy: setup.roomy } : {}),
      on: { opened: noted(opened), closed: noted(closed) },
    });
    link.peers.watch(this.bell.ring);
    await link.start();
    const close = async (): Promise<void> => { await link.close(); await trust.close(); };
    this.#closers.push(close);
    return {
      link, own, disco, name: link.name, trust, identity, dispatcher, messages, troubles, opened, closed, close,
    };
  }

  onClose(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    for (const relay of this.relays ?? []) relay.close();
    await Promise.all(this.#closers.splice(0).map(close => close()));
  }
}

/** Waits until each box sees the other. */
export async function acquainted(...boxes: { readonly link: Pick<Link, 'peers' | 'name'> }[]): Promise<void> {
  await Promise.all(boxes.flatMap(box => boxes.filter(other => other !== box).map(other => seen(box, other.link.name))));
}

export function seen(box: { readonly link: Pick<Link, 'peers'> }, name: string): Promise<void> {
  return new Promise(resolve => {
    const look = (): boolean => box.link.peers.get(name) !== undefined;
    if (look()) return resolve();
    const stop = box.link.peers.watch(() => { if (look()) { stop(); resolve(); } });
  });
}

/** Sends, and waits until the other box has confirmed everything. */
export async function confirmed(sent: readonly Promise<{ readonly delivered?: Promise<void> }>[]): Promise<void> {
  for (const one of await Promise.all(sent)) await one.delivered;
}
