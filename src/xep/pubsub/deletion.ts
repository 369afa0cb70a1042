// XEP-0060 1.30 §8.4, §8.5: delete a node, purge its items.
import type { Broker } from '../../pubsub/broker.ts';
import { attr, children } from '../../xml/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { nodeOf, type UseCase } from './terms.ts';

export const deletion = (broker: Broker): UseCase => ({
  features: ['delete-nodes', 'purge-nodes'],
  answers: {
    'owner set delete': async ({ verb, actor }) => {
      const redirect = children(verb).find((child) => child.name === 'redirect');
      const uri = redirect && attr(redirect, 'uri');
      if (redirect && uri === undefined) throw new StanzaError('bad-request', { text: 'a redirect has a URI' });
      await broker.delete(actor, nodeOf(verb), uri);
      return undefined;
    },

    'owner set purge': async ({ verb, actor }) => {
      await broker.purge(actor, nodeOf(verb));
      return undefined;
    },
  },
});
