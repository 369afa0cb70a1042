// Both ends of relays: this box lets paired neighbours reach the servers that its owner allows each of them, and asks
// them for the same when its own roads fail. It reads nothing of what passes: that is TLS between others.
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { RelayStatus, Trouble, TrustLevel } from '../../api.ts';
import type { Clock, Timer } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import { Seldom } from '../../seldom.ts';
import { formatRelayTarget, parseRelayTarget } from '../../trust/relay-target.ts';
import { buildConnect, buildRelayAllowed, parseConnect, parseRelayData, type RelayService, relaySid } from '../../xep/relay.ts';
import { type IqRequest, LATER } from '../../xmpp/dispatch.ts';
import { attr, type Element, xml } from '../../xmpp/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import type { PeerContext } from '../context.ts';
import type { Link } from '../link.ts';
import type { ProvenPeer } from '../streams-port.ts';
import { Pace } from './pace.ts';
import { RelayPipe } from './relay-pipe.ts';
import { type Judge, mayLeadTo, type Names, type RelayAddress, relayAddresses, SYSTEM_NAMES } from './relay-target.ts';

/** Relays for one peer, and for all; what one peer's may carry together, bytes a second each way. */
export const RELAYS = 16;
export const PEER_RELAYS = 4;
export const RELAY_RATE: number = 1 << 20;
/** Until a connection to one address must be there; until DNS and all addresses have been tried, ms. */
const CONNECT_TIME = 5_000;
const OPEN_TIME = 20_000;
/** A relay without a byte ends: homes are asked for a sign of life each minute, ms. */
const IDLE = 15 * 60_000;
const LOOK = 60_000;
/** A block that is not confirmed for so long: whoever it is for has stopped reading, ms. */
const STALLED = 120_000;
/** Refused and told when that changes, at most. */
const REFUSED = 64;

type Request = IqRequest<PeerContext>;

export interface RelaysParts {
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  /** Throws when there is none. */
  readonly link: () => Pick<Link, 'tcp' | 'send' | 'request' | 'prove'>;
  readonly level: (fingerprint: string) => TrustLevel;
  /** What the owner lets that key reach; `otherwise`: whether it may what nothing is said of, which it may not. */
  readonly may: (fingerprint: string, to: string, otherwise?: boolean) => boolean;
  readonly names?: Names;
}

interface Relay {
  readonly peer: ProvenPeer;
  readonly to: string;
  readonly pipe: RelayPipe;
  /** Where this box is connected for the peer; without it the peer is for this box. */
  readonly at: RelayAddress | undefined;
  readonly since: number;
  bytes: number;
  movedAt: number;
}

export class Relays {
  readonly #parts: RelaysParts;
  readonly #relays = new Map<string, Relay>();
  /** Being resolved and connected, by whom. */
  readonly #opening = new Map<string, string>();
  readonly #paces = new Map<string, Pace>();
  readonly #seldom: Seldom;
  /** Who asked for what, and may not have it. */
  readonly #refused = new Map<string, { readonly peer: ProvenPeer; readonly to: string }>();
  #look: Timer | undefined;
  #closed = false;

  constructor(parts: RelaysParts) {
    this.#parts = parts;
    this.#seldom = new Seldom(parts.clock, parts.trouble);
  }

