import { randomBytes } from 'node:crypto';
import type { FileContent, FileEvent, Limits, SendFileOptions, Trouble } from '../../api.ts';
import type { Clock } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import { EventSource } from '../../event-stream.ts';
import { Seldom } from '../../seldom.ts';
import { NS_BYTESTREAMS, parseStreamhosts } from '../../xep/bytestreams.ts';
import { NS_IBB, parseClose, parseOpen } from '../../xep/ibb.ts';
import { noValidStreams, parseOffer } from '../../xep/si.ts';
import { type IqRequest, LATER } from '../../xmpp/dispatch.ts';
import { attr } from '../../xmpp/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import type { PeerContext } from '../context.ts';
import type { Link } from '../link.ts';
import type { ProvenPeer } from '../streams-port.ts';
import { safeFileName } from './file-name.ts';
import { Incoming } from './incoming.ts';
import { give, OFFER_TIME } from './outgoing.ts';
import { ReceivedFolder } from './received-folder.ts';
import { toStanzaError } from './refused.ts';
import { type FileTrust, isLess, rulingOf, stays } from './ruling.ts';
import { openSource } from './source.ts';
import { following } from './following.ts';
import { Transfer } from './transfer.ts';

export interface FilesParts {
  readonly dir: string;
  readonly limits: Pick<Limits, 'fileBytes' | 'peerFilesBytes' | 'filesBytes' | 'diskFloor'>;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  /** Bytes free on the disk of `dir`. */
  readonly free: () => Promise<number>;
  /** Throws when there is none. */
  readonly link: () => Link;
  readonly trust: FileTrust;
}

type Request = IqRequest<PeerContext>;

/** Offers that wait for the owner; of one peer. */
const OFFERS = 32;
const PEER_OFFERS = 8;
/** Files from peers at once, from all of them that are not paired, and from one such; to peers, offered or under way. */
const INCOMING = 8;
const STRANGERS_INCOMING = 6;
const PEER_INCOMING = 4;
const OUTGOING = 32;

/** Files to peers and from them. */
export class Files {
  readonly #parts: FilesParts;
  readonly #folder: ReceivedFolder;
  readonly #events = new EventSource<FileEvent>();
  readonly #transfers = new Map<string, Transfer>();
  readonly #incoming = new Map<string, Incoming>();
  readonly #outgoing = new Map<string, { readonly transfer: Transfer; readonly over: Promise<void> }>();
  /** Being opened, hashed, proven. */
  #starting = 0;
  readonly #seldom: Seldom;
  #closed = false;

  constructor(parts: FilesParts) {
    this.#parts = parts;
    this.#folder = new ReceivedFolder(parts);
    this.#seldom = new Seldom(parts.clock, parts.trouble);
  }

