// The box itself: `createBox` makes one, `attachBox` speaks to one that runs.
import type { CommandHandler, CommandInfo, CommandOffer, OfferOptions, RequestOptions, RunOptions } from './command.ts';
import type { FileContent, FileEvent, SendFileOptions } from './file.ts';
import type { Finding } from './finding.ts';
import type { ComponentOptions, ComponentStatus, HomeEvent, HomeOptions, HomeStatus } from './home.ts';
import type { Delivery, From, ItemsOptions, PublishOptions, Published, Value } from './item.ts';
import type { DeviceInfo, MessageState, MessageStream, MessagesOptions, Receipt, SendOptions } from './message.ts';
import type { Carrier, OutboxExport, OutboxImport } from './outbox.ts';
import type { About, Peer, PeerEvent, PeerStatus } from './peer.ts';
import type { RehearsalEvent, RehearseOptions } from './rehearsal.ts';
import type { BoxStatus, Trouble } from './status.ts';
import type { Poison, SubscribeOptions, Subscription, SubscriptionInfo } from './subscription.ts';
import type { Affiliation, ClassifyOptions, PeerTopic, SubscriptionRequest, TopicAffiliation, TopicCandidate, TopicInfo, TopicQuery, TopicSettings } from './topic.ts';
import type { AccountRules, ClassRules, PairingEvent, Right, TrustEntry } from './trust.ts';

/** What came of taking an export in. */
export interface Imported {
  readonly records: number;
  /** That were here already. */
  readonly repeated: number;
  /** Made anew, as are the durable readers. */
  readonly topics: number;
  readonly readers: number;
  /** Whether it was seen to be whole: exports of format 1 do not tell where they end. */
  readonly ended: boolean;
}

