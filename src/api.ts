// The public contract, types only: what createBox and attachBox both give, and what the CLI,
// the nodes and the control socket are written against. Floor 0: it imports nothing but errors.
import type { ErrorCode } from './errors.ts';

/** JSON values, text and bytes; XML travels as text with content type `application/xml`. */
export type Value = string | number | boolean | null | Uint8Array | readonly Value[] | { readonly [key: string]: Value };

/** What every delivery carries, whatever its kind. */
export interface DeliveryBase {
  /** Topic name, as its owner spells it (a remote topic's own name when `at` is set). */
  readonly topic: string;
  /** Position in this box's log. */
  readonly seq: number;
  /** `<box>-<epoch>-<seq>`, minted once by the box that first accepted it. */
  readonly recordId: string;
  /** Milliseconds since 1970 by the accepting box's clock; see `timeTrusted`. */
  readonly time: number;
  /** Whether that clock had been set, or `time` was put right when it was. */
  readonly timeTrusted: boolean;
  /** Whether this reader may have seen it before: it was handed out but never confirmed. */
  readonly redelivered: boolean;
  /** Confirms it (and only it); durable within a second, or at `close`. Idempotent. */
  ack(): void;
  /** Gives it back, to be delivered again after `delay` milliseconds (default 0). */
  nack(options?: { readonly delay?: number }): void;
}

export interface Item extends DeliveryBase {
  readonly kind: 'item';
  readonly id: string;
  readonly value: Value;
  /** Media type, e.g. `application/json`, `text/plain`, `application/octet-stream`, `application/xml`. */
  readonly contentType: string;
  /** Who published it: `link:NAME`, `xmpp:JID`, or absent for this box itself. */
  readonly publisher?: string;
}

export interface Retraction extends DeliveryBase { readonly kind: 'retract'; readonly id: string }
export interface TopicChange extends DeliveryBase { readonly kind: 'purge' | 'delete' | 'configure' }

/** Records that this reader should have had and will not get. */
export interface Gap extends DeliveryBase {
  readonly kind: 'gap';
  /** First and last lost position, inclusive. */
  readonly from: number;
  readonly to: number;
  /** How many records are known to be lost; `undefined` when that is not known. */
  readonly count?: number;
  /**
   * `corrupt`: damaged on disk. `overflow`, `expired`: more waited than the reader's `maxBacklog`, or for longer; or it was
   * not durable, and too slow. `unfit`: too large for a stanza, or not to be said in one. `unknown`: a peer did not say.
   */
  readonly reason: 'corrupt' | 'overflow' | 'expired' | 'unfit' | 'unknown';
}

export type Delivery = Item | Retraction | TopicChange | Gap;

export interface PublishOptions {
  /** Item id; publishing the same id and value again is harmless. Default: the record id. */
  readonly id?: string;
  /** Publish at a peer (`link:NAME` or a bare name) instead of here. */
  readonly at?: string;
  readonly contentType?: string;
  /**
   * Milliseconds after which it is over, and leaves the view, whatever the topic says; durable readers that are behind still get it. Not
   * with `at`, nor while the clock is not set. Default: what the topic says.
   */
  readonly expires?: number;
  /** Stops the waiting, not the item. */
  readonly signal?: AbortSignal;
}

export interface Published {
  readonly topic: string;
  readonly id: string;
  readonly recordId: string;
  readonly seq: number;
  /** It was here already: same id, same value. */
  readonly repeated: boolean;
}

export type From = 'new' | 'last' | 'start' | { readonly seq: number } | { readonly time: number };

/** Any of them; what has been handed out already is never dropped. */
export interface MaxBacklog {
  readonly records?: number;
  /** Bytes of the records, as they lie on disk. */
  readonly bytes?: number;
  /** Milliseconds. */
  readonly age?: number;
}

export interface SubscribeOptions {
  /** Name of a durable reader: its cursor survives restarts. */
  readonly durable?: string;
  /** Subscribe at a peer; what it sends is stored here first. */
  readonly at?: string;
  /** Where a new reader begins. Default `new`. A durable reader that exists goes on where it was. */
  readonly from?: From;
  /** Default `auto`: asking for the next item confirms the previous one. */
  readonly ack?: 'auto' | 'manual';
  /** Unconfirmed deliveries at once, 1 to 1000. Default 64. */
  readonly inFlight?: number;
  /** Shares the durable reader with others of the same name. */
  readonly group?: boolean;
  /** Milliseconds after which what is not confirmed is handed out again, to this reader or another of its group. Default never. */
  readonly ackWait?: number;
  /**
   * How much may wait for a durable reader: beyond it the oldest is dropped for it alone, and it gets a gap in their
   * place. Kept with the reader; `{}` takes it back. Default: all of it waits, whatever it takes.
   */
  readonly maxBacklog?: MaxBacklog;
  /**
   * How often an item is handed out at most, 1 to 1000: what is not confirmed then is put aside (`subscriptions.poison`), and
   * the others go on. Kept with the durable reader until another number is given; 0, the default, is no bound.
   */
  readonly maxDeliveries?: number;
  /**
   * Milliseconds, of those in which the box runs, without a reader, after which the durable reader is dropped. Kept
   * with it until another number is given; 0, the default, is never.
   */
  readonly expires?: number;
  readonly signal?: AbortSignal;
}