  send(peer: string, file: string | FileContent, options: SendFileOptions): AsyncIterableIterator<FileEvent> {
    const ended = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, ended.signal]) : ended.signal;
    const started = this.#send(peer, file, options.description, signal);
    return following(started, () => ended.abort(new LanpostError('closed', 'the sender has left')));
  }

  accept(id: string, signal?: AbortSignal): AsyncIterableIterator<FileEvent> {
    return following(this.#accept(id, signal));
  }

  async decline(id: string): Promise<void> {
    const transfer = this.#transfers.get(id);
    if (!transfer) throw unknown(id);
    transfer.fail(transfer.offered && transfer.direction === 'in' ? new LanpostError('forbidden', 'it was declined here') : new LanpostError('closed', 'it was ended here'));
  }

  list(): FileEvent[] {
    return [...this.#transfers.values()].map((transfer) => transfer.now);
  }

  watch(signal?: AbortSignal): AsyncIterableIterator<FileEvent> {
    return this.#events.follow({ first: this.list(), signal });
  }

  async *offers(signal?: AbortSignal): AsyncGenerator<FileEvent> {
    for await (const event of this.watch(signal)) if (event.type === 'offered' && event.direction === 'in') yield event;
  }

  /** XEP-0095 §3.2. The answer is sent when the owner has decided. */
  offered({ iq, payload, context }: Request): typeof LATER {
    const offer = parseOffer(payload);
    // Between boxes on the encrypted stream only: what goes beside it is in the clear.
    const ways = context.fingerprint === undefined ? [NS_BYTESTREAMS, NS_IBB] : [NS_IBB];
    const method = ways.find((way) => offer.methods.includes(way));
    if (method === undefined) throw noValidStreams();
    const { clock, limits, link, trust } = this.#parts;
    const ruling = rulingOf(trust, context.fingerprint);
    if (ruling === 'refused') throw toStanzaError(new LanpostError('forbidden'));
    if (this.#incoming.has(keyOf(context, offer.sid))) throw new StanzaError('conflict', { text: 'a stream of that id is there already' });
    if (offer.size > limits.fileBytes) throw toStanzaError(new LanpostError('too-large'));
    this.#makeRoom(context);
    const transfer = this.#transfer({
      direction: 'in', peer: context.name, trust: context.trust, name: safeFileName(offer.name), size: offer.size, until: clock.wall() + OFFER_TIME,
      ...(context.fingerprint === undefined ? {} : { fingerprint: context.fingerprint }),
      ...(offer.description === undefined ? {} : { description: offer.description }),
    });
    const incoming = new Incoming({ transfer, ruling, offer, method, requestId: attr(iq, 'id') ?? '', link: link(), folder: this.#folder, clock });
    this.#incoming.set(keyOf(context, offer.sid), incoming);
    const expiry = clock.after(OFFER_TIME, () => { if (transfer.offered) transfer.fail(new LanpostError('timeout', 'nobody accepted it in time')); });
    void incoming.settled.then(() => expiry.stop());
    transfer.ended.addEventListener('abort', () => this.#incoming.delete(keyOf(context, offer.sid)), { once: true });
    transfer.tell();
    if (ruling === 'taken') this.#take(incoming).catch((error: unknown) => transfer.fail(error));
    return LATER;
  }

  /** XEP-0065 §5.3.1. Answered when one of the streamhosts is connected to. */
  streamhosts({ iq, payload, context }: Request): typeof LATER {
    const query = parseStreamhosts(payload);
    const incoming = this.#incoming.get(keyOf(context, query.sid));
    if (!incoming) throw new StanzaError('not-acceptable');
    const { transfer } = incoming;
    incoming.fetch(query, attr(iq, 'id') ?? '').catch((error: unknown) => transfer.fail(error));
    return LATER;
  }

  async open({ payload, context }: Request): Promise<undefined> {
    const open = parseOpen(payload);
    const incoming = this.#incoming.get(keyOf(context, open.sid));
    if (!incoming) throw new StanzaError('not-acceptable', { type: 'cancel' });
    incoming.begin(open);
  }

  /** Whether bytes of that stream of theirs are waited for. */
  expects(sid: string, peer: ProvenPeer): boolean {
    return this.#incoming.get(keyOf(peer, sid))?.isReceiving === true;
  }

  async data({ payload, context }: Request): Promise<undefined> {
    const incoming = this.#incoming.get(keyOf(context, attr(payload, 'sid') ?? ''));
    if (!incoming) throw new StanzaError('item-not-found');
    await incoming.data(payload);
  }

  /** Either side may end a stream (XEP-0047 §2.3). */
  async ended({ payload, context }: Request): Promise<undefined> {
    const key = keyOf(context, parseClose(payload));
    const incoming = this.#incoming.get(key);
    const outgoing = this.#outgoing.get(key);
    if (!incoming && !outgoing) throw new StanzaError('item-not-found');
    outgoing?.transfer.fail(new LanpostError('disconnected', `${context.name} ended the transfer`));
    await incoming?.end();
  }

  /** The peer has left the link, and took its offers along. What is under way ends by itself. */
  left(name: string): void {
    for (const transfer of this.#transfers.values()) {
      if (transfer.peer === name && transfer.offered) transfer.fail(new LanpostError('disconnected', `${name} has left the link`));
    }
  }

  /** The stream of that key is gone, and what went over it. */
  lost({ name, fingerprint }: ProvenPeer): void {
    for (const transfer of this.#transfers.values()) {
      if (transfer.fingerprint === fingerprint && transfer.peer === name) transfer.fail(new LanpostError('disconnected', `the stream to ${name} was lost`));
    }
  }

  /** What the owner has taken back ends what rested on it, also under way; nothing of a file is kept. */
  recheck(): void {
    const rulings = new Map([...this.#incoming.values()].map(({ transfer, ruling }) => [transfer, ruling]));
    for (const transfer of this.#transfers.values()) {
      if (!stays(this.#parts.trust, transfer.fingerprint, { trust: transfer.trust, ruling: rulings.get(transfer) })) transfer.fail(takenBack());
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const ends = [...[...this.#incoming.values()].map(({ settled }) => settled), ...[...this.#outgoing.values()].map(({ over }) => over)];
    for (const transfer of this.#transfers.values()) transfer.fail(new LanpostError('closed', 'the box was stopped'));
    await Promise.all(ends);
    this.#events.close();
  }

  async #send(name: string, file: string | FileContent, description: string | undefined, signal: AbortSignal): Promise<AsyncIterableIterator<FileEvent>> {
    const { clock } = this.#parts;
    const link = this.#parts.link();
    if (this.#outgoing.size + this.#starting >= OUTGOING) throw new LanpostError('busy', `${OUTGOING} files are on their way to peers`);
    this.#starting += 1;
    try {
      const source = await openSource(file);
      try {
        const peer = link.peers.describe(name);
        if (!peer) throw new LanpostError('unreachable', `${name} is not on the link: see \`lanpost peers\``);
        const proven = peer.box || peer.fingerprint !== undefined ? await link.prove(name, signal) : undefined;
        // COMPAT(libpurple 2.14): takes a size of 0 for an unknown one, and the end that follows at once for a broken transfer.
        if (!proven && source.size === 0) throw new LanpostError('unsupported', `${name} cannot be sent an empty file: it is no box`);
        const sha256 = proven && await source.sha256(signal);
        signal.throwIfAborted();
        if (this.#closed) throw new LanpostError('closed');
        const trust = this.#parts.trust.level(proven?.fingerprint);
        if (isLess(trust, peer.trust)) throw takenBack();
        const transfer = this.#transfer({
          direction: 'out', peer: name, trust, name: source.name, size: source.size, until: clock.wall() + OFFER_TIME,
          ...(proven ? { fingerprint: proven.fingerprint } : {}),
          ...(description === undefined ? {} : { description }),
        });
        const events = transfer.follow([], signal);
        const stop = (): void => transfer.fail(signal.reason instanceof LanpostError ? signal.reason : new LanpostError('closed', 'it was ended here'));
        signal.addEventListener('abort', stop, { once: true });
        transfer.tell();
        const sid = randomBytes(16).toString('hex');
        const key = keyOf({ name, fingerprint: proven?.fingerprint }, sid);
        const over = give({
          transfer, source, sid, link, clock, ...(sha256 === undefined ? {} : { sha256 }), refused: (message) => this.#seldom.tell({ kind: 'link.files', message }),
        }).finally(() => {
          this.#outgoing.delete(key);
          signal.removeEventListener('abort', stop);
        });
        this.#outgoing.set(key, { transfer, over });
        return events;
      } catch (error) {
        await source.close();
        throw error;
      }
    } finally {
      this.#starting -= 1;
    }
  }

  async #accept(id: string, signal?: AbortSignal): Promise<AsyncIterableIterator<FileEvent>> {
    const incoming = [...this.#incoming.values()].find(({ transfer }) => transfer.id === id);
    if (!incoming) throw unknown(id);
    const events = incoming.transfer.follow([], signal);
    try {
      await this.#take(incoming);
    } catch (error) {
      await events.return?.();
      throw error;
    }
    return events;
  }

  async #take(incoming: Incoming): Promise<void> {
    if (!incoming.open) throw new LanpostError('conflict', 'it has been accepted already');
    const running = [...this.#incoming.values()].filter(({ open }) => !open).map(({ transfer }) => transfer);
    if (running.length >= INCOMING) throw new LanpostError('busy', `${INCOMING} files are on their way from peers: wait for one of them`);
    const { peer, fingerprint, trust } = incoming.transfer;
    const own = running.filter((other) => other.peer === peer && other.fingerprint === fingerprint);
    if (trust !== 'paired' && own.length >= PEER_INCOMING) throw new LanpostError('busy', `${PEER_INCOMING} files are on their way from ${peer}: wait for one of them`);
    // Keys cost nothing: however many somebody makes, there is room for those whom the owner knows.
    if (trust !== 'paired' && running.filter((other) => other.trust !== 'paired').length >= STRANGERS_INCOMING) throw new LanpostError('busy', `${STRANGERS_INCOMING} files are on their way from peers that are not paired: wait for one of them`);
    await incoming.accept();
  }

  #transfer(init: Omit<ConstructorParameters<typeof Transfer>[0], 'id'>): Transfer {
    let id = randomBytes(4).toString('hex');
    while (this.#transfers.has(id)) id = randomBytes(4).toString('hex');
    const transfer = new Transfer({ ...init, id }, this.#parts.clock, (event) => this.#events.emit(event));
    this.#transfers.set(id, transfer);
    transfer.ended.addEventListener('abort', () => this.#transfers.delete(id), { once: true });
    return transfer;
  }

  /** Offers cost nothing: whoever makes thousands must not keep out those whom the owner knows. */
  #makeRoom(context: PeerContext): void {
    if (this.#closed) throw toStanzaError(new LanpostError('closed'));
    const open = [...this.#incoming.values()].filter((one) => one.open);
    const own = open.filter(({ transfer }) => transfer.peer === context.name && transfer.fingerprint === context.fingerprint);
    if (own.length >= PEER_OFFERS) throw toStanzaError(new LanpostError('busy'));
    if (open.length < OFFERS) return;
    const least = open.find(({ transfer }) => isLess(transfer.trust, context.trust));
    if (!least) throw toStanzaError(new LanpostError('busy'));
    least.transfer.fail(new LanpostError('busy', `${OFFERS} offers are waiting, and this one came from somebody less known`));
  }
}

/** A stream belongs to whoever began it: the same id from another is another. */
function keyOf({ name, fingerprint }: { readonly name: string; readonly fingerprint?: string | undefined }, sid: string): string {
  return JSON.stringify([name, fingerprint ?? null, sid]);
}

function takenBack(): LanpostError {
  return new LanpostError('forbidden', 'the owner has taken that back');
}

function unknown(id: string): LanpostError {
  return new LanpostError('not-found', `there is no offer or transfer ${id}: see \`lanpost files list\``);
}

