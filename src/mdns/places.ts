import type { Trouble } from '../api.ts';
import type { Clock, Timer } from '../clock.ts';
import { type ErrorCode, LanpostError } from '../errors.ts';
import { canonicalAddress } from './address.ts';
import { Hearing } from './hearing.ts';
import { channelPrint, linksOf, printOf, type Subnet, subnetsOf, type Wish } from './interfaces.ts';
import { Link } from './link.ts';
import type { Channel, Family, InterfaceInfo, Network, Source } from './network.ts';
import type { Place } from './offers.ts';
import { NO_COUNTS, type LinkState } from './state.ts';

/** Interfaces come and go without a word. */
const POLL_TIME = 2000;
/** Wall time running ahead of monotonic time by this much: the machine slept. A look that is so late: this process did (it was stopped, or its virtual machine was). */
const SLEEP_TIME = 5000;
/** What came meanwhile waits in the sockets, up to what they hold. It is old, and read first: it must not count as an answer to what is asked then. */
const READ_FIRST = 500;
/** Instances remembered on one link. */
const MAX_INSTANCES = 4096;

/** What the id of a place ends with that only asks. */
const ASKING = ' asking';
/** How long it stays beside the one that replaces it. */
const REPLACED_AFTER = 5000;

export interface Joined extends Place {
  interface: InterfaceInfo;
  /** Of that interface. */
  subnets: readonly Subnet[];
  readonly family: Family;
  readonly channel: Channel;
  readonly hearing: Hearing;
  readonly joinedAt: number;
  /** Instead of the port that another program keeps to itself. */
  readonly asking: boolean;
  /** What the channel was opened for. */
  readonly print: string;
}

export interface PlacesParts {
  readonly network: Network;
  readonly clock: Clock;
  readonly random: () => number;
  readonly trouble: (trouble: Trouble) => void;
  /** Names of interfaces to use; default all. */
  readonly only?: readonly string[] | undefined;
  /** Whether an instance of that label is remembered in any case. */
  readonly keeps: (label: string) => boolean;
  /** A link is there, or its interface has other addresses. */
  readonly joined: (place: Joined, fresh: boolean) => void;
  /** It is gone: what it says last is still to be heard. */
  readonly left: (place: Joined) => void;
  readonly received: (place: Joined, bytes: Buffer, from: Source) => void;
  /** Links may want something done. */
  readonly changed: () => void;
}

/** Why a link could not be joined. */
interface Failure { readonly message: string; readonly code?: ErrorCode }

/** The links there are: one per interface and address family, joined and left as interfaces come and go. */
export class Places {
  readonly #parts: PlacesParts;
  readonly #places = new Map<string, Joined>();
  readonly #opening = new Map<string, Promise<void>>();
  readonly #failed = new Map<string, Failure>();
  #wanted: ReadonlyMap<string, Wish> = new Map();
  readonly #poll: Timer;
  #waking: Timer | undefined;
  #own: ReadonlySet<string> = new Set();
  #interfaces: InterfaceInfo[] = [];
  #alone = false;
  /** The system does not tell what interfaces there are. */
  #blind = false;
  #wall: number;
  #mono: number;
  #closed = false;

  constructor(parts: PlacesParts) {
    this.#parts = parts;
    this.#wall = parts.clock.wall();
    this.#mono = parts.clock.mono();
    this.#poll = parts.clock.every(POLL_TIME, () => this.look());
  }

  [Symbol.iterator](): IterableIterator<Joined> {
    return this.#places.values();
  }

