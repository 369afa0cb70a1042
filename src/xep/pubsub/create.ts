// XEP-0060 1.30 §8.1: create a node, with its configuration if it comes with one.
import { randomBytes } from 'node:crypto';
import type { TopicSettings } from '../../api.ts';
import type { Broker } from '../../pubsub/broker.ts';
import { DEFAULT_CONFIG } from '../../pubsub/topic-config.ts';
import { attr, children, xml } from '../../xml/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { readForm } from '../data-form.ts';
import { readConfig } from './node-config.ts';
import { NS_PUBSUB, type PubsubRequest, type UseCase } from './terms.ts';

export const create = (broker: Broker): UseCase => ({
  // §10 of `access-…`: which one is the default, not which there are; those are the options of the form (§8.2.2).
  features: ['create-nodes', 'create-and-configure', 'instant-nodes', `access-${DEFAULT_CONFIG.accessModel}`],
  answers: {
    'set create': async (request) => {
      const { verb, actor } = request;
      const node = attr(verb, 'node') ?? '';
      if (node.endsWith('/') || nodeTypeBeside(request) === 'collection') throw new StanzaError('not-allowed', { text: 'collections are not made here: what lies below a name is one' });
      // §8.1.1: one that has no name gets one, in a place of its own, so that a grant can be for those.
      const topic = node === '' ? `instant/${randomBytes(10).toString('hex')}` : node;
      await broker.create(actor, topic, configBeside(request));
      return node === '' ? xml('pubsub', { xmlns: NS_PUBSUB }, xml('create', { node: topic })) : undefined;
    },
  },
});

/** XEP-0248 §7.1: what is to be made, where it is said. */
function nodeTypeBeside({ pubsub }: PubsubRequest): string | undefined {
  const configure = children(pubsub).find((child) => child.name === 'configure');
  return configure && readForm(configure)?.values.get('pubsub#node_type')?.[0];
}

/** §8.1.3: it follows, and says of itself nothing that `<create/>` has said. */
function configBeside({ verb, pubsub }: PubsubRequest): TopicSettings | undefined {
  const all = children(pubsub);
  const configure = all.find((child) => child.name === 'configure');
  if (!configure) return undefined;
  if (all.indexOf(configure) < all.indexOf(verb) || attr(configure, 'node') !== undefined) throw new StanzaError('bad-request');
  const form = readForm(configure);
  return form && !form.cancelled ? readConfig(form) : undefined;
}
