import { isDeepStrictEqual } from 'node:util';
import type {
  Affiliation, Delivery, From, ItemsOptions, Published, Right, SubscribeOptions, Subscription, SubscriptionInfo, TopicConfig, TopicInfo, TopicSettings, Trouble, TrustLevel,
} from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { hasWildcard, validFilter } from '../log/filter.ts';
import type { Cursor } from '../log/cursor.ts';
import type { Log } from '../log/log.ts';
import type { Draft, LogRecord } from '../log/record.ts';
import type { TopicState } from '../log/topics.ts';
import type { Payload } from '../payload/payload.ts';
import { Access } from './access.ts';
import { type Actor, type Address, addressOf, called, keyAddress } from './actor.ts';
import { mayBecome, type Operation, PRIVILEGES } from './affiliation.ts';
import { changesSince } from './changes.ts';
import { itemId, toDelivery } from './delivery.ts';
import { draftOf, type DraftRequest, isBy } from './draft.ts';
import { checkedFrom } from './from.ts';
import { checkedItemId } from './item-id.ts';
import { type ItemPage, type ItemPageRequest, itemPage } from './item-page.ts';
import { checkedDurable, checkedStorage, checkedUnread } from './in-memory.ts';
import { checkedQuery } from './items-query.ts';
import { LastAllowed } from './last-allowed.ts';
import { LEDGER } from './ledger.ts';
import { LocalReaders } from './local-readers.ts';
import { checkedUri, Moves } from './moves.ts';
import { type Notice, noticeOf } from './notice.ts';
import { isPersonal, PERSONAL_CONFIG, personalTopic } from './personal.ts';
import { PlaceBounds } from './place-bounds.ts';
import { PurgeOffline } from './purge-offline.ts';
import { Readable } from './readable.ts';
import { Refusal } from './refusal.ts';
import { Rights } from './rights.ts';
import { Sayings } from './sayings.ts';
import { filterOf } from './subtree.ts';
import { Allowance } from './schema/allowance.ts';
import { type JsonSchema, Schemas } from './schema/schemas.ts';
import { configured, DEFAULT_CONFIG } from './topic-config.ts';
import { configOf, infoOf } from './topic-info.ts';
import { checkedSubscription } from './terms.ts';
import { TopicSearch } from './topic-search.ts';
import { checkedFilter, checkedMayEmpty, checkedMaySet, checkedNotReserved, checkedTopic } from './topic-name.ts';

export interface BrokerParts {
  readonly log: Log;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  /** The trust room's answer; asked for peers only. `open`: the topic is there for everybody with a key. */
  readonly may: (fingerprint: string | undefined, right: Right, topicOrFilter: string, open: boolean) => boolean;
  /** Its other answer. Default: nobody is paired. */
  readonly level?: (fingerprint: string | undefined) => TrustLevel;
  /** Whether the trust room grants any of what the filter matches. Default: only what is there counts. */
  readonly touches?: (fingerprint: string | undefined, right: Right, filter: string) => boolean;
  /** Changes with everything that `may` goes by. Default: nobody can say, and it is asked each time. */
  readonly generation?: () => number;
  readonly limits: { readonly itemBytes: number; readonly topics: number; readonly subscriptions: number };
  /** A durable reader of this box was dropped because nobody read it. */
  readonly expired?: (name: string) => Promise<void>;
}

export interface PublishRequest extends DraftRequest {
  /** XEP-0060 §7.1.5: what the topic's settings have to be; and are, when this makes it. */
  readonly wanted?: TopicSettings;
}

export interface NoticePage extends Omit<ItemPage, 'records'> { readonly notices: readonly Notice[] }

export interface FeedRequest {
  /** Whole cursor name; it holds the road's key, so that two roads never share one. */
  readonly name: string;
  readonly filter: string;
  readonly from: From;
  readonly durable: boolean;
  /** See `CursorOptions`. */
  readonly only?: 'memory';
}