/** Pulls: nothing is read from disk before it is asked for. */
export interface Subscription extends AsyncIterableIterator<Delivery>, AsyncDisposable {
  /** Resolves when the reader is in place: what is published from now on will be delivered. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

/** One of `ids`, `last`, `from` and `after`; without any of them the newest 20. */
export interface ItemsOptions {
  /** At most 1000. */
  readonly ids?: readonly string[];
  /** The newest n, 1 to 1000. */
  readonly last?: number;
  /** Where to begin: at the view's start, at this position, or with the first item accepted at this time or later. */
  readonly from?: 'start' | { readonly seq: number } | { readonly time: number };
  /** Positions above this one: that of the last item of an answer asks for what comes after it. */
  readonly after?: number;
  /** At most this many, 1 to 1000. Default `last`, or else 100. */
  readonly limit?: number;
}

/** Who may read a topic: anybody with a key, paired peers, peers of a class, whom an owner lets, whom a list names. */
export type AccessModel = 'open' | 'presence' | 'roster' | 'authorize' | 'whitelist';
/** Who may publish to it: whom a list names, whoever subscribes, anybody with a key. */
export type PublishModel = 'publishers' | 'subscribers' | 'open';

/** How somebody stands to a topic; `none` is everybody of whom nothing is said. docs/PUBSUB.md has what each may. */
export type Affiliation = 'owner' | 'publisher' | 'publish-only' | 'member' | 'none' | 'outcast';

export interface TopicAffiliation {
  /** Name on the link of a key, or its fingerprint when no name is known to be its own; `xmpp:JID`. */
  readonly peer: string;
  readonly fingerprint?: string;
  readonly affiliation: Affiliation;
}

/** A peer that asked to subscribe to a topic whose access model is `authorize`. */
export interface SubscriptionRequest {
  readonly topic: string;
  /** As in `TopicAffiliation`. */
  readonly peer: string;
  readonly fingerprint: string;
}

/** Optional ones are taken back by an empty text, or by 0. */
export interface TopicConfig {
  readonly title?: string;
  readonly description?: string;
  /** What its items are about, as a namespace or another URI. */
  readonly type?: string;
  /** Of its texts, as `de` or `en-GB`. */
  readonly language?: string;
  /** Media type that its items have: any other is refused. */
  readonly contentType?: string;
  readonly tags: readonly string[];
  /** JSON schema (draft 2020-12, 2019-09 or 7) that its items fit: what does not is refused. At most 16 KiB, `$ref` only within it. */
  readonly schema?: { readonly [key: string]: Value };
  /** Default `whitelist`. */
  readonly accessModel: AccessModel;
  /** Who reads when `accessModel` is `roster`: `class:seen`, `class:paired`. */
  readonly rosterGroups: readonly string[];
  /** Default `publishers`. */
  readonly publishModel: PublishModel;
  /** The view: how many newest items can be queried. Default 1000. */
  readonly maxItems: number;
  /** How many bytes of newest items can be queried; the newest one always can. Default as many as `maxItems` have. */
  readonly maxBytes?: number;
  /** How old an item may be that can be queried, in milliseconds; a clock that jumps makes none older. Default any age. */
  readonly maxAge?: number;
  /** At `maxItems` or `maxBytes` the oldest item leaves the view, or the new one is refused `topic-full`. Default `drop-oldest`. */
  readonly full: 'drop-oldest' | 'reject';
  /** Milliseconds after which its items are over, and leave the view. Default never. */
  readonly itemExpire?: number;
  /** What readers get: everything in order, or the newest of each key. Default `history`. */
  readonly lane: 'history' | 'latest';
  /**
   * In the lane `latest`: JSON pointer (RFC 6901) to the field whose value is the key; an item without it is refused.
   * Without a pointer the item id is the key, and all items without an id have one.
   */
  readonly key?: string;
  /**
   * `memory`: its items never touch the disk. They are there for readers who are there, and gone when the box ends, when newer ones need the
   * room, or for a reader that is too slow; a durable subscription to it is refused. Decided when the topic is made. Default `disk`.
   */
  readonly storage: 'disk' | 'memory';
  /** Bytes of one item's payload; default the box's own limit, and never more than that. */
  readonly maxPayload?: number;
  /** `false`: nothing can be queried or retracted; readers get what is published all the same. Default true. */
  readonly persist: boolean;
  /** What subscribers on a road are told: of items at all, their payloads with that, and what else happens to the topic. Default true. */
  readonly deliverNotifications: boolean;
  readonly deliverPayloads: boolean;
  readonly notifyConfig: boolean;
  readonly notifyDelete: boolean;
  readonly notifyRetract: boolean;
  /** Whether owners are told who subscribes and who leaves. Default false. */
  readonly notifySub: boolean;
  /** Type of the messages that tell it. Default `headline`. */
  readonly notificationType: 'headline' | 'normal';
  /** Only while the subscriber is there: what is published meanwhile is not kept for it. Default false. */
  readonly presenceBased: boolean;
  /** When the newest item is sent by itself. Default `never`: a reader says where it begins. */
  readonly sendLast: 'never' | 'on-sub' | 'on-sub-and-presence';
  /** Whether the items of a publisher go when it does. Default false. */
  readonly purgeOffline: boolean;
  /** To whom replies to an item go. */
  readonly itemReply?: 'owner' | 'publisher';
}

/** Settings to be made or changed; `null` takes one back to its default, or to none. */
export type TopicSettings = { readonly [Field in keyof TopicConfig]?: TopicConfig[Field] | null };

/** What topics must have to be found: all that is given. */
export interface TopicQuery {
  /** Words that are all in its name, title, description or tags, in any case. */
  readonly text?: string;
  readonly type?: string;
  /** Media type that it declares; `image/*` is any image. */
  readonly contentType?: string;
  /** All of them, in any case. */
  readonly tags?: readonly string[];
  /** Only topics that match; default `#`. */
  readonly filter?: string;
  /** 1 to 1000, default 100. */
  readonly limit?: number;
}

/** A topic at a peer, as the peer describes it. */
export interface PeerTopic extends Pick<TopicConfig, 'title' | 'description' | 'type' | 'language' | 'contentType' | 'tags'> {
  readonly name: string;
  readonly accessModel?: AccessModel;
  readonly publishModel?: PublishModel;
}

export interface ClassifyOptions {
  /** Default: that of the value's kind, as with `publish`. */
  readonly contentType?: string;
  readonly tags?: readonly string[];
  readonly filter?: string;
  /** 1 to 1000, default 100. */
  readonly limit?: number;
}

/** A topic that could hold an item, and what speaks for it: `type` when the namespace of the item's XML is the topic's type. */
export interface TopicCandidate {
  readonly topic: TopicInfo;
  readonly reasons: readonly ({ readonly kind: 'schema' } | { readonly kind: 'type' | 'contentType' | 'tag'; readonly value: string })[];
}

export interface TopicInfo extends TopicConfig {
  readonly name: string;
  /** Items in the view. */
  readonly items: number;
  /** Bytes of all records still held. */
  readonly bytes: number;
  readonly lastSeq: number;
  /** Records it ever had: items, retractions and the rest, held or not. It only grows, so two looks tell a rate. */
  readonly records: number;
  /** Items of the lane `latest` that a newer one took the place of before every durable reader had them. */
  readonly replaced: number;
}

export interface SubscriptionInfo {
  readonly name: string;
  readonly filter: string;
  readonly durable: boolean;
  /** Who reads: `local`, `link:NAME`, `xmpp:JID`. */
  readonly reader: string;
  /** Of one at a peer (`at`): the peer by the name it goes by now, its key, and since when this box has no stream to it, ms since 1970. */
  readonly source?: { readonly peer: string; readonly fingerprint: string; readonly awaySince?: number };
  /** Records that match and are not confirmed. */
  readonly pending: number;
  readonly position: number;
  /** Topics that wait alone while the others go on, as when a home refuses one. */
  readonly held: readonly string[];
  /** About how many bytes the pending records have, which stay for it. */
  readonly bytes: number;
  /** Milliseconds since the oldest of them was accepted, 0 when there is none; undefined while the clock does not tell. */
  readonly oldestAge?: number;
  /** Who has it open now. */
  readonly readers: number;
  /** Records handed out and not confirmed. */
  readonly unconfirmed: number;
  /** Records put aside: `subscriptions.poison` lists them. */
  readonly poison: number;
  /** Since when nobody has it open, ms since 1970. */
  readonly abandonedSince?: number;
  /** What `subscribe` has set. */
  readonly expires?: number;
  readonly maxDeliveries?: number;
  readonly maxBacklog?: MaxBacklog;
  /** When it will be dropped unless somebody reads it, ms since 1970. */
  readonly expiresAt?: number;
}

/** A record that a reader was handed too often without confirming it, or would never take. */
export interface Poison {
  readonly delivery: Delivery;
  /** How often it was handed out; absent when that was not counted. */
  readonly deliveries?: number;
  /** When it was put aside, ms since 1970. */
  readonly since: number;
  readonly reason: string;
}

export interface SendOptions {
  /** Message id, so that a retry is harmless. */
  readonly id?: string;
  readonly subject?: string;
  readonly thread?: string;
  /** Milliseconds until it is given up; default 7 days. */
  readonly expires?: number;
  readonly signal?: AbortSignal;
}

export type MessageState = 'accepted' | 'handed' | 'delivered' | 'refused' | 'expired';

export interface Receipt {
  readonly id: string;
  readonly to: string;
  /** On disk here. */
  readonly accepted: Promise<void>;
  /** The road has it. */
  readonly handed: Promise<void>;
  /** The recipient has it. */
  readonly delivered: Promise<void>;
}

export interface Message {
  readonly id: string;
  readonly seq: number;
  /** `link:NAME` or `xmpp:JID`, as proven by the road it came on. */
  readonly from: string;
  readonly to: string;
  readonly body: string;
  readonly subject?: string;
  readonly thread?: string;
  readonly time: number;
  /** Whether the sender's key is `none`, `seen` or `paired`. */
  readonly trust: TrustLevel;
  readonly redelivered: boolean;
  ack(): void;
}

export interface MessagesOptions {
  /** A named reader: its cursor survives restarts. Without a name: live only, after the `last` newest. */
  readonly name?: string;
  /** Without a name: how many of the newest come first. Default 0. */
  readonly last?: number;
  readonly signal?: AbortSignal;
}

export interface MessageStream extends AsyncIterableIterator<Message>, AsyncDisposable {
  close(): Promise<void>;
}

export type TrustLevel = 'none' | 'seen' | 'paired';
export type PeerStatus = 'available' | 'away' | 'dnd';

/** What the owner says of a person on the link: nothing of it is published unless it is given. */
export interface About {
  readonly first?: string;
  readonly last?: string;
  readonly nick?: string;
  readonly email?: readonly string[];
  readonly jid?: readonly string[];
  /** `false`: none of it is published, however much is given. */
  readonly personal?: boolean;
}

/** What this box says of itself on the link. */
export interface OwnPresence {
  readonly status: PeerStatus;
  readonly statusText?: string;
  readonly about: About;
  /** SHA-1 of its picture, hex. */
  readonly avatar?: string;
}

export interface Peer {
  /** Instance name on the link: an opaque label. */
  readonly name: string;
  readonly address: string;
  /** Its name alone would be taken for an account at some home: only `address` reaches it. Absent when not so. */
  readonly readsAsJid?: boolean;
  readonly status: PeerStatus;
  readonly statusText?: string;
  /** Friendly name for display only; claimed, never proven, as is all that a peer says of itself. */
  readonly nick?: string;
  readonly first?: string;
  readonly last?: string;
  readonly email?: readonly string[];
  /** For display: no mail is sent there because a peer says so. */
  readonly jid?: readonly string[];
  readonly aim?: string;
  /** SHA-1 of its picture, hex: `peers.avatar` fetches it. */
  readonly avatar?: string;
  /** What it can do in a call, and whether it is free for one. */
  readonly calls?: readonly ('audio' | 'video' | 'conference' | 'free')[];
  /** What software it says it is: a URI mostly; `hash` says how `version` can be checked, else it is a version as people read it. */
  readonly software?: { readonly node: string; readonly version?: string; readonly hash?: string; readonly extensions?: readonly string[] };
  /** Namespaces of what its software can do, once it has said so and that fits what it announces. */
  readonly features?: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly addresses: readonly string[];
  /** Another lanpost box, as it says. */
  readonly box: boolean;
  readonly trust: TrustLevel;
  /** SHA-256 of the public key, hex, once a stream has shown it. */
  readonly fingerprint?: string;
  readonly connected: boolean;
  /**
   * How it is known where no multicast reaches: the owner named it (`static`), a domain lists it (`domain`), or it
   * called and the owner admits calls from there (`caller`). Absent for a peer on the link.
   */
  readonly via?: 'static' | 'domain' | 'caller';
  /** The domain that lists it. */
  readonly domain?: string;
}

/** A peer that this box calls because its owner, or a domain, says where it is. */
export interface OffLinkPeer {
  /** `HOST:PORT`, or the instance's name in its domain. */
  readonly peer: string;
  readonly domain?: string;
  readonly state: 'calling' | 'open' | 'waiting';
  /** What it is called, once it has proven whose it is. */
  readonly name?: string;
  /** Why it was not reached the last time, in words. */
  readonly reason?: string;
  /** When it is called again, ms since 1970. */
  readonly nextAttempt?: number;
}

export interface PeerEvent { readonly type: 'up' | 'changed' | 'down'; readonly peer: Peer }

/** A file that is in memory, to be sent. */
export interface FileContent { readonly name: string; readonly data: Uint8Array }

export interface SendFileOptions {
  /** For the person who decides whether to take it. */
  readonly description?: string;
  /** Ends the transfer. */
  readonly signal?: AbortSignal;
}

/** One file that goes to a peer or comes from one: as it stands, and how it came to stand so. */
export interface FileEvent {
  /**
   * `offered`: the other side's owner has to decide, or the owner of this box (`direction`). `done` and `failed` end it.
   * `done`, incoming: all of it is on disk. Outgoing: a box has it on disk; of other peers it is only known that they took all bytes.
   */
  readonly type: 'offered' | 'accepted' | 'progress' | 'done' | 'failed';
  readonly id: string;
  readonly direction: 'in' | 'out';
  /** Name on the link of whoever sends it, or gets it. */
  readonly peer: string;
  readonly trust: TrustLevel;
  readonly fingerprint?: string;
  /** The file's name, without any way in it and fit to be one here. */
  readonly name: string;
  readonly size: number;
  /** Bytes that went over so far. */
  readonly sent: number;
  readonly description?: string;
  /** `offered`: when the offer expires, ms since 1970. */
  readonly until?: number;
  /** `done`, incoming: where it is. */
  readonly path?: string;
  /** `failed`: why. */
  readonly code?: ErrorCode;
  readonly message?: string;
}

/** One thing that is asked of whoever runs a command with a form (XEP-0004). */
export interface CommandField {
  readonly name: string;
  /** For people. */
  readonly label?: string;
  /** `list`: one of `options`. Default `text`. */
  readonly kind?: 'text' | 'number' | 'boolean' | 'list';
  readonly options?: readonly string[];
  readonly required?: boolean;
}

export interface OfferOptions {
  /** For people, in lists of commands. */
  readonly title?: string;
  /** What clients that know no values are asked for; the command then gets an object of it. Default: nothing. */
  readonly fields?: readonly CommandField[];
  /** Milliseconds in which it has to end; default 30 s, at most an hour. */
  readonly timeout?: number;
  /** Takes the offer back. */
  readonly signal?: AbortSignal;
}

/** One running of a command that this box offers. */
export interface CommandCall {
  readonly command: string;
  /** What it is run with; `null` when nothing was given. */
  readonly value: Value;
  /** `link:NAME` or `xmpp:JID`, as proven by the road it came on; absent for this box itself. */
  readonly from?: string;
  readonly trust: TrustLevel;
  /** Aborted when nobody waits for the end any more. */
  readonly signal: AbortSignal;
}

/** What it gives is the answer. A `LanpostError` is told to whoever runs it, with its code and words; of anything else it is only told that it `failed`. */
export type CommandHandler = (call: CommandCall) => Value | undefined | Promise<Value | undefined>;

export interface CommandOffer extends AsyncDisposable {
  readonly name: string;
  /** Resolves when it is offered no more: taken back, or the box is closed or gone. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

export interface CommandInfo {
  readonly name: string;
  readonly title?: string;
}

export interface RunOptions {
  /** Milliseconds until it is given up; default 30 s, at most an hour. */
  readonly timeout?: number;
  /** Stops the waiting, not the command. */
  readonly signal?: AbortSignal;
}

export interface RequestOptions extends RunOptions {
  /** Default `get`. */
  readonly type?: 'get' | 'set';
}

export type Right = 'chat' | 'read' | 'write' | 'files' | 'relay' | 'command';
/**
 * `read` and `write` have a filter of topics, `relay` a server that a paired box may be connected to through this one:
 * `HOST:PORT`, or `xmpp:DOMAIN` where DNS says which host serves it; `command` has a filter of commands' names, as of topics.
 * The others have none.
 */
export interface Grant { readonly right: Right; readonly filter?: string }
/** An account that the owner says is used by one paired key alone. */
export interface AccountClaim {
  /** `xmpp:JID`. */
  readonly address: string;
  /** Mail for it takes the link only while it is `proven`: for 30 days, renewed by itself before. */
  readonly state: 'unproven' | 'proven' | 'expired';
  /** When that state began, ms since 1970. */
  readonly since: number;
  /** Why the last try did not prove it, in words. */
  readonly reason?: string;
}
export interface TrustEntry {
  readonly name: string;
  readonly fingerprint: string;
  readonly level: TrustLevel;
  readonly grants: readonly Grant[];
  /** These go before grants, and before what holds for its class. */
  readonly denials: readonly Grant[];
  readonly lastSeen: number;
  /** Absent when there are none. */
  readonly claims?: readonly AccountClaim[];
}

/** Peers without a key, with a key that nobody vouched for, with one that the owner did. */
export type PeerClass = 'class:plain' | 'class:seen' | 'class:paired';
/** What peers may do of whom nothing is said by name: unless something is said here, chat and nothing else. */
export interface ClassRules {
  readonly name: PeerClass;
  readonly grants: readonly Grant[];
  readonly denials: readonly Grant[];
}

/** What an account elsewhere, `xmpp:JID`, may do by way of a home: run commands. */
export interface AccountRules {
  readonly name: string;
  readonly grants: readonly Grant[];
  readonly denials: readonly Grant[];
}

/** What becomes of a pairing, in order; `paired` and `failed` end it. */
export type PairingEvent =
  /** The window is open here; the other box's owner has to open one too. `until`: ms since 1970. */
  | { readonly type: 'waiting'; readonly peer: string; readonly fingerprint: string; readonly until: number }
  /** To be compared with those that the other box shows. */
  | { readonly type: 'words'; readonly peer: string; readonly fingerprint: string; readonly words: readonly string[] }
  | { readonly type: 'paired'; readonly peer: string; readonly fingerprint: string; readonly entry: TrustEntry }
  | {
    readonly type: 'failed'; readonly peer: string; readonly fingerprint: string;
    /** The time or the tries were over, an owner said no, the box closed, or what `detail` says. */
    readonly reason: 'expired' | 'tries' | 'refused' | 'closed' | 'failed'; readonly detail?: string;
  };

/** Which topics go up to a home, and how. Of several rules that match a topic, the first that was given has it. */
export interface UpRule {
  readonly filter: string;
  /** Name of the home's node, with `{topic}` for the topic's name and `{box}` for the box's id; default `{topic}`. */
  readonly node?: string;
  /** Of one topic, whether records go up as they were accepted (`kept`), or what is live before a backlog (`any`). Default `kept`. */
  readonly order?: 'kept' | 'any';
  /** -9 to 9; what waits of a higher one goes first. Default 0. */
  readonly priority?: number;
  /** Milliseconds, counted in time that can be trusted: what waited for longer is not sent any more, and the ledger says so. Default: for ever. */
  readonly expire?: number;
  /** Small records that pile up go several in one item: at most so many, and so many bytes of XML. `true` is 500 and 65536. Default `false`. */
  readonly pack?: boolean | { readonly records?: number; readonly bytes?: number };
}

export interface HomeOptions {
  /** Bare JID of the box's account. */
  readonly jid: string;
  readonly password: string;
  /** Where to connect, when DNS does not say. */
  readonly host?: string;
  readonly port?: number;
  /** PEM of a private certificate authority, instead of the system's. */
  readonly ca?: string;
  /** How to get there; default `auto`: what DNS says, then what the domain's host-meta says. */
  readonly transport?: HomeTransport;
  /** Of the server's WebSocket (`wss:`) or BOSH (`https:`) service, instead of asking the domain's host-meta. */
  readonly url?: string;
  /** SHA-256 of the server's public key (SPKI), base64: with any other than these nobody speaks. */
  readonly pin?: readonly string[];
  /** `http://[USER:PASSWORD@]HOST[:PORT]` or `socks5://…`: this home is reached through it, and only this one. */
  readonly proxy?: string;
  /** Whether the password itself may be shown to a verified server that offers nothing better; default false. */
  readonly plain?: boolean;
  /** Homes of one group are one reader: what is published goes to one of them. */
  readonly group?: string;
  /** Within the group: the lowest that is connected is the one; default 0. */
  readonly rank?: number;
  /** Pubsub service; `pep` is the account's own. Default `pubsub.<domain>`, in whose place the account's own is taken where it is not there or lets the account make no node. */
  readonly service?: string;
  /** Which topics go up, under their own names and in order; after those of `up`. Default none. */
  readonly topics?: readonly string[];
  /** Which topics go up, and how. */
  readonly up?: readonly UpRule[];
  /** Bytes of items an hour, for links that are paid by volume; default as many as go. */
  readonly budget?: number;
  /** Which nodes come down. Default none. */
  readonly down?: readonly DownRule[];
}

/** What comes down from a home: what happens to its nodes happens to topics here. */
export interface DownRule {
  /** A node's name, or a filter of names as of topics. */
  readonly node: string;
  /** Where it is; default the home's pubsub service. */
  readonly service?: string;
  /** Its topic here, in which `{node}` stands for its name. Default `{node}`. */
  readonly as?: string;
  /** With what a node begins that did not come down before: what it holds, or what is published from now on. Default `start`. */
  readonly from?: 'start' | 'new';
}

/** Over TCP with TLS, at once or asked for; over WebSocket (RFC 7395); over HTTP requests (XEP-0206). */
export type HomeTransport = 'auto' | 'starttls' | 'tls' | 'websocket' | 'bosh';

/** A domain on a server of this machine (XEP-0114), under which devices have addresses. */
export interface ComponentOptions {
  readonly domain: string;
  /** A loopback address, for what is said there is in the clear; default 127.0.0.1. */
  readonly host?: string;
  /** Default 5347. */
  readonly port?: number;
  /** That the server's administrator has set. */
  readonly secret: string;
  /** `NAME@domain` is an address for each. */
  readonly devices?: readonly string[];
}

export interface ComponentStatus {
  readonly domain: string;
  readonly devices: readonly string[];
  readonly state: 'connecting' | 'online' | 'waiting' | 'refused';
  /** When that state began, ms since 1970. */
  readonly since: number;
  /** Why it is not online, in words. */
  readonly reason?: string;
}

/** A box that may publish what this one cannot bring to its home. */
export interface Carrier {
  /** Its name, or its fingerprint when it has none now. */
  readonly peer: string;
  readonly fingerprint: string;
  /** `xmpp:JID` that it publishes as. */
  readonly account: string;
  /** This box's account, to whose nodes. */
  readonly home: string;
}

/** A file of what waits for a home. */
export interface OutboxExport {
  readonly id: string;
  readonly records: number;
  readonly bytes: number;
  /** More waits than one file holds. */
  readonly more: boolean;
  /** Until when it may be imported, ms since 1970. */
  readonly expires: number;
}

/** What became of such a file at the box that it was for. */
export interface OutboxImport {
  readonly id: string;
  /** Fingerprint of the box that wrote it. */
  readonly author: string;
  readonly records: number;
  /** Of them: published now; there already; that the home will not take. */
  readonly published: number;
  readonly present: number;
  readonly refused: number;
  /** Path of the confirmation for its author. */
  readonly confirmation: string;
}

/** How far what waited for a home has gone up, while more than a few records wait. */
export interface DrainProgress {
  /** When it began, ms since 1970: when there last was nothing to send, or the home was not there. */
  readonly since: number;
  /** Records that the home has taken since. */
  readonly done: number;
  /** And that it has not. About: it goes on while they are counted. */
  readonly left: number;
  /** Records a second, over the last minute. */
  readonly rate: number;
  /** Ms until nothing is left, if it goes on so and nothing is added; absent while nothing goes. */
  readonly estimate?: number;
}

/** `draining`: how far it is, once a second at most. `drained`: all of it is up; `drained` has what that was. */
export interface HomeEvent {
  readonly type: 'state' | 'draining' | 'drained';
  readonly home: HomeStatus;
  readonly drained?: DrainProgress;
}

export interface RehearseOptions {
  /** Account whose road is cut; default the only home. */
  readonly home?: string;
  /** How long, ms: 1 s to 1 day. */
  readonly outage: number;
  /** Records a second that are published meanwhile. Default 10; at most 20 000 in all. */
  readonly rate?: number;
  /** Ends it: the road is there again at once, and what it made goes. */
  readonly signal?: AbortSignal;
}

/** How far a rehearsal is, once a second; the last has the `report`. */
export interface RehearsalEvent {
  /** `before` and `cut`: it publishes. `draining`: the road is there again. `reading`: the home is asked what it has. */
  readonly phase: 'before' | 'cut' | 'draining' | 'reading' | 'clearing' | 'over';
  readonly home: string;
  /** Records that were accepted, and that the home has acknowledged. */
  readonly sent: number;
  readonly drained: number;
  /** Most bytes that they had on disk so far. */
  readonly bytes: number;
  /** Ms until the phase is over, where that is known. */
  readonly left?: number;
  readonly report?: RehearsalReport;
}

export interface RehearsalReport {
  readonly home: string;
  readonly outage: number;
  readonly rate: number;
  readonly passed: boolean;
  /** Records that the log accepted; that it had when all was published; that the home acknowledged. */
  readonly sent: number;
  readonly stored: number;
  readonly drained: number;
  /** Of those accepted: not at home when it was asked for each of them; there more than once. */
  readonly lost: number;
  readonly doubled: number;
  /** Most bytes that they had on disk. */
  readonly peakBytes: number;
  /** The home's node keeps fewer than were sent: so many of the newest were looked for. */
  readonly kept?: number;
  /** Ms from the end of the outage to a session, and until nothing waited; absent where that never came. */
  readonly reconnected?: number;
  readonly emptied?: number;
  /** Why it has not passed, in words; empty when it has. */
  readonly why: readonly string[];
}

export type HomeState = 'offline' | 'connecting' | 'online' | 'waiting' | 'refused' | 'paused';
export interface HomeStatus {
  readonly jid: string;
  readonly service: string;
  readonly topics: readonly string[];
  readonly state: HomeState;
  /** When that state began, ms since 1970. */
  readonly since: number;
  /** The neighbour through which it is connected; absent when this box has a road of its own. */
  readonly via?: string;
  /** What carries the session, while it is online: `tls host:port`, `websocket wss://…`. */
  readonly over?: string;
  /** The group it belongs to, and whether it is the one that gets what the group gets. */
  readonly group?: { readonly name: string; readonly rank: number; readonly active: boolean };
  /** Why it is not online, in words. */
  readonly reason?: string;
  /** When it will be tried again, ms since 1970. */
  readonly nextAttempt?: number;
  /** Records not settled. */
  readonly queued: number;
  /** About how many bytes they have, which stay for this home. */
  readonly queuedBytes: number;
  /** Age of the oldest of them in ms; 0 when there is none. */
  readonly oldestAge: number;
  /** Its topic, and the durable reader that keeps it; absent when there is none. */
  readonly oldest?: { readonly topic: string; readonly reader: string };
  /** What the home acknowledged, records and bytes a second over the last minute. */
  readonly rate: { readonly items: number; readonly bytes: number };
  /** Ms until nothing waits, if it goes on at that rate; absent while nothing goes. */
  readonly drains?: number;
  /** While a backlog goes up: how far it is. */
  readonly draining?: DrainProgress;
  /** Hours until the disk is at its floor, if as much piles up as since the oldest came; absent while that cannot be told. */
  readonly hoursLeft?: number;
  /** What goes to the account's own pubsub service (PEP), and why: all of it, or these topics. Absent when nothing does. */
  readonly pep?: { readonly reason: string; readonly topics?: readonly string[] };
  /** Nodes that keep fewer items than wait for them; absent when there are none. */
  readonly short?: readonly ShortNode[];
  /** Absent without rules for what comes down: how many nodes are followed, and how many cannot be had or are not caught up with yet. */
  readonly down?: { readonly nodes: number; readonly waiting: number };
}

/** A home's node that keeps fewer items than wait for it: of those, the oldest will be gone when all have gone up. */
export interface ShortNode {
  readonly topic: string;
  readonly node: string;
  /** Absent where the server does not say how many. */
  readonly keeps?: number;
  readonly waiting: number;
}

/** A connection to a server that goes through a neighbour. What passes is between others, and not read. */
export interface RelayStatus {
  /** Its name on the link. */
  readonly peer: string;
  readonly to: string;
  /** `for` it this box connects, or `by` it. */
  readonly direction: 'for' | 'by';
  /** Ms since 1970. */
  readonly since: number;
  /** Both ways together. */
  readonly bytes: number;
}

export interface BoxStatus {
  /** Instance name on the link, `NAME@hostname`; the bare name when the link is off. */
  readonly name: string;
  readonly box: string;
  readonly fingerprint: string;
  readonly version: string;
  readonly dir: string;
  readonly link: {
    readonly state: 'off' | 'starting' | 'up' | 'failed';
    readonly port?: number;
    readonly interfaces: readonly string[];
    readonly reason?: string;
    /** Peers that are called because multicast does not reach them; absent when there are none. */
    readonly offLink?: readonly OffLinkPeer[];
    /** Domains whose DNS lists boxes that are called; absent when there are none. */
    readonly domains?: readonly string[];
    /** Connections to servers for neighbours, and by way of them; absent when there are none. */
    readonly relays?: readonly RelayStatus[];
  };
  readonly presence: OwnPresence;
  readonly peers: number;
  readonly homes: readonly HomeStatus[];
  readonly log: { readonly state: 'open' | 'refusing' | 'closed'; readonly head: number; readonly topics: number; readonly bytes: number; readonly freeBytes: number; readonly reason?: string; /** How often readers lost something: lines ever written to `$ledger`. */ readonly losses: number };
  /** Peers that wait to be let subscribe to a topic whose access model is `authorize`; `topics.requests()` lists them. */
  readonly requests: number;
  /** Background trouble by kind, counted since the start. */
  readonly troubles: Readonly<Record<string, number>>;
}

/** Something went wrong behind the scenes; also counted in `status().troubles`. */
export interface Trouble {
  /** `<room>.<what>`, e.g. `log.refusing`, `link.impostor`, `home.auth`. */
  readonly kind: string;
  readonly message: string;
  readonly code?: ErrorCode;
}

/** What came of taking an export in. */
export interface Imported {
  readonly records: number;
  /** That were here already. */
  readonly repeated: number;
  /** Made anew, as are the durable readers. */
  readonly topics: number;
  readonly readers: number;
}

/** `note`: worth knowing, but nothing is broken by it. */
export type FindingLevel = 'ok' | 'note' | 'problem';

/** What a finding that is not `ok` has found; `docs/TROUBLESHOOTING.md` has a section for each. */
export type FindingCause =
  | 'box-not-running' | 'link-off' | 'no-interface' | 'link-down' | 'no-multicast' | 'port-held' | 'multicast-refused'
  | 'other-subnet' | 'one-way-in' | 'one-way-out' | 'nobody-heard' | 'no-way' | 'multicast-filtered' | 'renamed' | 'clock-unset'
  | 'unknown-peer' | 'peer-gone' | 'peers-left-out' | 'no-address' | 'ipv6-only' | 'port-refused' | 'port-filtered' | 'peer-silent'
  | 'not-seen-by-peer' | 'mtu' | 'no-stream' | 'in-the-clear' | 'key-changed' | 'key-refused' | 'clock-skew' | 'no-rights' | 'not-granted'
  | 'no-home' | 'home-offline' | 'not-finished';

/** One thing that `doctor` looked at, and what it saw. */
export interface Finding {
  /** What was looked at, as `multicast` or `peer-port`. */
  readonly check: string;
  readonly level: FindingLevel;
  /** Absent when it is `ok`. */
  readonly cause?: FindingCause;
  /** One plain sentence. */
  readonly message: string;
  /** Short facts that it is taken from. */
  readonly evidence: readonly string[];
  /** What to do next; every problem has it. */
  readonly advice?: string;
  /** The peer's name on the link, when it is about one. */
  readonly peer?: string;
  readonly interface?: string;
}

export interface Box extends AsyncDisposable {
  readonly name: string;
  publish(topic: string, value: Value, options?: PublishOptions): Promise<Published>;
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
    /** Takes what is offered, into `DIR/files/PEER`. Leaving the iteration does not end the transfer: `decline` does. */
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
     * allowed something is vouched for by that. `read`, `write`, `relay` and `command` need a filter. `xmpp:JID` may be allowed
     * commands, by way of a home whose word for that account is taken.
     */
    allow(peer: string, right: Right, filter?: string): Promise<TrustEntry | ClassRules | AccountRules>;
    /** What is denied to a key is denied whatever is allowed to it or to its class; it vouches for nobody. */
    deny(peer: string, right: Right, filter?: string): Promise<TrustEntry | ClassRules | AccountRules>;
    /** Takes back all that was said of it: grants, denials, claims, and that the key was vouched for. */
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
    /** What the owner says of the words: whether the other box shows the same. */
    confirm(peer: string, same: boolean): Promise<void>;
  };
  readonly homes: {
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
  /** Domains under which devices have addresses of their own, on a server of this machine. Messages to them are in the inbox. */
  readonly components: {
    /** Adds one, or changes it. */
    add(options: ComponentOptions): Promise<ComponentStatus>;
    list(): Promise<ComponentStatus[]>;
    remove(domain: string): Promise<void>;
    /** From a device's address, now: rejects with `unreachable` when its component is not connected, and nothing waits. */
    send(from: string, to: string, body: string): Promise<void>;
  };
  /** What waits for a home, carried there by another box: in files, which only that box can read. */
  readonly outbox: {
    /**
     * A paired box may publish to the nodes of this box's account `home` (default: the only one), as `account` (default: the one
     * that it has proven). Its key is kept, so it must be on the link; nodes that come later need it said again.
     */
    allow(peer: string, options?: { readonly account?: string; readonly home?: string }): Promise<Carrier>;
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
  /** Background trouble as it happens. */
  troubles(options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<Trouble>;
  /** Leaves the link, syncs cursors, closes the log. Idempotent. */
  close(): Promise<void>;
}

/** What the box does for itself; every member has a default. */
export interface BoxOptions {
  /** Data directory, made with mode 0700. Default `./.lanpost`. */
  readonly dir?: string;
  /** Label on the link, without `@hostname`. Default `lanpost-` and 4 characters of the fingerprint. */
  readonly name?: string;
  /** The link, or `false` for none. */
  readonly link?: false | {
    /** Interface names; default every one that is up, multicast-capable and not loopback. */
    readonly interfaces?: readonly string[];
    /** TCP port; default 5298, or a free one. */
    readonly port?: number;
    /** What is said of a person, for this run: it goes before what `setAbout` has kept. */
    readonly about?: Omit<About, 'personal'>;
    /** `false`: no first and last name, nick, email or jid is published. */
    readonly personal?: boolean;
    /** Peers where multicast does not reach, as `HOST`, `HOST:PORT` or `[IPV6]:PORT`: a stream to each is kept open. */
    readonly peers?: readonly string[];
    /** Networks, as `10.8.0.0/16`, from which peers may call that are not on the link. Default none. */
    readonly accept?: readonly string[];
    /** Domains whose DNS lists boxes (RFC 6763), as `example.org`: a stream to each is kept open. */
    readonly domains?: readonly string[];
    /** DNS servers to ask for them, as `192.0.2.1` or `192.0.2.1:53`; default the system's. */
    readonly dns?: readonly string[];
  };
  readonly homes?: readonly HomeOptions[];
  /** Serve the control socket. Default true. */
  readonly control?: boolean;
  readonly limits?: Partial<Limits>;
}

/** Every limit, with its unit; `docs/LIMITS.md` lists the defaults. */
export interface Limits {
  /** Free bytes on the data directory's disk below which nothing is accepted. */
  readonly diskFloor: number;
  /** Bytes of one item's payload. */
  readonly itemBytes: number;
  /** Bytes of one stanza on the link. */
  readonly stanzaBytes: number;
  /** Depth of XML elements within one stanza on the link. */
  readonly xmlDepth: number;
  /** Peers remembered on the link. */
  readonly peers: number;
  /** Streams open at once on the link. */
  readonly streams: number;
  /** Bytes of one file from a peer. */
  readonly fileBytes: number;
  /** Bytes of the files from one peer that lie in its folder. */
  readonly peerFilesBytes: number;
  /** Bytes of the files from all peers. */
  readonly filesBytes: number;
  readonly topics: number;
  readonly subscriptions: number;
}