  interfaces(): InterfaceInfo[] {
    const names = new Set([...this.#places.values()].map((place) => place.interface.name));
    return this.#interfaces.filter(({ name }) => names.has(name));
  }

  /** Every address of this host, also of interfaces that carry no multicast or are not used. */
  addresses(): ReadonlySet<string> {
    return this.#own;
  }

  /** How each link that is wanted stands. */
  states(): LinkState[] {
    return [...this.#wanted].map(([id, { iface, family }]): LinkState => {
      const full = this.#places.get(id);
      const place = full ?? this.#places.get(`${id}${ASKING}`);
      const failure = this.#failed.get(id);
      const { packets, responses, senders, last, unreadable, unreadableFrom, conflicts } = place?.hearing ?? new Hearing();
      const { strayed, strayedFrom, sent, ...counts } = place?.channel.counts() ?? NO_COUNTS;
      return {
        interface: iface.name, family,
        state: full ? 'joined' : place ? 'asking' : failure ? 'failed' : 'joining',
        ...(full || !failure ? {} : { reason: failure.message, ...(failure.code ? { code: failure.code } : {}) }),
        heard: { packets, responses, senders, ...(last === undefined ? {} : { lastAgo: Math.round(this.#parts.clock.mono() - last) }) },
        sent: { packets: sent, ...counts },
        strayed: { packets: strayed, ...(strayedFrom === undefined ? {} : { from: strayedFrom }) },
        unreadable: { packets: unreadable, ...(unreadableFrom === undefined ? {} : { from: unreadableFrom }) },
        conflicts,
      };
    });
  }

  /** What interfaces there are now: joins new ones, leaves those that are gone, and notices sleep. */
  look(): void {
    const { clock, joined, changed, only } = this.#parts;
    if (this.#slept()) this.#wake();
    const all = this.#present();
    if (!all) return;
    const present = only ? all.filter(({ name }) => only.includes(name)) : all;
    this.#own = new Set(all.flatMap(({ addresses }) => addresses.map(({ address }) => canonicalAddress(address))));
    this.#interfaces = present;
    const wanted = this.#wanted = linksOf(present);
    for (const place of this.#places.values()) {
      const still = wanted.get(linkId(place.interface.name, place.family));
      if (!still || channelPrint(still.iface, place.family) !== place.print || this.#isReplaced(place)) this.#part(place);
    }
    for (const [id, { iface, family }] of wanted) if (!this.#places.has(id)) this.#join(id, iface, family);
    for (const place of this.#places.values()) {
      const iface = wanted.get(linkId(place.interface.name, place.family))?.iface ?? place.interface;
      const readdressed = printOf(iface) !== printOf(place.interface);
      const replugged = iface.changes !== place.interface.changes;
      place.interface = iface;
      if (readdressed) {
        place.subnets = subnetsOf(iface);
        joined(place, false);
      }
      // RFC 6762 §8.1, §8.3: it may be another link now.
      if (replugged) place.link.restart(clock.mono());
    }
    this.#noteAlone(wanted.size === 0);
    for (const id of this.#failed.keys()) if (!wanted.has(id.replace(ASKING, ''))) this.#failed.delete(id);
    changed();
  }

  /** Notes a packet. */
  heard({ hearing }: Joined, { address }: Source, now: number): void {
    // Other programs of this host are no proof that the link works.
    if (!this.#own.has(address)) hearing.packet(address, now);
  }

  /** Joins and leaves no more; resolves when nothing is being opened. */
  async stop(): Promise<void> {
    this.#closed = true;
    this.#poll.stop();
    this.#waking?.stop();
    await Promise.all(this.#opening.values());
  }

  async close(): Promise<void> {
    const places = [...this.#places.values()];
    this.#places.clear();
    await Promise.all(places.map(({ channel }) => channel.close()));
  }

  /** Undefined: the system cannot tell, as when no file can be opened any more. Nothing is to be concluded from that. */
  #present(): InterfaceInfo[] | undefined {
    try {
      const present = this.#parts.network.interfaces();
      this.#blind = false;
      return present;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (!this.#blind) this.#parts.trouble({ kind: 'mdns.interfaces', message: `cannot tell what network interfaces there are; those there were are used: ${message}` });
      this.#blind = true;
      return undefined;
    }
  }

  #noteAlone(alone: boolean): void {
    if (alone && !this.#alone) this.#parts.trouble({ kind: 'mdns.alone', message: 'no network interface to use multicast DNS on; waiting for one', code: 'unreachable' });
    this.#alone = alone;
  }

  #slept(): boolean {
    const { clock } = this.#parts;
    const since = clock.mono() - this.#mono;
    const ahead = clock.wall() - this.#wall - since;
    this.#wall = clock.wall();
    this.#mono = clock.mono();
    return Math.max(ahead, since - POLL_TIME) > SLEEP_TIME;
  }

  #wake(): void {
    const { clock, changed } = this.#parts;
    this.#waking?.stop();
    this.#waking = clock.after(READ_FIRST, () => {
      for (const { link } of this.#places.values()) link.restart(clock.mono());
      changed();
    });
  }

  #join(id: string, iface: InterfaceInfo, family: Family): void {
    if (this.#opening.has(id) || this.#closed) return;
    const opened = this.#enter(id, iface, family, false)
      .catch((error: unknown) => this.#couldNotJoin(id, error))
      .then(() => this.#askInstead(id, iface, family))
      .catch((error: unknown) => this.#couldNotJoin(`${id}${ASKING}`, error))
      .finally(() => this.#opening.delete(id));
    this.#opening.set(id, opened);
  }

  async #enter(id: string, iface: InterfaceInfo, family: Family, asking: boolean): Promise<void> {
    const { network, clock, random, keeps } = this.#parts;
    const channel = await network.open(iface.name, family, this.#receiver(id), asking);
    const link = new Link({ now: clock.mono(), plain: asking, random, limit: MAX_INSTANCES, keeps, ownAddresses: () => this.#own });
    const place: Joined = {
      id, link, interface: iface, subnets: subnetsOf(iface), family, channel, asking, joinedAt: clock.mono(),
      hearing: new Hearing(), print: channelPrint(iface, family),
    };
    this.#failed.delete(id);
    this.#places.set(id, place);
    this.#parts.joined(place, true);
    this.#parts.changed();
  }

  /** RFC 6762 §15: where the port cannot be shared, one can still ask as plain resolvers do. */
  async #askInstead(id: string, iface: InterfaceInfo, family: Family): Promise<void> {
    const other = `${id}${ASKING}`;
    if (this.#closed || this.#failed.get(id)?.code !== 'in-use' || this.#places.has(other)) return;
    await this.#enter(other, iface, family, true);
  }

  /** The port was to be had after all; peers are not forgotten until they had time to be found through it. */
  #isReplaced({ asking, interface: { name }, family }: Joined): boolean {
    const better = this.#places.get(linkId(name, family));
    return asking && better !== undefined && this.#parts.clock.mono() - better.joinedAt > REPLACED_AFTER;
  }

  /** Tried again at every look; told once as long as the reason stays the same. */
  #couldNotJoin(id: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (this.#failed.get(id)?.message === message) return;
    const code = error instanceof LanpostError ? { code: error.code } : {};
    this.#failed.set(id, { message, ...code });
    const instead = code.code === 'in-use' ? '; it asks from another port: peers are seen here, this box is not' : '';
    this.#parts.trouble({ kind: 'mdns.join', message: `cannot use multicast DNS on ${id}: ${message}${instead}`, ...code });
  }

  #part(place: Joined): void {
    place.link.clear(this.#parts.clock.mono());
    this.#parts.left(place);
    this.#places.delete(place.id);
    place.channel.close().catch((error: unknown) => this.#couldNotJoin(place.id, error));
  }

  #receiver(id: string): (bytes: Buffer, from: Source) => void {
    const { received } = this.#parts;
    return (bytes, from) => {
      const place = this.#places.get(id);
      if (place) received(place, bytes, from);
    };
  }
}

function linkId(name: string, family: Family): string {
  return `${name}/${family}`;
}