/** What the broker asks of those who keep subscriptions of peers, and tells them. */
export interface Roads {
  /** Whether that key has a subscription to the topic. */
  isSubscribed(fingerprint: string, topic: string): boolean;
  /** Whether an owner of the topic has let that key subscribe to it. */
  isApproved(fingerprint: string, topic: string): boolean;
  /** §8.7.4: what waited for an owner's word may be decided by this. Resolves when nothing goes out any more that should not. */
  affiliated(topic: string, said: ReadonlyMap<Address, Affiliation>): Promise<void>;
  /** What was let or asked for of it is not so of one that is made anew under its name. Durable when resolved. */
  deleted(topic: string): Promise<void>;
  /** It is about to be deleted: gives what writes down, once it is, what readers lose by that. */
  ending(topic: string): () => Promise<void>;
}

const NO_ROADS: Roads = { isSubscribed: () => false, isApproved: () => false, affiliated: () => Promise.resolve(), deleted: () => Promise.resolve(), ending: () => () => Promise.resolve() };

/** Topics, access, publishing and readers. Knows no XML and no socket; the log keeps everything. */
export class Broker {
  readonly access: Access;
  readonly rights: Rights;
  /** What is said of them. */
  readonly sayings: Sayings;
  /** Which topics there are. */
  readonly find: TopicSearch;
  readonly #log: Log;
  readonly #moves: Moves;
  readonly #level: NonNullable<BrokerParts['level']>;
  #roads: Roads = NO_ROADS;
  /** Topics that are being made, or deleted, and what has become of them is not on disk yet: the first gets the name. */
  readonly #making = new Set<string>();
  /** Topics of which the end is on its way to the disk: what was put after it would make them anew, whoever it came from. */
  readonly #ending = new Map<string, Promise<unknown>>();
  /** Topics that are being set up: one change after the other, or one would take back the other. */
  readonly #configuring = new Map<string, Promise<unknown>>();
  readonly #purging: PurgeOffline;
  readonly #lastAllowed = new LastAllowed();
  readonly #limits: BrokerParts['limits'];
  readonly #schemas = new Schemas();
  readonly #allowance: Allowance;
  /** Programs on this box, and what there is of durable subscriptions. */
  readonly readers: LocalReaders;
  /** How much may wait for peers. */
  readonly places: PlaceBounds;

