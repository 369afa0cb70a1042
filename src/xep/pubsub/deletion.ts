// XEP-0060 1.30 §8.4, §8.5: delete a node, purge its items.
import type { Broker } from '../../pubsub/broker.ts';
import { isSubtree } from '../../pubsub/subtree.ts';
import { attr, children } from '../../xml/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { leafOf, type UseCase } from './terms.ts';

export const deletion = (broker: Broker): UseCase => ({
  features: ['delete-nodes', 'purge-nodes'],
  answers: {
    'owner set delete': async ({ verb, actor }) => {
      const node = attr(verb, 'node') ?? '';
      // XEP-0248 §7.4.3.1 of the root; a collection is there for as long as something lies in it.
      if (isSubtree(node)) throw new StanzaError('not-allowed', { text: 'collections are not deleted: they go with what is in them' });
      const redirect = children(verb).find((child) => child.name === 'redirect');
      const uri = redirect && attr(redirect, 'uri');
      if (redirect && uri === undefined) throw new StanzaError('bad-request', { text: 'a redirect has a URI' });
      await broker.delete(actor, node, uri);
      return undefined;
    },

    'owner set purge': async ({ verb, actor }) => {
      await broker.purge(actor, leafOf(verb, 'persistent-items')); // §8.5.3.3
      return undefined;
    },
  },
});
