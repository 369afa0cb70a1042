import { hostname } from 'node:os';
import type { BoxStatus, Limits, Trouble } from '../api.ts';
import type { Clock, Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { hostLabel, instanceLabel, machineLabel } from '../mdns/host-label.ts';
import type { Mdns, MdnsState, Numbers, Publication, Renamed } from '../mdns/mdns.ts';
import type { Identity } from '../trust/identity.ts';
import type { Registry } from '../trust/registry.ts';
import type { Trust } from '../trust/trust.ts';
import type { Disco } from '../xep/disco.ts';
import type { Dispatcher } from '../xmpp/dispatch.ts';
import type { Element } from '../xmpp/element.ts';
import { Avatars } from './avatars.ts';
import { Capabilities } from './capabilities.ts';
import type { RequestOptions } from '../xmpp/iq.ts';
import type { PeerContext } from './context.ts';
import { Doors } from './doors.ts';
import { OffLink, type OffLinkOptions } from './off-link.ts';
import type { OwnPresence } from './own-presence.ts';
import { Peers } from './peers.ts';
import { PresenceCheck } from './presence-check.ts';
import type { OwnAddress } from './source-address.ts';
import { StaleStreams } from './stale-streams.ts';
import { type Handed, Streams } from './streams/streams.ts';
import type { Ends, PeerStreams, ProvenPeer } from './streams-port.ts';
import { createTcp, type Tcp } from './tcp.ts';
import type { Timing } from './streams/timing.ts';
import { Unannounced } from './unannounced.ts';

export const SERVICE = '_presence._tcp';

export interface LinkInit {
  readonly mdns: Pick<Mdns, 'publish' | 'browse' | 'interfaces' | 'addresses' | 'state'>;
  readonly trust: Trust;
  readonly identity: Identity;
  /** What carries the key into TLS; asked for with the first stream. */
  readonly certificate: () => Promise<string>;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  /** Gets every stanza that may come in, with who has proven to have sent it. */
  readonly dispatcher: Dispatcher<PeerContext>;
  readonly disco: Disco<PeerContext>;
  /** What is said of this box. */
  readonly own: OwnPresence;
  /** The only interfaces that are used; default all. */
  readonly interfaces?: readonly string[];
  /** The user part of `user@machine`. */
  readonly name: string;
  /** The machine part; default this machine's name. */
  readonly host?: string;
  readonly port?: number;
  /** Who is called, and may call, where no multicast reaches. */
  readonly offLink?: OffLinkOptions;
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  /** Whether what is at that domain goes to a home. */
  readonly isHomeDomain?: (domain: string) => boolean;
  readonly limits: Pick<Limits, 'peers' | 'streams' | 'stanzaBytes' | 'xmlDepth'>;
  readonly tcp?: Tcp;
  readonly timing?: Partial<Timing & { readonly silence: number }>;
  /** Whether somebody watches who comes and goes: then nobody is believed to be there for long unasked. */
  readonly watched?: () => boolean;
  /** Set while too much waits for the disk: resolves when it does not any more. */
  readonly roomy?: () => Promise<void> | undefined;
  /** Whether this box has asked for what comes of a peer. Default: for answers only. */
  readonly expects?: (stanza: Element, peer: ProvenPeer) => boolean;
  readonly on?: {
    /** A stream has proven whose it is. */
    opened?(peer: ProvenPeer): void;
    /** It is gone; what it had not confirmed must be sent again. */
    closed?(peer: ProvenPeer): void;
    /** Another machine had the name first. */
    renamed?(name: string): void;
  };
}

export interface Link extends PeerStreams {
  /** Instance name on the link, now. */
  readonly name: string;
  readonly peers: Peers;
  readonly tcp: Tcp;
  /** What it listens on. */
  interfaces(): readonly { readonly name: string; readonly addresses: readonly OwnAddress[] }[];
  /** Listens, announces, looks around. Rejects when the port asked for is taken. */
  start(): Promise<void>;
  send(...what: Parameters<PeerStreams['send']>): Promise<Handed>;
  request(name: string, iq: Element, options?: RequestOptions): Promise<Element>;
  /** The key of whoever has that name; opens a stream when there is none. */
  prove(name: string, signal?: AbortSignal): Promise<ProvenPeer>;
  /** Opens a stream to somewhere on the link if one of those keys is there. */
  seek(address: string, port: number, isMeant: (fingerprint: string) => boolean): Promise<ProvenPeer>;
  /** The name a key goes by, when it is on the link. */
  nameOf(fingerprint: string): string | undefined;
  /** Of the stream in use to that peer. */
  ends(name: string): Ends | undefined;
  /** What the software of that peer can do, asked of it when that is not known; undefined when what it says is not what it announces. */
  features(name: string): Promise<readonly string[] | undefined>;
  /** The picture of the peer of that name; undefined when it has none, or not the one it announces. */
  avatar(name: string): Promise<Uint8Array | undefined>;
  /** For whoever must say why a peer is not seen or not reached. */
  facts(): LinkFacts;
  /** When a peer with which there was a stream or a conversation was last heard, ms since 1970; also of one that is gone. */
  lastHeard(name: string): number | undefined;
  /** Peers that are called where no multicast reaches. */
  readonly offLink: Pick<OffLink, 'add' | 'remove' | 'list'>;
  status(): BoxStatus['link'];
  /** Says goodbye to the link and to every stream. Idempotent. */
  close(): Promise<void>;
}

/** What the link is made of. */
export interface LinkFacts {
  readonly tcp: Tcp;
  readonly mdns: MdnsState;
  /** The name it would have if nobody else had it. */
  readonly wanted: string;
  readonly only?: readonly string[];
}

/** How long a peer has that is doubted, as RFC 6762 §10.4 gives it to records. */
const DOUBT_TIME = 5_000;
const NOWHERE: OffLinkOptions = { peers: [], accept: [], domains: [], dns: [] };
/** How soon an interface that comes or goes is noticed. */
const LOOK_EVERY = 2_000;
const NAME_ROW = 'link/name';
/** How long the start waits for a first interface to be ready. */
const FIRST_INTERFACE = 1_000;
const FIRST_LOOKS = 20;

/** The numbers the box was given because others had its names come back at the next start. */
function storedNumbers(registry: Registry, user: string): Numbers {
  const row = registry.get(NAME_ROW);
  return isNameRow(row) && row.user === user ? row.numbers : { user: 0, host: 0 };
}

function isNameRow(row: unknown): row is { readonly user: string; readonly numbers: Numbers } {
  return typeof row === 'object' && row !== null && 'user' in row && 'numbers' in row
    && typeof row.numbers === 'object' && row.numbers !== null && 'user' in row.numbers && 'host' in row.numbers;
}

export function createLink(init: LinkInit): Link {
  const { mdns, trust, identity, certificate, registry, clock, trouble, dispatcher, disco, own, limits } = init;
  const host = init.host ?? hostname();
  const tcp = init.tcp ?? createTcp();
  const kept = storedNumbers(registry, init.name);
  let name = instanceLabel(init.name, kept.user, machineLabel({ base: hostLabel(host), number: kept.host }));
  let state: BoxStatus['link']['state'] = 'starting';
  let reason: string | undefined;
  let publication: Publication | undefined;
  let browsing: ReturnType<Mdns['browse']> | undefined;
  let timer: Timer | undefined;
  let closing: Promise<void> | undefined;

  /** A listener that fails must not end the stream it was told about. */
  const safely = (call: () => void): void => {
    try {
      call();
    } catch (error) {
      trouble({ kind: 'link.listener', message: error instanceof Error ? error.message : String(error) });
    }
  };

  const isPaired = (peer: string): boolean => trust.level(trust.holder(peer)) === 'paired';
  const peers: Peers = new Peers({
    clock, trouble, limit: limits.peers, self: () => name, standing: peer => streams.standing(peer), features: (peer, claims) => capabilities.of(peer, claims),
    ...(init.isHomeDomain ? { isHomeDomain: init.isHomeDomain } : {}),
  });
  const avatars = new Avatars({
    clock, trouble, peer: peer => peers.get(peer),
    ask: async (peer, type, options) => {
      if (!browsing) throw new LanpostError('unreachable', 'the link is not up yet');
      return browsing.ask(peer, type, options);
    },
  });
  const capabilities = new Capabilities({
    clock, trouble, disco,
    claimed: peer => peers.get(peer)?.claims,
    request: (peer, iq, options) => streams.request(peer, iq, options),
    isConnected: peer => streams.standing(peer).connected,
    leave: peer => streams.leave(peer),
    changed: peer => peers.touched(peer),
  });
  peers.watch(({ type, peer }) => {
    if (type !== 'up') avatars.changed(peer.name);
    if (type === 'down') capabilities.gone(peer.name);
  });
  const streams = new Streams({
    clock, trouble, identity, certificate, trust, peers, limits,
    tcp,
    self: () => name,
    interfaces: () => mdns.interfaces(),
    resolve: async (peer, timeout) => browsing?.resolve(peer, { timeout }),
    disco: () => disco.query(`${disco.caps().node}#${disco.caps().ver}`),
    dispatch: (stanza, context) => dispatcher.dispatch(stanza, context),
    ...(init.timing ? { timing: init.timing } : {}),
    roomy: init.roomy,
    expects: init.expects,
    admits: address => offLink.admits(address),
    on: {
      disco: (peer, query) => capabilities.heard(peer, query),
      opened: peer => safely(() => init.on?.opened?.(peer)),
      closed: peer => safely(() => init.on?.closed?.(peer)),
      changed: peer => {
        peers.touched(peer);
        unannounced.changed(peer);
        offLink.changed(peer);
      },
      reached: peer => unannounced.reached(peer),
      talked: peer => check.talked(peer),
      silent: peer => browsing?.reconfirm(peer),
    },
  });
  trust.use(() => streams.speaking());
  const unannounced = new Unannounced({ peers, stream: peer => streams.to(peer) });
  const offLink = new OffLink({
    options: init.offLink ?? NOWHERE, clock, registry, trouble,
    call: (address, far) => streams.call(address, far),
    isOpen: peer => streams.to(peer) !== undefined,
    hangUp: peer => void streams.to(peer)?.close(),
    ...(init.resolve ? { resolve: init.resolve } : {}),
  });
  const stale = new StaleStreams({ addresses: () => mdns.addresses(), all: () => streams.all, to: peer => streams.to(peer) });
  const check = new PresenceCheck({
    clock,
    peers: () => peers.names(),
    watched: () => init.watched?.() ?? false,
    streams: () => streams.inUse(),
    heard: peer => browsing?.heard(peer),
    // Who has no records has as long to answer over the stream.
    reconfirm: peer => (peers.get(peer)?.via ? void clock.after(DOUBT_TIME, () => unannounced.gone(peer)) : browsing?.reconfirm(peer)),
    ...(init.timing ? { timing: init.timing } : {}),
  });
  const doors = new Doors({
    tcp, port: init.port, trouble,
    interfaces: () => mdns.interfaces(),
    accept: socket => streams.accepted(socket),
  });

  const renamed = ({ instance, numbers }: Renamed): void => {
    if (instance === name) return;
    trouble({ kind: 'link.renamed-self', message: `Another on this link has the name ${name}, so this box is called ${instance} now.` });
    name = instance;
    peers.renamed();
    registry.set(NAME_ROW, { user: init.name, numbers }).catch((error: unknown) => trouble({ kind: 'link.name', message: String(error) }));
    // Peers know the open streams by the old name.
    void streams.hangUp();
    safely(() => init.on?.renamed?.(instance));
  };

  const announce = (): void => {
    const { port } = doors;
    if (publication || port === undefined || closing) return;
    publication = mdns.publish({
      user: init.name, type: SERVICE, port, txt: own.txt(port), records: own.records, host, numbers: kept, onRenamed: renamed,
    });
    name = publication.instance;
    own.use(() => publication?.update(own.txt(port), own.records));
    disco.use(() => publication?.update(own.txt(port)));
    state = 'up';
  };

  const adapt = async (): Promise<void> => {
    stale.look();
    await doors.adapt();
    announce();
  };

  return {
    get name() { return name; },
    peers,
    tcp,
    interfaces: () => mdns.interfaces(),
    offLink,
    send: (...what) => streams.send(...what),
    request: (to, iq, options) => streams.request(to, iq, options),
    prove: (peer, signal) => streams.prove(peer, signal),
    seek: (...what) => streams.seek(...what),
    nameOf: fingerprint => streams.nameOf(fingerprint),
    ends: peer => streams.ends(peer),

    async start() {
      try {
        for (let look = 0; look < FIRST_LOOKS && doors.port === undefined; look += 1) {
          if (look > 0) await new Promise<void>(resolve => { clock.after(FIRST_INTERFACE / FIRST_LOOKS, resolve); });
          await adapt();
        }
      } catch (error) {
        state = 'failed';
        reason = error instanceof Error ? error.message : String(error);
        throw error;
      }
      browsing = mdns.browse(SERVICE, ({ type, service }) => {
        if (type === 'down') return unannounced.gone(service.instance);
        peers.found(service);
        if (streams.size > 0) stale.moved(service);
      }, isPaired);
      offLink.start();
      timer = clock.every(LOOK_EVERY, () => {
        adapt().catch((error: unknown) => trouble({ kind: 'link.listen', message: error instanceof Error ? error.message : String(error) }));
      });
    },

    features: peer => capabilities.discover(peer),
    avatar: peer => avatars.of(peer),

    lastHeard: peer => {
      const at = check.lastSign(peer);
      return at === undefined ? undefined : clock.wall() - (clock.mono() - at);
    },

    facts: () => ({
      tcp, mdns: mdns.state(), wanted: instanceLabel(init.name, 0, hostLabel(host)), ...(init.interfaces ? { only: init.interfaces } : {}),
    }),

    status() {
      const { port } = doors;
      const called = offLink.list();
      return {
        state,
        interfaces: mdns.interfaces().map(({ name: label }) => label),
        ...(port === undefined ? {} : { port }),
        ...(reason === undefined ? {} : { reason }),
        ...(called.length > 0 ? { offLink: called } : {}),
        ...(init.offLink && init.offLink.domains.length > 0 ? { domains: init.offLink.domains } : {}),
      };
    },

    close() {
      closing ??= (async () => {
        timer?.stop();
        check.stop();
        offLink.close();
        browsing?.stop();
        avatars.close();
        // Goodbye first: nobody should call while the streams are being ended.
        await publication?.stop();
        await streams.close();
        await doors.close();
        state = 'off';
      })();
      return closing;
    },
  };
}
