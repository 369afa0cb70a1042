import { isIP, type Socket } from 'node:net';
import { abortable } from '../../abortable.ts';
import { type ErrorCode, LanpostError } from '../../errors.ts';
import { Seldom } from '../../seldom.ts';
import { attr, type Element } from '../../xmpp/element.ts';
import type { RequestOptions } from '../../xmpp/iq.ts';
import { errorReply, stanzaKind } from '../../xmpp/stanza.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { admitted, believed, isChat, type PeerContext } from '../context.ts';
import type { Standing } from '../peers.ts';
import { BOX_TEXT } from '../claims.ts';
import { plainAddress } from '../source-address.ts';
import type { Ends, PeerStreams, ProvenPeer } from '../streams-port.ts';
import { callersAt } from './callers.ts';
import { Dialer } from './dialer.ts';
import { Doorman } from './doorman.ts';
import { HalfReceived } from './half-received.ts';
import { Line } from './line.ts';
import type { Agreed, Candidates, Channel, Side, Terms } from './negotiation.ts';
import { OpenStreams } from './open-streams.ts';
import { Reception } from './reception.ts';
import { Refusal } from './refusal.ts';
import { Requests } from './requests.ts';
import type { Sent } from './sending.ts';
import { Sessions } from './sessions.ts';
import type { LinkStream } from './stream.ts';
import { type Loaded, StreamCode } from './stream-code.ts';
import type { StreamsInit } from './streams-init.ts';
import { Strangers } from './strangers.ts';
import { type Far, type Sought, termsOf } from './terms.ts';
import { worded } from './wording.ts';

const CONNECT_TIME = 3_000;
/** Bytes that count for a stanza of a stranger besides its memory, without a key, and for what only asks how far this side is: it is work, however short it is. */
const WORK = { keyed: 2_048, keyless: 4_096, ask: 128 };

export type Handed = Pick<Sent, 'delivered' | 'taken'>;

/** Every stream there is, by peer. */
export class Streams implements PeerStreams {
  readonly #init: StreamsInit;
  readonly #lines = new Map<string, Line>();
  readonly #requests: Requests;
  readonly #all: OpenStreams;
  readonly #code: StreamCode;
  readonly #reception: Reception;
  readonly #doorman: Doorman;
  readonly #strangers: Strangers;
  readonly #dialer: Dialer;
  readonly #sessions: Sessions;
  readonly #halfReceived = new HalfReceived<LinkStream>();
  readonly #seldom: Seldom;
  #closing = false;

