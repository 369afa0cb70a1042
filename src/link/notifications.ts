import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PeerStatus, TopicConfig, Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { hasWildcard } from '../log/filter.ts';
import type { Cursor } from '../log/cursor.ts';
import type { Log } from '../log/log.ts';
import type { LogRecord } from '../log/record.ts';
import type { Actor } from '../pubsub/actor.ts';
import type { Broker } from '../pubsub/broker.ts';
import { type Notice, noticeOf } from '../pubsub/notice.ts';
import { isPersonal } from '../pubsub/personal.ts';
import { cursorOf, type PeerSubscription, type PeerSubscriptions, readsBy, type SubscriptionWatcher } from '../pubsub/peer-subscriptions.ts';
import { filterOf, isSubtree, isWithin } from '../pubsub/subtree.ts';
import type { Show } from '../pubsub/subscription-options.ts';
import { noteUnread } from '../pubsub/unread.ts';
import { Seldom } from '../seldom.ts';
import { type Header } from '../xep/shim.ts';
import { notification, stateNotification } from '../xep/pubsub/notification.ts';
import type { Element } from '../xmpp/element.ts';
import { Again } from './again.ts';
import { isCancelled, isLost } from './lost-reading.ts';
import { Feed } from './feed.ts';
import { Rounds } from './rounds.ts';
import type { PeerStreams, ProvenPeer } from './streams-port.ts';
import { Subscribed } from './subscribed.ts';

export interface NotificationsParts {
  readonly broker: Broker;
  readonly log: Log;
  readonly subscriptions: PeerSubscriptions;
  readonly streams: PeerStreams;
  /** Whether the owner of this box has vouched for that key. */
  readonly isKnown: (fingerprint: string) => boolean;
  readonly clock: Clock;
  /** What the peer of that name says of itself. */
  readonly statusOf: (name: string) => PeerStatus | undefined;
  readonly ownName: () => string;
  readonly trouble: (trouble: Trouble) => void;
}

/** Milliseconds in which a client may send back what it has got. */
const RETURNS_WITHIN = 1_000;
const SHOWN: Readonly<Record<PeerStatus, Show>> = { available: 'online', away: 'away', dnd: 'dnd' };

type Keyed = Actor & { readonly kind: 'peer'; readonly fingerprint: string };
interface There extends ProvenPeer { readonly since: number }

/** What clients that are no boxes have subscribed to here, told as XEP-0060 has it, while their streams live. */
export class Notifications implements SubscriptionWatcher {
  readonly #parts: NotificationsParts;
  readonly #seldom: Seldom;
  readonly #again: Again;
  readonly #there = new Map<string, There>();
  /** By cursor. */
  readonly #running = new Map<string, Feed>();
  readonly #turns = new Map<string, Promise<void>>();
  readonly #rechecking = new Rounds(() => this.#recheck());
  /** Those whose subscriptions are being ended: what they have not had is written down once, and nothing of it goes out meanwhile. */
  readonly #ending = new Set<string>();
  #count = 0;

  constructor(parts: NotificationsParts) {
    this.#parts = parts;
    this.#seldom = new Seldom(parts.clock, parts.trouble);
    this.#again = new Again(parts.clock, () => this.recheck());
    parts.subscriptions.use(this);
    parts.broker.sayings.onChange(() => this.recheck());
  }

  opened(peer: ProvenPeer): void {
    const { log, subscriptions } = this.#parts;
    const { fingerprint } = peer;
    const before = this.#there.get(fingerprint);
    // It goes by another name now, and what runs speaks to the one before.
    if (before && before.name !== peer.name) this.#stopAll(peer);
    this.#there.set(fingerprint, { ...peer, since: before?.since ?? log.head });
    for (const row of subscriptions.untold(fingerprint)) this.untold(row);
    const filters = new Set(Array.from(subscriptions.of(fingerprint), readsBy));
    for (const filter of filters) this.#later(peer, this.changed(fingerprint, filter));
    if (before) return;
    for (const row of subscriptions.of(fingerprint)) this.#later(peer, this.#newest(row, 'presence'));
  }