  /** A peer asks for a connection. Answered when there is one, or will be none. */
  asked({ iq, payload, context }: Request): typeof LATER {
    const { sid, to: given, service } = parseConnect(payload);
    const { name, fingerprint } = context;
    if (fingerprint === undefined || context.trust !== 'paired') throw new StanzaError('forbidden', { text: 'only a paired box is relayed' });
    const to = normalised(given);
    if (!this.#parts.may(fingerprint, to)) {
      this.#refuse({ name, fingerprint }, to);
      this.#seldom.tell({ kind: 'link.relay', message: `${name} asks to be relayed to ${to}, and may not: \`lanpost trust allow '${name}' relay '${to}'\` lets it` });
      throw new StanzaError('forbidden', { text: `the owner of this box has not allowed a relay to ${to}` });
    }
    const key = keyOf(fingerprint, sid);
    if (this.#relays.has(key) || this.#opening.has(key)) throw new StanzaError('conflict', { text: 'a relay of that sid is there already' });
    this.#makeRoom(fingerprint);
    this.#opening.set(key, fingerprint);
    void this.#serve({ sid, to, service, key, peer: { name, fingerprint }, id: attr(iq, 'id') ?? '' }).finally(() => this.#opening.delete(key));
    return LATER;
  }

  data({ iq, payload, context }: Request): typeof LATER {
    const { pipe } = this.#relayOf(payload, context);
    // Confirmed when there is room for the next; other stanzas of the peer do not wait for that.
    void pipe.receive(parseRelayData(payload)).then(() => this.#answer(context, iq), (error: unknown) => this.#answer(context, iq, error));
    return LATER;
  }

  async ended({ payload, context }: Request): Promise<undefined> {
    this.#relayOf(payload, context).pipe.ended();
    return undefined;
  }

  /** A connection to a server, by way of that peer. Rejects with `forbidden` when it does not let this box. */
  async dial({ name, fingerprint }: ProvenPeer, to: string, signal: AbortSignal, service: RelayService = 'xmpp-client'): Promise<Duplex> {
    const link = this.#parts.link();
    const peer = await link.prove(name, signal);
    if (peer.fingerprint !== fingerprint || this.#parts.level(fingerprint) !== 'paired') throw new LanpostError('unreachable', `${name} is another box now.`);
    if (this.#closed) throw new LanpostError('closed');
    const sid = randomBytes(16).toString('hex');
    // First: its first bytes may come right behind its answer.
    const { pipe } = this.#add({ sid, to, peer });
    try {
      signal.throwIfAborted();
      await link.request(name, buildConnect({ sid, to, service }), { timeout: OPEN_TIME + CONNECT_TIME });
      signal.throwIfAborted();
      return pipe;
    } catch (error) {
      // Unless it has said no, it may have connected, and would keep that for whoever is not there.
      if (error instanceof StanzaError) pipe.lost(new LanpostError('disconnected'));
      else pipe.destroy(new LanpostError('disconnected'));
      if (error instanceof StanzaError) throw new LanpostError(error.condition === 'forbidden' ? 'forbidden' : 'unreachable', `${name} does not relay to ${to}: ${error.message}`, { cause: error });
      throw error;
    }
  }

  /** The stream to that key is gone, and what went over it. */
  lost({ fingerprint, name }: ProvenPeer): void {
    for (const { peer, pipe } of this.#relays.values()) {
      if (peer.fingerprint === fingerprint) pipe.lost(new LanpostError('disconnected', `The stream to ${name} was lost.`));
    }
  }

  #refuse(peer: ProvenPeer, to: string): void {
    const key = keyOf(peer.fingerprint, to);
    this.#refused.delete(key);
    this.#refused.set(key, { peer, to });
    for (const [oldest] of this.#refused) if (this.#refused.size > REFUSED) this.#refused.delete(oldest);
  }

  /** What the owner does not allow any more ends; who may have now what was refused is told. */
  recheck(): void {
    for (const [key, { peer: { name, fingerprint }, to }] of this.#refused) {
      if (this.#parts.level(fingerprint) !== 'paired' || !this.#parts.may(fingerprint, to)) continue;
      this.#refused.delete(key);
      this.#tellAllowed(name, fingerprint, to).catch(() => undefined); // who is gone, or another now, asks when it is back
    }
    for (const relay of this.#relays.values()) {
      const { peer: { fingerprint }, to, pipe, at } = relay;
      const stays = at ? this.#mayGoOn(fingerprint, to, at) : this.#parts.level(fingerprint) === 'paired';
      if (!stays) pipe.destroy(new LanpostError('forbidden', 'The owner has taken that back.'));
    }
  }

  async #tellAllowed(name: string, fingerprint: string, to: string): Promise<void> {
    const link = this.#parts.link();
    const peer = await link.prove(name);
    if (peer.fingerprint === fingerprint) await link.request(name, buildRelayAllowed(to), { timeout: OPEN_TIME });
  }

  list(): RelayStatus[] {
    return [...this.#relays.values()].map(({ peer, to, at, since, bytes }) => ({ peer: peer.name, to, direction: at ? 'for' : 'by', since, bytes }));
  }

  close(): void {
    this.#closed = true;
    this.#look?.stop();
    for (const { pipe } of this.#relays.values()) pipe.destroy(new LanpostError('closed'));
  }

  async #serve({ sid, to, service, key, peer, id }: ReturnType<typeof parseConnect> & { readonly key: string; readonly peer: ProvenPeer; readonly id: string }): Promise<void> {
    const answer = (outcome: { readonly error?: unknown } = {}): void => this.#reply(peer, id, outcome);
    const pace = this.#paceOf(peer.fingerprint);
    let connected: { readonly socket: Socket; readonly at: RelayAddress };
    try {
      // What comes first on a relay is not held up: with one after the other there would be no rate.
      const wait = pace.take(0);
      if (wait > 0) await new Promise<void>((resolve) => { this.#parts.clock.after(wait, resolve); });
      connected = await this.#connect({ to, service }, peer.fingerprint);
    } catch (error) {
      return answer({ error });
    }
    const { socket, at } = connected;
    // Meanwhile much may have changed.
    if (this.#closed || this.#relays.has(key) || !this.#mayGoOn(peer.fingerprint, to, at)) {
      socket.destroy();
      return answer({ error: new LanpostError('forbidden') });
    }
    socket.setNoDelay(true);
    const { pipe } = this.#add({ sid, to, peer, at, pace });
    join(pipe, socket);
    answer();
  }

  #mayGoOn(fingerprint: string, to: string, at: RelayAddress): boolean {
    return this.#parts.level(fingerprint) === 'paired' && this.#parts.may(fingerprint, to) && mayLeadTo(to, at, this.#judge(fingerprint));
  }

  #judge(fingerprint: string): Judge {
    return (target, otherwise) => this.#parts.may(fingerprint, target, otherwise);
  }

  async #connect({ to, service }: { readonly to: string; readonly service: RelayService }, fingerprint: string): Promise<{ readonly socket: Socket; readonly at: RelayAddress }> {
    const { clock, link, names = SYSTEM_NAMES } = this.#parts;
    const until = clock.mono() + OPEN_TIME - CONNECT_TIME;
    let failure: unknown = new LanpostError('unreachable', `Nothing answers at ${to}.`);
    for (const at of await relayAddresses({ to, service }, names, this.#judge(fingerprint))) {
      if (clock.mono() > until) break;
      try {
        return { socket: await link().tcp.connect(at.address, at.port, CONNECT_TIME), at };
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  #add({ sid, to, peer, at, pace }: { readonly sid: string; readonly to: string; readonly peer: ProvenPeer; readonly at?: RelayAddress; readonly pace?: Pace }): Relay {
    const { clock, link } = this.#parts;
    const key = keyOf(peer.fingerprint, sid);
    const pipe = new RelayPipe({
      sid, clock,
      ask: (iq) => link().request(peer.name, iq, { timeout: STALLED }),
      moved: (bytes) => {
        relay.bytes += bytes;
        relay.movedAt = clock.mono();
      },
      ...(pace ? { pace: (bytes: number) => pace.take(bytes) } : {}),
    });
    const relay: Relay = { peer, to, pipe, at, since: clock.wall(), bytes: 0, movedAt: clock.mono() };
    this.#relays.set(key, relay);
    pipe.on('error', () => undefined); // it closes then; whoever uses it has a listener of his own
    pipe.once('close', () => {
      this.#relays.delete(key);
      if (this.#relays.size > 0) return;
      this.#look?.stop();
      this.#look = undefined;
      // Who begins anew pays for what came before.
      const opening = new Set(this.#opening.values());
      for (const [fingerprint, owed] of this.#paces) if (!opening.has(fingerprint) && owed.take(0) === 0) this.#paces.delete(fingerprint);
    });
    this.#look ??= clock.every(LOOK, () => this.#endIdle());
    return relay;
  }

  #endIdle(): void {
    const now = this.#parts.clock.mono();
    for (const { pipe, movedAt } of this.#relays.values()) if (now - movedAt > IDLE) pipe.destroy(new LanpostError('timeout', 'Nothing was said on it.'));
  }

  /** One for all of a peer's: a second connection gives it no more. */
  #paceOf(fingerprint: string): Pace {
    const pace = this.#paces.get(fingerprint) ?? new Pace(this.#parts.clock, RELAY_RATE);
    this.#paces.set(fingerprint, pace);
    return pace;
  }

  #makeRoom(fingerprint: string): void {
    const serving = [...this.#relays.values()].filter(({ at }) => at).map(({ peer }) => peer.fingerprint).concat(...this.#opening.values());
    const own = serving.filter((one) => one === fingerprint).length;
    if (this.#closed || own >= PEER_RELAYS || serving.length >= RELAYS) throw new StanzaError('resource-constraint', { text: 'too many relays are open', type: 'wait' });
  }

  #relayOf(payload: Element, { fingerprint }: PeerContext): Relay {
    const relay = fingerprint === undefined ? undefined : this.#relays.get(keyOf(fingerprint, relaySid(payload)));
    if (!relay) throw new StanzaError('item-not-found');
    return relay;
  }

  #answer({ name, fingerprint = '' }: PeerContext, iq: Element, error?: unknown): void {
    this.#reply({ name, fingerprint }, attr(iq, 'id') ?? '', error === undefined ? {} : { error });
  }

  #reply({ name, fingerprint }: ProvenPeer, id: string, { error }: { readonly error?: unknown }): void {
    const iq = error === undefined ? xml('iq', { type: 'result', id }) : xml('iq', { type: 'error', id }, toStanzaError(error).toElement());
    // Who is gone needs no answer, and nobody else gets it.
    try {
      this.#parts.link().send(name, iq, fingerprint).catch(() => undefined);
    } catch {
      // The link is off.
    }
  }
}

/** What comes at the one goes out at the other, both ways, each as fast as the slower takes it. */
function join(pipe: RelayPipe, socket: Socket): void {
  socket.on('error', (error) => pipe.destroy(error));
  pipe.on('error', () => socket.destroy());
  pipe.once('close', () => socket.destroySoon());
  socket.once('close', () => { if (!pipe.writableEnded) pipe.end(); });
  socket.pipe(pipe);
  pipe.pipe(socket);
}

function normalised(to: string): string {
  try {
    return formatRelayTarget(parseRelayTarget(to));
  } catch {
    throw new StanzaError('bad-request', { text: 'a relay leads to HOST:PORT or xmpp:DOMAIN' });
  }
}

/** Of two peers the same sid is two relays. */
function keyOf(fingerprint: string, sid: string): string {
  return `${fingerprint} ${sid}`;
}

function toStanzaError(error: unknown): StanzaError {
  if (error instanceof StanzaError) return error;
  if (error instanceof LanpostError && error.code === 'forbidden') return new StanzaError('forbidden', { text: error.message });
  return new StanzaError('remote-server-not-found', { text: error instanceof Error ? error.message : String(error) });
}
