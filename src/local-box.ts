import { resolve as fullPath } from 'node:path';
import type {
  About, DeviceInfo, Box, BoxStatus, Delivery, Finding, HomeEvent, HomeOptions, HomeStatus, ItemsOptions, MessagesOptions, MessageState, MessageStream, Peer, PeerEvent, PeerStatus,
  OutboxExport, OutboxImport, PeerTopic, Published, PublishOptions, Receipt, RequestOptions, SendOptions, SubscribeOptions, Subscription, SubscriptionInfo, Trouble,
  Value,
} from './api.ts';
import { abortable } from './abortable.ts';
import type { CommandOffers } from './commands/offers.ts';
import { LanpostError } from './errors.ts';
import type { EventSource } from './event-stream.ts';
import { checkedObject, checkedOptional } from './given.ts';
import type { CarriedOutbox } from './home/carried/carried.ts';
import type { Components } from './home/component/components.ts';
import type { Homes } from './home/homes.ts';
import type { LinkService, ReaderAtPeer } from './link/link-service.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log/log.ts';
import type { Follow } from './log/outcomes.ts';
import type { Devices } from './mail/devices.ts';
import type { Mail } from './mail/mail.ts';
import { toPayload } from './payload/payload.ts';
import { OWNER } from './pubsub/actor.ts';
import { followed, undelivered } from './pubsub/following.ts';
import { lossesIn } from './pubsub/ledger.ts';
import type { Broker, PublishRequest } from './pubsub/broker.ts';
import type { Requests } from './requests.ts';
import type { Identity } from './trust/identity.ts';
import { bare, isBareJid } from './xmpp/jid.ts';

export interface LocalBoxParts {
  readonly dir: string;
  readonly version: string;
  readonly identity: Identity;
  readonly log: Log;
  readonly broker: Broker;
  readonly mail: Mail;
  readonly link: LinkService;
  readonly homes: Homes;
  /** What goes to homes by way of other boxes. */
  readonly outbox: () => Promise<CarriedOutbox>;
  readonly components: Components;
  readonly devices: Devices;
  readonly clock: Clock;
  readonly offers: CommandOffers;
  readonly requests: Requests;
  readonly troubles: { readonly source: EventSource<Trouble>; readonly counts: ReadonlyMap<string, number>; readonly opening: readonly Trouble[] };
  /** Stops everything, in order. */
  readonly stop: () => Promise<void>;
}

/** The box of this process: each call goes to the room that knows. */
export class LocalBox implements Box {
  readonly #parts: LocalBoxParts;
  #closing: Promise<void> | undefined;
  readonly #ended = new AbortController();

  constructor(parts: LocalBoxParts) {
    this.#parts = parts;
  }