export interface Box extends AsyncDisposable {
  readonly name: string;
  publish(topic: string, value: Value, options?: PublishOptions): Promise<Published>;
  /**
   * Resolves when that reader has the item at `seq`, which was published with `follow: reader`: a home when it is safe there, a durable
   * subscription when it has confirmed it. Rejects when it never will: `superseded`, `expired`, `dropped`, `refused` (put aside) or
   * `corrupt`; with `busy` or `closed` when it is not known, because too many are followed, or the box was closed: the item is on
   * disk, and goes on its way. Told once. Published again, an item that the reader is past already is told as before, or with `not-found`.
   */
  delivered(seq: number, reader: string, options?: { readonly signal?: AbortSignal }): Promise<void>;
  subscribe(filter: string, options?: SubscribeOptions): Subscription;
  items(topic: string, options?: ItemsOptions): Promise<Delivery[]>;
  retract(topic: string, id: string): Promise<void>;
  purge(topic: string): Promise<void>;
  readonly topics: {
    create(name: string, settings?: TopicSettings): Promise<TopicInfo>;
    configure(name: string, settings: TopicSettings): Promise<TopicInfo>;
    get(name: string): Promise<TopicInfo | undefined>;
    delete(name: string): Promise<void>;
    list(filter?: string): Promise<TopicInfo[]>;
    search(query: TopicQuery): Promise<TopicInfo[]>;
    /** Which topics could hold this item, best first: those whose schema, media type, type or tags fit. A topic of which none is said is left out. */
    classify(value: Value, options?: ClassifyOptions): Promise<TopicCandidate[]>;
    /** Who stands how to it. The owner of this box is owner of every topic, and not listed. */
    affiliations(name: string): Promise<TopicAffiliation[]>;
    /** PEER as for `trust.allow`, but no class; or `xmpp:JID`. What is said belongs to the key. `none` takes it back. */
    setAffiliation(name: string, peer: string, affiliation: Affiliation): Promise<void>;
    /** Who waits to be let subscribe, to that topic or to any. */
    requests(name?: string): Promise<SubscriptionRequest[]>;
    /** Lets it subscribe; the peer is told. */
    approve(name: string, peer: string): Promise<void>;
    /** Does not; the peer is told. */
    deny(name: string, peer: string): Promise<void>;
  };
  readonly subscriptions: {
    list(): Promise<SubscriptionInfo[]>;
    drop(name: string): Promise<void>;
    /**
     * The durable reader of that name goes on from there, open or not, back or forth: `start`, a position or a time. What
     * it gets again is marked `redelivered`; what it had not confirmed counts as if it had not been handed out.
     */
    seek(name: string, from: From): Promise<void>;
    /** What it put aside, oldest first. */
    poison(name: string): Promise<Poison[]>;
    /** Hands out these positions of it once more, or all; resolves to how many there were. */
    retry(name: string, seqs?: readonly number[]): Promise<number>;
    /** Gives these positions of it up for good, or all; resolves to how many there were. */
    dropPoison(name: string, seqs?: readonly number[]): Promise<number>;
  };
  /** Resolves when the message is accepted (on disk); the receipt tells what becomes of it. */
  send(address: string, body: string, options?: SendOptions): Promise<Receipt>;
  /** What has become of a message, also after a restart. */
  messageState(id: string): Promise<MessageState | undefined>;
  messages(options?: MessagesOptions): MessageStream;
  readonly peers: {
    list(): Promise<Peer[]>;
    /** Yields the peers there are as `up`, then every change. */
    watch(options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<PeerEvent>;
    /** The picture of a peer, once it has been found to be the one it announces; `undefined` when there is none. */
    avatar(name: string): Promise<Uint8Array | undefined>;
    /** What the software of a peer can do, asked of it when that is not known; `undefined` when what it says is not what it announces. */
    features(name: string): Promise<readonly string[] | undefined>;
    /** Which topics a box on the link lets this one read, of those that fit; without a query all. At most 100: a filter asks for fewer. */
    topics(name: string, query?: TopicQuery): Promise<PeerTopic[]>;
    /** Calls the peer at `HOST[:PORT]`, where multicast does not reach, from now on and after every start. */
    add(peer: string): Promise<void>;
    /** Calls it no more. */
    remove(peer: string): Promise<void>;
  };
  /** Actions (XEP-0050): those that this box offers, and those of others. An offer lasts no longer than the process that made it. */
  readonly commands: {
    /** Whoever runs it needs the right `command NAME`; the own accounts at homes and this box itself have it. One offer for each name. */
    offer(name: string, handler: CommandHandler, options?: OfferOptions): Promise<CommandOffer>;
    /** Those offered here, or those that `link:NAME` or `xmpp:JID` lets this box run. */
    list(address?: string): Promise<CommandInfo[]>;
    /**
     * Runs it there and resolves with its answer. To a box the value goes as it is; of others an object fills in the form that they ask with.
     */
    run(address: string, name: string, value?: Value, options?: RunOptions): Promise<Value | undefined>;
  };
  /** Asks `link:NAME` or `xmpp:JID` with an IQ: one XML element there, what is in the answer back; `undefined` when that is nothing. */
  request(address: string, payload: string, options?: RequestOptions): Promise<string | undefined>;
  readonly files: {
    /**
     * Sends a file, given by its path or its content. Yields what becomes of it, `done` or `failed` last; leaving
     * the iteration before that ends the transfer. Encrypted to a box; in the clear to Pidgin and its like. Through
     * `attachBox` content may have 16 MiB; a path has no such bound: the box opens it itself.
     */
    send(peer: string, file: string | FileContent, options?: SendFileOptions): AsyncIterableIterator<FileEvent>;
    /** Offers that wait for the owner of this box: those there are, then those that come. */
    offers(options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<FileEvent>;
    /** Takes what is offered, into `DIR/files/PEER=KEY`, with the first 16 digits of the peer's fingerprint, or `DIR/files/PEER` when it has no key. Leaving the iteration does not end the transfer: `decline` does. */
    accept(id: string, options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<FileEvent>;
    /** Refuses what is offered, and ends what is under way, in either direction. */
    decline(id: string): Promise<void>;
    /** What is offered and under way, in both directions. */
    list(): Promise<FileEvent[]>;
    /** The same, then everything that happens to it. */
    watch(options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<FileEvent>;
  };
  readonly trust: {
    list(): Promise<TrustEntry[]>;
    /** What holds for each class of peers. */
    classes(): Promise<ClassRules[]>;
    /** What accounts elsewhere may do by way of a home, of whom anything is said. */
    accounts(): Promise<AccountRules[]>;
    /**
     * PEER is a name on the link, `link:NAME`, a fingerprint (hex, at least 16 digits), or a class. A key that is
     * allowed something is vouched for by that. `read`, `write`, `relay`, `command` and `device` need a filter. `xmpp:JID` may be allowed
     * commands and devices, and `xmpp:DOMAIN` devices, by way of a home whose word for that is taken.
     */
    allow(peer: string, right: Right, filter?: string): Promise<TrustEntry | ClassRules | AccountRules>;
    /** What is denied to a key is denied whatever is allowed to it or to its class; it vouches for nobody. */
    deny(peer: string, right: Right, filter?: string): Promise<TrustEntry | ClassRules | AccountRules>;
    /** Takes back all that was said of it: grants, denials, claims, that the key was vouched for, and that it may publish for this box. */
    revoke(peer: string): Promise<void>;
    /**
     * The account `xmpp:JID` is used by that paired peer alone, by no phone and no other box: once the peer has proven that
     * it has it, mail for it goes over the link when the peer is there. Saying it again has it proven anew, at once.
     */
    claim(peer: string, address: string): Promise<TrustEntry>;
    /** Nobody has that account alone any more. */
    disclaim(address: string): Promise<void>;
    /**
     * Opens a window of 2 minutes in which that peer and this box can be paired: both owners open one, compare
     * the words that both boxes show, and `confirm`. Leaving the iteration closes the window.
     */
    pair(peer: string, options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<PairingEvent>;
    /** What the owner says of the words: whether the other box shows the same. `peer`: the fingerprint that came with them, or a name, which may pass to another key meanwhile. */
    confirm(peer: string, same: boolean): Promise<void>;
  };
  readonly homes: {
    /** Adds an account, or changes it. The same once more leaves its session as it is; without one it is tried at once, a refused one twice at most until it is let in. */
    add(options: HomeOptions): Promise<HomeStatus>;
    list(): Promise<HomeStatus[]>;
    /** Leaves it, and stays away until it is resumed, over restarts too; what is for it waits. */
    pause(jid: string): Promise<HomeStatus>;
    resume(jid: string): Promise<HomeStatus>;
    remove(jid: string): Promise<void>;
    /** Yields how each home is, as `state`, then what becomes of them. */
    watch(options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<HomeEvent>;
    /**
     * Cuts the road to a home for so long, while records of its own are published, and tells whether all of them got there. All that
     * is for that home waits meanwhile, as in any outage. What it made goes afterwards, here and there; one at a time. Leaving the
     * iteration ends it.
     */
    rehearse(options: RehearseOptions): AsyncIterableIterator<RehearsalEvent>;
  };
  /**
   * Things behind this box that speak no XMPP. Each can be written to (`device:NAME`), by peers and accounts that are allowed
   * `device NAME`; what is for it is held until a reader of `messages({ device })` has confirmed it. `send` and `publish` speak for it.
   */
  readonly devices: {
    /** Once more changes nothing. */
    add(name: string): Promise<DeviceInfo>;
    list(): Promise<DeviceInfo[]>;
    /** What it has not read goes with it. */
    remove(name: string): Promise<void>;
  };
  /** Domains under which devices have addresses of their own, on a server of this machine. Messages to them are in the inbox. */
  readonly components: {
    /** Adds one, or changes it. */
    add(options: ComponentOptions): Promise<ComponentStatus>;
    list(): Promise<ComponentStatus[]>;
    remove(domain: string): Promise<void>;
    /** From a device's address. Resolves when it is on disk: it goes when its component is connected. */
    send(from: string, to: string, body: string): Promise<void>;
  };
  /** What waits for a home, carried there by another box: in files, which only that box can read. */
  readonly outbox: {
    /**
     * A paired box may publish to the nodes of this box's account `home` (default: the only one), as `account` (default: the one
     * that it has proven). Its key is kept, so it must be on the link; nodes that come later need it said again. With another account, the former may not any more.
     */
    allow(peer: string, options?: { readonly account?: string; readonly home?: string }): Promise<Carrier>;
    /**
     * Resolves when home has taken it back. Of a box that was revoked, by the name or key that it had, it is taken back anyway: this tries at once.
     * At a home that was removed nobody does: it is forgotten here, and rejects with `unreachable`.
     */
    deny(peer: string): Promise<void>;
    list(): Promise<Carrier[]>;
    /** Writes what waits, in `history` topics, to a file that is not there yet. `expires`: ms from now; default 30 days. */
    export(file: string, options: { readonly for: string; readonly expires?: number }): Promise<OutboxExport>;
    /** Publishes what another box has written for this one; resolves when it is safe there. Once more changes nothing. `confirmation`: where that is written. */
    import(file: string, options?: { readonly confirmation?: string; readonly signal?: AbortSignal }): Promise<OutboxImport>;
    /** What the confirmation says is at home need not go there any more. Resolves with how many records that are. */
    confirm(file: string): Promise<{ readonly id: string; readonly records: number }>;
  };
  /** Resolves when it is on disk: the box comes back with it. */
  setStatus(status: PeerStatus, text?: string): Promise<void>;
  /** Changes what is given of it; an empty text or list takes that back. Kept on disk. */
  setAbout(changes: About): Promise<void>;
  /** A PNG, JPEG or GIF of at most 8000 bytes, or none. Kept on disk. */
  setAvatar(image?: Uint8Array): Promise<void>;
  status(): Promise<BoxStatus>;
  /**
   * Why a peer is not seen, or cannot be reached: found out by trying. PEER is a name on the link, the address of a machine
   * there, a fingerprint, or `xmpp:JID`; without it, all that are seen are tried, at most 8. It
   * ends by itself, within 12 s; each finding comes as soon as it is known.
   */
  doctor(peer?: string, options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<Finding>;
  /** Background trouble as it happens; first, what was found when the box was opened, at most 100 of that. */
  troubles(options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<Trouble>;
  /** Leaves the link, syncs cursors, closes the log. Idempotent. */
  close(): Promise<void>;
}