  constructor(init: StreamsInit) {
    this.#init = init;
    this.#doorman = new Doorman(init.clock);
    this.#strangers = new Strangers(init.clock);
    this.#seldom = new Seldom(init.clock, init.trouble);
    const { clock, tcp, peers, interfaces, trust } = init;
    const makeRoom = (): boolean => this.#all.makeRoom();
    const closing = (): boolean => this.#closing;
    this.#requests = new Requests(clock, (name, iq, still) => this.send(name, iq, undefined, still));
    this.#all = new OpenStreams({ clock, trust, most: init.limits.streams, full: message => this.#tell('full', message) });
    this.#code = new StreamCode(init.certificate);
    this.#reception = new Reception({
      peers, interfaces, closing, makeRoom,
      doorman: this.#doorman,
      code: this.#code,
      admits: init.admits,
      most: init.limits.streams,
      answer: (code, socket, address, far) => this.#answer(code, socket, address, far),
      tell: (what, message, code) => this.#tell(what, message, code),
    });
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
      clock, tcp, peers, interfaces, closing, makeRoom,
      resolve: (name, ms) => init.resolve(name, ms),
      streams: () => this.#all,
      silent: name => init.on.silent(name),
      opener: async () => {
        const code = this.#code.loaded ?? await this.#code.load();
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
    const connected = line?.active !== undefined;
    return fingerprint === undefined ? { trust: 'none', connected } : { trust: trust.level(fingerprint), connected, fingerprint };
  }

  /** The stream in use to each peer that has one. */
  *inUse(): Iterable<readonly [name: string, stream: LinkStream]> {
    for (const [name, { active }] of this.#lines) if (active) yield [name, active];
  }

  /** The keys that the streams in use have proven. */
  *speaking(): Iterable<string> {
    for (const { proven } of this.#lines.values()) if (proven) yield proven.fingerprint;
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
    return this.#endsOf(this.#lines.get(name)?.active);
  }

  #endsOf(stream: LinkStream | undefined): Ends | undefined {
    const [peer, binding] = [stream?.agreed?.spki, stream?.binding];
    return peer && binding && { own: this.#init.identity.spki, peer, binding };
  }

  /** To whoever has the name, or `only` to the key. Resolves when the stanza is with the system; `delivered` when a box confirms that it is on its disk. */
  async send(name: string, stanza: Element, only?: string, still?: () => boolean): Promise<Handed> {
    if (this.#closing) throw new LanpostError('closed');
    const { handed, ...sent } = await this.#line(name).send(this.#worded(name, stanza), { kept: stanza.getName() === 'iq', only, still });
    await handed;
    this.#init.on.talked(name);
    return sent;
  }

  async request(name: string, iq: Element, options: RequestOptions = {}): Promise<Element> {
    if (this.#closing) throw new LanpostError('closed');
    return this.#requests.ask(name, iq, options);
  }

  /** Opens a stream when there is none, and says whose key it has proven. */
  async prove(name: string, signal?: AbortSignal): Promise<ProvenPeer> {
    signal?.throwIfAborted();
    const line = this.#line(name);
    await abortable(line.stream(), signal);
    if (!line.proven) throw new LanpostError('unsupported', `${name} has no key: it is no box.`);
    return line.proven;
  }

  /** Opens a stream to where the owner says a peer is. It says its name itself, under TLS. */
  async call(address: string, far: Far): Promise<ProvenPeer> {
    return this.#callAt(address, far.port, { far });
  }

  /** Opens a stream to somewhere on the link, where one of those keys may be: whoever else is there is told nothing and not noted. */
  async seek(address: string, port: number, isMeant: (fingerprint: string) => boolean): Promise<ProvenPeer> {
    return this.#callAt(address, port, { sought: { isMeant, port } });
  }

  async #callAt(address: string, port: number, whom: { readonly far?: Far; readonly sought?: Sought }): Promise<ProvenPeer> {
    const code = this.#code.loaded ?? await this.#code.load();
    if (this.#closing) throw new LanpostError('closed');
    if (!this.#all.makeRoom()) throw new LanpostError('busy', 'Too many streams are open.');
    const socket = await this.#init.tcp.connect(address, port, CONNECT_TIME);
    if (this.#closing) {
      socket.destroy();
      throw new LanpostError('closed');
    }
    const plain = plainAddress(address);
    const { stream, opened } = this.#open(code, socket, 'dialled', plain, channel => code.negotiation.dial(channel, this.#terms(plain, whom), undefined), whom);
    const reason = await opened;
    if (reason) throw reason;
    return { name: stream.agreed?.peer ?? '', fingerprint: stream.fingerprint ?? '' };
  }

  /** Somebody is at the door. */
  accepted(socket: Socket): void {
    this.#reception.accepted(socket);
  }

  #answer(code: Loaded, socket: Socket, address: string, far: Far | undefined): void {
    const { accept, instanceName } = code.negotiation;
    const { trust } = this.#init;
    const unlisted: Sought = { isMeant: fingerprint => trust.level(fingerprint) === 'paired' };
    const candidates = async (from: string | undefined): Promise<Candidates> => {
      if (far) return { names: [instanceName(from)] };
      const callers = await callersAt(this.#init.peers, from, address, name => trust.level(trust.holder(name)) === 'paired');
      return callers.unlisted ? { names: callers.names.map(name => instanceName(name)), unlisted: this.#terms(address, { sought: unlisted }) } : { names: callers.names };
    };
    this.#open(code, socket, 'accepted', address, channel => accept(channel, this.#terms(address, { far }), candidates), { far });
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#requests.failAll(new LanpostError('closed'));
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
    await this.#all.close();
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
      on: { opened: peer => on.opened(peer), closed: peer => on.closed(peer), unanswered: () => this.#requests.fail(name), changed: () => on.changed(name) },
    });
    this.#lines.set(name, line);
    return line;
  }

  #tidy(line: Line): void {
    if (line.idle) this.#lines.delete(line.name);
  }

  #worded(name: string, stanza: Element): string {
    const box = this.#init.peers.get(name)?.claims.box ?? this.#lines.get(name)?.proven !== undefined;
    return worded(stanza, { from: this.#init.self(), to: name, box, stanzaBytes: this.#init.limits.stanzaBytes });
  }

  /** With whoever is at the other end of a connection to or from that address. */
  #terms(address: string, whom: Parameters<typeof termsOf>[2] = {}): Terms {
    const holder = (name: string): string | undefined => this.#lines.get(name)?.proven?.fingerprint;
    const renamed = (what: string): void => this.#tell('renamed', what);
    const moved = (what: string): void => this.#tell('renamed-peer', what);
    return termsOf({ ...this.#init, holder, renamed, moved, sessions: this.#sessions }, address, whom);
  }

  #open(code: Loaded, socket: Socket, side: Side, address: string, agree: (channel: Channel) => Promise<Agreed>, { far, sought }: { readonly far?: Far | undefined; readonly sought?: Sought } = {}): { stream: LinkStream; opened: Promise<Error | undefined> } {
    const { clock, identity, limits, timing, trust } = this.#init;
    let settle: (reason: Error | undefined) => void;
    const opened = new Promise<Error | undefined>(resolve => { settle = resolve; });
    const stream = new code.stream.LinkStream({
      socket, side, clock, agree,
      sessions: this.#sessions,
      identity: { key: identity.key, cert: code.cert },
      limits: { stanzaBytes: limits.stanzaBytes, depth: limits.xmlDepth },
      pace: (from, element, memory) => this.#strangers.pace(address, this.#work(from, element, memory)),
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
          else if ((side === 'accepted' || sought) && ready.fingerprint !== undefined) this.#reached(peer, address, { host: address, port: sought?.port ?? 0, via: { kind: 'caller' } });
          if (disco) this.#init.on.disco(peer, disco);
          settle(undefined);
        },
        stanza: (from, stanza) => this.#received(from, stanza),
        closed: (closed, reason) => {
          // Who else was there when a key was sought is no trouble, unless it plays one that is paired.
          this.#closed(closed, reason, sought?.port === undefined || (reason instanceof Refusal && reason.kind === 'impostor'));
          settle(reason ?? new LanpostError('disconnected'));
        },
      },
    });
    this.#all.add(stream, address);
    return { stream, opened };
  }

  /** What it asks of this box that was not asked of it. */
  #work({ agreed, fingerprint }: LinkStream, element: Element | undefined, memory: number): number {
    if (!element || !agreed) return 0;
    if (!stanzaKind(element)) return memory + WORK.ask;
    const message = believed(element, agreed.peer, this.#init.self());
    // A letter is nobody's answer, whatever else is in it.
    if (message && !isChat(message) && (this.#requests.expects(agreed.peer, message) || (fingerprint !== undefined && this.#init.expects?.(message, { name: agreed.peer, fingerprint })))) return 0;
    return memory + (fingerprint === undefined ? WORK.keyless : WORK.keyed);
  }

  #reached(instance: string, address: string, { host, port, via }: Far): void {
    const family = isIP(address) === 6 ? 6 : 4;
    this.#init.on.reached({ instance, host, port, via, text: BOX_TEXT, addresses: [{ address, family, interface: '' }] });
  }

  #closed(stream: LinkStream, reason: Error | undefined, isTold: boolean): void {
    this.#all.remove(stream);
    const name = stream.agreed?.peer;
    if (isTold && reason instanceof Refusal && reason.kind !== 'peer' && reason.kind !== 'refused') this.#tell(reason.kind, reason.message, reason.kind === 'impostor' ? 'impostor' : undefined);
    if (name === undefined) return;
    const line = this.#lines.get(name);
    line?.remove(stream);
    if (!line?.active && !line?.broken) this.#requests.fail(name);
    if (line) this.#tidy(line);
    if (!stream.parted) this.#init.on.silent(name);
  }

  #received(stream: LinkStream, stanza: Element): Promise<Element | undefined> {
    const agreed = stream.agreed;
    const message = agreed && believed(stanza, agreed.peer, this.#init.self());
    if (!agreed || !message || this.#requests.receive(agreed.peer, message)) return Promise.resolve(undefined);
    this.#init.on.talked(agreed.peer);
    const { fingerprint } = stream;
    const context: PeerContext = {
      kind: 'link', name: agreed.peer, tls: agreed.tls, trust: this.#init.trust.level(fingerprint), ...(fingerprint === undefined ? {} : { fingerprint }),
      ends: () => this.#endsOf(stream),
    };
    const { trust } = this.#init;
    if (admitted(message, context, { chat: () => trust.may(fingerprint, 'chat'), topics: () => trust.plainMayMore, commands: () => trust.plainMayCommand })) return this.#init.dispatch(message, context);
    const type = attr(message, 'type');
    const asked = message.getName() === 'iq' ? type === 'get' || type === 'set' : isChat(message);
    return Promise.resolve(asked ? errorReply(message, new StanzaError('forbidden')) : undefined);
  }

  #tell(what: string, message: string, code?: ErrorCode): void {
    this.#seldom.tell({ kind: `link.${what}`, message, ...(code === undefined ? {} : { code }) });
  }
}