  closed(peer: ProvenPeer): void {
    // The last stream under a name that the key does not go by any more.
    if (this.#there.get(peer.fingerprint)?.name !== peer.name) return;
    this.#there.delete(peer.fingerprint);
    this.#stopAll(peer);
  }

  /** It is not on the link any more. */
  left(fingerprint: string): void {
    const { broker, subscriptions } = this.#parts;
    this.#later({ name: fingerprint.slice(0, 16) }, Promise.all([subscriptions.left(fingerprint), broker.left(fingerprint)]));
  }

  /** Rights were given, or taken away. */
  recheck(): void {
    this.#later({ name: 'peers' }, this.#rechecking.wanted());
  }

  /** What runs knows by itself what may be read: who may read more now is looked for. */
  async #recheck(): Promise<void> {
    await this.#cancel();
    for (const peer of this.#there.values()) {
      for (const filter of new Set(Array.from(this.#parts.subscriptions.of(peer.fingerprint), readsBy))) {
        if (this.#fits(this.#running.get(cursorOf(peer.fingerprint, filter)), filter)) continue;
        this.#later(peer, this.changed(peer.fingerprint, filter));
        await nextTurn();
      }
    }
  }

  /** XEP-0163 §7.1: whoever stands so that a node of this box itself is not for it any more is no subscriber of it; it hears of that when it is there. */
  async #cancel(): Promise<void> {
    const { broker, subscriptions } = this.#parts;
    const over = Array.from(subscriptions.nodes()).filter(isPersonal).flatMap((node) => [...subscriptions.at(node)])
      .filter((row) => row.state === 'subscribed' && !row.consent && isCancelled(broker, actorOf(row), row.node));
    await this.#giveUp(over);
  }

  /** §6.1.7: it has just subscribed. */
  began(row: PeerSubscription): void {
    this.#later(row, this.#newest(row, 'subscription'));
  }

  /** §12.4: a client has sent back what it was told; `forGood`: and wants none of it. True if it was. */
  returned(fingerprint: string, id: string, why: string, forGood: boolean): boolean {
    for (const [name, feed] of this.#running) {
      if (feed.actor.kind !== 'peer' || feed.actor.fingerprint !== fingerprint || !feed.returned(id)) continue;
      const { filter } = feed.cursor;
      this.#seldom.tell({ kind: 'link.returned', message: `${feed.actor.name} sent back what it was told of ${filter} (${why}): ${forGood ? 'its subscription is over' : 'nothing more goes there until it subscribes again'}` });
      const rows = [...this.#parts.subscriptions.of(fingerprint)].filter((row) => row.state === 'subscribed' && !row.consent && readsBy(row) === filter);
      if (forGood) {
        this.#later(feed.actor, this.#giveUp(rows));
        return true;
      }
      for (const row of rows) this.#later(feed.actor, this.#parts.subscriptions.suspend(row, why));
      this.#later(feed.actor, this.#queued(name, () => this.#stop(name)));
      return true;
    }
    return false;
  }

  changed(fingerprint: string, filter: string): Promise<void> {
    const name = cursorOf(fingerprint, filter);
    return this.#queued(name, () => this.#adapt(name, fingerprint, filter));
  }

  /** With a topic go the subscriptions of those that are not here and could read nothing of it any more; they hear of that when they are back. */
  async deleted(topic: string): Promise<void> {
    const { broker, log, subscriptions } = this.#parts;
    const away = [...subscriptions.at(topic)].filter((row) => row.state === 'subscribed' && !row.consent && readsBy(row) === topic
      && !this.#running.has(cursorOf(row.fingerprint, topic)) && isLost(broker, log, actorOf(row), topic));
    await this.#giveUp(away);
  }

  /** What they have not had is written down, once for all that read the same. */
  async #giveUp(rows: readonly PeerSubscription[]): Promise<void> {
    const { isKnown, log, subscriptions } = this.#parts;
    for (const name of new Set(rows.map((row) => cursorOf(row.fingerprint, readsBy(row))))) {
      if (this.#ending.has(name)) continue;
      const same = rows.filter((row) => cursorOf(row.fingerprint, readsBy(row)) === name);
      this.#ending.add(name);
      try {
        // First: what has arrived by now it has had.
        await this.#queued(name, () => this.#stop(name));
        await noteUnread(log, name, 'dropped', !same.every(({ fingerprint }) => isKnown(fingerprint)));
        for (const row of same) await subscriptions.end(row, true);
      } catch (error) {
        // A disk that takes nothing: what was not written is not over, and nothing of it goes out that must not.
        for (const row of same.slice(0, 1)) this.#report(row, error);
        this.#again.wanted();
      } finally {
        this.#ending.delete(name);
      }
    }
  }

  untold(row: PeerSubscription): void {
    const peer = this.#there.get(row.fingerprint);
    if (peer) this.#later(peer, this.#tell(peer, row));
  }

  async close(): Promise<void> {
    this.#again.close();
    this.#there.clear();
    await Promise.all(this.#turns.values());
    await Promise.all([...this.#running.keys()].map((name) => this.#stop(name)));
  }

  async #tell(peer: ProvenPeer, row: PeerSubscription): Promise<void> {
    const { delivered, taken } = await this.#parts.streams.send(peer.name, stateNotification(row, this.#id()), peer.fingerprint);
    await (delivered ?? taken);
    await this.#parts.subscriptions.told(row);
  }

  /** What is to run runs, and nothing else. */
  async #adapt(name: string, fingerprint: string, filter: string): Promise<void> {
    const { broker, isKnown, log } = this.#parts;
    const subscribed = new Subscribed(this.#parts.subscriptions, fingerprint, filter);
    const { rows } = subscribed;
    const [first] = rows;
    if (!first || !this.#there.has(fingerprint)) await this.#stop(name);
    if (!first || this.#ending.has(name)) return;
    const actor = { kind: 'peer', name: this.#there.get(fingerprint)?.name ?? first.name, fingerprint } as const;
    // What runs knows by itself what may be read, before each message; also what is left of a topic that is deleted.
    const running = this.#running.get(name);
    if (this.#fits(running, filter)) return;
    if (!await broker.find.some(actor, filter)) {
      if (isLost(broker, log, actor, filter) || isCancelled(broker, actor, filter)) this.#later(actor, this.#giveUp(rows));
      return;
    }
    const durable = this.#keeps(filter);
    await this.#stop(name);
    for (const row of rows) {
      await this.#parts.subscriptions.place(row, durable, running?.cursor.position ?? log.head).catch((error: unknown) => {
        // Who needs no place needs no disk: it is noted when it comes again.
        if (durable) throw error;
      });
    }
    if (!durable && log.hasCursor(name)) {
      // It became so while there was something for it.
      await noteUnread(log, name, 'dropped', !isKnown(fingerprint));
      await log.dropCursor(name);
    }
    // An owner may have let it while it is away: what it is owed from then on has to be kept for it.
    if (!this.#there.has(fingerprint) && (!durable || log.hasCursor(name))) return;
    const from = durable ? { seq: Math.min(...subscribed.rows.map(({ since }) => since)) + 1 } : 'new';
    const cursor = await broker.feed(actor, { name, filter, from, durable });
    if (!this.#there.has(fingerprint)) {
      await cursor.close();
      return;
    }
    this.#run(name, cursor, actor, subscribed);
    // A place that is kept has nothing of topics in memory: of those it gets what comes while it is there.
    if (durable && hasWildcard(filter)) this.#run(beside(name), await broker.feed(actor, { name: beside(name), filter, from: 'new', durable: false, only: 'memory' }), actor, subscribed);
  }

  /** §12.6: what is only for who is there has no place that is kept; nor has what is in memory. */
  #keeps(filter: string): boolean {
    const topic = hasWildcard(filter) ? undefined : this.#parts.broker.topic(filter);
    return topic === undefined || !(topic.presenceBased || topic.storage === 'memory');
  }

  /** Whether it can go on as it is: a place that is kept is not given up while it is read. */
  #fits(running: Feed | undefined, filter: string): boolean {
    // Of one that is deleted it has yet to tell that.
    return running !== undefined && (running.cursor.durable || !this.#keeps(filter) || this.#parts.broker.topic(filter) === undefined);
  }

  #run(name: string, cursor: Cursor, actor: Keyed, subscribed: Subscribed): void {
    const { broker, clock, streams } = this.#parts;
    const { filter } = cursor;
    const readable = broker.readable(actor, filter);
    // Of a topic that is deleted before it is read, this is what counts.
    void readable.some;
    const peer = (): There | undefined => this.#there.get(actor.fingerprint);
    const feed: Feed = new Feed({
      cursor, actor, clock, most: 1, returns: RETURNS_WITHIN,
      send: (stanza, still) => streams.send(peer()?.name ?? actor.name, stanza, actor.fingerprint, still),
      allowed: () => readable.some,
      wants: (record) => (record.topic === '' || readable.record(record)) && this.#for(record, actor, subscribed).length > 0,
      message: ([record]) => this.#message(readable.told(record!), this.#for(record!, actor, subscribed), subscribed),
      missing: (record, gap) => this.#message({ ...record, kind: 'gap', gap }, subscribed.rows, subscribed),
      noteLoss: (loss) => this.#parts.log.noteLoss({ ...loss, pooled: !this.#parts.isKnown(actor.fingerprint) }),
      skipped: ({ topic, recordId }, error) => this.#report(actor, new LanpostError(error.code, `${recordId} of ${topic} is left out: ${error.message}`)),
      passed: (record) => this.#deleted(record, actor),
      failed: (error) => {
        this.#report(actor, error);
        if (this.#running.get(name) === feed) this.#later(actor, this.#queued(name, () => this.#stop(name)));
        const code = error instanceof LanpostError ? error.code : undefined;
        // Its stream may be open all the same. Rights that come back are heard of; what confirms nothing will not begin to.
        if (code !== 'forbidden' && code !== 'unsupported') this.#again.wanted();
      },
    });
    this.#running.set(name, feed);
  }

  /** With its topic a subscription is over. */
  #deleted({ topic, seq, kind }: LogRecord, { fingerprint, name }: Keyed): void {
    if (kind !== 'delete') return;
    const over = [...this.#parts.subscriptions.of(fingerprint, topic)].filter(({ since }) => since < seq);
    for (const row of over) this.#later({ name }, this.#parts.subscriptions.end(row, false));
  }

  /** Those of the subscriptions that read it which want to be told that. */
  #for(record: LogRecord, { fingerprint }: Keyed, subscribed: Subscribed): PeerSubscription[] {
    const { broker } = this.#parts;
    const { seq, topic, kind } = record;
    const there = this.#there.get(fingerprint);
    const rows = subscribed.rows.filter(({ since }) => seq > since);
    if (kind === 'gap' || rows.length === 0) return rows;
    const config = broker.config(topic);
    if (!there || !isTold(record, config) || (config.presenceBased && seq <= there.since)) return [];
    const status = this.#parts.statusOf(there.name);
    return rows.filter(({ node, options }) => options.deliver && isWithin(node, topic, options.depth)
      && (status === undefined || options.show.includes(SHOWN[status]))
      && (!isSubtree(node) || options.kind === 'all' || (options.kind === 'items' ? isOfItems(kind) : !isOfItems(kind) || isFirst(record))));
  }

  #message(record: LogRecord, rows: readonly PeerSubscription[], subscribed: Subscribed): Element {
    const { broker } = this.#parts;
    const { topic } = record;
    const config = broker.config(topic);
    return notification({
      node: topic, notice: noticeOf(record), id: this.#id(),
      type: config.notificationType,
      payload: config.deliverPayloads, config,
      ...repliesTo(record, config, this.#parts.ownName()),
      created: isFirst(record) && rows.every(({ node, options }) => isSubtree(node) && (options.kind === 'nodes' || !isOfItems(record.kind))),
      body: rows.some(({ options }) => options.includeBody),
      headers: headersOf(record, rows, subscribed),
    });
  }

  /** §6.1.7, §12.10: the item published last, by itself. */
  async #newest(row: PeerSubscription, on: 'subscription' | 'presence'): Promise<void> {
    const { broker, streams } = this.#parts;
    const { node, fingerprint } = row;
    const config = hasWildcard(filterOf(node)) ? undefined : broker.topic(node);
    const peer = this.#there.get(fingerprint);
    if (!config || !peer || row.state !== 'subscribed' || row.consent || !row.options.deliver || config.sendLast === 'never' || !config.persist) return;
    if (on === 'presence' && config.sendLast !== 'on-sub-and-presence') return;
    const actor = { kind: 'peer', name: peer.name, fingerprint } as const;
    if (!broker.mayRead(actor, node)) return;
    const [notice] = await broker.notices(actor, node, { last: 1 });
    if (notice) await streams.send(peer.name, this.#last(row, notice, config), fingerprint, () => broker.mayRead(actor, node));
  }

  #last(row: PeerSubscription, notice: Notice, config: TopicConfig): Element {
    return notification({
      node: row.node, notice, id: this.#id(), type: config.notificationType, payload: config.deliverPayloads, config,
      ...repliesTo(notice, config, this.#parts.ownName()),
      body: row.options.includeBody, delayed: true, headers: [],
    });
  }

  #stopAll({ fingerprint, name: who }: ProvenPeer): void {
    const prefix = cursorOf(fingerprint, '');
    for (const name of this.#running.keys()) if (name.startsWith(prefix)) this.#later({ name: who }, this.#queued(name, () => this.#stop(name)));
  }

  /** One after the other: a cursor has one holder at a time. */
  #queued(name: string, doing: () => Promise<void>): Promise<void> {
    const turn = (this.#turns.get(name) ?? Promise.resolve()).then(doing);
    const settled = turn.catch(() => undefined).finally(() => { if (this.#turns.get(name) === settled) this.#turns.delete(name); });
    this.#turns.set(name, settled);
    return turn;
  }

  async #stop(name: string): Promise<void> {
    for (const one of [name, beside(name)]) {
      const feed = this.#running.get(one);
      this.#running.delete(one);
      await feed?.close();
    }
  }

  #id(): string {
    this.#count += 1;
    return `n${this.#parts.log.epoch}-${this.#count}`;
  }

  #later(peer: { readonly name: string }, doing: Promise<unknown>): void {
    doing.catch((error: unknown) => this.#report(peer, error));
  }

  #report({ name }: { readonly name: string }, error: unknown): void {
    this.#seldom.tell({ kind: 'link.feed', message: `telling ${name}: ${error instanceof Error ? error.message : String(error)}` });
  }
}

function actorOf({ name, fingerprint }: PeerSubscription): Keyed {
  return { kind: 'peer', name, fingerprint };
}

/** What reads the topics in memory beside that cursor: no filter ends like this. */
function beside(name: string): string {
  return `${name}//memory`;
}

/** §7.2.2.1, §8.2.5.3, §8.4.2: what the topic's owner lets subscribers be told. */
function isTold({ kind, extra }: LogRecord, config: TopicConfig): boolean {
  if (!config.deliverNotifications) return false;
  switch (kind) {
    case 'retract': return config.notifyRetract || (typeof extra === 'object' && extra !== null && 'notify' in extra && extra.notify === true);
    case 'purge': return config.notifyRetract;
    case 'delete': return config.notifyDelete;
    case 'configure': return config.notifyConfig;
    default: return true;
  }
}

/** XEP-0248 §6.1 */
function isOfItems(kind: LogRecord['kind']): boolean {
  return kind === 'publish' || kind === 'retract' || kind === 'purge';
}

/** The topic came to be with it. */
function isFirst({ previous }: LogRecord): boolean {
  return previous === 0;
}

/** §12.17: the address alone, as names on the link are. */
function repliesTo({ kind, publisher }: Pick<Notice, 'kind' | 'publisher'>, { itemReply }: TopicConfig, ownName: string): { publisher?: string } {
  if (kind !== 'publish' || itemReply === undefined) return {};
  return { publisher: (itemReply === 'publisher' ? publisher?.replace(/^(link|xmpp):/, '') : undefined) ?? ownName };
}

/** §7.1.2.4, §12.16: which of several subscriptions it is for; XEP-0248 §5.3.1: through which collection. */
function headersOf({ kind }: LogRecord, rows: readonly PeerSubscription[], subscribed: Subscribed): Header[] {
  const subids = kind === 'publish' || kind === 'retract' ? rows.filter((row) => subscribed.isOneOfSeveral(row)).map(({ id }): Header => ['SubID', id]) : [];
  const collections = new Set(rows.flatMap(({ node }) => (isSubtree(node) ? [node] : [])));
  return [...subids, ...Array.from(collections, (node): Header => ['Collection', node])];
}
