// XEP-0060 1.30 §7.2: delete an item from a node.
import type { Broker } from '../../pubsub/broker.ts';
import { children } from '../../xml/element.ts';
import { badRequest } from './errors.ts';
import { needed, nodeOf, type UseCase } from './terms.ts';

export const retract = (broker: Broker): UseCase => ({
  features: ['retract-items'],
  answers: {
    'set retract': async ({ verb, actor }) => {
      const topic = nodeOf(verb);
      const [item] = children(verb);
      if (!item) throw badRequest('item-required');
      await broker.retract(actor, topic, needed(item, 'id', 'item-required'));
      return undefined;
    },
  },
});
