import type { From, Trouble } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { Cursor } from '../log/cursor.ts';
import type { Log } from '../log/log.ts';
import type { Actor } from '../pubsub/actor.ts';
import type { Broker, FeedRequest } from '../pubsub/broker.ts';
import { boxIdOfFingerprint } from '../trust/fingerprint.ts';
import type { Feeder } from '../xep/pubsub.ts';
import { Feed } from './feed.ts';
import type { PeerStreams, ProvenPeer } from './streams-port.ts';

export interface FeedsParts {
  readonly broker: Broker;
  readonly log: Log;
  readonly streams: PeerStreams;
  readonly trouble: (trouble: Trouble) => void;
}

type Keyed = Actor & { readonly kind: 'peer'; readonly fingerprint: string };

/** What peers have subscribed to here. The cursor belongs to the peer's key and survives both sides' restarts. */
export class Feeds implements Feeder {
  readonly #parts: FeedsParts;
  /** By cursor name, while a stream to the peer is open. */
  readonly #running = new Map<string, Feed>();
  readonly #stopping = new Map<string, Promise<void>>();
  readonly #online = new Map<string, ProvenPeer>();

  constructor(parts: FeedsParts) {
    this.#parts = parts;
  }

  async subscribe(actor: Actor, request: { readonly filter: string; readonly reader: string; readonly from: From; readonly durable: boolean }): Promise<void> {
    const peer = keyed(actor);
    const name = cursorName(peer.fingerprint, request.reader);
    const cursor = this.#running.get(name)?.cursor ?? await this.#open(peer, { ...request, name });
    if (cursor.filter !== request.filter) {
      await this.#stop(name);
      throw new LanpostError('conflict', `the subscription "${request.reader}" reads ${cursor.filter}; unsubscribe it first`);
    }
    this.#run(name, cursor, peer);
  }

  async unsubscribe(actor: Actor, request: { readonly filter: string; readonly reader: string }): Promise<void> {
    const peer = keyed(actor);
    const name = cursorName(peer.fingerprint, request.reader);
    const running = this.#running.get(name)?.cursor.filter === request.filter;
    const kept = [...this.#parts.log.cursors()].some((cursor) => cursor.name === name && cursor.filter === request.filter);
    if (!running && !kept) throw new LanpostError('not-found', `there is no subscription "${request.reader}" to ${request.filter}`);
    await this.#stop(name);
    if (kept) await this.#parts.log.dropCursor(name);
  }

  /** A stream has proven who it is: what it is owed goes on where it stopped. */
  opened(peer: ProvenPeer): void {
    this.#online.set(peer.fingerprint, peer);
    const prefix = cursorName(peer.fingerprint, '');
    for (const { name, filter } of this.#parts.log.cursors()) {
      if (!name.startsWith(prefix) || this.#running.has(name)) continue;
      const actor: Keyed = { kind: 'peer', ...peer };
      this.#open(actor, { name, filter, from: 'new', durable: true })
        .then((cursor) => this.#run(name, cursor, actor))
        .catch((error: unknown) => this.#report(peer, error));
    }
  }

  closed(peer: ProvenPeer): void {
    this.#online.delete(peer.fingerprint);
    const prefix = cursorName(peer.fingerprint, '');
    for (const name of this.#running.keys()) {
      if (name.startsWith(prefix)) this.#stop(name).catch((error: unknown) => this.#report(peer, error));
    }
  }

  /** Rights were taken away: whoever may not read any more is stopped, its place is kept. */
  async recheck(): Promise<void> {
    for (const [name, feed] of this.#running) {
      if (!this.#parts.broker.mayRead(feed.actor, feed.cursor.filter)) await this.#stop(name);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((name) => this.#stop(name)));
  }

  #run(name: string, cursor: Cursor, actor: Keyed): void {
    if (this.#running.has(name)) return;
    const peer = this.#online.get(actor.fingerprint);
    if (!peer) {
      // It left while its cursor was being opened.
      cursor.close().catch((error: unknown) => this.#report(actor, error));
      return;
    }
    const feed = new Feed({
      cursor,
      actor,
      reader: name.slice(cursorName(actor.fingerprint, '').length),
      boxId: boxIdOfFingerprint(actor.fingerprint),
      send: (stanza) => this.#parts.streams.send(peer.name, stanza),
      predecessor: (record) => this.#parts.log.predecessor(record),
      failed: (error) => this.#report(peer, error),
    });
    this.#running.set(name, feed);
  }

  /** A stream may be back before the feed over the lost one has let go of its cursor. */
  async #open(peer: Keyed, request: FeedRequest): Promise<Cursor> {
    await this.#stopping.get(request.name);
    return this.#parts.broker.feed(peer, request);
  }

  #stop(name: string): Promise<void> {
    const feed = this.#running.get(name);
    if (!feed) return this.#stopping.get(name) ?? Promise.resolve();
    this.#running.delete(name);
    const stopping = feed.close().finally(() => this.#stopping.delete(name));
    this.#stopping.set(name, stopping);
    return stopping;
  }

  #report(peer: { readonly name: string }, error: unknown): void {
    this.#parts.trouble({ kind: 'link.feed', message: `feeding ${peer.name}: ${error instanceof Error ? error.message : String(error)}` });
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
