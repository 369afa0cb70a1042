import { once } from 'node:events';
import { isIP, type Socket } from 'node:net';
import type { Limits, Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import { type ErrorCode, LanpostError } from '../errors.ts';
import { late } from '../late.ts';
import { Seldom } from '../seldom.ts';
import type { Identity } from '../trust/identity.ts';
import type { Trust } from '../trust/trust.ts';
import { withHtml } from '../xep/message-body.ts';
import { attr, type Element, serialize } from '../xmpp/element.ts';
import { IqCaller, type RequestOptions } from '../xmpp/iq.ts';
import { errorReply } from '../xmpp/stanza.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import { isLegal } from '../xml/text.ts';
import { callersAt } from './callers.ts';
import { admitted, believed, isChat, type PeerContext } from './context.ts';
import { Dialer } from './dialer.ts';
import { Doorman } from './doorman.ts';
import { HalfReceived } from './half-received.ts';
import { Line } from './line.ts';
import { BOX_KEY } from './presence.ts';
import type { Agreed, Channel, Side, Terms } from './negotiation.ts';
import type { Peers, Sighting, Standing } from './peers.ts';
import { Refusal } from './refusal.ts';
import { Sessions } from './sessions.ts';
import { onLink, type OwnAddress, plainAddress } from './source-address.ts';
import type { Sent } from './sending.ts';
import type { LinkStream } from './stream.ts';
import type { Ends, PeerStreams, ProvenPeer } from './streams-port.ts';
import type { Tcp } from './tcp.ts';
import { type Far, termsOf } from './terms.ts';
import type { Timing } from './timing.ts';

export interface StreamsInit {
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly tcp: Tcp;
  readonly identity: Identity;
  readonly certificate: () => Promise<string>;
  readonly trust: Trust;
  readonly peers: Peers;
  readonly limits: Pick<Limits, 'streams' | 'stanzaBytes' | 'xmlDepth'>;
  /** This box's name on the link now. */
  readonly self: () => string;
  readonly interfaces: () => readonly { readonly name: string; readonly addresses: readonly OwnAddress[] }[];
  /** Asks where a peer is now. */
  readonly resolve: (name: string, ms: number) => Promise<unknown>;
  /** disco#info of this box. */
  readonly disco: () => Element;
  readonly dispatch: (stanza: Element, context: PeerContext) => Promise<Element | undefined>;
  readonly timing?: Partial<Timing>;
  readonly roomy?: (() => Promise<void> | undefined) | undefined;
  /** Whether the owner admits calls from that address, though nobody is announced there. */
  readonly admits?: (address: string) => boolean;
  readonly on: {
    /** What a peer can do, as it says. */
    disco(name: string, query: Element): void;
    opened(peer: ProvenPeer): void;
    closed(peer: ProvenPeer): void;
    /** What is known of a peer by its streams is different now. */
    changed(name: string): void;
    /** A message went there, or came from there. */
    talked(name: string): void;
    /** A stream to a peer that is not on the link is in use. */
    reached(peer: Sighting): void;
    /** Its stream died without a goodbye, or nobody listens where it said: its records may be stale. */
    silent(name: string): void;
  };
}

const CONNECT_TIME = 3_000;
/** Trouble a stranger can cause at will is told this often. */
const TELL_EVERY = 10_000;
/** How long a key that is only seen keeps its stream when all are taken. */
const TURN = 60_000;
/** Bytes of a stanza to a peer whose own limit is not known. */
const PLAIN_STANZA_BYTES = 1 << 20;

export type Handed = Pick<Sent, 'delivered' | 'taken'>;

/** What streams need: XML, TLS, a certificate. A box that is alone on its link does without. */
interface StreamCode {
  readonly stream: typeof import('./stream.ts');
  readonly negotiation: typeof import('./negotiation.ts');
  readonly cert: string;
}

/** Every stream there is, by peer. The one place that answers the door. */
export class Streams implements PeerStreams {
  readonly #init: StreamsInit;
  readonly #lines = new Map<string, Line>();
  readonly #calls = new Map<string, IqCaller>();
  readonly #all = new Map<LinkStream, string>();
  readonly #doorman: Doorman;
  readonly #dialer: Dialer;
  readonly #sessions: Sessions;
  readonly #halfReceived = new HalfReceived<LinkStream>();
  readonly #seldom: Seldom;
  /** There from the first stream on. */
  #code: StreamCode | undefined;
  #loading: Promise<StreamCode> | undefined;
  /** Callers who came before that, the first of them first. */
  readonly #waiting = new Set<Socket>();
  #closing = false;

  constructor(init: StreamsInit) {
    this.#init = init;
    this.#doorman = new Doorman(init.clock);
    this.#seldom = new Seldom(init.clock, init.trouble, TELL_EVERY);
    const { clock, tcp, peers, interfaces, trust } = init;
    this.#sessions = new Sessions({
      clock,
      self: () => ({ name: init.self(), fingerprint: init.identity.fingerprint }),
      level: fingerprint => trust.level(fingerprint),
      gaveUp: session => {
        const line = this.#lines.get(session.name);
        line?.gaveUp(session);
        if (line) this.#tidy(line);
      },
    });
    this.#dialer = new Dialer({
      clock, tcp, peers, interfaces,
      resolve: (name, ms) => init.resolve(name, ms),
      closing: () => this.#closing,
      makeRoom: () => this.#makeRoom(),
      streams: () => this.#all,
      silent: name => init.on.silent(name),
      opener: async () => {
        const code = this.#code ?? await this.#load();
        return (socket, address, name) => this.#open(code, socket, 'dialled', address, channel => code.negotiation.dial(channel, this.#terms(address), name));
      },
    });
  }

  get size(): number {
    return this.#all.size;
  }

  standing(name: string): Standing {
    const { trust } = this.#init;
    const line = this.#lines.get(name);
    const fingerprint = line?.active ? line.proven?.fingerprint : trust.holder(name);
    return { trust: trust.level(fingerprint), connected: line?.active !== undefined, ...(fingerprint === undefined ? {} : { fingerprint }) };
  }

  /** The stream in use to each peer that has one. */
  *inUse(): Iterable<readonly [name: string, stream: LinkStream]> {
    for (const [name, { active }] of this.#lines) if (active) yield [name, active];
  }

  /** Every stream on the link, with the address at its other end. */
  get all(): Iterable<readonly [stream: LinkStream, address: string]> {
    return this.#all;
  }

  /** The stream in use to that peer. */
  to(name: string): LinkStream | undefined {
    return this.#lines.get(name)?.active;
  }

  /** The name a key goes by now: proven by an open stream, else last held and on the link. */
  nameOf(fingerprint: string): string | undefined {
    for (const [name, line] of this.#lines) if (line.proven?.fingerprint === fingerprint) return name;
    const name = this.#init.trust.find(fingerprint)?.name;
    return name !== undefined && this.#init.peers.get(name) && this.#init.trust.holder(name) === fingerprint ? name : undefined;
  }

  /** Of the stream in use to that peer, when it has proven a key. */
  ends(name: string): Ends | undefined {
    const stream = this.#lines.get(name)?.active;
    const [peer, binding] = [stream?.agreed?.spki, stream?.binding];
    return peer && binding && { own: this.#init.identity.spki, peer, binding };
  }

  /** To whoever has the name, or `only` to the key. Resolves when the stanza is with the system; `delivered` when a box confirms that it is on its disk. */
  async send(name: string, stanza: Element, only?: string): Promise<Handed> {
    if (this.#closing) throw new LanpostError('closed');
    const { handed, ...sent } = await this.#line(name).send(this.#worded(name, stanza), { kept: stanza.getName() === 'iq', only });
    await handed;
    this.#init.on.talked(name);
    return sent;
  }

  async request(name: string, iq: Element, options: RequestOptions = {}): Promise<Element> {
    if (this.#closing) throw new LanpostError('closed');
    const known = this.#calls.get(name);
    const caller = known ?? new IqCaller({
      clock: this.#init.clock,
      send: request => void this.send(name, request).catch((error: unknown) => caller.fail(error instanceof Error ? error : undefined)),
    });
    if (!known) this.#calls.set(name, caller);
    try {
      return await caller.request(iq, { ...options, to: name });
    } finally {
      if (caller.waiting === 0) this.#calls.delete(name);
    }
  }

  /** Opens a stream when there is none, and says whose key it has proven. */
  async prove(name: string, signal?: AbortSignal): Promise<ProvenPeer> {
    signal?.throwIfAborted();
    const line = this.#line(name);
    const aborted = signal && once(signal, 'abort');
    await (aborted ? Promise.race([line.stream(), aborted]) : line.stream());
    signal?.throwIfAborted();
    if (!line.proven) throw new LanpostError('unsupported', `${name} has no key: it is no box.`);
    return line.proven;
  }

  /** Opens a stream to where the owner says a peer is. It says its name itself, under TLS. */
  async call(address: string, far: Far): Promise<ProvenPeer> {
    const code = this.#code ?? await this.#load();
    if (this.#closing) throw new LanpostError('closed');
    if (!this.#makeRoom()) throw new LanpostError('busy', 'Too many streams are open.');
    const socket = await this.#init.tcp.connect(address, far.port, CONNECT_TIME);
    if (this.#closing) {
      socket.destroy();
      throw new LanpostError('closed');
    }
    const { stream, opened } = this.#open(code, socket, 'dialled', plainAddress(address), channel => code.negotiation.dial(channel, this.#terms(plainAddress(address), far), undefined), far);
    const reason = await opened;
    if (reason) throw reason;
    return { name: stream.agreed?.peer ?? '', fingerprint: stream.fingerprint ?? '' };
  }

  /** Somebody is at the door. */
  accepted(socket: Socket): void {
    const address = plainAddress(socket.remoteAddress ?? '');
    const own = this.#init.interfaces().flatMap(({ addresses }) => addresses);
    socket.on('error', () => undefined); // until the stream takes it over; a caller that hangs up is no trouble
    const near = onLink(address, own);
    if (this.#closing || !(near || this.#init.admits?.(address)) || !this.#doorman.admits(address)) {
      socket.destroy();
      this.#tell('refused', `a connection from ${address} was refused: not on this link, too many, or too often`);
      return;
    }
    socket.once('close', () => {
      this.#waiting.delete(socket);
      this.#doorman.left(address);
    });
    // A link may carry no multicast: then who is admitted is a peer there as it would be elsewhere.
    const announced = near && (this.#init.peers.at(address).length > 0 || this.#init.admits?.(address) !== true);
    const far: Far | undefined = announced ? undefined : { host: address, port: 0, via: { kind: 'caller' } };
    if (this.#code) {
      this.#answer(socket, address, this.#code, far);
      return;
    }
    this.#wait(socket);
    this.#load().then(code => this.#answer(socket, address, code, far), (error: unknown) => {
      socket.destroy();
      this.#tell('stream', error instanceof Error ? error.message : String(error), 'unsupported');
    });
  }

  /** What the caller says meanwhile waits in the socket. No more of them than streams: the oldest gives way. */
  #wait(socket: Socket): void {
    const [oldest] = this.#waiting;
    if (oldest && this.#waiting.size >= this.#init.limits.streams) {
      this.#waiting.delete(oldest);
      oldest.destroy();
      this.#tell('full', `${this.#init.limits.streams} callers are waiting; the first of them was turned away`);
    }
    this.#waiting.add(socket);
  }

  #answer(socket: Socket, address: string, code: StreamCode, far: Far | undefined): void {
    this.#waiting.delete(socket);
    if (this.#closing || socket.destroyed || !this.#makeRoom()) {
      socket.destroy();
      return;
    }
    const { accept, instanceName } = code.negotiation;
    const callers = async (from: string | undefined): Promise<readonly string[]> => (far ? [instanceName(from)] : callersAt(this.#init.peers, from, address));
    this.#open(code, socket, 'accepted', address, channel => accept(channel, this.#terms(address, far), callers), far);
  }

  #load(): Promise<StreamCode> {
    this.#loading ??= this.#loadOnce().finally(() => { this.#loading = undefined; });
    return this.#loading;
  }

  async #loadOnce(): Promise<StreamCode> {
    const [stream, negotiation] = await late('What speaks with peers', () => Promise.all([import('./stream.ts'), import('./negotiation.ts')]));
    this.#code = { stream, negotiation, cert: await this.#init.certificate() };
    return this.#code;
  }

  /**
   * Addresses on a link are free, and so are keys: whoever takes all the streams must not lock out the others. The
   * oldest that has shown no key gives way, then the oldest whose key nobody vouched for and that had its turn.
   */
  #makeRoom(): boolean {
    const { limits, trust, clock } = this.#init;
    if (this.#all.size < limits.streams) return true;
    const streams = [...this.#all.keys()];
    const least = streams.find(({ fingerprint }) => fingerprint === undefined) 
      ?? streams.find(({ fingerprint, since }) => trust.level(fingerprint) !== 'paired' && clock.mono() - since > TURN);
    this.#tell('full', `all ${limits.streams} streams are taken; ${least ? 'the oldest of a stranger was ended' : 'a call was refused'}`);
    if (!least) return false;
    this.#all.delete(least);
    least.destroy(new LanpostError('busy', 'Too many streams are open, and this one belonged to a stranger.'));
    return true;
  }

  async close(): Promise<void> {
    this.#closing = true;
    for (const caller of this.#calls.values()) caller.fail(new LanpostError('closed'));
    for (const line of this.#lines.values()) line.abandon(new LanpostError('closed'));
    await this.hangUp();
  }

  /** Ends the stream to a peer without a key, which was opened to ask something. Boxes have more to say to each other. */
  leave(name: string): void {
    const line = this.#lines.get(name);
    if (line?.active && !line.proven) void line.active.close();
  }

  /** Ends every stream; they are opened anew when they are needed, under the name the box has then. */
  async hangUp(): Promise<void> {
    this.#sessions.close();
    await Promise.all([...this.#all.keys()].map(stream => stream.close()));
  }

  #line(name: string): Line {
    const known = this.#lines.get(name);
    if (known) return known;
    const { on, clock, identity, self } = this.#init;
    const line: Line = new Line({
      name, clock,
      isWaiting: session => this.#sessions.isWaiting(session),
      giveUp: session => this.#sessions.end(session),
      self: () => ({ name: self(), fingerprint: identity.fingerprint }),
      reach: () => this.#dialer.reach(line).finally(() => setImmediate(() => this.#tidy(line))),
      on: { opened: peer => on.opened(peer), closed: peer => on.closed(peer), unanswered: () => this.#calls.get(name)?.fail(), changed: () => on.changed(name) },
    });
    this.#lines.set(name, line);
    return line;
  }

  #tidy(line: Line): void {
    if (line.idle) this.#lines.delete(line.name);
  }

  #worded(name: string, stanza: Element): string {
    const box = this.#init.peers.get(name)?.claims.box ?? this.#lines.get(name)?.proven !== undefined;
    stanza.attrs['from'] = this.#init.self();
    stanza.attrs['to'] = name;
    const text = serialize(box || stanza.getName() !== 'message' ? stanza : withHtml(stanza));
    if (!isLegal(text)) throw new LanpostError('invalid-value', 'The stanza holds a character that XML cannot carry.');
    const most = box ? this.#init.limits.stanzaBytes : PLAIN_STANZA_BYTES;
    if (Buffer.byteLength(text) > most) throw new LanpostError('too-large', `A stanza to ${name} may have ${most} bytes.`);
    return text;
  }

  /** With whoever is at the other end of a connection to or from that address. */
  #terms(address: string, far?: Far): Terms {
    const holder = (name: string): string | undefined => this.#lines.get(name)?.proven?.fingerprint;
    const renamed = (what: string): void => this.#tell('renamed', what);
    return termsOf({ ...this.#init, holder, renamed, sessions: this.#sessions }, address, far);
  }

  #open(code: StreamCode, socket: Socket, side: Side, address: string, agree: (channel: Channel) => Promise<Agreed>, far?: Far): { stream: LinkStream; opened: Promise<Error | undefined> } {
    const { clock, identity, limits, timing, trust } = this.#init;
    let settle: (reason: Error | undefined) => void;
    const opened = new Promise<Error | undefined>(resolve => { settle = resolve; });
    const stream = new code.stream.LinkStream({
      socket, side, clock, agree,
      sessions: this.#sessions,
      identity: { key: identity.key, cert: code.cert },
      limits: { stanzaBytes: limits.stanzaBytes, depth: limits.xmlDepth },
      pace: () => this.#doorman.pace(address),
      roomy: () => this.#init.roomy?.(),
      isPaired: fingerprint => trust.level(fingerprint) === 'paired',
      held: (holder, bytes) => {
        const greedy = this.#halfReceived.hold(holder, bytes);
        if (!greedy) return;
        greedy.exhausted();
        this.#tell('greedy', 'stanzas that were begun and not ended took too much memory; the stream with most of it was ended');
      },
      ...(timing ? { timing } : {}),
      ...(far ? { stays: true } : {}),
      on: {
        ready: ready => {
          const { peer = '', disco } = ready.agreed ?? {};
          this.#line(peer).add(ready);
          if (far) this.#reached(peer, address, far);
          if (disco) this.#init.on.disco(peer, disco);
          settle(undefined);
        },
        stanza: (from, stanza) => this.#received(from, stanza),
        closed: (closed, reason) => {
          this.#closed(closed, reason);
          settle(reason ?? new LanpostError('disconnected'));
        },
      },
    });
    this.#all.set(stream, address);
    return { stream, opened };
  }

  #reached(instance: string, address: string, { host, port, via }: Far): void {
    const family = isIP(address) === 6 ? 6 : 4;
    this.#init.on.reached({ instance, host, port, via, txt: [[BOX_KEY, '']], addresses: [{ address, family, interface: '' }] });
  }

  #closed(stream: LinkStream, reason: Error | undefined): void {
    this.#all.delete(stream);
    const name = stream.agreed?.peer;
    if (reason instanceof Refusal && reason.kind !== 'peer' && reason.kind !== 'refused') this.#tell(reason.kind, reason.message, reason.kind === 'impostor' ? 'impostor' : undefined);
    if (name === undefined) return;
    const line = this.#lines.get(name);
    line?.remove(stream);
    if (!line?.active && !line?.broken) this.#calls.get(name)?.fail();
    if (line) this.#tidy(line);
    if (!stream.parted) this.#init.on.silent(name);
  }

  #received(stream: LinkStream, stanza: Element): Promise<Element | undefined> {
    const agreed = stream.agreed;
    const message = agreed && believed(stanza, agreed.peer, this.#init.self());
    if (!agreed || !message || this.#calls.get(agreed.peer)?.receive(message)) return Promise.resolve(undefined);
    this.#init.on.talked(agreed.peer);
    const { fingerprint } = stream;
    const context: PeerContext = {
      kind: 'link', name: agreed.peer, tls: agreed.tls, trust: this.#init.trust.level(fingerprint), ...(fingerprint === undefined ? {} : { fingerprint }),
    };
    const { trust } = this.#init;
    if (admitted(message, context, { chat: trust.may(fingerprint, 'chat'), topics: trust.plainMayMore })) return this.#init.dispatch(message, context);
    const type = attr(message, 'type');
    const asked = message.getName() === 'iq' ? type === 'get' || type === 'set' : isChat(message);
    return Promise.resolve(asked ? errorReply(message, new StanzaError('forbidden')) : undefined);
  }

  #tell(what: string, message: string, code?: ErrorCode): void {
    this.#seldom.tell({ kind: `link.${what}`, message, ...(code === undefined ? {} : { code }) });
  }
}
