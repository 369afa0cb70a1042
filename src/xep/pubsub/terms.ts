// XEP-0060 1.30: what all its requests have in common.
import type { Actor } from '../../pubsub/actor.ts';
import { isSubtree } from '../../pubsub/subtree.ts';
import { attr, type Element } from '../../xml/element.ts';
import { badRequest, unsupportedFeature } from './errors.ts';

export const NS_PUBSUB = 'http://jabber.org/protocol/pubsub';
export const NS_PUBSUB_OWNER = 'http://jabber.org/protocol/pubsub#owner';

export interface PubsubRequest {
  /** The child that says what is wanted, as `<publish/>`. */
  readonly verb: Element;
  /** The whole, with what goes beside the verb. */
  readonly pubsub: Element;
  readonly actor: Actor;
}

/** Gives the result's payload, or nothing for an empty result. A `LanpostError` thrown becomes the condition that stands for it. */
export type Answer = (request: PubsubRequest) => Promise<Element | undefined>;

/** One use case of the XEP: what it answers, and what may be announced because of that. */
export interface UseCase {
  /** Without the namespace, as `publish`. */
  readonly features: readonly string[];
  /** Namespaces of others that it speaks. */
  readonly announces?: readonly string[];
  /** By type and verb, as `set publish`; those of the owner's namespace as `owner set configure`. */
  readonly answers: Readonly<Record<string, Answer>>;
}

export function nodeOf(element: Element): string {
  return needed(element, 'node', 'nodeid-required');
}

/** A node that holds items, for what a collection does not do: the feature that says so. */
export function leafOf(element: Element, feature: string): string {
  const node = nodeOf(element);
  if (isSubtree(node)) throw unsupportedFeature(feature);
  return node;
}

export function needed(element: Element, name: string, condition: string): string {
  const value = attr(element, name);
  if (value === undefined || value === '') throw badRequest(condition);
  return value;
}

/** §6.1.3.1: whether it means whoever asks. Names on the link are opaque, so that only what follows one is a resource. */
export function isOwnJid(jid: string, actor: Actor): boolean {
  // RFC 7622 §3.1: and it is kept with the subscription.
  if (Buffer.byteLength(jid) > 3071) return false;
  return actor.kind !== 'peer' || jid === actor.name || jid.startsWith(`${actor.name}/`);
}
