// XEP-0060 1.30 §6.1 and §6.2: subscribe and unsubscribe; §5.6: retrieve subscriptions.
import { LanpostError } from '../../errors.ts';
import type { Actor } from '../../pubsub/actor.ts';
import type { Broker } from '../../pubsub/broker.ts';
import type { PeerSubscription, PeerSubscriptions } from '../../pubsub/peer-subscriptions.ts';
import { Refusal } from '../../pubsub/refusal.ts';
import { attr, children, type Element, xml } from '../../xml/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { readForm } from '../data-form.ts';
import { badRequest } from './errors.ts';
import { type Feeder, type Reader, readerOf } from './feeder.ts';
import { optionsForm, readOptions } from './subscription-form.ts';
import { isOwnJid, needed, nodeOf, NS_PUBSUB, type PubsubRequest, type UseCase } from './terms.ts';

export interface SubscribeParts {
  readonly broker: Broker;
  readonly feeder: Feeder;
  readonly subscriptions: PeerSubscriptions;
}

export type Keyed = Actor & { readonly kind: 'peer'; readonly fingerprint: string };

/** Between boxes `<reader/>` names a durable subscription, and a filter may have wildcards; for anybody else it is the XEP's. */
export function subscribe({ broker, feeder, subscriptions }: SubscribeParts): UseCase {
  /** What a box asks an owner for: it is fed as a reader, once it may be, and asks again whenever its stream opens. */
  const ask = async (actor: Keyed, name: string, node: string, reader: ReturnType<typeof readerOf> & {}): Promise<void> => {
    const { fingerprint } = actor;
    const consent = subscriptions.consent(fingerprint, node);
    if (consent && consent.state !== 'pending') await subscriptions.end(consent, false); // it holds no more
    if (consent?.state !== 'pending') {
      try {
        feeder.began(await subscriptions.subscribe({ fingerprint, name, consent: true }, node, undefined, 'pending', feeder.list(actor).length));
      } catch (error) {
        // Another reader of its has just asked: they wait for one word.
        if (!(error instanceof Refusal && error.reason === 'pending-subscription')) throw error;
      }
    }
    const row = subscriptions.consent(fingerprint, node);
    // What comes between that word and its asking again is for it.
    if (row && reader.durable) await subscriptions.wait(row, { reader: reader.reader, from: reader.from });
  };
  return {
    features: ['subscribe', 'multi-subscribe', 'retrieve-subscriptions', 'subscription-notifications', 'presence-notifications'],
    answers: {
      'set subscribe': async (request) => {
        const { verb, pubsub, actor } = request;
        const jid = needed(verb, 'jid', 'jid-required');
        if (!isOwnJid(jid, actor)) throw badRequest('invalid-jid');
        const reader = readerOf(pubsub);
        if (reader) {
          const filter = nodeOf(verb);
          if (broker.waits(actor, filter)) {
            await ask(keyed(actor), jid, filter, reader);
            return answered(xml('subscription', { node: filter, jid, subid: reader.reader, subscription: 'pending' }));
          }
          await feeder.subscribe(actor, { filter, ...reader });
          return answered(xml('subscription', { node: filter, jid, subid: reader.reader, subscription: 'subscribed' }));
        }
        const subscriber = keyed(actor);
        // XEP-0248 §8.1: the root has no name.
        const node = attr(verb, 'node') ?? '';
        const options = optionsBeside(request, node);
        const state = await broker.subscribable(actor, node);
        const others = feeder.list(actor).length;
        const row = await subscriptions.subscribe({ fingerprint: subscriber.fingerprint, name: jid }, node, options, state, others);
        feeder.began(row);
        const own = subscriptionElement(row);
        own.append(xml('subscribe-options'));
        return answered(own, options === undefined ? undefined : xml('options', {}, optionsForm('result', node, row.options)));
      },

      'set unsubscribe': async ({ verb, pubsub, actor }) => {
        const jid = needed(verb, 'jid', 'jid-required');
        if (!isOwnJid(jid, actor)) throw new StanzaError('forbidden');
        const node = attr(verb, 'node') ?? '';
        const subid = attr(verb, 'subid') ?? readerOf(pubsub)?.reader;
        const { fingerprint } = keyed(actor);
        const one = feeder.list(actor).find(({ filter, reader }) => filter === node && reader === subid);
        const consent = subscriptions.consent(fingerprint, node);
        if (one || (consent && readerOf(pubsub))) {
          if (one) await feeder.unsubscribe(actor, one);
          if (consent && !feeder.list(actor).some(({ filter }) => filter === node)) await subscriptions.leave(consent, subid ?? '');
          return answered(xml('subscription', { node, jid, subid, subscription: 'none' }));
        }
        const row = ofPeer(broker, subscriptions, actor, fingerprint, node, subid);
        await subscriptions.end(row, false);
        return answered(subscriptionElement({ ...row, state: 'none' }));
      },

      'get subscriptions': async ({ verb, actor }) => {
        const node = attr(verb, 'node');
        const { fingerprint, name } = keyed(actor);
        const readers = feeder.list(actor).filter(({ filter }) => node === undefined || filter === node);
        return answered(xml('subscriptions', { node },
          ...apart([...subscriptions.of(fingerprint, node)], readers.map((reader) => ({ ...reader, fingerprint }))).map(subscriptionElement),
          ...readers.map(({ filter, reader }) => xml('subscription', { node: filter, jid: name, subid: reader, subscription: 'subscribed' })),
        ));
      },
    },
  };
}

