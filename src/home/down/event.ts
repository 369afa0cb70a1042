// Notifications of a home's pubsub service (XEP-0060 1.26.0 §7), as whoever follows a node reads them.
import { attr, children, namespaceOf, type Element } from '../../xmpp/element.ts';

const NS_EVENT = 'http://jabber.org/protocol/pubsub#event';

export type Change =
  | { readonly kind: 'item'; readonly item: Element }
  | { readonly kind: 'retract'; readonly id: string }
  /** §8.5, §8.4: all of it is gone, or the node itself. */
  | { readonly kind: 'purge' | 'delete' }
  /** §8.8.4: the service does not send anything any more. */
  | { readonly kind: 'unsubscribed' };

/** What happened to one node. */
export interface NodeChanges {
  readonly node: string;
  readonly changes: readonly Change[];
}

/** Undefined when the message is no notification. What cannot be read in one is left out. */
export function readEvent(message: Element): NodeChanges[] | undefined {
  if (message.getName() !== 'message' || attr(message, 'type') === 'error') return undefined;
  const event = children(message).find((child) => child.getName() === 'event' && namespaceOf(child) === NS_EVENT);
  return event && children(event).flatMap((child) => {
    const node = attr(child, 'node');
    return node === undefined ? [] : [{ node, changes: changesOf(child) }];
  });
}

function changesOf(child: Element): Change[] {
  switch (child.getName()) {
    case 'items': return children(child).flatMap(changeOf);
    case 'purge': return [{ kind: 'purge' }];
    case 'delete': return [{ kind: 'delete' }];
    case 'subscription': return attr(child, 'subscription') === 'none' ? [{ kind: 'unsubscribed' }] : [];
    default: return [];
  }
}

function changeOf(entry: Element): Change[] {
  const id = attr(entry, 'id');
  if (id === undefined) return [];
  if (entry.getName() === 'retract') return [{ kind: 'retract', id }];
  return entry.getName() === 'item' ? [{ kind: 'item', item: entry }] : [];
}
