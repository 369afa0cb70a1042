// XEP-0060 1.30 §7.2: delete an item from a node.
import type { Broker } from '../../pubsub/broker.ts';
import { attr, children, xml } from '../../xml/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { readBoolean } from '../data-form.ts';
import { badRequest } from './errors.ts';
import { leafOf, needed, NS_PUBSUB, type UseCase } from './terms.ts';

export const retract = (broker: Broker): UseCase => ({
  features: ['retract-items', 'delete-items'],
  answers: {
    'set retract': async ({ verb, actor }) => {
      const topic = leafOf(verb, 'persistent-items'); // §7.2.3.5
      const [item, ...more] = children(verb).filter((child) => child.name === 'item');
      if (!item) throw badRequest('item-required');
      if (more.length > 0) throw new StanzaError('bad-request', { text: 'one item a request' });
      const { seq } = await broker.retract(actor, topic, needed(item, 'id', 'item-required'), readBoolean(attr(verb, 'notify')) === true);
      // As with a publication: what the topic has then, whatever others have done to it by now.
      return xml('pubsub', { xmlns: NS_PUBSUB }, xml('retract', { node: topic, ver: String(seq) }));
    },
  },
});
