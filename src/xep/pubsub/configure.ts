// XEP-0060 1.30 §8.2, §8.3: a node's configuration and the default one.
import type { Broker } from '../../pubsub/broker.ts';
import { DEFAULT_CONFIG } from '../../pubsub/topic-config.ts';
import { isSubtree } from '../../pubsub/subtree.ts';
import { attr, type Element, xml } from '../../xml/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { readForm } from '../data-form.ts';
import { unsupportedFeature } from './errors.ts';
import { configForm, readConfig } from './node-config.ts';
import { nodeOf, NS_PUBSUB_OWNER, type UseCase } from './terms.ts';

export const configure = (broker: Broker): UseCase => ({
  features: ['config-node', 'config-node-max', 'retrieve-default', 'multi-items', 'publish-node-full'],
  answers: {
    'owner get configure': async ({ verb, actor }) => {
      const node = configurable(verb);
      return xml('pubsub', { xmlns: NS_PUBSUB_OWNER }, xml('configure', { node }, configForm('form', broker.settings(actor, node))));
    },

    'owner set configure': async ({ verb, actor }) => {
      const node = configurable(verb);
      const form = readForm(verb);
      if (!form) throw new StanzaError('bad-request', { text: 'a filled-in form is missing' });
      // §8.2.4: whoever cancels must have been allowed to begin.
      if (form.cancelled) broker.settings(actor, node);
      else await broker.configure(actor, node, readConfig(form));
      return undefined;
    },

    'owner get default': async ({ verb }) => {
      // §8.3.2: without one it is about leaves.
      const type = attr(verb, 'type') ?? 'leaf';
      if (type === 'collection') throw unsupportedFeature('retrieve-default'); // §8.3.4.2: none is ever made
      if (type !== 'leaf') throw new StanzaError('bad-request', { text: `"${type.slice(0, 80)}" is no type of nodes` });
      return xml('pubsub', { xmlns: NS_PUBSUB_OWNER }, xml('default', {}, configForm('form', DEFAULT_CONFIG)));
    },
  },
});

/** §8.2.3.4: a collection has nothing to configure. */
function configurable(verb: Element): string {
  const node = nodeOf(verb);
  if (isSubtree(node)) throw new StanzaError('not-allowed', { text: 'collections are not set up: what lies below a name is one' });
  return node;
}
