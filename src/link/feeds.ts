import { setImmediate as nextTurn } from 'node:timers/promises';
import type { From, Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import type { Cursor } from '../log/cursor.ts';
import type { Log } from '../log/log.ts';
import type { Actor } from '../pubsub/actor.ts';
import type { Broker, FeedRequest } from '../pubsub/broker.ts';
import { type PeerSubscription, STRANGERS_SHARE, type WaitingReader } from '../pubsub/peer-subscriptions.ts';
import type { Readable } from '../pubsub/readable.ts';
import { noteUnread } from '../pubsub/unread.ts';
import { Seldom } from '../seldom.ts';
import { boxIdOfFingerprint } from '../trust/fingerprint.ts';
import type { Feeder, Reader } from '../xep/pubsub/feeder.ts';
import { eventMessage, eventText } from '../xep/pubsub/event.ts';
import { isLegal } from '../xml/text.ts';
import { Again } from './again.ts';
import { isCancelled, isLost } from './lost-reading.ts';
import { EventWriter } from './event-writer.ts';
import { Feed } from './feed.ts';
import { Rounds } from './rounds.ts';
import type { PeerStreams, ProvenPeer } from './streams-port.ts';

export interface FeedsParts {
  readonly broker: Broker;
  readonly log: Log;
  readonly streams: PeerStreams;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  /** Durable readers that there may be. */
  readonly limit: number;
  /** Whether the owner of this box has vouched for that key. */
  readonly isKnown: (fingerprint: string) => boolean;
  /** See `Feeder`. */
  readonly began: (subscription: PeerSubscription) => void;
  /** A box has come to read that, or does so no more. */
  readonly readerChanged?: (reader: Reader & { readonly fingerprint: string }, state: 'subscribed' | 'none') => void;
}

/** Reader names are the peer's to choose: without a bound it could have any number of them, each with records to keep. */
const SUBSCRIPTIONS = 256;
/** Records in one message at most. */
const PAGE = 64;

type Keyed = Actor & { readonly kind: 'peer'; readonly fingerprint: string };

/** What peers have subscribed to here. The cursor belongs to the peer's key and survives both sides' restarts. */
export class Feeds implements Feeder {
  readonly #parts: FeedsParts;
  readonly #seldom: Seldom;
  readonly #writer: EventWriter;
  /** By cursor name, while a stream to the peer is open. */
  readonly #running = new Map<string, Feed>();
  readonly #readable = new WeakMap<Feed, Readable>();
  readonly #resuming = new Rounds(() => this.#resume());
  readonly #rechecking = new Rounds(() => this.#recheck());
  #closed = false;
  readonly #stopping = new Map<string, Promise<void>>();
  /** Those whose cursor is being opened: who asks for one of them meanwhile waits for that. */
  readonly #opening = new Map<string, Promise<void>>();
  readonly #online = new Map<string, ProvenPeer>();
  /** Those whose places are being given up. */
  readonly #ending = new Set<string>();
  /** Somebody was stopped because it may not read: it may be let again. */
  #refused = false;
  readonly #again: Again;

  constructor(parts: FeedsParts) {
    this.#parts = parts;
    this.#seldom = new Seldom(parts.clock, parts.trouble);
    this.#again = new Again(parts.clock, () => this.resume());
    parts.broker.sayings.onChange(() => { if (this.#refused) this.resume(); });
    this.#writer = new EventWriter(parts.log);
  }

  async subscribe(actor: Actor, request: { readonly filter: string; readonly reader: string; readonly from: From; readonly durable: boolean }): Promise<void> {
    const peer = keyed(actor);
    const name = cursorName(peer.fingerprint, request.reader);
    await this.#opened(name);
    const running = this.#running.get(name)?.cursor;
    if (running && running.filter !== request.filter) {
      throw new LanpostError('conflict', `the subscription "${request.reader}" reads ${running.filter}; unsubscribe it first`);
    }
    if (running) return;
    this.#admit(peer, name);
    const known = this.#parts.log.hasCursor(name);
    await this.#begin(peer, { ...request, name }, () => {
      // Of a box that has left meanwhile only a place that is kept is left.
      const isThere = this.#running.has(name) || this.#parts.log.hasCursor(name);
      if (!known && isThere) this.#parts.readerChanged?.({ ...request, fingerprint: peer.fingerprint }, 'subscribed');
    });
  }

  /** Nobody is opening it any more. */
  async #opened(name: string): Promise<void> {
    while (this.#opening.has(name)) await this.#opening.get(name)?.catch(() => undefined); // told to whoever has it opened
  }

  #begin(peer: Keyed, request: FeedRequest, began?: () => void): Promise<void> {
    const { name } = request;
    const beginning = this.#open(peer, request).then((cursor) => {
      this.#run(name, cursor, peer);
      began?.();
      return undefined;
    }).finally(() => this.#opening.delete(name));
    this.#opening.set(name, beginning);
    return beginning;
  }

  async unsubscribe(actor: Actor, request: { readonly filter: string; readonly reader: string }): Promise<void> {
    const peer = keyed(actor);
    const name = cursorName(peer.fingerprint, request.reader);
    await this.#opened(name);
    const running = this.#running.get(name)?.cursor.filter === request.filter;
    const kept = [...this.#parts.log.cursors()].some((cursor) => cursor.name === name && cursor.filter === request.filter);
    if (!running && !kept) throw new LanpostError('not-found', `there is no subscription "${request.reader}" to ${request.filter}`);
    await this.#stop(name);
    if (!kept) return;
    await this.#parts.log.dropCursor(name);
    this.#parts.readerChanged?.({ ...request, fingerprint: peer.fingerprint }, 'none');
  }

  /** An owner has let them: from now on they have a place that is kept, whenever their box asks again. */
  async admitted({ fingerprint, name: called, node: filter }: PeerSubscription, waiting: readonly WaitingReader[]): Promise<void> {
    const peer: Keyed = { kind: 'peer', name: called, fingerprint };
    for (const { reader, from } of waiting) {
      const name = cursorName(fingerprint, reader);
      if (this.#closed || this.#running.has(name) || this.#parts.log.hasCursor(name)) continue;
      try {
        this.#admit(peer, name);
        const keeping = this.#open(peer, { name, filter, from, durable: true }).then((cursor) => cursor.close());
        // Its box may be back before this has let go of it.
        this.#stopping.set(name, keeping.catch(() => undefined).finally(() => this.#stopping.delete(name)));
        await keeping;
        this.#parts.readerChanged?.({ filter, reader, fingerprint }, 'subscribed');
      } catch (error) {
        this.#report(peer, error);
      }
    }
  }

  list(actor: Actor): Reader[] {
    if (actor.kind !== 'peer' || actor.fingerprint === undefined) return [];
    const prefix = cursorName(actor.fingerprint, '');
    const found = new Map<string, string>();
    for (const { name, filter } of this.#parts.log.cursors()) if (name.startsWith(prefix)) found.set(name, filter);
    for (const [name, { cursor }] of this.#running) if (name.startsWith(prefix)) found.set(name, cursor.filter);
    return Array.from(found, ([name, filter]) => ({ filter, reader: name.slice(prefix.length) }));
  }

  at(filter: string): (Reader & { readonly fingerprint: string })[] {
    const names = new Set<string>();
    for (const cursor of this.#parts.log.cursors()) if (cursor.filter === filter) names.add(cursor.name);
    for (const [name, { cursor }] of this.#running) if (cursor.filter === filter) names.add(name);
    return [...names].flatMap((name) => {
      const fingerprint = keyOf(name);
      return fingerprint === undefined ? [] : [{ fingerprint, reader: name.slice(cursorName(fingerprint, '').length), filter }];
    });
  }

  /** The keys of those whose place is kept here. */
  *readers(): Iterable<string> {
    for (const { name } of this.#parts.log.cursors()) {
      const fingerprint = keyOf(name);
      if (fingerprint !== undefined) yield fingerprint;
    }
  }

  began(subscription: PeerSubscription): void {
    this.#parts.began(subscription);
  }

  /** A stream has proven who it is: what it is owed goes on where it stopped. */
  opened(peer: ProvenPeer): void {
    const before = this.#online.get(peer.fingerprint);
    // It goes by another name now, and what runs speaks to the one before.
    if (before && before.name !== peer.name) this.#stopAll(before);
    this.#online.set(peer.fingerprint, peer);
    const prefix = cursorName(peer.fingerprint, '');
    for (const { name, filter } of this.#parts.log.cursors()) if (name.startsWith(prefix)) this.#goOn(name, filter, peer);
  }

  #goOn(name: string, filter: string, peer: ProvenPeer): void {
    if (this.#running.has(name) || this.#opening.has(name)) return;
    const actor: Keyed = { kind: 'peer', ...peer };
    this.#begin(actor, { name, filter, from: 'new', durable: true }).catch(async (error: unknown) => {
      const { broker, log } = this.#parts;
      if (isLost(broker, log, actor, filter) || isCancelled(broker, actor, filter)) await this.#giveUp(name, filter, peer);
      else this.#stuck(peer, error);
    });
  }

  /** With a topic go the places of those that are not here and could read nothing of it any more: what they have not had is written down. */
  async deleted(topic: string): Promise<void> {
    const { broker, log } = this.#parts;
    const away = [...log.cursors()].flatMap(({ name, filter }) => {
      const fingerprint = keyOf(name);
      return fingerprint !== undefined && filter === topic && !this.#running.has(name) && isLost(broker, log, { kind: 'peer', name: '', fingerprint }, topic) ? [{ name, fingerprint }] : [];
    });
    await Promise.all(away.map(({ name, fingerprint }) => this.#giveUp(name, topic, { name: fingerprint.slice(0, 16), fingerprint })));
  }

  async #giveUp(name: string, filter: string, peer: ProvenPeer): Promise<void> {
    // What it has not had is written down once.
    if (this.#ending.has(name)) return;
    this.#ending.add(name);
    try {
      await this.#opened(name);
      await this.#stop(name);
      if (!this.#parts.log.hasCursor(name)) return;
      await noteUnread(this.#parts.log, name, 'dropped', !this.#parts.isKnown(peer.fingerprint));
      await this.#parts.log.dropCursor(name);
      this.#parts.readerChanged?.({ filter, reader: name.slice(cursorName(peer.fingerprint, '').length), fingerprint: peer.fingerprint }, 'none');
    } catch (error) {
      this.#report(peer, error);
      this.#again.wanted();
    } finally {
      this.#ending.delete(name);
    }
  }

  closed(peer: ProvenPeer): void {
    // The last stream under a name that the key does not go by any more.
    if (this.#online.get(peer.fingerprint)?.name !== peer.name) return;
    this.#online.delete(peer.fingerprint);
    this.#stopAll(peer);
  }

  #stopAll(peer: ProvenPeer): void {
    const prefix = cursorName(peer.fingerprint, '');
    for (const name of this.#running.keys()) {
      if (name.startsWith(prefix)) this.#stop(name).catch((error: unknown) => this.#report(peer, error));
    }
  }

  /** Rights were given: what peers had subscribed to before goes on. */
  resume(): void {
    this.#resuming.wanted().catch((error: unknown) => this.#report({ name: 'peers' }, error));
  }

  async #resume(): Promise<void> {
    this.#refused = false;
    for (const { name, filter } of this.#parts.log.cursors()) {
      const peer = this.#online.get(keyOf(name) ?? '');
      if (!peer || this.#running.has(name) || this.#closed) continue;
      this.#goOn(name, filter, peer);
      await nextTurn();
    }
  }

  /** XEP-0163 §7.1: as of clients that are no boxes. */
  async #cancel(): Promise<void> {
    const over = [...this.#parts.log.cursors()].flatMap(({ name, filter }) => {
      const fingerprint = keyOf(name);
      const peer = fingerprint === undefined ? undefined : this.#online.get(fingerprint) ?? { name: fingerprint.slice(0, 16), fingerprint };
      return peer && isCancelled(this.#parts.broker, { kind: 'peer', ...peer }, filter) ? [{ name, filter, peer }] : [];
    });
    await Promise.all(over.map(({ name, filter, peer }) => this.#giveUp(name, filter, peer)));
  }

  /** Rights were taken away: whoever may not read any more is stopped, its place is kept. */
  recheck(): Promise<void> {
    return this.#rechecking.wanted();
  }

  async #recheck(): Promise<void> {
    await this.#cancel();
    const over: [string, Feed][] = [];
    for (const [name, feed] of this.#running) {
      if (this.#readable.get(feed)?.some === false) over.push([name, feed]);
      await nextTurn();
    }
    await Promise.all(over.filter(([name, feed]) => this.#running.get(name) === feed).map(([name]) => this.#stop(name)));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#again.close();
    await Promise.all([...this.#running.keys()].map((name) => this.#stop(name)));
  }

  #admit({ fingerprint }: Keyed, name: string): void {
    const prefix = cursorName(fingerprint, '');
    const kept = [...this.#parts.log.cursors()].map((cursor) => cursor.name);
    const names = new Set([...kept, ...this.#running.keys(), ...this.#opening.keys()].filter((known) => known.startsWith(prefix)));
    if (names.size >= SUBSCRIPTIONS && !names.has(name)) throw new LanpostError('busy', `a peer may have ${SUBSCRIPTIONS} subscriptions here`);
    const { isKnown, limit } = this.#parts;
    const share = Math.floor(limit * STRANGERS_SHARE);
    if (names.has(name) || kept.length < share || isKnown(fingerprint)) return;
    if (kept.filter((other) => { const key = keyOf(other); return key !== undefined && !isKnown(key); }).length >= share) {
      throw new LanpostError('busy', `boxes that are not paired may have ${share} subscriptions here, all together`);
    }
  }

  #run(name: string, cursor: Cursor, actor: Keyed): void {
    if (this.#running.has(name)) return;
    const peer = this.#online.get(actor.fingerprint);
    if (!peer) {
      // It left while its cursor was being opened.
      this.#lettingGo(name, cursor.close()).catch((error: unknown) => this.#report(actor, error));
      return;
    }
    const reader = name.slice(cursorName(actor.fingerprint, '').length);
    const boxId = boxIdOfFingerprint(actor.fingerprint);
    const readable = this.#parts.broker.readable(actor, cursor.filter);
    // Of a topic that is deleted before it is read, this is what counts.
    void readable.some;
    const feed: Feed = new Feed({
      cursor, actor, most: PAGE,
      clock: this.#parts.clock,
      send: (stanza, still) => this.#parts.streams.send(peer.name, stanza, actor.fingerprint, still),
      allowed: () => readable.some,
      // What the peer accepted first never goes back to it; what it may not read is not there for it.
      wants: (record) => record.origin?.box !== boxId && (record.topic === '' || readable.record(record)),
      message: (records) => this.#writer.message(reader, records.map((record) => readable.told(record))),
      // Its topic may be what does not fit.
      missing: (record, gap) => eventMessage(reader, eventText(isLegal(record.topic) ? record.topic : '', [{ kind: 'gap', recordId: record.recordId, time: record.stamp.wall, gap }])),
      noteLoss: (loss) => this.#parts.log.noteLoss({ ...loss, pooled: !this.#parts.isKnown(actor.fingerprint) }),
      skipped: ({ topic, recordId }, error) => this.#report(peer, new LanpostError(error.code, `${recordId} of ${topic} is left out: ${error.message}`)),
      failed: (error) => this.#failed(name, feed, peer, error),
    });
    this.#running.set(name, feed);
    this.#readable.set(feed, readable);
  }

  /** It is no longer taken for one that runs: what is asked for again begins anew. */
  #failed(name: string, feed: Feed, peer: ProvenPeer, error: unknown): void {
    this.#stuck(peer, error);
    if (this.#running.get(name) === feed) this.#stop(name).catch((failure: unknown) => this.#report(peer, failure));
  }

  /** Its stream may be open all the same, and then nothing else would ever move it. */
  #stuck(peer: ProvenPeer, error: unknown): void {
    this.#report(peer, error);
    const code = error instanceof LanpostError ? error.code : undefined;
    if (code === 'forbidden') this.#refused = true;
    // What confirms nothing will not begin to.
    else if (code !== 'unsupported') this.#again.wanted();
  }

  /** A stream may be back before the feed over the lost one has let go of its cursor. */
  async #open(peer: Keyed, request: FeedRequest): Promise<Cursor> {
    await this.#stopping.get(request.name)?.catch(() => undefined); // told to whoever stopped it
    return this.#parts.broker.feed(peer, request);
  }

  #stop(name: string): Promise<void> {
    const feed = this.#running.get(name);
    if (!feed) return this.#stopping.get(name) ?? Promise.resolve();
    this.#running.delete(name);
    return this.#lettingGo(name, feed.close()).then(() => this.#left(name, feed));
  }

  #lettingGo(name: string, closing: Promise<void>): Promise<void> {
    const stopping = closing.finally(() => this.#stopping.delete(name));
    this.#stopping.set(name, stopping);
    return stopping;
  }

  /** What has no place that is kept ends with its feed. */
  #left(name: string, { cursor }: Feed): void {
    const fingerprint = keyOf(name);
    if (this.#closed || fingerprint === undefined || this.#parts.log.hasCursor(name)) return;
    this.#parts.readerChanged?.({ fingerprint, reader: name.slice(cursorName(fingerprint, '').length), filter: cursor.filter }, 'none');
  }

  #report(peer: { readonly name: string }, error: unknown): void {
    this.#seldom.tell({ kind: 'link.feed', message: `feeding ${peer.name}: ${error instanceof Error ? error.message : String(error)}` });
  }
}

/** Without a key there is nothing a cursor could belong to. */
function keyed(actor: Actor): Keyed {
  if (actor.kind === 'peer' && actor.fingerprint !== undefined) return { ...actor, fingerprint: actor.fingerprint };
  throw new LanpostError('forbidden', 'only a peer with a key can subscribe');
}

function cursorName(fingerprint: string, reader: string): string {
  return `peer:${fingerprint}:${reader}`;
}

/** Of a cursor's name. */
function keyOf(name: string): string | undefined {
  return /^peer:([0-9a-f]{64}):/.exec(name)?.[1];
}
