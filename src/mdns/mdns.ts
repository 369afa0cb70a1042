import type { Trouble } from '../api.ts';
import type { Clock, Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { addressToBytes, canonicalAddress, isLinkLocal } from './address.ts';
import { decodeMessage } from './decode.ts';
import { Directory, onLink, type BrowseEvent } from './directory.ts';
import { channelPrint, linksOf, printOf } from './interfaces.ts';
import { Link } from './link.ts';
import { escapeLabel, nameKey } from './name.ts';
import type { Channel, Family, InterfaceInfo, Network, Source } from './network.ts';
import { nameOf, Offers, type Offer, type Place, type Service } from './offers.ts';
import type { Output } from './output.ts';

/** Interfaces come and go without a word. */
const POLL_TIME = 2000;
/** Wall time running ahead of monotonic time by this much: the machine slept. */
const SLEEP_TIME = 5000;
/** Instances remembered on one link. */
const MAX_INSTANCES = 4096;
/** Senders remembered on one link. */
const MAX_SOURCES = 4096;
/** Packets nobody can read are told about this often at most. */
const REPORT_GAP = 60_000;

export interface Publication {
  /** The instance as it is now: `user@machine`. */
  readonly instance: string;
  readonly user: string;
  readonly machine: string;
  /** Where the SRV record points: the machine, or beside another responder a label of our own. */
  readonly host: string;
  /** Resolves when the names are ours on some link; waits as long as there is none. Also when it is stopped. */
  readonly published: Promise<void>;
  update(txt: readonly (readonly [string, string])[]): void;
  /** Says goodbye. */
  stop(): Promise<void>;
}

export interface Browsing {
  stop(): void;
  /** Could not be reached: it is asked for, and `down` in 5 s if it does not answer. */
  reconfirm(instance: string): void;
}

export interface Mdns {
  publish(service: Service): Publication;
  browse(type: string, on: (event: BrowseEvent) => void): Browsing;
  /** The interfaces it works on now. */
  interfaces(): InterfaceInfo[];
  /** Says goodbye for everything and leaves the links. */
  close(): Promise<void>;
}

export interface MdnsOptions {
  readonly network: Network;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  /** This host's name; becomes the machine's part of every instance. */
  readonly host: string;
  /** Names of interfaces to use; default all. */
  readonly interfaces?: readonly string[];
  readonly random?: () => number;
}

export function createMdns(options: MdnsOptions): Mdns {
  return new Engine(options);
}

interface Joined extends Place {
  interface: InterfaceInfo;
  readonly family: Family;
  readonly channel: Channel;
  /** Whether senders are on the link, as far as it was looked up. */
  readonly sources: Map<string, boolean>;
  /** What the channel was opened for. */
  readonly print: string;
}

class Engine implements Mdns {
  readonly #o: MdnsOptions;
  readonly #random: () => number;
  readonly #places = new Map<string, Joined>();
  readonly #opening = new Map<string, Promise<void>>();
  readonly #failed = new Map<string, string>();
  readonly #offers: Offers;
  readonly #directory: Directory;
  readonly #listeners = new Map<string, Set<(event: BrowseEvent) => void>>();
  readonly #published = new Map<Offer, () => void>();
  readonly #reported = new Map<string, { at: number; count: number }>();
  readonly #poll: Timer;
  #own: ReadonlySet<string> = new Set();
  #interfaces: InterfaceInfo[] = [];
  #timer: { readonly at: number; readonly timer: Timer } | undefined;
  #alone = false;
  #wall: number;
  #mono: number;
  #closed: Promise<void> | undefined;

  constructor(options: MdnsOptions) {
    this.#o = options;
    this.#random = options.random ?? Math.random;
    this.#offers = new Offers({
      places: () => this.#places.values(),
      host: options.host,
      alias: `lanpost-${Math.floor(this.#random() * 0x7fff_ffff).toString(36).padStart(6, '0')}`,
      held: (offer) => this.#published.get(offer)?.(),
      changed: () => this.#directory.review(),
      renamed: (offer) => offer.service.onRenamed?.(nameOf(offer)),
    });
    this.#directory = new Directory({ isOwn: (key) => this.#offers.owns(key), emit: (type, event) => this.#emit(type, event) });
    this.#wall = options.clock.wall();
    this.#mono = options.clock.mono();
    this.#poll = options.clock.every(POLL_TIME, () => this.#look());
    this.#look();
  }

  interfaces(): InterfaceInfo[] {
    const names = new Set([...this.#places.values()].map((place) => place.interface.name));
    return this.#interfaces.filter(({ name }) => names.has(name));
  }

  publish(service: Service): Publication {
    this.#open();
    const offer = this.#offers.publish(service, this.#now());
    const published = new Promise<void>((resolve) => {
      this.#published.set(offer, resolve);
    });
    this.#directory.review();
    this.#run();
    const stop = async (): Promise<void> => {
      this.#published.get(offer)?.();
      this.#published.delete(offer);
      this.#offers.stop(offer);
      this.#run();
    };
    return {
      get instance() { return nameOf(offer).instance; },
      get user() { return nameOf(offer).user; },
      get machine() { return nameOf(offer).machine; },
      get host() { return nameOf(offer).host; },
      published,
      stop,
      update: (txt) => {
        this.#offers.update(offer, txt, this.#now());
        this.#run();
      },
    };
  }

  browse(type: string, on: (event: BrowseEvent) => void): Browsing {
    this.#open();
    const name = `${type}.local`;
    const key = nameKey(name);
    const listeners = this.#listeners.get(key) ?? new Set<(event: BrowseEvent) => void>();
    this.#listeners.set(key, listeners);
    const listener = (event: BrowseEvent): void => on(event);
    listeners.add(listener);
    for (const service of this.#directory.shown(key)) this.#tell(listener, { type: 'up', service });
    for (const { link } of this.#places.values()) link.browse(name, this.#now());
    this.#run();
    return {
      stop: () => {
        if (!listeners.delete(listener) || listeners.size > 0) return;
        this.#listeners.delete(key);
        for (const { link } of this.#places.values()) link.stopBrowsing(name, this.#now());
        this.#run();
      },
      reconfirm: (instance) => {
        for (const { link } of this.#places.values()) link.reconfirm(`${escapeLabel(instance)}.${name}`, this.#now());
        this.#run();
      },
    };
  }

  close(): Promise<void> {
    this.#closed ??= this.#leave();
    return this.#closed;
  }

  async #leave(): Promise<void> {
    this.#poll.stop();
    await Promise.all(this.#opening.values());
    for (const { link } of this.#places.values()) link.releaseAll();
    this.#run();
    this.#timer?.timer.stop();
    const places = [...this.#places.values()];
    this.#places.clear();
    for (const resolve of this.#published.values()) resolve();
    this.#listeners.clear();
    await Promise.all(places.map(({ channel }) => channel.close()));
  }

  #open(): void {
    if (this.#closed) throw new LanpostError('closed', 'mDNS has been closed');
  }

  #now(): number {
    return this.#o.clock.mono();
  }

  /** What interfaces there are now: joins new ones, leaves those that are gone, and notices sleep. */
  #look(): void {
    const present = this.#present();
    this.#own = new Set(present.flatMap(({ addresses }) => addresses.map(({ address }) => canonicalAddress(address))));
    this.#interfaces = present;
    const slept = this.#slept();
    const wanted = linksOf(present);
    for (const [id, place] of this.#places) {
      const still = wanted.get(id);
      if (!still || channelPrint(still.iface, place.family) !== place.print) this.#part(place);
    }
    for (const [id, { iface, family }] of wanted) {
      const place = this.#places.get(id);
      if (!place) this.#join(id, iface, family);
      else {
        const changed = printOf(iface) !== printOf(place.interface);
        place.interface = iface;
        if (changed) place.sources.clear();
        if (changed) this.#offers.joined(place, this.#now());
        if (slept) place.link.restart(this.#now());
      }
    }
    this.#noteAlone(wanted.size === 0);
    for (const id of this.#failed.keys()) if (!wanted.has(id)) this.#failed.delete(id);
    this.#run();
  }

  #noteAlone(alone: boolean): void {
    if (alone && !this.#alone) this.#o.trouble({ kind: 'mdns.alone', message: 'no network interface to use multicast DNS on; waiting for one', code: 'unreachable' });
    this.#alone = alone;
  }

  #present(): InterfaceInfo[] {
    const { interfaces, network } = this.#o;
    return network.interfaces().filter(({ name }) => !interfaces || interfaces.includes(name));
  }

  #slept(): boolean {
    const { clock } = this.#o;
    const ahead = clock.wall() - this.#wall - (clock.mono() - this.#mono);
    this.#wall = clock.wall();
    this.#mono = clock.mono();
    return ahead > SLEEP_TIME;
  }

  #join(id: string, iface: InterfaceInfo, family: Family): void {
    if (this.#opening.has(id) || this.#closed) return;
    const link = new Link({ random: this.#random, limit: MAX_INSTANCES, ownAddresses: () => this.#own });
    const opened = this.#enter(id, link, iface, family)
      .catch((error: unknown) => this.#couldNotJoin(id, error))
      .finally(() => this.#opening.delete(id));
    this.#opening.set(id, opened);
  }

  async #enter(id: string, link: Link, iface: InterfaceInfo, family: Family): Promise<void> {
    const channel = await this.#o.network.open(iface.name, family, (bytes, from) => this.#receive(id, bytes, from));
    const place: Joined = { id, link, interface: iface, family, channel, sources: new Map(), print: channelPrint(iface, family) };
    this.#failed.delete(id);
    this.#places.set(id, place);
    this.#offers.joined(place, this.#now());
    for (const key of this.#listeners.keys()) link.browse(key, this.#now());
    this.#run();
  }

  /** Tried again at every look; told once as long as the reason stays the same. */
  #couldNotJoin(id: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (this.#failed.get(id) === message) return;
    this.#failed.set(id, message);
    this.#o.trouble({ kind: 'mdns.join', message: `cannot use multicast DNS on ${id}: ${message}`, ...(error instanceof LanpostError ? { code: error.code } : {}) });
  }

  #part(place: Joined): void {
    place.link.clear(this.#now());
    this.#drain(place);
    this.#places.delete(place.id);
    this.#offers.left(place.id);
    place.channel.close().catch((error: unknown) => this.#couldNotJoin(place.id, error));
  }

  #receive(id: string, bytes: Uint8Array, from: Source): void {
    const place = this.#places.get(id);
    if (!place || !this.#isFromLink(from, place)) return;
    try {
      place.link.receive(decodeMessage(bytes), from, this.#now());
    } catch (error) {
      // Whatever a packet may be, it costs no more than itself.
      this.#report('mdns.malformed', `${from.address}: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.#run();
  }

  /** RFC 6762 §11: what comes from elsewhere is not for us. */
  #isFromLink({ address }: Source, place: Joined): boolean {
    const known = place.sources.get(address);
    if (known !== undefined) return known;
    const bytes = addressToBytes(address);
    const is = bytes !== undefined && (isLinkLocal(bytes) || onLink(bytes, place.interface));
    if (place.sources.size >= MAX_SOURCES) place.sources.clear();
    place.sources.set(address, is);
    return is;
  }

  /** Does what the links want done, until they want nothing more, and sees to the next time. */
  #run(): void {
    for (let busy = true; busy;) {
      busy = false;
      for (const place of this.#places.values()) busy = this.#drain(place) || busy;
    }
    this.#arm();
  }

  #drain(place: Joined): boolean {
    const outputs = place.link.take();
    for (const output of outputs) this.#do(place, output);
    return outputs.length > 0;
  }

  #do(place: Joined, output: Output): void {
    switch (output.type) {
      case 'send': return place.channel.send(output.bytes, output.to);
      case 'held': return this.#offers.heldAt(place, output.name);
      case 'conflict': return this.#offers.conflict(output.names, this.#now());
      case 'answered here': return this.#offers.answeredHere(output.name, this.#now());
      case 'found': return this.#directory.found(place.id, place.interface, output.service);
      case 'lost': return this.#directory.lost(place.id, output.name);
      case 'goodbye': return this.#doubtElsewhere(place, output.name);
      case 'full': return this.#report('mdns.full', `too many ${output.what} on ${place.id}; the newest are not remembered`);
      default: return output satisfies never;
    }
  }

  /** Said on one link; its packet on another (the other family, mostly) may have been lost. */
  #doubtElsewhere(at: Joined, name: string): void {
    for (const place of this.#places.values()) if (place !== at) place.link.reconfirm(name, this.#now());
  }

  #emit(type: string, event: BrowseEvent): void {
    for (const listener of this.#listeners.get(type) ?? []) this.#tell(listener, event);
  }

  #tell(listener: (event: BrowseEvent) => void, event: BrowseEvent): void {
    try {
      listener(event);
    } catch (error) {
      this.#o.trouble({ kind: 'mdns.listener', message: error instanceof Error ? error.message : String(error) });
    }
  }

  #report(kind: string, message: string): void {
    const now = this.#now();
    const before = this.#reported.get(kind);
    if (before && now - before.at < REPORT_GAP) {
      before.count++;
      return;
    }
    this.#reported.set(kind, { at: now, count: 0 });
    this.#o.trouble({ kind, message: before && before.count > 0 ? `${message} (and ${before.count} more since)` : message });
  }

  #arm(): void {
    let next = Infinity;
    for (const { link } of this.#places.values()) next = Math.min(next, link.next());
    if (next === Infinity || this.#closed) return;
    if (this.#timer) {
      // A timer that comes too early only looks; this is cheaper than moving it with every packet.
      if (this.#timer.at <= next) return;
      this.#timer.timer.stop();
    }
    const timer = this.#o.clock.after(Math.max(0, Math.ceil(next - this.#now())), () => {
      this.#timer = undefined;
      const now = this.#now();
      for (const { link } of this.#places.values()) if (link.next() <= now) link.tick(now);
      this.#run();
    });
    this.#timer = { at: next, timer };
  }
}

export type { BrowseEvent, Found, FoundAddress } from './directory.ts';
export type { Numbers, Renamed, Service } from './offers.ts';
export type { Channel, Family, InterfaceInfo, Network, Source } from './network.ts';
