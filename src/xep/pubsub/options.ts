// XEP-0060 1.30 §6.3 and §6.4: the options of a subscription, and what they are before anybody says anything.
import { Refusal } from '../../pubsub/refusal.ts';
import { defaultOptions } from '../../pubsub/subscription-options.ts';
import { attr, xml } from '../../xml/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { readForm } from '../data-form.ts';
import { badRequest, condition } from './errors.ts';
import { keyed, ofPeer, type SubscribeParts } from './subscribe.ts';
import { optionsForm, readOptions } from './subscription-form.ts';
import { isOwnJid, needed, NS_PUBSUB, type PubsubRequest, type UseCase } from './terms.ts';

export function options({ broker, subscriptions }: Omit<SubscribeParts, 'feeder'>): UseCase {
  const meant = ({ verb, actor }: PubsubRequest): ReturnType<typeof ofPeer> => {
    const jid = needed(verb, 'jid', 'jid-required');
    if (!isOwnJid(jid, actor)) throw new StanzaError('forbidden'); // §6.3.4.1
    try {
      return ofPeer(broker, subscriptions, actor, keyed(actor).fingerprint, attr(verb, 'node') ?? '', attr(verb, 'subid'));
    } catch (error) {
      // §6.3.4.2: what can be done about it is another thing than of one that unsubscribes (§6.2.3.2).
      if (error instanceof Refusal && error.reason === 'not-subscribed') throw new StanzaError('unexpected-request', { type: 'modify', text: error.message, application: condition('not-subscribed') });
      throw error;
    }
  };
  return {
    features: ['subscription-options', 'leased-subscription', 'retrieve-default-sub'],
    answers: {
      'get options': async (request) => {
        const row = meant(request);
        return xml('pubsub', { xmlns: NS_PUBSUB },
          xml('options', { node: row.node, jid: row.name, subid: row.id }, optionsForm('form', row.node, row.options)));
      },

      'set options': async (request) => {
        const row = meant(request);
        const form = readForm(request.verb);
        if (!form) throw badRequest('invalid-options');
        if (!form.cancelled) await subscriptions.configure(row, readOptions(form, row.node));
        return undefined;
      },

      'get default': async ({ verb, actor }) => {
        const node = attr(verb, 'node');
        // Of a node that it may not know it is told what holds everywhere.
        if (node !== undefined && broker.isGone(actor, node)) throw new StanzaError('item-not-found');
        return xml('pubsub', { xmlns: NS_PUBSUB }, xml('default', { node }, optionsForm('result', node ?? 'leaf', defaultOptions(node ?? 'leaf'))));
      },
    },
  };
}