  get name(): string { return this.#parts.link.name; }

  publish(topic: string, value: Value, options: PublishOptions = {}): Promise<Published> {
    try { // not async: see Broker.publish
      checkedObject('the options of publish', options);
      const { at, id, signal, contentType, expires, follow, device } = options;
      checkedOptional('at', at, 'string');
      checkedOptional('expires', expires, 'number');
      checkedOptional('follow', follow, 'string');
      const { broker, link } = this.#opened();
      const payload = toPayload(value, contentType);
      if (at !== undefined) {
        if (expires !== undefined) throw new LanpostError('unsupported', 'an item that is published at a peer is over when the topic there says so: leave out expires');
        if (follow !== undefined) throw new LanpostError('unsupported', 'an item that is published at a peer is on disk there when this resolves: leave out follow');
        if (device !== undefined) throw new LanpostError('unsupported', 'what is published at a peer is published by this box: leave out device');
      }
      const published = at === undefined ? broker.publish(OWNER, topic, payload, this.#publishing(topic, options)) : link.publish(at, topic, payload, id);
      return abortable(published, signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #publishing(topic: string, { id, expires, follow, device }: PublishOptions): PublishRequest {
    if (expires === undefined && follow === undefined && device === undefined) return id === undefined ? UNNAMED : { id };
    return {
      ...(id === undefined ? {} : { id }),
      ...(expires === undefined ? {} : { expires: this.#opened().broker.overAfter(expires) }),
      ...(follow === undefined ? {} : { follow: this.#follow(topic, follow) }),
      ...(device === undefined ? {} : { publisher: `device:${this.#parts.devices.checked(device)}` }),
    };
  }

  async delivered(seq: number, reader: string, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (!Number.isSafeInteger(seq)) throw new TypeError('seq must be a position in the log');
    checkedText('a reader', reader);
    checkedObject('the options of delivered', options);
    const error = undelivered(await this.#opened().log.outcome(seq, reader, options.signal), reader);
    if (error) throw error;
  }

  #follow(topic: string, reader: string): Follow {
    const { log, homes } = this.#parts;
    if (!reader.startsWith('xmpp:')) return followed(log, topic, checkedText('follow', reader));
    const cursor = homes.cursorOf(reader.slice('xmpp:'.length), topic);
    if (cursor === undefined) throw new LanpostError('invalid-topic', `nothing of ${topic} goes to ${reader}: see \`lanpost home list\``);
    return followed(log, topic, reader, cursor);
  }

  subscribe(filter: string, options: SubscribeOptions = {}): Subscription {
    this.#open();
    checkedObject('the options of a subscription', options);
    return options.at === undefined ? this.#parts.broker.subscribe(filter, options) : this.#parts.link.subscribe(options.at, filter, options);
  }

  async items(topic: string, options?: ItemsOptions): Promise<Delivery[]> {
    this.#open();
    if (options === undefined) return this.#parts.broker.items(OWNER, topic);
    checkedObject('the options of a query', options);
    const { at, ...query } = options;
    checkedOptional('at', at, 'string');
    return at === undefined ? this.#parts.broker.items(OWNER, topic, query) : this.#parts.link.items(at, topic, query);
  }

  async retract(topic: string, id: string): Promise<void> {
    this.#open();
    await this.#parts.broker.retract(OWNER, topic, id);
  }

  async purge(topic: string): Promise<void> {
    this.#open();
    return this.#parts.broker.purge(OWNER, topic);
  }

  readonly topics: Box['topics'] = {
    create: async (name, config) => this.#opened().broker.create(OWNER, name, config),
    configure: async (name, config) => this.#opened().broker.configure(OWNER, name, config),
    get: async (name) => this.#opened().broker.topic(name),
    delete: async (name) => this.#opened().broker.delete(OWNER, name),
    list: async (filter) => this.#opened().broker.find.list(OWNER, filter),
    search: async (query) => this.#opened().broker.find.search(OWNER, query),
    classify: async (value, options = {}) => {
      checkedObject('the options of classify', options);
      return this.#opened().broker.find.classify(OWNER, toPayload(value, options.contentType), options);
    },
    affiliations: async (name) => this.#opened().link.rules.affiliations(name),
    setAffiliation: async (name, peer, affiliation) => this.#opened().link.rules.setAffiliation(name, peer, affiliation),
    requests: async (name) => this.#opened().link.rules.requests(name),
    approve: async (name, peer) => this.#opened().link.rules.decide(name, peer, true),
    deny: async (name, peer) => this.#opened().link.rules.decide(name, peer, false),
  };

  readonly subscriptions: Box['subscriptions'] = {
    list: async () => {
      const { broker, link } = this.#opened();
      const found = await broker.subscriptions();
      const atPeers = [...link.readers()];
      const sources = new Map(atPeers.map(({ name, source }) => [name, source]));
      const live = atPeers.filter((one) => one.live).map(liveReader);
      return [...found.map((info) => {
        const source = info.reader === 'local' ? sources.get(info.name) : undefined;
        return source ? { ...info, source } : info;
      }), ...live];
    },
    drop: async (name) => {
      await this.#opened().broker.drop(name);
      await this.#parts.link.dropped(name);
    },
    seek: async (name, from) => this.#opened().broker.seek(name, from),
    poison: async (name) => this.#opened().broker.readers.poison(name),
    retry: async (name, seqs) => this.#opened().broker.readers.retry(name, seqs),
    dropPoison: async (name, seqs) => this.#opened().broker.readers.dropPoison(name, seqs),
  };

  async send(address: string, body: string, options: SendOptions = {}): Promise<Receipt> {
    this.#open();
    const sent = this.#parts.mail.send(address, body, options);
    return abortable(sent, options.signal);
  }

  async messageState(id: string): Promise<MessageState | undefined> {
    return this.#opened().mail.state(id);
  }

  messages(options?: MessagesOptions): MessageStream {
    return this.#opened().mail.messages(options);
  }

  readonly peers: Box['peers'] = {
    list: async (): Promise<Peer[]> => this.#opened().link.peers(),
    watch: (options): AsyncIterableIterator<PeerEvent> => this.#opened().link.watch(options?.signal),
    avatar: async (name): Promise<Uint8Array | undefined> => this.#opened().link.avatar(name),
    features: async (name): Promise<readonly string[] | undefined> => this.#opened().link.features(name),
    topics: async (name, query = {}): Promise<PeerTopic[]> => this.#opened().link.topics(name, query),
    add: async (peer): Promise<void> => this.#opened().link.addPeer(peer),
    remove: async (peer): Promise<void> => this.#opened().link.removePeer(peer),
  };

  readonly commands: Box['commands'] = {
    offer: async (name, handler, options) => this.#opened().offers.offer(name, handler, options),
    list: async (address) => this.#opened().requests.list(address),
    run: async (address, name, value, options) => this.#opened().requests.run(address, name, value, options),
  };

  async request(address: string, payload: string, options?: RequestOptions): Promise<string | undefined> {
    return this.#opened().requests.request(address, payload, options);
  }

  readonly files: Box['files'] = {
    send: (peer, file, options) => this.#opened().link.files.box.send(peer, file, options),
    offers: (options) => this.#opened().link.files.box.offers(options),
    accept: (id, options) => this.#opened().link.files.box.accept(id, options),
    decline: async (id) => this.#opened().link.files.box.decline(id),
    list: async () => this.#opened().link.files.box.list(),
    watch: (options) => this.#opened().link.files.box.watch(options),
  };

  readonly trust: Box['trust'] = {
    list: async () => this.#opened().link.rules.trusted(),
    classes: async () => this.#opened().link.trust.classes(),
    accounts: async () => this.#opened().link.trust.accounts(),
    allow: async (peer, right, filter) => this.#opened().link.rules.allow(peer, right, filter),
    deny: async (peer, right, filter) => this.#opened().link.rules.deny(peer, right, filter),
    revoke: async (peer) => this.#opened().link.rules.revoke(peer),
    claim: async (peer, address) => this.#opened().link.rules.claim(peer, address),
    disclaim: async (address) => this.#opened().link.rules.disclaim(address),
    pair: (peer, options) => this.#opened().link.pair(peer, options?.signal),
    confirm: async (peer, same) => this.#opened().link.confirm(peer, same),
  };

  readonly homes: Box['homes'] = {
    add: async (options: HomeOptions): Promise<HomeStatus> => this.#opened().homes.add(options),
    list: async (): Promise<HomeStatus[]> => this.#opened().homes.list(),
    pause: async (jid: string): Promise<HomeStatus> => this.#opened().homes.pause(jid),
    resume: async (jid: string): Promise<HomeStatus> => this.#opened().homes.resume(jid),
    remove: async (jid: string): Promise<void> => this.#opened().homes.remove(jid),
    watch: (options): AsyncIterableIterator<HomeEvent> => this.#opened().homes.watch(options?.signal),
    rehearse: (options) => this.#opened().homes.rehearse(options),
  };

  readonly devices: Box['devices'] = {
    add: async (name) => this.#withAddresses(await this.#opened().devices.add(name, this.#parts.clock.wall())),
    list: async () => (await this.#opened().devices.list()).map((device) => this.#withAddresses(device)),
    remove: async (name) => this.#opened().devices.remove(name),
  };

  #withAddresses(device: DeviceInfo): DeviceInfo {
    const jids = this.#parts.components.addressesOf(device.name);
    return jids.length === 0 ? device : { ...device, jids };
  }

  readonly components: Box['components'] = {
    add: async (options) => this.#opened().components.add(options),
    list: async () => this.#opened().components.list(),
    remove: async (domain) => this.#opened().components.remove(domain),
    send: async (from, to, body) => {
      const { components, mail } = this.#opened();
      await mail.sendAs(components.checked(from, to, body), to, body);
    },
  };

  readonly outbox: Box['outbox'] = {
    allow: async (peer, options = {}) => {
      checkedObject('the options of an outbox', options);
      const { link } = this.#opened();
      const outbox = await this.#outbox();
      const { account, ...party } = await link.party(checkedText('a peer', peer));
      const given = options.account === undefined ? account : accountOf(options.account);
      if (given === undefined) throw new LanpostError('invalid-value', `${peer} has proven no account: say which one it publishes as`);
      return outbox.allow(party, given, options.home);
    },
    deny: async (peer) => (await this.#outbox()).deny(checkedText('a peer', peer), this.#parts.link.trust.find(peer)?.fingerprint),
    list: async () => (await this.#outbox()).list(),
    export: async (file, options): Promise<OutboxExport> => {
      checkedObject('the options of an export', options);
      const outbox = await this.#outbox();
      return outbox.export(fullPath(checkedText('a file', file)), this.#keyOf(options.for), options.expires);
    },
    import: async (file, options = {}): Promise<OutboxImport> => {
      checkedObject('the options of an import', options);
      const path = fullPath(checkedText('a file', file));
      const { confirmation = `${path}.confirmed`, signal } = options;
      const outbox = await this.#outbox();
      const ended = signal ? AbortSignal.any([signal, this.#ended.signal]) : this.#ended.signal;
      return outbox.import(path, fullPath(checkedText('a file', confirmation)), ended);
    },
    confirm: async (file) => (await this.#outbox()).confirm(fullPath(checkedText('a file', file))),
  };

  #outbox(): Promise<CarriedOutbox> {
    return this.#opened().outbox();
  }

  #keyOf(peer: string): string {
    const found = this.#opened().link.trust.find(checkedText('a peer', peer));
    if (!found) throw new LanpostError('not-found', `no key is known for "${peer}": see \`lanpost trust list\``);
    return found.fingerprint;
  }

  async setStatus(status: PeerStatus, text?: string): Promise<void> {
    return this.#opened().link.own.setStatus(status, text);
  }

  async setAbout(changes: About): Promise<void> {
    return this.#opened().link.own.setAbout(changes);
  }

  async setAvatar(image?: Uint8Array): Promise<void> {
    return this.#opened().link.own.setAvatar(image);
  }

  async *doctor(peer?: string, options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<Finding> {
    const { link, homes } = this.#opened();
    if (peer !== undefined && typeof peer !== 'string') throw new TypeError('a peer must be a string');
    yield* link.doctor(peer, await homes.list(), options.signal);
  }

  async status(): Promise<BoxStatus> {
    const { log, link, homes, identity, dir, version, troubles } = this.#opened();
    let topics = 0;
    for (const topic of log.topics()) if (!topic.deleted && !topic.name.startsWith('$')) topics += 1;
    return {
      name: link.name,
      box: identity.boxId,
      fingerprint: identity.fingerprint,
      version,
      dir,
      link: link.status(),
      presence: link.own.said,
      peers: link.peers().length,
      homes: await homes.list(),
      log: {
        state: log.state,
        head: log.head,
        topics,
        bytes: log.bytes(),
        freeBytes: await log.free(),
        losses: lossesIn(log),
        ...(log.reason === undefined ? {} : { reason: log.reason }),
      },
      requests: (await link.rules.requests()).length,
      troubles: Object.fromEntries(troubles.counts),
    };
  }

  troubles(options: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<Trouble> {
    const { source, opening } = this.#opened().troubles;
    return source.follow({ first: opening, signal: options.signal });
  }

  close(): Promise<void> {
    this.#ended.abort(new LanpostError('closed'));
    this.#closing ??= this.#parts.stop();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> { return this.close(); }

  #open(): void {
    if (this.#closing) throw new LanpostError('closed', 'this box has been closed');
  }

  #opened(): LocalBoxParts {
    this.#open();
    return this.#parts;
  }
}

const UNNAMED: PublishRequest = {};

/** Nothing waits for it, and nothing is kept: it is listed for what it reads from. */
function liveReader({ name, mirror, source }: ReaderAtPeer): SubscriptionInfo {
  return { name, filter: mirror, durable: false, reader: 'local', source, pending: 0, position: 0, held: [], bytes: 0, readers: 1, unconfirmed: 0, poison: 0 };
}

function checkedText(what: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new TypeError(`${what} must be a text`);
  return value;
}

/** The bare JID of an account that an owner means. */
function accountOf(address: string): string {
  const given = checkedText('an account', address).replace(/^xmpp:/, '');
  const jid = isBareJid(given) ? bare(given) : undefined;
  if (jid === undefined) throw new LanpostError('invalid-value', `"${address}" names no account: use xmpp:NAME@DOMAIN`);
  return jid;
}
