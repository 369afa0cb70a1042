// XEP-0060 1.30 §6.1 and §6.2: subscribe and unsubscribe.
import { attr, xml } from '../../xml/element.ts';
import { type Feeder, readerOf } from './feeder.ts';
import { nodeOf, NS_PUBSUB, ownJid, type UseCase } from './terms.ts';

/** Between boxes a filter may have wildcards, and `<reader/>` names a durable subscription. */
export const subscribe = (feeder: Feeder): UseCase => ({
  features: ['subscribe'],
  answers: {
    'set subscribe': async ({ verb, pubsub, actor }) => {
      const filter = nodeOf(verb);
      const jid = ownJid(verb, actor);
      const reader = readerOf(pubsub);
      await feeder.subscribe(actor, { filter, ...reader });
      return xml('pubsub', { xmlns: NS_PUBSUB }, xml('subscription', { node: filter, jid, subid: reader.reader, subscription: 'subscribed' }));
    },
    'set unsubscribe': async ({ verb, pubsub, actor }) => {
      ownJid(verb, actor);
      await feeder.unsubscribe(actor, { filter: nodeOf(verb), reader: attr(verb, 'subid') ?? readerOf(pubsub).reader });
      return undefined;
    },
  },
});
