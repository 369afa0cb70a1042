import type { Peer, PeerEvent, Trouble, TrustLevel } from '../api.ts';
import { Audience } from '../audience.ts';
import type { Clock } from '../clock.ts';
import { readsAsJid } from '../mail/address.ts';
import { Seldom } from '../seldom.ts';
import { addClaims, type Claims, readClaims } from './claims.ts';
import { plainAddress } from './source-address.ts';

/** One service instance as discovery found it. */
export interface Sighting {
  readonly instance: string;
  readonly host: string;
  readonly port: number;
  /** The data of its TXT record, a character for each byte. */
  readonly text: string;
  readonly addresses: readonly PeerAddress[];
  /** Not discovered: known by its stream. */
  readonly via?: Via;
}

/** How a peer is known that no multicast reaches. */
export interface Via {
  readonly kind: 'static' | 'domain' | 'caller';
  readonly domain?: string;
}

export interface PeerAddress {
  readonly address: string;
  readonly family: 4 | 6;
  readonly interface: string;
}

/** What the records say of a peer. The name is an opaque string: compared, never parsed. */
export interface KnownPeer {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly addresses: readonly PeerAddress[];
  readonly claims: Claims;
  readonly via?: Via | undefined;
}

/** What the streams know of it. */
export interface Standing {
  readonly trust: TrustLevel;
  readonly fingerprint?: string;
  readonly connected: boolean;
}

export interface PeersInit {
  readonly clock: Clock;
  readonly limit: number;
  readonly trouble: (trouble: Trouble) => void;
  /** This box's own name now. */
  readonly self: () => string;
  readonly standing: (name: string) => Standing;
  /** What its software can do, where it is known. */
  readonly features?: (name: string, claims: Claims) => readonly string[] | undefined;
  /** Default: there are no homes. */
  readonly isHomeDomain?: (domain: string) => boolean;
}

const noHome = (): boolean => false;

/** Each once. */
function plainly(addresses: readonly PeerAddress[]): string[] {
  const first = addresses[0];
  return first && addresses.length === 1 ? [first.address] : [...new Set(addresses.map(({ address }) => address))];
}

const known = ({ instance, host, port, addresses, text, via }: Sighting): KnownPeer => ({ name: instance, host, port, addresses, claims: readClaims(text), via });

/** Who is on the link, by instance name. One entry per name, on however many interfaces it is seen (XEP-0174 §11.1). */
export class Peers {
  readonly #init: PeersInit;
  readonly #known = new Map<string, KnownPeer>();
  #namesake: Sighting | undefined;
  readonly #byAddress = new Map<string, Set<string>>();
  /** Those whose addresses are not in `#byAddress` yet: it is asked when somebody calls, and newcomers are told of first. */
  #unindexed: KnownPeer[] = [];
  readonly #listeners: Audience<PeerEvent>;
  readonly #waiting = new Set<() => void>();
  /** Those there was no room for, the first of them first. They are as many as discovery remembers. */
  readonly #ignored = new Map<string, Sighting>();
  readonly #seldom: Seldom;

