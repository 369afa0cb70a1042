import type { Draft, LogRecord, Origin } from '../log/record.ts';
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
}

/** An item as the log takes it; `key`: where its topic keeps the newest of each, a pointer to what they are told apart by. */
export function draftOf(actor: Actor, topic: string, payload: Payload | undefined, { id, origin, expires, publisher = publisherOf(actor) }: DraftRequest, key: unknown): Draft {
  const draft: { -readonly [K in keyof Draft]: Draft[K] } = { topic, kind: 'publish' };
  if (payload !== undefined) draft.payload = payload;
  if (id !== undefined) draft.id = id;
  if (typeof key === 'string') draft.key = keyOf(topic, key, payload);
  if (origin !== undefined) draft.origin = origin;
  if (expires !== undefined) draft.expires = expires;
  if (publisher !== undefined) draft.publisher = publisher;
  // A name is a label that may pass to another; what is theirs is told by the key.
  const own = addressOf(actor);
  if (own !== undefined) draft.extra = actor.kind === 'peer' ? { key: actor.fingerprint } : { account: own };
  return draft;
}

/** Names change hands; keys do not. */
export function isBy({ extra }: LogRecord, actor: Actor): boolean {
  if (typeof extra !== 'object' || extra === null) return false;
  const own = addressOf(actor);
  if (actor.kind === 'peer') return own !== undefined && 'key' in extra && extra.key === actor.fingerprint;
  return 'account' in extra && extra.account === own;
}
