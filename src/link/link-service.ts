import type { BoxStatus, Delivery, Finding, HomeStatus, ItemsOptions, Limits, PairingEvent, Peer, PeerEvent, PeerTopic, Published, SubscribeOptions, Subscription, SubscriptionInfo, TopicQuery, Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import type { CommandOffers } from '../commands/offers.ts';
import { LanpostError } from '../errors.ts';
import { EventSource } from '../event-stream.ts';
import { late } from '../late.ts';
import type { Log } from '../log/log.ts';
import type { Devices } from '../mail/devices.ts';
import type { Incoming } from '../mail/inbox.ts';
import type { Payload } from '../payload/payload.ts';
import type { Actor } from '../pubsub/actor.ts';
import type { Broker } from '../pubsub/broker.ts';
import { PeerSubscriptions } from '../pubsub/peer-subscriptions.ts';
import type { Claims } from '../trust/claims.ts';
import { fingerprintOf } from '../trust/fingerprint.ts';
import type { Sealer } from '../trust/seal.ts';
import type { Trust } from '../trust/trust.ts';
import { Commands } from '../xep/commands.ts';
import { NS_DATA } from '../xep/data-form.ts';
import { offeredCommands } from '../xep/offered-commands.ts';
import { type JidChallenge, NS_JID } from '../xep/jid-proof.ts';
import { NS_PAIRING, noWindow } from '../xep/pairing.ts';
import { NS_PUBSUB_EVENT } from '../xep/pubsub/event.ts';
import type { Names } from '../xep/pubsub/affiliations.ts';
import { discovery, metadata } from '../xep/pubsub/discovery.ts';
import { finder } from '../xep/pubsub/find.ts';
import { endsSubscription } from '../xep/pubsub/notification.ts';
import { GET_PENDING, getPending } from '../xep/pubsub/get-pending.ts';
import { PubsubService } from '../xep/pubsub/service.ts';
import { deviceOfThread, parseDevices } from '../xep/device.ts';
import type { Disco } from '../xep/disco.ts';
import { attr, type Element } from '../xmpp/element.ts';
import { stanzaErrorOf } from '../xmpp/stanza-error.ts';
import type { Dispatcher } from '../xmpp/dispatch.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import { NS_CLIENT } from '../xmpp/xml-stream.ts';
import { Absences } from './absences.ts';
import { Approvals } from './approvals.ts';
import type { PeerContext } from './context.ts';
import { dialable } from './dialable.ts';
import { Doctors } from './doctors.ts';
import { Feeds } from './feeds.ts';
import { FileDoor } from './file-door.ts';
import type { FilesParts } from './files/files.ts';
import { Intake } from './intake.ts';
import { itemsAt } from './items-at.ts';
import { type HomeAccounts, JidProofs } from './jid-proofs.ts';
import type { Link } from './link.ts';
import { linkName } from './link-name.ts';
import { LetterOrder } from './letter-order.ts';
import { incomingOf, MailRoad } from './mail-road.ts';
import { Notifications } from './notifications.ts';
import type { OwnPresence } from './own-presence.ts';
import { OwnerRules } from './owner-rules.ts';
import type { Pairings } from './pairings.ts';
import { PersonalEvents } from './personal-events.ts';
import { publishAt } from './publish-at.ts';
import { RelayDoor } from './relay-door.ts';
import { Rejoin } from './rejoin.ts';
import { Search, type Unknown } from './search.ts';
import type { PeerStreams, ProvenPeer } from './streams-port.ts';
import { SubscriberNews } from './subscriber-news.ts';
import { topicsAt } from './topics-at.ts';
import { widerReaders } from './wider-readers.ts';

/** A reader here of something at a peer. */
export interface ReaderAtPeer {
  readonly name: string;
  /** The filter of the copy that it reads. */
  readonly mirror: string;
  readonly live: boolean;
  readonly source: NonNullable<SubscriptionInfo['source']>;
}

export interface LinkServiceParts {
  readonly broker: Broker;
  readonly log: Log;
  readonly trust: Trust;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly dispatcher: Dispatcher<PeerContext>;
  readonly disco: Disco<PeerContext>;
  readonly own: OwnPresence;
  /** Resolves when the message is on disk. */
  readonly receive: (incoming: Incoming) => Promise<void>;
  /** The keys of peers that letters wait for. Default: of none. */
  readonly lettersFor?: () => Iterable<string>;
  /** A neighbour that refused to pass bytes on does so now. */
  readonly relayAllowed?: () => void;
  /** A peer came, went, or proved its key: mail may have a road now. */
  readonly roadsChanged: () => void;
  /** A key is not paired any more. */
  readonly revoked?: () => Promise<void>;
  /** What the box is called while there is no link. */
  readonly bareName: string;
  /** The data directory: what peers send goes there. */
  readonly dir: string;
  readonly limits: FilesParts['limits'] & Pick<Limits, 'subscriptions' | 'stanzaBytes'>;
  /** Actions that peers may run, up to their rights. Default: none. */
  readonly offers?: CommandOffers;
  /** Those of this box. Default: none. */
  readonly devices?: Pick<Devices, 'has' | 'receive'>;
  /** The accounts of this box and its peers, and what signs for them. Without it no peer can prove an account. */
  readonly accounts?: { readonly claims: Claims; readonly seal: Sealer; readonly fingerprint: string; readonly home: HomeAccounts };
}

/** What stands around the answer of a command in its stanza, bytes. */
const ROOM = 8_192;
/** How long a box that reads here has to call by itself, ms: one that does not know under what name this box is back waits to be called. */
const READER_CALLS = 5_000;

/** What follows it runs when whoever waits for an event has it. */
const SOON = Promise.resolve();

/** Only what says who it is: the broker writes it to disk. */
const actorOf = ({ name, fingerprint }: PeerContext): Actor => ({ kind: 'peer', name, ...(fingerprint === undefined ? {} : { fingerprint }) });

/** What this box does for its peers and with them: pubsub both ways, mail, rights. Works, emptily, without a link. */
export class LinkService {
  readonly road: MailRoad;
  readonly trust: Trust;
  /** What is said of this box, with or without a link. */
  readonly own: OwnPresence;
  readonly files: FileDoor;
  readonly rules: OwnerRules;
  /** Servers that neighbours are connected to, or this box by them. */
  readonly relays: RelayDoor;
  readonly #parts: LinkServiceParts;
  /** What clients that are no boxes have subscribed to. */
  readonly subscriptions: PeerSubscriptions;
  readonly #names: Names;
  readonly #feeds: Feeds;
  readonly #notifications: Notifications;
  readonly #personal: PersonalEvents;
  readonly #approvals: Approvals;
  readonly #news: SubscriberNews;
  readonly #intake: Intake;
  readonly #rejoin: Rejoin;
  /** Calls those that read here. */
  readonly #recall: Rejoin;
  /** Somebody has come since it was last looked whom to call: among many readers that is not looked for at each of many peers. */
  #arrivals = false;
  readonly #absences: Absences;
  readonly #search: Search;
  readonly #proofs: JidProofs | undefined;
  readonly #events = new EventSource<PeerEvent>();
  #link: Link | undefined;
  readonly #streams: PeerStreams;
  /** Loaded with the first window that an owner opens. */
  #pairings: Pairings | undefined;
  #stopListening: (() => void) | undefined;
  /** What has become of peers, and only whoever watches has been told. */
  #tidings: PeerEvent[] = [];
  readonly #doctors: Doctors;

  constructor(parts: LinkServiceParts) {
    this.#parts = parts;
    const { broker, log, clock, trouble, accounts } = parts;
    this.trust = parts.trust;
    this.own = parts.own;
    const streams: PeerStreams = this.#streams = {
      send: async (...what) => this.#up().send(...what),
      request: async (name, iq) => this.#up().request(name, iq),
    };
    // Whether the owner of this box has vouched for that key.
    const isKnown = (fingerprint: string): boolean => this.trust.level(fingerprint) === 'paired';
    this.subscriptions = new PeerSubscriptions({
      log, clock, limit: parts.limits.subscriptions,
      isKnown,
      rightsChanged: (topic) => broker.rightsChanged(topic),
      admitted: (row, waiting) => this.#feeds.admitted(row, waiting),
      // What an owner has said of a box reads nothing: its readers are told of by themselves.
      stateChanged: ({ consent, node, fingerprint, id: subid, state }) => { if (!consent) this.#news.tell({ node, fingerprint, subid, state }); },
      trouble: (message) => trouble({ kind: 'link.subscription', message }),
    });
    this.#notifications = new Notifications({
      broker, log, streams, clock, trouble, subscriptions: this.subscriptions,
      isKnown,
      statusOf: (name) => this.#link?.peers.get(name)?.claims.status,
      ownName: () => this.name,
    });
    this.#personal = new PersonalEvents({
      broker, log, streams, clock, trouble, subscriptions: this.subscriptions,
      peers: () => this.peers(),
      keyOf: (name) => this.trust.holder(name),
    });
    this.#feeds = new Feeds({
      broker, log, streams, clock, trouble, limit: parts.limits.subscriptions,
      isKnown,
      began: (row) => (row.state === 'pending' ? this.#approvals.asked(row) : this.#notifications.began(row)),
      readerChanged: ({ filter: node, fingerprint, reader: subid }, state) => this.#news.tell({ node, fingerprint, subid, state }),
    });
    this.#intake = new Intake({
      broker, log, streams, clock, trouble,
      prove: async (name, signal) => this.#up().prove(name, signal),
      nameOf: (fingerprint) => this.#link?.nameOf(fingerprint),
      wants: () => {
        this.#rejoin.look();
        this.#absences.look();
      },
      ownName: () => this.name,
    });
    this.#rejoin = new Rejoin({
      clock,
      wanted: () => this.#intake.fingerprints(),
      nameOf: (fingerprint) => this.#link?.nameOf(fingerprint) ?? this.#link?.peers.get(this.#intake.askedAs(fingerprint) ?? '')?.name,
      prove: async (name) => this.#up().prove(name),
    });
    this.#recall = new Rejoin({
      clock, patience: READER_CALLS,
      wanted: () => this.#feeds.readers(),
      nameOf: (fingerprint) => this.#link?.nameOf(fingerprint),
      prove: async (name) => this.#up().prove(name),
    });
    this.#absences = new Absences({
      clock,
      wanted: () => this.#awaited(),
      isOpen: (fingerprint) => this.#speaking(fingerprint) !== undefined,
      long: (fingerprint, since) => trouble({ kind: 'link.away', message: `${this.#called(fingerprint)} is away since ${new Date(since).toISOString()}; what is wanted of it, or kept for it, waits` }),
      looked: () => {
        if (this.#arrivals) this.#recall.look();
        this.#arrivals = false;
        void this.#search.look();
      },
    });
    this.#search = new Search({
      clock,
      missing: (ms) => this.#absences.lasting(ms),
      placeOf: (fingerprint) => this.trust.placeOf(fingerprint),
      unknown: () => this.#unknown(),
      seek: async ({ address, port }, missing) => this.#up().seek(address, port, (fingerprint) => missing.has(fingerprint) || this.trust.level(fingerprint) === 'paired'),
    });
    this.road = new MailRoad({
      streams,
      isPresent: (name) => this.#link?.peers.get(name) !== undefined,
      holder: (name) => parts.trust.holder(name),
      isPaired: (fingerprint) => parts.trust.level(fingerprint) === 'paired',
      nameOf: (fingerprint) => this.#link?.nameOf(fingerprint),
      speaking: (name) => {
        const peer = this.#link?.peers.describe(name);
        return peer?.connected === true ? peer.fingerprint : undefined;
      },
      ownName: () => this.name,
      ...(accounts ? { accounts: { clock, holder: (jid) => accounts.claims.holder(jid), accountFor: (jid) => accounts.home.accountFor(jid) } } : {}),
    });
    this.#proofs = accounts && new JidProofs({
      ...accounts, clock, streams,
      isPaired: (fingerprint) => parts.trust.level(fingerprint) === 'paired',
      speaking: (fingerprint) => this.#speaking(fingerprint),
      nameOf: (fingerprint) => this.#link?.nameOf(fingerprint),
      prove: async (name) => this.#up().prove(name),
      changed: () => parts.roadsChanged(),
    });
    this.#doctors = new Doctors({ clock, trust: parts.trust, refused: (proven) => this.#intake.refused(proven) });
    this.files = new FileDoor({
      clock, trouble, dir: parts.dir, limits: parts.limits, trust: parts.trust,
      free: () => log.free(),
      link: () => this.#up(),
    });
    this.files.attach(parts.dispatcher);
    parts.disco.add(this.files.features);
    this.relays = new RelayDoor({
      clock, trouble,
      link: () => this.#up(),
      level: (fingerprint) => this.trust.level(fingerprint),
      may: (fingerprint, to, otherwise) => this.trust.may(fingerprint, 'relay', to, otherwise),
      allowed: parts.relayAllowed,
    });
    this.relays.attach(parts.dispatcher);
    parts.disco.add(this.relays.features);
    // A name stands for whom it was proven by last, and for nobody who only says it.
    this.#names = { own: () => this.name, nameOf: (key) => this.trust.nameOf(key), keyOf: (name) => this.trust.holder(name) };
    this.#approvals = new Approvals({
      broker, streams, clock, trouble, subscriptions: this.subscriptions, names: this.#names,
      nameOf: (fingerprint) => this.#link?.nameOf(fingerprint),
    });
    this.#news = new SubscriberNews({
      broker, log, streams, clock, trouble, names: this.#names,
      nameOf: (fingerprint) => this.#link?.nameOf(fingerprint),
    });
    this.rules = new OwnerRules({
      broker, trust: parts.trust, subscriptions: this.subscriptions, approvals: this.#approvals, feeds: this.#feeds, notifications: this.#notifications, personal: this.#personal, relays: this.relays, files: this.files,
      proofs: this.#proofs, accounts, prove: async (name) => this.#up().prove(name), roadsChanged: () => parts.roadsChanged(), revoked: parts.revoked,
    });
    broker.use({
      isSubscribed: (key, topic) => this.subscriptions.isSubscribed(key, topic),
      isApproved: (key, topic) => this.subscriptions.isApproved(key, topic),
      ending: (topic) => {
        const note = widerReaders({ broker, log, subscriptions: this.subscriptions, isKnown }, topic);
        // It is deleted, whether that can be written down or not.
        return () => note().catch((error: unknown) => trouble({ kind: 'link.feed', message: `What readers lose with ${topic} could not be written down: ${error instanceof Error ? error.message : String(error)}` }));
      },
      deleted: async (topic) => {
        await this.subscriptions.deleted(topic);
        await Promise.all([this.#feeds.deleted(topic), this.#notifications.deleted(topic)]);
      },
      affiliated: async (topic, said) => {
        const keys = [...said].flatMap(([address, affiliation]) => (address.startsWith('key:') ? [{ fingerprint: address.slice('key:'.length), affiliation }] : []));
        await Promise.all(keys.map(({ fingerprint, affiliation }) => this.subscriptions.affiliated(topic, fingerprint, affiliation)));
        await this.rules.changed();
        for (const { fingerprint, affiliation } of keys) if (affiliation === 'owner') this.#approvals.opened({ fingerprint });
      },
    });
    const pubsub = new PubsubService<PeerContext>({ broker, feeder: this.#feeds, subscriptions: this.subscriptions, names: this.#names, actorOf });
    pubsub.attach(parts.dispatcher);
    parts.disco.add(pubsub.features);
    const find = finder<PeerContext>({ broker, actorOf, metadata: (topic) => metadata(topic, this.name, this.subscriptions.count(topic.name)) });
    find.attach(parts.dispatcher);
    parts.disco.add(find.features);
    const commands = new Commands<PeerContext>({
      ownName: () => this.name,
      later: ({ name, fingerprint }, reply, still) => streams.send(name, reply, fingerprint, still),
      ...(parts.offers ? { offers: offeredCommands<PeerContext>({
        offers: parts.offers,
        // Whoever has no key can have any number of names, and who has one can change its own.
        runnerOf: ({ name, trust, fingerprint = 'none' }) => ({ from: `link:${name}`, trust, counts: `key:${fingerprint}` }),
        may: ({ fingerprint }, name) => this.trust.may(fingerprint, 'command', name),
        answerBytes: parts.limits.stanzaBytes - ROOM,
      }) } : {}),
      commands: [getPending({
        broker, actorOf,
        waiting: (actor) => this.#approvals.waiting(actor),
        send: (actor, node) => void this.#approvals.again(actor, node),
      })],
    });
    commands.attach(parts.dispatcher);
    parts.disco.add([...commands.features, GET_PENDING]);
    parts.disco.serve(commands.beside(discovery({ broker, subscriptions: this.subscriptions, actorOf, ownName: () => this.name })));
    parts.dispatcher.iq('set', NS_PAIRING, 'pair', async ({ payload, context }) => {
      if (!this.#pairings) throw noWindow();
      return this.#pairings.asked(payload, context);
    });
    parts.dispatcher.iq('set', NS_JID, 'proof', async ({ payload, context }) => {
      if (!this.#proofs) throw new StanzaError('service-unavailable');
      await this.#proofs.proved(payload, context);
      return undefined;
    });
    const letters = new LetterOrder();
    parts.dispatcher.message(NS_CLIENT, 'body', async (message, _body, context) => {
      const incoming = incomingOf(message, context, this.name, accounts && { has: (jid) => accounts.home.has(jid), holder: (jid) => accounts.claims.holder(jid) });
      if (!incoming) return;
      // What a box has numbered says itself for whom it is, over every road: else its letter would be in two places after one broke.
      const threaded = incoming.origin === undefined ? deviceOfThread(incoming.thread) : undefined;
      const device = parseDevices(message).to ?? (threaded !== undefined && parts.devices?.has(threaded) === true && this.trust.may(context.fingerprint, 'device', threaded) ? threaded : undefined);
      await letters.keep(incoming, device !== undefined
        ? (letter) => this.#toDevice(device, letter, context)
        : (letter) => parts.receive(letter).catch((error: unknown) => { throw refusal(error); }));
    });
    parts.dispatcher.message(NS_CLIENT, 'error', async (message, _error, context) => {
      if (this.#returned(message, context)) return;
      this.road.refused(attr(message, 'id') ?? '', context, stanzaErrorOf(message));
    });
    parts.dispatcher.message(NS_DATA, 'x', (message, _form, context) => this.#approvals.answered(message, actorOf(context)));
    parts.dispatcher.message(NS_PUBSUB_EVENT, 'event', async (message, _event, context) => {
      if (attr(message, 'type') === 'error') {
        this.#returned(message, context);
        return;
      }
      if (context.fingerprint !== undefined) await this.#intake.receive(message, { ...context, fingerprint: context.fingerprint });
    });
    // Rights may have been taken back just before the power went, and what follows from it not been written.
    this.rules.changed().catch((error: unknown) => trouble({ kind: 'link.listener', message: error instanceof Error ? error.message : String(error) }));
  }

  /** Whoever may not write to a device is not told whether it is there. */
  async #toDevice(device: string, incoming: Incoming, { fingerprint }: PeerContext): Promise<void> {
    const { devices } = this.#parts;
    if (!this.trust.may(fingerprint, 'device', device)) throw new StanzaError('forbidden', { text: 'the owner of that box has not allowed it' });
    if (!devices?.has(device)) throw new StanzaError('item-not-found', { text: `there is no device ${device}` });
    await devices.receive(device, { ...incoming, to: `device:${device}` }).catch((error: unknown) => {
      // For good: its sender's later letters must not find it missing, and nothing else that it sends may wait for one device.
      if (error instanceof LanpostError && error.code === 'topic-full') throw new StanzaError('not-acceptable', { text: error.message });
      throw fingerprint === undefined ? refusal(error) : error;
    });
  }

  /** XEP-0060 §12.4: a client sends back what it was told. */
  #returned(message: Element, { fingerprint }: PeerContext): boolean {
    const { condition, text } = stanzaErrorOf(message);
    return fingerprint !== undefined && this.#notifications.returned(fingerprint, attr(message, 'id') ?? '', text ?? condition, endsSubscription(message));
  }

  /** Whether somebody follows who comes and goes. */
  get isWatched(): boolean { return this.#events.isFollowed; }

  /** What this box has asked that peer to send: items of topics that are read there, the bytes of a file that was accepted. */
  expects(stanza: Element, peer: ProvenPeer): boolean {
    return stanza.getName() === 'message' ? this.#intake.expects(stanza, peer) : this.files.expects(stanza, peer);
  }

  get name(): string { return this.#link?.name ?? this.#parts.bareName; }

  /** The link is there: what its streams prove, and who comes and goes, is heard from now on. */
  use(link: Link): void {
    this.#link = link;
    this.#personal.start();
    this.#stopListening = link.peers.watch((event) => {
      this.#events.emit(event);
      // Whoever watches hears of it first.
      if (this.#tidings.push(event) === 1) void SOON.then(this.#look);
    });
  }

  readonly #look = (): void => {
    const news = this.#tidings;
    this.#tidings = [];
    for (const event of news) {
      try {
        this.#changed(event);
      } catch (error) {
        this.#parts.trouble({ kind: 'link.listener', message: error instanceof Error ? error.message : String(error) });
      }
    }
  };

  #changed(event: PeerEvent): void {
    const { type, peer } = event;
    this.#personal.seen(event);
    if (type === 'down') {
      this.files.left(peer.name);
      const fingerprint = peer.fingerprint ?? this.trust.holder(peer.name);
      // A name that it had is not it: whoever takes one, and leaves, says nothing of the key.
      if (fingerprint !== undefined && this.#link?.nameOf(fingerprint) === undefined) this.#notifications.left(fingerprint);
    } else this.#rejoin.look(type === 'up' ? peer.name : undefined);
    if (type === 'up') this.#arrivals = true;
    const holder = type === 'up' ? this.trust.holder(peer.name) : undefined;
    if (holder !== undefined) {
      this.road.appeared(holder, 'announcement');
      this.#proofs?.opened(holder);
    }
    this.#parts.roadsChanged();
  }

  opened(peer: ProvenPeer): void {
    this.#rejoin.opened(peer);
    this.#recall.opened(peer);
    this.#absences.look();
    this.#feeds.opened(peer);
    this.#notifications.opened(peer);
    this.#approvals.opened(peer);
    this.#intake.opened(peer);
    this.road.appeared(peer.fingerprint, 'stream');
    this.#proofs?.opened(peer.fingerprint);
    this.#parts.roadsChanged();
  }

  closed(peer: ProvenPeer): void {
    this.#feeds.closed(peer);
    this.#intake.closed(peer);
    this.#notifications.closed(peer);
    this.files.lost(peer);
    this.relays.lost(peer);
    this.#rejoin.closed(peer);
    this.#recall.closed(peer);
    this.#absences.look();
  }

  /** A home is connected. */
  homeOpened(): void {
    this.#proofs?.opened();
  }

  /** Somebody asks, through home, that an account of this box be shown to be at its disposal. */
  challenged(challenge: JidChallenge, account: string): void {
    this.#proofs?.asked(challenge, account);
  }

  /** The keys of peers that something is wanted of, or kept for. */
  *#awaited(): Iterable<string> {
    if (!this.#link) return;
    yield* this.#intake.fingerprints();
    yield* this.#parts.lettersFor?.() ?? [];
  }

  #called(fingerprint: string): string {
    return this.trust.nameOf(fingerprint) ?? this.#intake.askedAs(fingerprint) ?? fingerprint;
  }

  /** Boxes on the link of which nobody knows whose they are now. A paired key's name is that key's, or an impostor's; who speaks has shown its key. */
  *#unknown(): Iterable<Unknown> {
    const link = this.#link;
    if (!link) return;
    const interfaces = link.interfaces();
    // Who came when there was no room in the list may be one of ours all the same.
    for (const peer of [...link.peers.all(), ...link.peers.ignored()]) {
      const { name, port, claims, via } = peer;
      // A key that was only seen with the name says nothing of who has it now.
      if (!claims.box || via || this.trust.level(this.trust.holder(name)) === 'paired' || link.ends(name)) continue;
      yield { name, places: dialable(peer, interfaces).map(({ address }) => ({ address, port })) };
    }
  }

  /** The readers of something at a peer: what each reads from, and since when that is away. */
  *readers(): Iterable<ReaderAtPeer> {
    for (const { reader: name, mirror, live, fingerprint, askedAs, approval } of this.#intake.readers()) {
      const away = this.#absences.since(fingerprint);
      const peer = this.#called(fingerprint);
      yield { name, mirror, live, source: { peer, fingerprint, ...(askedAs === peer ? {} : { askedAs }), ...(away === undefined ? {} : { awaySince: away }), ...(approval === undefined ? {} : { approval }) } };
    }
  }

  /** The name under which a stream that is open has proven the key. */
  #speaking(fingerprint: string): string | undefined {
    const name = this.#link?.nameOf(fingerprint);
    const ends = name === undefined ? undefined : this.#link?.ends(name);
    return ends && fingerprintOf(ends.peer) === fingerprint ? name : undefined;
  }

  async publish(at: string, topic: string, payload: Payload, id: string | undefined): Promise<Published> {
    const link = this.#up();
    return publishAt((iq) => link.request(linkName(at), iq), topic, payload, id);
  }

  subscribe(at: string, filter: string, options: SubscribeOptions): Subscription {
    return this.#intake.subscribe(at, filter, options);
  }

  /** A durable reader was dropped here: if it read a mirror, the peer need not keep its place either. */
  dropped(name: string): Promise<void> {
    return this.#intake.dropped(name);
  }

  /** Asks a peer; the answer may take that long, ms. */
  async request(name: string, iq: Element, timeout: number): Promise<Element> {
    return this.#up().request(name, iq, { timeout });
  }

  peers(): Peer[] {
    return this.#link?.peers.list() ?? [];
  }

  async features(name: string): Promise<readonly string[] | undefined> {
    return this.#up().features(linkName(name));
  }

  /** What a topic of a peer has. */
  async items(at: string, topic: string, options: ItemsOptions): Promise<Delivery[]> {
    const link = this.#up();
    return itemsAt((iq) => link.request(linkName(at), iq), topic, options);
  }

  async topics(at: string, query: TopicQuery): Promise<PeerTopic[]> {
    const link = this.#up();
    return topicsAt((iq) => link.request(linkName(at), iq), query);
  }

  async avatar(name: string): Promise<Uint8Array | undefined> {
    return this.#up().avatar(linkName(name));
  }

  watch(signal: AbortSignal | undefined): AsyncIterableIterator<PeerEvent> {
    return this.#events.follow({ first: this.peers().map((peer) => ({ type: 'up', peer })), signal });
  }

  async addPeer(peer: string): Promise<void> {
    await this.#up().offLink.add(peer);
  }

  async removePeer(peer: string): Promise<void> {
    await this.#up().offLink.remove(peer);
  }

  /** A window for pairing with that peer, from its opening to its end. */
  async *pair(peer: string, signal?: AbortSignal): AsyncGenerator<PairingEvent> {
    const code = await late('Pairing', () => import('./pairings.ts'));
    this.#pairings ??= new code.Pairings({
      clock: this.#parts.clock, trouble: this.#parts.trouble, streams: this.#streams,
      prove: async (name, ended) => this.#up().prove(name, ended),
      ends: (name) => this.#link?.ends(name),
      pair: (fingerprint) => this.rules.pair(fingerprint),
    });
    yield* this.#pairings.open(linkName(peer), signal);
  }

  async confirm(peer: string, same: boolean): Promise<void> {
    if (!this.#pairings) throw new LanpostError('not-found', `no pairing with ${peer} is under way`);
    await this.#pairings.confirm(linkName(peer), same);
  }

  /** Why a peer is not seen or not reached. */
  doctor(peer: string | undefined, homes: readonly HomeStatus[], signal?: AbortSignal): AsyncGenerator<Finding> {
    return this.#doctors.examine({ peer, homes, signal, link: this.#link });
  }

  /** Who a peer on the link is, with its key, and the account that it has proven to be its own. */
  async party(peer: string): Promise<{ readonly fingerprint: string; readonly spki: Uint8Array; readonly account?: string }> {
    const link = this.#up();
    const known = this.trust.find(peer)?.fingerprint;
    const name = (known === undefined ? undefined : link.nameOf(known)) ?? linkName(peer);
    const { fingerprint } = await link.prove(name);
    const ends = link.ends(name);
    if (!ends || fingerprintOf(ends.peer) !== fingerprint || (known !== undefined && known !== fingerprint)) throw new LanpostError('unreachable', `${peer} is not on the link: its key is asked of itself`);
    const [account] = (this.#parts.accounts?.claims.of(fingerprint) ?? []).filter(({ state }) => state === 'proven').map(({ address }) => address.slice('xmpp:'.length));
    return { fingerprint, spki: ends.peer, ...(account === undefined ? {} : { account }) };
  }

  /** Neighbours that could pass bytes on to a server, with their names now. */
  neighbours(): ProvenPeer[] {
    return this.trust.list().flatMap(({ level, fingerprint }) => {
      const name = level === 'paired' ? this.#link?.nameOf(fingerprint) : undefined;
      return name === undefined ? [] : [{ name, fingerprint }];
    });
  }

  status(): BoxStatus['link'] {
    const relays = this.relays.list();
    return { ...this.#link?.status() ?? { state: 'off', interfaces: [] }, ...(relays.length > 0 ? { relays } : {}) };
  }

  async close(): Promise<void> {
    await this.#pairings?.close();
    this.#stopListening?.();
    this.#events.close();
    this.#rejoin.close();
    this.#recall.close();
    this.#absences.close();
    this.#search.close();
    this.#intake.close();
    this.#proofs?.close();
    // First, so that senders and receivers hear of it.
    this.relays.close();
    await this.files.close();
    await this.#link?.close();
    await this.#feeds.close();
    await this.#notifications.close();
    await this.#personal.close();
    await this.subscriptions.close();
  }

  #up(): Link {
    if (!this.#link) throw new LanpostError('unreachable', 'the link is off: start the box without `link: false`');
    return this.#link;
  }
}

/**
 * A peer without a key cannot send it again over the next stream, so it is told at once. With a
 * key the stream ends unconfirmed, and the sender keeps it.
 */
function refusal(error: unknown): unknown {
  return error instanceof LanpostError && error.code === 'topic-full'
    ? new StanzaError('resource-constraint', { text: error.message, type: 'wait' }) : error;
}