/** Those that are none of the readers': what an owner has said of a box is shown by itself only as long as no reader of it is there. */
export function apart(rows: readonly PeerSubscription[], readers: readonly (Reader & { readonly fingerprint: string })[]): PeerSubscription[] {
  return rows.filter(({ consent, node, fingerprint }) => !consent || !readers.some((reader) => reader.filter === node && reader.fingerprint === fingerprint));
}

/** §6.1.3.6: nothing could belong to who has shown no key. */
export function keyed(actor: Actor): Keyed {
  if (actor.kind === 'peer' && actor.fingerprint !== undefined) return { ...actor, fingerprint: actor.fingerprint };
  throw new StanzaError('forbidden', { type: 'cancel', text: 'only a peer with a key can subscribe' });
}

/** The subscription that is meant, or why there is none: whoever may know that the node is gone is told that. */
export function ofPeer(broker: Broker, subscriptions: PeerSubscriptions, actor: Actor, fingerprint: string, node: string, subid: string | undefined): PeerSubscription {
  try {
    return subscriptions.get(fingerprint, node, subid);
  } catch (error) {
    if (error instanceof Refusal && error.reason === 'not-subscribed' && broker.isGone(actor, node)) throw new LanpostError('not-found', `there is no topic ${node}`, { cause: error });
    throw error;
  }
}

export function subscriptionElement({ node, name, id, state }: PeerSubscription): Element {
  return xml('subscription', { node, jid: name, subid: id, subscription: state });
}

/** §6.3.7: it follows, and says of itself nothing that `<subscribe/>` has said. */
function optionsBeside({ verb, pubsub }: PubsubRequest, node: string): ReturnType<typeof readOptions> | undefined {
  const all = children(pubsub);
  const options = all.find((child) => child.name === 'options');
  if (!options) return undefined;
  if (all.indexOf(options) < all.indexOf(verb) || attr(options, 'node') !== undefined || attr(options, 'jid') !== undefined) throw new StanzaError('bad-request');
  const form = readForm(options);
  return form && !form.cancelled ? readOptions(form, node) : undefined;
}

function answered(...parts: (Element | undefined)[]): Element {
  return xml('pubsub', { xmlns: NS_PUBSUB }, ...parts);
}
