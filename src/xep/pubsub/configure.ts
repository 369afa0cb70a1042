// XEP-0060 1.30 §8.2, §8.3: a node's configuration and the default one.
import type { Broker } from '../../pubsub/broker.ts';
import { DEFAULT_CONFIG } from '../../pubsub/topic-config.ts';
import { xml } from '../../xml/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { readForm } from '../data-form.ts';
import { configForm, readConfig } from './node-config.ts';
import { nodeOf, NS_PUBSUB_OWNER, type UseCase } from './terms.ts';

export const configure = (broker: Broker): UseCase => ({
  features: ['config-node', 'config-node-max', 'retrieve-default', 'multi-items', 'publish-node-full'],
  answers: {
    'owner get configure': async ({ verb, actor }) => {
      const node = nodeOf(verb);
      return xml('pubsub', { xmlns: NS_PUBSUB_OWNER }, xml('configure', { node }, configForm('form', broker.settings(actor, node))));
    },

    'owner set configure': async ({ verb, actor }) => {
      const node = nodeOf(verb);
      const form = readForm(verb);
      if (!form) throw new StanzaError('bad-request', { text: 'a filled-in form is missing' });
      // §8.2.4: whoever cancels must have been allowed to begin.
      if (form.cancelled) broker.settings(actor, node);
      else await broker.configure(actor, node, readConfig(form));
      return undefined;
    },

    'owner get default': async () => xml('pubsub', { xmlns: NS_PUBSUB_OWNER }, xml('default', {}, configForm('form', DEFAULT_CONFIG))),
  },
});
