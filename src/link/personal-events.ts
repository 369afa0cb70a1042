import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Peer, PeerEvent, Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log/log.ts';
import type { Cursor } from '../log/cursor.ts';
import { OWNER } from '../pubsub/actor.ts';
import type { Broker } from '../pubsub/broker.ts';
import { type Notice, noticeOf } from '../pubsub/notice.ts';
import type { PeerSubscriptions } from '../pubsub/peer-subscriptions.ts';
import { PERSONAL, personalNode, personalTopic } from '../pubsub/personal.ts';
import { Seldom } from '../seldom.ts';
import { notification } from '../xep/pubsub/notification.ts';
import { Rounds } from './rounds.ts';
import type { PeerStreams, ProvenPeer } from './streams-port.ts';

export interface PersonalEventsParts {
  readonly broker: Broker;
  readonly log: Pick<Log, 'epoch'>;
  readonly subscriptions: PeerSubscriptions;
  readonly streams: PeerStreams;
  readonly clock: Clock;
  /** Who is there now. */
  readonly peers: () => readonly Peer[];
  /** The key that a name was proven by last. */
  readonly keyOf: (name: string) => string | undefined;
  readonly trouble: (trouble: Trouble) => void;
}

const PAGE = 64;

/**
 * XEP-0163: what is published of this box itself is told to whoever is there, may read it, and says by `NODE+notify`
 * among its capabilities that it wants it (XEP-0060 §9.2). Nothing of it is kept for who is not there: it gets the
 * newest when it comes.
 */
export class PersonalEvents {
  readonly #parts: PersonalEventsParts;
  readonly #seldom: Seldom;
  readonly #ended = new AbortController();
  /** By name, the nodes whose newest a peer got since it came. */
  readonly #greeted = new Map<string, Set<string>>();
  readonly #rechecking = new Rounds(() => this.#recheck());
  #running: Promise<void> = Promise.resolve();
  #count = 0;

  constructor(parts: PersonalEventsParts) {
    this.#parts = parts;
    this.#seldom = new Seldom(parts.clock, parts.trouble);
    parts.broker.sayings.onChange(() => this.recheck());
  }

  start(): void {
    this.#running = this.#run().catch((error: unknown) => this.#report('everybody', error));
  }

  /** XEP-0060 §12.2: rights were given, or taken away. Whoever may read more than before gets the newest of that; so it does when it comes to be let again. */
  recheck(): void {
    this.#rechecking.wanted().catch((error: unknown) => this.#report('everybody', error));
  }

  async #recheck(): Promise<void> {
    const there = new Map(this.#parts.peers().map((peer) => [peer.name, peer]));
    for (const [name, greeted] of this.#greeted) {
      const peer = there.get(name);
      for (const node of greeted) if (!peer || !this.#mayHave(peer, personalTopic(node))) greeted.delete(node);
    }
    for (const peer of there.values()) {
      if (wants(peer).length === 0 || this.#ended.signal.aborted) continue;
      await this.#greet(peer).catch((error: unknown) => this.#report(peer.name, error));
      await nextTurn();
    }
  }

  /** §4.3.4: it came, or wants more than before. */
  seen({ type, peer }: PeerEvent): void {
    if (type === 'down') this.#greeted.delete(peer.name);
    else if (wants(peer).length > 0) this.#greet(peer).catch((error: unknown) => this.#report(peer.name, error));
  }

  async close(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { broker } = this.#parts;
    const cursor: Cursor = await broker.feed(OWNER, { name: 'personal', filter: PERSONAL, from: 'new', durable: false });
    try {
      while (!this.#ended.signal.aborted) {
        const page = await cursor.next(PAGE);
        if (page.length === 0) await cursor.wait(this.#ended.signal);
        for (const { record } of page) {
          cursor.done(record.seq);
          if (record.kind === 'publish' || record.kind === 'retract') this.#tellAll(record.topic, noticeOf(record));
        }
      }
    } finally {
      await cursor.close();
    }
  }

  #tellAll(topic: string, notice: Notice): void {
    const node = personalNode(topic) ?? topic;
    for (const peer of this.#parts.peers()) {
      const fingerprint = wants(peer).includes(node) ? this.#letHave(peer, topic) : undefined;
      if (fingerprint === undefined) continue;
      this.#greetedOf(peer.name).add(node);
      this.#tell({ name: peer.name, fingerprint }, topic, node, notice, false).catch((error: unknown) => this.#report(peer.name, error));
    }
  }

  async #greet(peer: Peer): Promise<void> {
    const { broker } = this.#parts;
    const greeted = this.#greetedOf(peer.name);
    for (const node of wants(peer)) {
      const topic = personalTopic(node);
      if (greeted.has(node) || broker.said(topic) === undefined || broker.config(topic).sendLast !== 'on-sub-and-presence') continue;
      const fingerprint = this.#letHave(peer, topic);
      if (fingerprint === undefined) continue;
      greeted.add(node);
      const [notice] = await broker.notices(OWNER, topic, { last: 1 });
      if (notice) await this.#tell({ name: peer.name, fingerprint }, topic, node, notice, true);
    }
  }

  /** The key that may have it. Whoever has subscribed gets it by that. */
  #letHave(peer: Peer, topic: string): string | undefined {
    const fingerprint = this.#mayHave(peer, topic);
    return fingerprint !== undefined && [...this.#parts.subscriptions.of(fingerprint, topic)].length === 0 ? fingerprint : undefined;
  }

  #mayHave({ name }: Peer, topic: string): string | undefined {
    const fingerprint = this.#parts.keyOf(name);
    return fingerprint !== undefined && this.#parts.broker.mayRead({ kind: 'peer', name, fingerprint }, topic) ? fingerprint : undefined;
  }

  async #tell({ name, fingerprint }: ProvenPeer, topic: string, node: string, notice: Notice, delayed: boolean): Promise<void> {
    const { broker, log, streams } = this.#parts;
    const config = broker.config(topic);
    this.#count += 1;
    await streams.send(name, notification({
      node, notice, delayed, id: `p${log.epoch}-${this.#count}`, type: config.notificationType, payload: config.deliverPayloads, config, headers: [],
    }), fingerprint, () => broker.mayRead({ kind: 'peer', name, fingerprint }, topic));
  }

  #greetedOf(name: string): Set<string> {
    const known = this.#greeted.get(name) ?? new Set<string>();
    this.#greeted.set(name, known);
    return known;
  }

  #report(name: string, error: unknown): void {
    this.#seldom.tell({ kind: 'link.personal', message: `telling ${name} of this box: ${error instanceof Error ? error.message : String(error)}` });
  }
}

/** XEP-0060 §9.2 */
function wants({ features = [] }: Peer): string[] {
  return features.flatMap((feature) => (feature.endsWith('+notify') ? [feature.slice(0, -'+notify'.length)] : []));
}
