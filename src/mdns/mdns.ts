import type { Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { Seldom } from '../seldom.ts';
import { Alarm } from './alarm.ts';
import { Unread } from './decode.ts';
import { Directory, type BrowseEvent, type Found } from './directory.ts';
import { Inquiries, type AskOptions } from './inquiries.ts';
import type { Heard } from './link.ts';
import { Listeners } from './listeners.ts';
import { TYPE } from './message.ts';
import { checkName, escapeLabel, nameKey } from './name.ts';
import type { InterfaceInfo, Network, Source } from './network.ts';
import { nameOf, type InstanceRecord, type Offer, type Service } from './offer.ts';
import { Offers } from './offers.ts';
import type { Output, Resolved } from './output.ts';
import { ENUMERATION } from './own-records.ts';
import { type Joined, Places } from './places.ts';
import { Repeats } from './repeats.ts';
import { ServiceTypes } from './service-types.ts';
import type { MdnsState } from './state.ts';

/** Packets nobody can read are told about this often at most. */
const REPORT_GAP = 60_000;

/** What follows it runs when this turn's news has been heard; `queueMicrotask` costs ten times as much. */
const SOON = Promise.resolve();

export interface Publication {
  /** The instance as it is now: `user@machine`. */
  readonly instance: string;
  readonly user: string;
  readonly machine: string;
  /** Where the SRV record points: the machine, or beside another responder a label of our own. */
  readonly host: string;
  /** Resolves when the names are ours on some link; waits as long as there is none. Also when it is stopped. */
  readonly published: Promise<void>;
  /** New TXT data, further records, or both, in one announcement; `records` given are all there are. */
  update(txt: readonly (readonly [string, string])[] | undefined, records?: readonly InstanceRecord[]): void;
  /** Says goodbye. */
  stop(): Promise<void>;
}

export interface Browsing {
  stop(): void;
  /** Could not be reached: it is asked for, and `down` in 5 s if it does not answer. */
  reconfirm(instance: string): void;
  /**
   * One record of an instance, asked for on every link: the data of the first answer; nothing is remembered.
   * Rejects with `timeout`, with `not-found` when the instance says there is none, `busy` when too much is asked for.
   */
  ask(instance: string, type: number, options?: AskOptions): Promise<Uint8Array>;
  /** Where it is now, asked afresh (XEP-0174 §3: before connecting); `undefined` where nobody is at home. */
  resolve(instance: string, options?: AskOptions): Promise<Found | undefined>;
  /** Monotonic time at which it last said something of itself, whoever had asked. */
  heard(instance: string): number | undefined;
}

export interface Mdns {
  publish(service: Service): Publication;
  /** `keeps`: instances that are remembered in any case. As many as anybody makes up are not. */
  browse(type: string, on: (event: BrowseEvent) => void, keeps?: (instance: string) => boolean): Browsing;
  /** Types of services that anybody on the links offers, as they come and go (RFC 6763 §9). */
  browseTypes(on: (type: string, there: boolean) => void): { stop(): void };
  /** The interfaces it works on now. */
  interfaces(): InterfaceInfo[];
  /** Every address of this host, also where it does not work. */
  addresses(): ReadonlySet<string>;
  /** How it stands on each link, in numbers. */
  state(): MdnsState;
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

class Engine implements Mdns {
  readonly #o: MdnsOptions;
  readonly #places: Places;
  readonly #offers: Offers;
  readonly #directory: Directory;
  readonly #inquiries: Inquiries;
  readonly #types: ServiceTypes;
  readonly #repeats = new Repeats();
  readonly #listeners: Listeners;
  readonly #keeps = new Set<(instance: string) => boolean>();
  readonly #published = new Map<Offer, () => void>();
  readonly #seldom: Seldom;
  readonly #alarm: Alarm;
  #closed: Promise<void> | undefined;
  /** The last answer, whose news has been told. */
  #told: { readonly place: Joined; readonly packet: Heard & { readonly now: number }; readonly from: Source } | undefined;

  constructor(options: MdnsOptions) {
    const { network, clock, trouble, interfaces, host, random = Math.random } = options;
    this.#o = options;
    this.#seldom = new Seldom(clock, trouble, REPORT_GAP);
    this.#offers = new Offers({
      places: () => this.#places,
      host,
      alias: `lanpost-${Math.floor(random() * 0x7fff_ffff).toString(36).padStart(6, '0')}`,
      held: (offer) => this.#published.get(offer)?.(),
      changed: () => this.#directory.review(),
      renamed: (offer) => offer.service.onRenamed?.(nameOf(offer)),
    });
    this.#listeners = new Listeners((error) => this.#failed(error));
    this.#directory = new Directory({ own: this.#offers, listeners: this.#listeners });
    this.#alarm = new Alarm(clock, (now) => this.#tick(now));
    this.#types = new ServiceTypes((call) => this.#safely(call));
    this.#inquiries = new Inquiries({
      clock, links: () => [...this.#places].map(({ link }) => link), changed: () => this.#run(),
    });
    this.#places = new Places({
      network, clock, random, trouble, only: interfaces,
      keeps: (label) => [...this.#keeps].some((keeps) => keeps(label)),
      joined: (place, fresh) => this.#joined(place, fresh),
      left: (place) => {
        this.#drain(place);
        this.#offers.left(place.id);
      },
      received: this.#receive,
      changed: () => this.#run(),
    });
    this.#places.look();
  }

  interfaces(): InterfaceInfo[] {
    return this.#places.interfaces();
  }

  addresses(): ReadonlySet<string> {
    return this.#places.addresses();
  }

  state(): MdnsState {
    return { links: this.#places.states(), offers: this.#offers.states() };
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
      update: (txt, records) => {
        this.#offers.update(offer, { ...(txt ? { txt } : {}), ...(records ? { records } : {}) }, this.#now());
        this.#run();
      },
    };
  }

  browse(type: string, on: (event: BrowseEvent) => void, keeps?: (instance: string) => boolean): Browsing {
    this.#open();
    const name = `${type}.local`;
    const key = nameKey(name);
    const fullName = (instance: string): string => `${escapeLabel(instance)}.${name}`;
    checkName(name);
    const ended = this.#listeners.add(key, on, this.#directory.shown(key).map((service) => ({ type: 'up', service })));
    if (keeps) this.#keeps.add(keeps);
    for (const { link } of this.#places) link.browse(name, this.#now());
    this.#run();
    return {
      stop: () => {
        if (keeps) this.#keeps.delete(keeps);
        if (!ended()) return;
        for (const { link } of this.#places) link.stopBrowsing(name, this.#now());
        this.#run();
      },
      reconfirm: (instance) => {
        for (const { link } of this.#places) link.reconfirm(fullName(instance), this.#now());
        this.#run();
      },
      ask: async (instance, rrtype, asked) => {
        this.#open();
        const { data } = await this.#inquiries.ask(fullName(instance), rrtype, asked);
        if (data.kind === 'bytes') return new Uint8Array(data.bytes); // its own: it may be kept for long
        throw new LanpostError('unsupported', `records of type ${rrtype} are not plain bytes`);
      },
      resolve: async (instance, asked) => {
        this.#open();
        try {
          await this.#inquiries.ask(fullName(instance), TYPE.SRV, { soon: true, ...asked });
        } catch (error) {
          // Nobody has a name that cannot be written.
          if (error instanceof LanpostError && ['timeout', 'not-found', 'invalid-value'].includes(error.code)) return undefined;
          throw error;
        }
        return this.#directory.find(nameKey(fullName(instance)));
      },
      heard: (instance) => {
        let last: number | undefined;
        for (const { link } of this.#places) {
          const heard = link.lastHeard(fullName(instance));
          if (heard !== undefined && (last === undefined || heard > last)) last = heard;
        }
        return last;
      },
    };
  }

  browseTypes(on: (type: string, there: boolean) => void): { stop(): void } {
    this.#open();
    const listener = (type: string, there: boolean): void => on(type, there);
    if (this.#types.add(listener)) for (const { link } of this.#places) link.browse(ENUMERATION, this.#now());
    this.#run();
    return {
      stop: () => {
        if (!this.#types.remove(listener)) return;
        for (const { link } of this.#places) link.stopBrowsing(ENUMERATION, this.#now());
        this.#run();
      },
    };
  }

  close(): Promise<void> {
    this.#closed ??= this.#leave();
    return this.#closed;
  }

  async #leave(): Promise<void> {
    await this.#places.stop();
    for (const { link } of this.#places) link.releaseAll();
    this.#run();
    this.#alarm.stop();
    this.#inquiries.close();
    for (const resolve of this.#published.values()) resolve();
    this.#listeners.clear();
    this.#types.clear();
    await this.#places.close();
  }

  #open(): void {
    if (this.#closed) throw new LanpostError('closed', 'mDNS has been closed');
  }

  readonly #now = (): number => this.#o.clock.mono();

  #joined(place: Joined, fresh: boolean): void {
    this.#offers.joined(place, this.#now());
    if (fresh) this.#inquiries.joined(place.link);
    if (!fresh) return;
    for (const key of this.#listeners.keys()) place.link.browse(key, this.#now());
    if (this.#types.wanted) place.link.browse(ENUMERATION, this.#now());
  }

  /** Whoever watches is told first; what else an answer means is weighed before anything else happens. */
  readonly #receive = (place: Joined, bytes: Buffer, from: Source): void => {
    if (this.#told) this.#weigh();
    const message = this.#repeats.known(bytes);
    if (message) return this.#hear(place, { message, again: true, now: this.#now() }, from);
    const packet = new Unread(bytes, this.#now);
    let newcomer: Resolved | undefined;
    try {
      newcomer = place.link.glance(packet, from);
      if (newcomer) {
        this.#told = { place, packet, from };
        this.#directory.found(place.id, place, newcomer);
      }
    } catch (error) {
      this.#cannotRead(place, from, error);
    }
    if (!newcomer) return this.#hear(place, packet, from);
    void SOON.then(this.#weigh);
  };

  #hear(place: Joined, packet: Heard & { readonly now: number }, from: Source): void {
    const { now } = packet;
    try {
      if (place.link.hear(packet.message, from, now)) {
        this.#told = { place, packet, from };
        if (!this.#drain(place)) this.#repeats.remember(packet.message);
      }
    } catch (error) {
      this.#cannotRead(place, from, error);
    }
    if (this.#told) return this.#weigh();
    this.#places.heard(place, from, now);
    this.#run();
  }

  readonly #weigh = (): void => {
    if (!this.#told) return;
    const { place, packet, from } = this.#told;
    const { now } = packet;
    this.#told = undefined;
    this.#places.heard(place, from, now);
    place.hearing.response(from.address);
    try {
      place.link.weigh(packet, from, now);
    } catch (error) {
      this.#cannotRead(place, from, error);
    }
    this.#run();
  };

  /** Whatever a packet may be, it costs no more than itself. */
  #cannotRead({ hearing }: Joined, { address }: Source, error: unknown): void {
    hearing.cannotRead(address);
    this.#seldom.tell({ kind: 'mdns.malformed', message: `${address}: ${error instanceof Error ? error.message : String(error)}` });
  }

  /** Does what the links want done, until they want nothing more, and sees to the next time. */
  #run(): void {
    this.#weigh();
    for (let busy = true; busy;) {
      busy = false;
      for (const place of this.#places) busy = this.#drain(place) || busy;
    }
    let next = Infinity;
    for (const { link } of this.#places) next = Math.min(next, link.next());
    if (!this.#closed) this.#alarm.set(next);
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
      case 'conflict':
        place.hearing.conflicts++;
        return this.#offers.conflict(output.names, this.#now());
      case 'answered here': return this.#offers.answeredHere(output.name, this.#now());
      case 'found': return this.#directory.found(place.id, place, output.service);
      case 'lost': return this.#directory.lost(place.id, output.name);
      case 'goodbye': return this.#doubtElsewhere(place, output.name);
      case 'service type': return this.#types.seen(place.id, output.name, output.there);
      case 'answer': return this.#inquiries.answered(output.record);
      case 'no answer': return this.#inquiries.absent(output.name, output.rrtype);
      case 'full': return this.#seldom.tell({ kind: 'mdns.full', message: `too many ${output.what} on ${place.id}; the newest are not remembered` });
      default: return output satisfies never;
    }
  }

  /** Said on one link; its packet on another (the other family, mostly) may have been lost. */
  #doubtElsewhere(at: Joined, name: string): void {
    for (const place of this.#places) if (place !== at) place.link.reconfirm(name, this.#now());
  }

  #tick(now: number): void {
    this.#weigh();
    for (const { link } of this.#places) if (link.next() <= now) link.tick(now);
    this.#run();
  }

  /** A listener that fails takes nothing along. */
  #safely(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    this.#o.trouble({ kind: 'mdns.listener', message: error instanceof Error ? error.message : String(error) });
  }
}

export type { BrowseEvent, Found, FoundAddress } from './directory.ts';
export type { InstanceRecord, Numbers, Renamed, Service } from './offer.ts';
export type { AskOptions } from './inquiries.ts';
export type { LinkState, MdnsState, OfferState } from './state.ts';
export type { Channel, Family, InterfaceInfo, Network, Source } from './network.ts';