  constructor(parts: BrokerParts) {
    this.#log = parts.log;
    this.sayings = new Sayings(parts.generation);
    this.#level = parts.level ?? (() => 'seen');
    this.#limits = parts.limits;
    const { log, clock, trouble, expired } = parts;
    this.readers = new LocalReaders({ log, clock, trouble, ...(expired ? { expired } : {}), admit: () => this.#roomForReader() });
    this.places = new PlaceBounds({ log, level: this.#level });
    // Some may be bounded as it was before a power cut, or in the box that they were imported from.
    void this.places.fit();
    this.#moves = new Moves(log.registry);
    this.rights = new Rights({
      registry: log.registry, clock, isLive: (topic) => this.#live(topic) !== undefined,
      trouble: (message) => trouble({ kind: 'pubsub.rights', message }),
    });
    this.access = new Access({
      rights: this.rights,
      may: parts.may,
      level: this.#level,
      said: (topic) => this.said(topic),
      isSubscribed: (fingerprint, topic) => this.#roads.isSubscribed(fingerprint, topic),
      isApproved: (fingerprint, topic) => this.#roads.isApproved(fingerprint, topic),
    });
    this.#purging = new PurgeOffline(log);
    this.#allowance = new Allowance(clock);
    this.find = new TopicSearch({
      log, mayRead: (actor, topicOrFilter) => this.mayRead(actor, topicOrFilter), touches: parts.touches ?? (() => false),
      judge: (actor) => ({
        load: () => this.#schemas.load(),
        fault: (schema, item) => this.#allowance.spend(this.#payer(actor), () => this.#schemas.fault(schema, item)),
      }),
    });
  }

  /** Whoever keeps the subscriptions of peers. */
  use(roads: Roads): void {
    this.#roads = roads;
  }

  /** Resolves when the item is on disk; of a topic in memory, when it is there. */
  publish(actor: Actor, topic: string, payload: Payload | undefined, request: PublishRequest = {}): Promise<Published> {
    // The log's own promise: an async function would make two more on the way of every item.
    try {
      if (typeof topic !== 'string') checkedTopic(topic);
      const ended = this.#ending.size === 0 ? undefined : this.#ending.get(topic);
      if (ended) return ended.then(() => this.publish(actor, topic, payload, request));
      // XEP-0163 §3: what is published of this box itself makes its node.
      if (isPersonal(topic) && !this.#live(topic) && !this.#making.has(topic) && request.wanted === undefined) return this.publish(actor, topic, payload, { ...request, wanted: PERSONAL_CONFIG });
      const { schema, key } = this.#checkPublish(actor, topic, payload, request);
      // What another box accepted first was checked there.
      if (schema !== undefined && payload !== undefined && request.origin === undefined) {
        if (!this.#schemas.ready) return this.#schemas.load().then(() => this.publish(actor, topic, payload, request));
        this.#allowance.spend(this.#payer(actor), () => this.#schemas.check(topic, schema, payload));
      }
      if (request.wanted) return this.#publishIf(actor, topic, payload, request.wanted, request);
      return this.#append(draftOf(actor, topic, payload, request, key));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** When an item is over that is good for so many milliseconds, in the log's own time. */
  overAfter(expires: number): number {
    const now = this.#log.trustedNow();
    if (!(expires >= 0)) throw new LanpostError('invalid-value', 'expires must be a number of milliseconds, 0 or more');
    if (now === undefined) throw new LanpostError('unsupported', 'the clock of this box is not set, so that it cannot tell when one item is over: set itemExpire of its topic, which needs no clock');
    const over = Math.ceil(now + expires);
    if (!Number.isSafeInteger(over)) throw new LanpostError('invalid-value', 'expires is more milliseconds than can be counted: leave it out for an item that is never over');
    return over;
  }

  #checkPublish(actor: Actor, topic: string, payload: Payload | undefined, request: PublishRequest): Partial<TopicConfig> {
    const state = this.#log.topic(topic);
    // A topic that exists has been checked.
    if (state === undefined) checkedTopic(topic);
    // It is another, made by this: whatever was seen of one before does not hold.
    else if (state.deleted) this.sayings.about(topic);
    this.#checkMayPublish(actor, topic, state?.deleted === false ? state.settings : undefined);
    if (request.id !== undefined) checkedItemId(request.id);
    const settings: Partial<TopicConfig> = state?.deleted === false ? state.settings : request.wanted ? configured(DEFAULT_CONFIG, request.wanted) : DEFAULT_CONFIG;
    if (payload === undefined) {
      if (settings.deliverPayloads !== false) throw new Refusal('payload-required', `an item of ${topic} has a payload`);
      return settings;
    }
    const most = Math.min(this.#limits.itemBytes, settings.maxPayload ?? Infinity);
    if (payload.bytes.length > most) {
      throw new LanpostError('too-large', `an item of ${topic} has ${payload.bytes.length} bytes; at most ${most} are taken`);
    }
    if (settings.contentType !== undefined && payload.contentType !== settings.contentType) {
      throw new Refusal('invalid-payload', `items of ${topic} are ${settings.contentType}, not ${payload.contentType}`);
    }
    return settings;
  }

  #checkMayPublish(actor: Actor, topic: string, settings: Partial<TopicConfig> | undefined): void {
    const { generation } = this.sayings;
    if (generation !== undefined && this.#lastAllowed.has(actor, topic, settings, generation)) return;
    this.access.check(actor, 'publish', topic);
    checkedNotReserved(actor, topic);
    if (generation !== undefined) this.#lastAllowed.keep(actor, topic, settings, generation);
  }

  async #publishIf(actor: Actor, topic: string, payload: Payload | undefined, wanted: TopicSettings, request: PublishRequest): Promise<Published> {
    const { wanted: _, ...rest } = request;
    if (!this.#live(topic)) await this.create(actor, topic, wanted);
    const config = configOf(this.#existing(topic));
    if (!isDeepStrictEqual(configured(config, wanted), config)) {
      throw new Refusal('precondition-not-met', `${topic} is set up in another way than was asked for`);
    }
    return this.publish(actor, topic, payload, rest);
  }

  /** Reads as the owner does: a live or durable reader of this box. */
  subscribe(filter: string, options: SubscribeOptions = {}): Subscription {
    checkedSubscription(filter, options);
    return this.readers.subscribe(filter, options);
  }

  subscriptions(): Promise<SubscriptionInfo[]> {
    return this.readers.list();
  }

  drop(name: string): Promise<void> {
    return this.readers.drop(name);
  }

  /** The durable reader of that name goes on from there. */
  async seek(name: string, from: From): Promise<void> {
    await this.readers.seek(name, checkedFrom(from));
  }

  /**
   * A reader for a road (a peer, a home): the road asks for records itself and confirms
   * them by position.
   */
  async feed(actor: Actor, request: FeedRequest): Promise<Cursor> {
    const { name, filter, from, durable, only } = request;
    checkedFilter(filter);
    if (!await this.find.some(actor, filter)) {
      if (!hasWildcard(filter)) this.access.check(actor, 'subscribe', filter);
      throw new Refusal('forbidden', `${called(actor)} may not subscribe to ${filter}`);
    }
    if (durable) checkedDurable(filter, this.#log.topic(filter));
    const known = this.#log.hasCursor(name);
    if (!known) this.#roomForReader();
    const options = { name, filter, from: checkedFrom(from), durable, extra: actor, ...(only ? { only } : {}) };
    return durable ? this.places.open(actor, known, (bound) => this.#log.cursor({ ...options, ...bound })) : this.#log.cursor(options);
  }

  /** The view of a topic, oldest first. */
  async items(actor: Actor, topic: string, options: ItemsOptions = {}): Promise<Delivery[]> {
    return (await this.#records(actor, topic, options)).map((record) => toDelivery(record));
  }

  /** The same, for a road. */
  async notices(actor: Actor, topic: string, options: ItemsOptions = {}): Promise<Notice[]> {
    return (await this.#records(actor, topic, options)).map((record) => noticeOf(record));
  }

  /** A part of the view; see `itemPage`. */
  async page(actor: Actor, topic: string, request: ItemPageRequest): Promise<NoticePage> {
    const { records, ...page } = await this.#reading(actor, topic, () => itemPage(this.#log, topic, request));
    return { ...page, notices: records.map((record) => noticeOf(record)) };
  }

  /** What became of a topic's items since it had that version; see `version`. */
  async changes(actor: Actor, topic: string, version: number): Promise<Notice[]> {
    return (await this.#reading(actor, topic, () => changesSince(this.#log, topic, version))).map((record) => noticeOf(record));
  }

  /** What a road means by a node: a topic of that name, or else a node of the account itself (XEP-0163). */
  meant(node: string): string {
    if (node === '' || this.#live(node)) return node;
    const personal = personalTopic(node);
    return this.#live(personal) ? personal : node;
  }

  /** Changes with everything that happens to the topic. */
  version(topic: string): number {
    return this.#live(topic)?.last ?? 0;
  }

  async #records(actor: Actor, topic: string, options: ItemsOptions = {}): Promise<LogRecord[]> {
    // Opened by the first loss: until then there is none.
    if (topic === LEDGER && actor.kind === 'owner' && !this.#live(topic)) return [];
    return this.#reading(actor, topic, () => this.#log.items(topic, checkedQuery(options)));
  }

  async #reading<T>(actor: Actor, topic: string, read: () => Promise<T>): Promise<T> {
    this.#persistent(this.#at(actor, 'retrieve', topic));
    const found = await read();
    // Meanwhile the right to it may have gone.
    this.#at(actor, 'retrieve', topic);
    return found;
  }

  /** `notify`: readers are told whatever the topic says. Resolves, when it is on disk, with the topic's version then. */
  async retract(actor: Actor, topic: string, id: string, notify = false): Promise<Pick<Published, 'seq'>> {
    this.#persistent(this.#at(actor, 'retract', topic));
    checkedMayEmpty(actor, topic);
    if (typeof id !== 'string') throw new TypeError('an item id must be a string');
    const [item] = await this.#log.items(topic, { ids: [id] });
    if (!item) throw new LanpostError('not-found', `topic ${topic} has no item "${id}"`);
    const any = PRIVILEGES[this.access.affiliation(actor, topic)].retract === 'yes';
    if (!any && !isBy(item, actor)) {
      throw new Refusal('forbidden', `item "${id}" of ${topic} was published by someone else`);
    }
    return this.#log.append({ topic, kind: 'retract', id: itemId(item), ...(any ? {} : { meant: item.seq }), makesRoom: actor.kind === 'owner', ...(notify ? { extra: { notify } } : {}) });
  }

  async purge(actor: Actor, topic: string): Promise<void> {
    this.#persistent(this.#at(actor, 'purge', topic));
    checkedMayEmpty(actor, topic);
    await this.#log.append({ topic, kind: 'purge', makesRoom: actor.kind === 'owner' });
  }

  /** A peer that may write a topic of that name may make it, and is its owner then. */
  async create(actor: Actor, topic: string, config: TopicSettings = {}): Promise<TopicInfo> {
    checkedTopic(topic);
    if (topic.startsWith('$') || !this.access.isGranted(actor, 'write', topic)) this.access.check(actor, 'configure', topic);
    checkedNotReserved(actor, topic);
    if (this.#live(topic) || this.#making.has(topic)) throw new LanpostError('conflict', `topic ${topic} exists already`);
    const settings = configured(DEFAULT_CONFIG, config);
    if (settings.storage === 'memory') checkedUnread(this.#log, topic);
    const own = addressOf(actor);
    this.#making.add(topic);
    try {
      if (settings.schema) await this.#admit(actor, settings.schema);
      const made = await this.#configure(topic, settings);
      // A power cut before this leaves a topic that is nobody's but the box's.
      if (own !== undefined) await this.rights.change(topic, (row) => this.#live(topic) && row.set(own, 'owner'));
      await this.#moves.set(topic, undefined, 0);
      return made;
    } finally {
      this.#making.delete(topic);
    }
  }

  async configure(actor: Actor, topic: string, config: TopicSettings): Promise<TopicInfo> {
    const after = (): TopicConfig => {
      const before = configOf(this.#at(actor, 'configure', topic));
      return checkedStorage(topic, before, configured(before, config));
    };
    const { schema } = after();
    checkedMaySet(actor, topic, config);
    if (schema && config.schema) await this.#admit(actor, schema);
    const change = (this.#configuring.get(topic) ?? Promise.resolve()).then(() => {
      // Meanwhile somebody else may have changed what stays as it is.
      const settings = { ...after(), ...schema && config.schema ? { schema } : {} };
      const now = this.#existing(topic);
      // Flows and programs say it at each of their starts: nothing is written, and no reader is told.
      if (isDeepStrictEqual(settings, configOf(now))) return infoOf(now);
      return this.#configure(topic, settings, actor.kind === 'owner');
    });
    // Whoever asked sees it.
    const settled: Promise<unknown> = change.catch(() => undefined).finally(() => { if (this.#configuring.get(topic) === settled) this.#configuring.delete(topic); });
    this.#configuring.set(topic, settled);
    return change;
  }

  /** Whether nobody here has set anything of it, or said who stands how to it: it is there because something was published to it. */
  isUnset(topic: string): boolean {
    const state = this.#live(topic);
    return state !== undefined && Object.keys(state.settings).length === 0 && this.rights.of(topic).length === 0 && !this.#configuring.has(topic) && !this.#making.has(topic);
  }

  /** `redirect`: where it is from now on, as a URI; `home`: whose word it is. */
  async delete(actor: Actor, topic: string, redirect?: string, home?: string): Promise<void> {
    this.#at(actor, 'delete', topic);
    checkedMayEmpty(actor, topic);
    const uri = redirect === undefined ? undefined : checkedUri(redirect);
    if (this.#making.has(topic)) throw new LanpostError('conflict', `topic ${topic} is being made, or deleted, by somebody else`);
    this.#making.add(topic);
    const ended = this.#end(topic, actor.kind === 'owner', { ...(uri === undefined ? {} : { redirect: uri }), ...(home === undefined ? {} : { home }) }).finally(() => {
      this.#making.delete(topic);
      this.#ending.delete(topic);
    });
    this.#ending.set(topic, ended.catch(() => undefined)); // told to whoever deletes it
    await ended;
  }

  async #end(topic: string, makesRoom: boolean, extra: { readonly redirect?: string; readonly home?: string }): Promise<void> {
    const note = this.#roads.ending(topic);
    const { seq } = await this.#log.append({ topic, kind: 'delete', makesRoom, ...(Object.keys(extra).length === 0 ? {} : { extra }) });
    // All in the next batch: what comes under the same name comes with it, or after it.
    const gone = Promise.all([this.rights.end(topic), this.#moves.set(topic, extra.redirect, seq), this.#roads.deleted(topic)]);
    this.sayings.changed();
    await gone;
    await note();
  }

  /** A publisher is not there any more: some topics keep nothing of it then. */
  left(fingerprint: string): Promise<void> {
    return this.#purging.left(fingerprint);
  }

  /** Who stands how to a topic, for its owners. The box's owner is not among them: it is owner of everything. */
  affiliations(actor: Actor, topic: string): [Address, Affiliation][] {
    this.#at(actor, 'configure', topic);
    return this.rights.of(topic);
  }

  /** In which topics that actor has an affiliation, of those there are. */
  affiliationsOf(actor: Actor): { topic: string; affiliation: Affiliation }[] {
    const address = addressOf(actor);
    return address === undefined ? [] : this.rights.topicsOf(address).filter(({ topic }) => this.#live(topic));
  }

  /** §8.9.2.4: what may be said is said, and of the others it gives how they stand. */
  async affiliate(actor: Actor, topic: string, changes: ReadonlyMap<Address, Affiliation>): Promise<Map<Address, Affiliation>> {
    checkedNotReserved(actor, topic);
    this.#at(actor, 'configure', topic);
    const refused = new Map<Address, Affiliation>();
    const said = new Map<Address, Affiliation>();
    await this.rights.change(topic, (row) => {
      // Meanwhile somebody else may have deleted it, or taken the right to do this.
      this.#at(actor, 'configure', topic);
      for (const [address, affiliation] of changes) {
        const before = row.get(address) ?? 'none';
        if (actor.kind !== 'owner' && !mayBecome(before, affiliation, address === addressOf(actor))) refused.set(address, before);
        else if (before !== affiliation) {
          row.set(address, affiliation);
          said.set(address, affiliation);
        }
      }
    });
    this.rightsChanged(topic);
    await this.#roads.affiliated(topic, said);
    return refused;
  }

  /** Nothing is said of that key any more, in any topic; at once, stored or not. */
  async disown(fingerprint: string): Promise<void> {
    const topics = this.rights.topicsOf(keyAddress(fingerprint));
    const forgotten = this.rights.forget(keyAddress(fingerprint));
    for (const { topic } of topics) this.sayings.about(topic);
    this.sayings.changed();
    await forgotten;
  }

  /** What was said of a topic's settings, as it lies in the log: nothing is made for whoever only looks. Undefined: there is no such topic. */
  said(topic: string): Partial<TopicConfig> | undefined {
    return this.#live(topic)?.settings;
  }

  /** How it is set up, for its owners. */
  settings(actor: Actor, topic: string): TopicConfig {
    return configOf(this.#at(actor, 'configure', topic));
  }

  topic(name: string): TopicInfo | undefined {
    if (typeof name !== 'string') checkedTopic(name);
    const state = this.#live(name);
    return state && infoOf(state);
  }

  /** Whether a record of that topic would not be one topic too many. */
  hasRoomFor(topic: string): boolean {
    return this.#log.topic(topic) !== undefined || this.#log.topicCount < this.#limits.topics;
  }

  mayRead(actor: Actor, topicOrFilter: string): boolean {
    return this.access.allows(actor, 'retrieve', topicOrFilter);
  }

  /** §6.1.3: whether a client may subscribe to a topic or subtree, and what becomes of it then. */
  async subscribable(actor: Actor, node: string): Promise<'pending' | 'subscribed'> {
    const filter = filterOf(node);
    checkedFilter(filter);
    if (hasWildcard(filter)) {
      if (!await this.find.some(actor, filter)) throw new Refusal('forbidden', `${called(actor)} may not subscribe to ${node === '' ? 'anything' : node}`);
      return 'subscribed';
    }
    if (this.waits(actor, node)) return 'pending';
    this.#at(actor, 'subscribe', node);
    return 'subscribed';
  }

  /** §6.1.4: whether an owner has to say. */
  waits(actor: Actor, topic: string): boolean {
    return this.#live(topic) !== undefined && this.access.refusal(actor, 'subscribe', topic) === 'authorization-required';
  }

  /** Whether there is no such topic, for who may know that. */
  isGone(actor: Actor, node: string): boolean {
    const filter = filterOf(node);
    return validFilter(filter) && !hasWildcard(filter) && !this.#live(node) && this.mayRead(actor, node);
  }

  /** How a topic is set up, or was when there was one. */
  config(topic: string): TopicConfig {
    const state = this.#log.topic(topic);
    return state ? configOf(state) : DEFAULT_CONFIG;
  }

  /** What that reader may read of a filter, to be asked for each record. */
  readable(actor: Actor, filter: string): Readable {
    return new Readable(filter, {
      generation: () => this.sayings.generation,
      trusted: () => this.sayings.trusted?.(),
      said: (topic) => this.sayings.of(topic),
      settings: (topic) => this.#live(topic)?.settings,
      precedes: (topic, seq) => this.#live(topic)?.precedes(seq) ?? false,
      granted: (topic) => this.access.isGranted(actor, 'read', topic),
      may: (asked) => this.mayRead(actor, asked),
      maySome: (asked) => this.find.stillSome(actor, asked),
    });
  }

  #admit(actor: Actor, schema: JsonSchema): Promise<void> {
    const payer = this.#payer(actor);
    return this.#schemas.admit(schema, (work) => this.#allowance.spend(payer, work));
  }

  /** Keys are free: those that nobody vouched for share one allowance. */
  #payer(actor: Actor): string | undefined {
    if (actor.kind === 'owner') return undefined;
    return actor.kind === 'peer' && actor.fingerprint !== undefined && this.#level(actor.fingerprint) === 'paired' ? actor.fingerprint : 'others';
  }

  #append(draft: Draft): ReturnType<Log['append']> {
    if (!this.hasRoomFor(draft.topic)) {
      throw new LanpostError('busy', `this box holds ${this.#limits.topics} topics, its limit; delete some or raise limits.topics`);
    }
    return this.#log.append(draft);
  }

  /** Who may read it is another, by what its owners have said. What is left of one that is gone is for whom it was for. */
  rightsChanged(topic: string): void {
    if (this.#live(topic)) this.sayings.about(topic);
    this.sayings.changed();
  }

  async #configure(topic: string, config: TopicConfig, makesRoom = false): Promise<TopicInfo> {
    await this.#append({ topic, kind: 'configure', config: { ...config }, makesRoom });
    this.rightsChanged(topic);
    return infoOf(this.#existing(topic));
  }

  #live(topic: string): TopicState | undefined {
    const state = this.#log.topic(topic);
    return state?.deleted ? undefined : state;
  }

  #existing(topic: string, actor?: Actor): TopicState {
    checkedTopic(topic);
    const state = this.#live(topic);
    if (state) return state;
    const uri = this.#moves.to(topic);
    throw uri === undefined ? new LanpostError('not-found', `there is no topic ${topic}${actor?.kind === 'owner' ? ': see `lanpost topic list`' : ''}`) : new Refusal('moved', `topic ${topic} has moved to ${uri}`, uri);
  }

  /** The topic, for who may do that with it. */
  #at(actor: Actor, operation: Operation, topic: string): TopicState {
    checkedTopic(topic);
    // Of what is not there it hears who may know that, and where it went, whoever asks by a key.
    const missing = !this.#live(topic) && (this.access.knows(actor, topic) || (addressOf(actor) !== undefined && this.#moves.to(topic) !== undefined));
    if (!missing) this.access.check(actor, operation, topic);
    if (this.#ending.has(topic) && (operation === 'configure' || operation === 'purge')) throw new LanpostError('not-found', `topic ${topic} is being deleted`);
    return this.#existing(topic, actor);
  }

  /** §6.5.9.4, §7.2.3.5, §8.5.3.3 */
  #persistent({ name, settings }: TopicState): void {
    if (settings['persist'] === false) throw new Refusal('not-persistent', `topic ${name} keeps no items to ask for`);
  }

  #roomForReader(): void {
    if (this.#log.cursorCount >= this.#limits.subscriptions) {
      throw new LanpostError('busy', `this box keeps ${this.#limits.subscriptions} durable subscriptions, its limit; drop some`);
    }
  }
}
