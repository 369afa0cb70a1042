// Values, items, and what else a reader gets.

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
  /** Who published it, as the box knows it that accepted it first: `link:NAME`, `xmpp:JID`, `device:NAME`, or absent for that box itself. */
  readonly publisher?: string;
}

export interface Retraction extends DeliveryBase { readonly kind: 'retract'; readonly id: string }

export interface TopicChange extends DeliveryBase { readonly kind: 'purge' | 'delete' | 'configure' }

/** Lost records: the first and the last of their positions, and how many they are; no `count` when that is not known. */
export interface GapRange {
  readonly from: number;
  readonly to: number;
  readonly count?: number;
}

/** Those of one topic. */
export interface GapTopic extends GapRange { readonly topic: string }

/** Records that this reader should have had and will not get. `topic` is theirs where all are known to be of one, else empty. */
export interface Gap extends DeliveryBase, GapRange {
  readonly kind: 'gap';
  /** To a reader of several topics: of which they were, as far as that is known; at most 32 of them, those that lost something first. */
  readonly topics?: readonly GapTopic[];
  /** Those that are of none of these topics: with them it is `count` in all. */
  readonly others?: GapRange;
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
  /**
   * What becomes of it at that reader is to be told: `xmpp:JID` of a home of this box, or the name of a durable subscription
   * of this box; then ask `delivered`. Not with `at`.
   */
  readonly follow?: string;
  /** The device of this box that publishes it: its `publisher` is `device:NAME`. Not with `at`. */
  readonly device?: string;
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
  /** Asks a box on the link (`link:NAME` or a bare name) for what its topic has, by `last` or `ids`, at most 100. `seq` is the position there. */
  readonly at?: string;
}