  constructor(init: PeersInit) {
    this.#init = init;
    this.#seldom = new Seldom(init.clock, init.trouble);
    this.#listeners = new Audience((error) => {
      init.trouble({ kind: 'link.listener', message: error instanceof Error ? error.message : String(error) });
    });
  }

  /** There is no room for strangers. */
  get isFull(): boolean {
    return this.#known.size >= this.#init.limit;
  }

  get size(): number {
    return this.#known.size;
  }

  found(sighting: Sighting): void {
    const name = sighting.instance;
    if (name === this.#init.self()) {
      // XEP-0174 §4: MUST filter itself out. Somebody who wins our name is seen before we have another.
      this.#namesake = sighting;
      this.#ignored.delete(name);
      return;
    }
    const before = this.#known.get(name);
    // Names cost nothing: whoever announces a thousand must not hide those the owner knows.
    if (!before && this.isFull && this.#init.standing(name).trust !== 'paired') {
      this.#seldom.tell({ kind: 'link.peers-full', message: `More than ${this.#init.limit} peers are on the link; the others are ignored.` });
      // Who is known by its stream alone is told of again by nobody, nor that it is gone.
      if (!sighting.via) this.#ignored.set(name, sighting);
      return;
    }
    this.#ignored.delete(name);
    const peer = known(sighting);
    if (before) this.#unindex(before);
    this.#known.set(name, peer);
    this.#listeners.tell({ type: before ? 'changed' : 'up', peer: this.#describe(peer) });
    this.#unindexed.push(peer);
    if (this.#waiting.size > 0) for (const wake of this.#waiting) wake();
  }

  /** This box has another name: who has the old one now is a peer. */
  renamed(): void {
    const namesake = this.#namesake;
    this.#namesake = undefined;
    if (namesake) this.found(namesake);
  }

  gone(name: string): void {
    if (this.#namesake?.instance === name) this.#namesake = undefined;
    this.#ignored.delete(name);
    const peer = this.#known.get(name);
    if (!peer) return;
    // Described before it is forgotten, so that `down` still says who it was.
    const event: PeerEvent = { type: 'down', peer: this.#describe(peer) };
    this.#unindex(peer);
    this.#known.delete(name);
    this.#listeners.tell(event);
    // Discovery says nothing twice: who came while it was full would stay unseen for as long as it is there.
    const [next] = this.#ignored.values();
    if (next && !this.isFull) this.found(next);
  }

  names(): Iterable<string> {
    return this.#known.keys();
  }

  all(): KnownPeer[] {
    return [...this.#known.values()];
  }

  get(name: string): KnownPeer | undefined {
    return this.#known.get(name);
  }

  /** Those that are not listed, for want of room. */
  *ignored(): Iterable<KnownPeer> {
    for (const sighting of this.#ignored.values()) yield known(sighting);
  }

  /** Whether the peer of that name announced the address. */
  isAt(name: string, address: string): boolean {
    const plain = plainAddress(address);
    return this.#known.get(name)?.addresses.some((own) => plainAddress(own.address) === plain) ?? false;
  }

  /** Who announced the address a connection comes from. */
  at(address: string): KnownPeer[] {
    this.#index();
    return [...this.#byAddress.get(plainAddress(address)) ?? []].flatMap(name => this.#known.get(name) ?? []);
  }

  /** A newcomer may connect before its announcement has been heard here: gives it a little time. */
  async awaited<T>(pick: () => T | undefined, ms: number): Promise<T | undefined> {
    const now = pick();
    if (now !== undefined) return now;
    return new Promise(resolve => {
      const settle = (result: T | undefined): void => {
        timer.stop();
        this.#waiting.delete(look);
        resolve(result);
      };
      const look = (): void => {
        const found = pick();
        if (found !== undefined) settle(found);
      };
      const timer = this.#init.clock.after(ms, () => settle(undefined));
      this.#waiting.add(look);
    });
  }

  /** A stream or the owner changed what is known of it. */
  touched(name: string): void {
    const peer = this.#known.get(name);
    if (peer) this.#listeners.tell({ type: 'changed', peer: this.#describe(peer) });
    // A paired key has been proven under the name of one there was no room for: that is what there is room for.
    const ignored = this.#ignored.get(name);
    if (ignored && this.#init.standing(name).trust === 'paired') this.found(ignored);
  }

  list(): Peer[] {
    return [...this.#known.values()].map(peer => this.#describe(peer));
  }

  describe(name: string): Peer | undefined {
    const peer = this.#known.get(name);
    return peer && this.#describe(peer);
  }

  /** Calls for every change from now on; returns how to stop it. */
  watch(listener: (event: PeerEvent) => void): () => void {
    return this.#listeners.add(listener);
  }

  #index(): void {
    for (const { name, addresses } of this.#unindexed) {
      for (const { address } of addresses) {
        const key = plainAddress(address);
        const names = this.#byAddress.get(key);
        if (names) names.add(name);
        else this.#byAddress.set(key, new Set([name]));
      }
    }
    this.#unindexed = [];
  }

  /** By hand: a newcomer is told of as soon as this is done, and spreading costs more than all the rest of it. */
  #describe({ claims, name, host, port, addresses, via }: KnownPeer): Peer {
    const { trust, connected, fingerprint } = this.#init.standing(name);
    const features = this.#init.features?.(name, claims);
    const peer: { -readonly [K in keyof Peer]: Peer[K] } = {
      name, address: `link:${name}`, host, port, status: claims.status, box: claims.box, addresses: plainly(addresses), trust, connected,
    };
    addClaims(peer, claims);
    if (fingerprint !== undefined) peer.fingerprint = fingerprint;
    if (features) peer.features = features;
    if (readsAsJid(name, this.#init.isHomeDomain ?? noHome)) peer.readsAsJid = true;
    if (via) {
      peer.via = via.kind;
      if (via.domain !== undefined) peer.domain = via.domain;
    }
    return peer;
  }

  #unindex(peer: KnownPeer): void {
    this.#index();
    for (const { address } of peer.addresses) {
      const key = plainAddress(address);
      const names = this.#byAddress.get(key);
      names?.delete(peer.name);
      if (names?.size === 0) this.#byAddress.delete(key);
    }
  }
}
