import type { Follow } from '../log/outcomes.ts';
import type { Draft, LogRecord, Origin, Stamp } from '../log/record.ts';
import type { Payload } from '../payload/payload.ts';
import { type Actor, addressOf, publisherOf } from './actor.ts';
import { keyOf } from './topic-key.ts';

/** What may be said of an item that is to be appended. */
export interface DraftRequest {
  readonly id?: string;
  /** The record id it already has, when another box accepted it first. */
  readonly origin?: Origin;
  readonly publisher?: string;
  readonly expires?: number;
  /** To which reader it is followed. */
  readonly follow?: Follow;
  /** The service of a home that it came from, and the node there, where that has not the topic's name. */
  readonly home?: string;
  readonly node?: string;
  /** When it was accepted where it comes from. */
  readonly stamp?: Pick<Stamp, 'wall' | 'trusted'>;
}

/** An item as the log takes it; `key`: where its topic keeps the newest of each, a pointer to what they are told apart by. */
export function draftOf(actor: Actor, topic: string, payload: Payload | undefined, { id, origin, expires, follow, home, node, stamp, publisher = publisherOf(actor) }: DraftRequest, key: unknown): Draft {
  const draft: { -readonly [K in keyof Draft]: Draft[K] } = { topic, kind: 'publish' };
  if (payload !== undefined) draft.payload = payload;
  if (id !== undefined) draft.id = id;
  if (typeof key === 'string') draft.key = keyOf(topic, key, payload);
  if (origin !== undefined) draft.origin = origin;
  if (expires !== undefined) draft.expires = expires;
  if (follow !== undefined) draft.follow = follow;
  if (publisher !== undefined) draft.publisher = publisher;
  if (stamp !== undefined) draft.stamp = stamp;
  if (home !== undefined) draft.extra = node === undefined || node === topic ? { home } : { home, node };
  // A name is a label that may pass to another; what is theirs is told by the key.
  const own = addressOf(actor);
  if (own !== undefined) draft.extra = actor.kind === 'peer' ? { key: actor.fingerprint } : { account: own };
  return draft;
}

/** The service of the home that the record came from: it never goes back there, nor on to another home. */
export function homeOf({ extra }: Pick<LogRecord, 'extra'>): string | undefined {
  return typeof extra === 'object' && extra !== null && 'home' in extra && typeof extra.home === 'string' ? extra.home : undefined;
}

/** The node of that service, where it has not the topic's name; records of before say none at all. */
export function nodeOf({ extra }: Pick<LogRecord, 'extra'>): string | undefined {
  return typeof extra === 'object' && extra !== null && 'node' in extra && typeof extra.node === 'string' ? extra.node : undefined;
}

/** Names change hands; keys do not. */
export function isBy({ extra }: LogRecord, actor: Actor): boolean {
  if (typeof extra !== 'object' || extra === null) return false;
  const own = addressOf(actor);
  if (actor.kind === 'peer') return own !== undefined && 'key' in extra && extra.key === actor.fingerprint;
  return 'account' in extra && extra.account === own;
}
