// XEP-0060 1.30 §8.8: who is subscribed to a node, for its owners.
import { type Address, keyAddress } from '../../pubsub/actor.ts';
import type { Broker } from '../../pubsub/broker.ts';
import type { PeerSubscription, PeerSubscriptions, SubscriptionState } from '../../pubsub/peer-subscriptions.ts';
import { attr, children, type Element, xml } from '../../xml/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { addressFor, type Names } from './affiliations.ts';
import type { Feeder, Reader } from './feeder.ts';
import { apart } from './subscribe.ts';
import { needed, nodeOf, NS_PUBSUB_OWNER, type UseCase } from './terms.ts';

export interface OwnerSubscriptionsParts {
  readonly broker: Broker;
  readonly feeder: Feeder;
  readonly subscriptions: PeerSubscriptions;
  readonly names: Names;
}

/** One of either kind: a client's, which has states, or a box's reader, which is there or not. */
type Found = { readonly row: PeerSubscription } | { readonly reader: Reader & { readonly fingerprint: string } };

export const ownerSubscriptions = (parts: OwnerSubscriptionsParts): UseCase => ({
  features: ['manage-subscriptions'],
  answers: {
    'owner get subscriptions': async ({ verb, actor }) => {
      const node = nodeOf(verb);
      parts.broker.settings(actor, node);
      // §8.8.1.2: those that wait are asked for in another way (§8.6).
      const found = at(node, parts).filter((one) => stateOf(one) === 'subscribed');
      return xml('pubsub', { xmlns: NS_PUBSUB_OWNER }, xml('subscriptions', { node }, ...found.map((one) => element(one, parts.names))));
    },

    'owner set subscriptions': async ({ verb, actor }) => {
      const node = nodeOf(verb);
      parts.broker.settings(actor, node);
      const refused: Element[] = [];
      for (const change of children(verb).filter((child) => child.name === 'subscription')) {
        refused.push(...await apply(change, at(node, parts), parts));
      }
      if (refused.length === 0) return undefined;
      // §8.8.2.4: what failed comes back as it is; what does not come back was done.
      throw new StanzaError('not-acceptable', { beside: xml('pubsub', { xmlns: NS_PUBSUB_OWNER }, xml('subscriptions', { node }, ...refused)) });
    },
  },
});

function at(node: string, { feeder, subscriptions }: OwnerSubscriptionsParts): Found[] {
  const readers = feeder.at(node);
  return [...apart([...subscriptions.at(node)], readers).map((row) => ({ row })), ...readers.map((reader) => ({ reader }))];
}

function stateOf(one: Found): SubscriptionState {
  return 'row' in one ? one.row.state : 'subscribed';
}

function keyOf(one: Found): Address {
  return keyAddress('row' in one ? one.row.fingerprint : one.reader.fingerprint);
}

function idOf(one: Found): string {
  return 'row' in one ? one.row.id : one.reader.reader;
}

function element(one: Found, names: Names): Element {
  const fingerprint = 'row' in one ? one.row.fingerprint : one.reader.fingerprint;
  return xml('subscription', { jid: names.nameOf(fingerprint) ?? fingerprint, subscription: stateOf(one), subid: idOf(one) });
}

/** Gives what could not be done of it, as it is. An owner ends a subscription or lets one be; nobody subscribes anybody else. */
async function apply(change: Element, all: readonly Found[], { feeder, subscriptions, names }: OwnerSubscriptionsParts): Promise<Element[]> {
  const jid = needed(change, 'jid', 'jid-required');
  const [wanted, subid] = [attr(change, 'subscription'), attr(change, 'subid')];
  if (wanted === undefined) return []; // §8.8.2.1: it stays
  const key = addressFor(jid, names);
  const theirs = all.filter((one) => keyOf(one) === key && (subid === undefined || idOf(one) === subid));
  const [one] = theirs;
  if (!one) return wanted === 'none' && subid === undefined ? [] : [xml('subscription', { jid, subscription: 'none', subid })];
  if (wanted !== 'none' && wanted !== 'subscribed') return [element(one, names)];
  // §8.8.2.4: which of several is not said, except when it is all of them.
  if (theirs.length > 1 && wanted !== 'none') return theirs.map((found) => element(found, names));
  for (const found of theirs) {
    if ('row' in found) await subscriptions.decide(found.row, wanted);
    else if (wanted === 'none') await end(found.reader, { jid, feeder, subscriptions });
  }
  return [];
}

/** With a box's last reader of it what an owner had said goes, too: it would only subscribe again. */
async function end({ fingerprint, filter, reader }: Reader & { readonly fingerprint: string }, { jid, feeder, subscriptions }: Pick<OwnerSubscriptionsParts, 'feeder' | 'subscriptions'> & { readonly jid: string }): Promise<void> {
  await feeder.unsubscribe({ kind: 'peer', name: jid, fingerprint }, { filter, reader });
  const consent = subscriptions.consent(fingerprint, filter);
  if (consent && !feeder.at(filter).some((one) => one.fingerprint === fingerprint)) await subscriptions.end(consent, true);
}
