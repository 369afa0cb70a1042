// XEP-0060 1.30 §8.1: create a node.
import type { Broker } from '../../pubsub/broker.ts';
import { attr } from '../../xml/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { condition } from './errors.ts';
import type { UseCase } from './terms.ts';

export const create = (broker: Broker): UseCase => ({
  features: ['create-nodes', 'access-whitelist'],
  answers: {
    'set create': async ({ verb, actor }) => {
      const topic = attr(verb, 'node');
      if (topic === undefined) throw new StanzaError('not-acceptable', { application: condition('nodeid-required') }); // §8.1.2: no instant nodes
      await broker.create(actor, topic);
      return undefined;
    },
  },
});
