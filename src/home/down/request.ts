// The requests of a subscriber (XEP-0060 1.26.0 §6) as the downlink needs them.
import { NS_DISCO_ITEMS } from '../../xep/disco.ts';
import { attr, children, serialize, xml, type Element } from '../../xmpp/element.ts';
import { full } from '../../xmpp/jid.ts';
import { NS_PUBSUB } from '../node.ts';

/** §6.1. */
export function subscribeRequest(service: string, node: string, jid: string): Element {
  return xml('iq', { type: 'set', to: service }, xml('pubsub', { xmlns: NS_PUBSUB }, xml('subscribe', { node, jid })));
}

/** §6.2. */
export function unsubscribeRequest(service: string, node: string, jid: string): Element {
  return xml('iq', { type: 'set', to: service }, xml('pubsub', { xmlns: NS_PUBSUB }, xml('unsubscribe', { node, jid })));
}

/** §6.5.7: the newest. Not by XEP-0059, which Prosody ignores: it would answer with the whole node in one stanza. */
export function newestRequest(service: string, node: string, most: number): Element {
  return xml('iq', { type: 'get', to: service }, xml('pubsub', { xmlns: NS_PUBSUB }, xml('items', { node, max_items: String(most) })));
}

/** Oldest first, and about how many bytes they are. */
export function itemsOf(answer: Element): { readonly items: Element[]; readonly bytes: number } {
  const items = answer.getChild('pubsub', NS_PUBSUB)?.getChild('items')?.getChildren('item') ?? [];
  return { items, bytes: items.reduce((sum, item) => sum + Buffer.byteLength(serialize(item)), 0) };
}

/** §5.2. */
export function nodesRequest(service: string): Element {
  return xml('iq', { type: 'get', to: service }, xml('query', { xmlns: NS_DISCO_ITEMS }));
}

export function nodesOf(answer: Element): string[] {
  const query = answer.getChild('query', NS_DISCO_ITEMS);
  return query ? children(query).flatMap((item) => attr(item, 'node') ?? []) : [];
}

/** §5.6: all of ours at the service. */
export function subscriptionsRequest(service: string): Element {
  return xml('iq', { type: 'get', to: service }, xml('pubsub', { xmlns: NS_PUBSUB }, xml('subscriptions', {})));
}

/** The nodes that the service sends to that address. */
export function subscribedNodes(answer: Element, jid: string): Set<string> {
  const list = answer.getChild('pubsub', NS_PUBSUB)?.getChild('subscriptions')?.getChildren('subscription') ?? [];
  const ours = list.filter((one) => full(attr(one, 'jid') ?? '') === full(jid) && attr(one, 'subscription') !== 'none');
  return new Set(ours.flatMap((one) => attr(one, 'node') ?? []));
}
