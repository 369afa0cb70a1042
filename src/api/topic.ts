// Topics: how they are set up, found and shared.
import type { Value } from './item.ts';

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
  /** JSON schema (draft 2020-12, 2019-09, 7 or 6) that its items fit: what does not is refused. At most 16 KiB, `$ref` only within it. */
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
  /** Absent: it keeps its history, or does not say. */
  readonly lane?: 'latest';
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
