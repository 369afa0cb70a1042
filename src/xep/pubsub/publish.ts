// XEP-0060 1.30 §7.1: publish.
import type { Published } from '../../api.ts';
import { elementToPayload, NS_LANPOST } from '../../payload/xml.ts';
import type { Broker } from '../../pubsub/broker.ts';
import { attr, children, type Element, xml } from '../../xml/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { badRequest, condition } from './errors.ts';
import { nodeOf, NS_PUBSUB, type UseCase } from './terms.ts';

/** One item a request: what becomes of each must be answerable. */
export const publish = (broker: Broker): UseCase => ({
  features: ['publish', 'item-ids', 'persistent-items'],
  answers: {
    'set publish': ({ verb, actor }) => {
      const topic = nodeOf(verb);
      const items = children(verb).filter((child) => child.name === 'item');
      const [item] = items;
      if (!item) throw badRequest('item-required');
      if (items.length > 1) throw new StanzaError('not-allowed', { text: 'one item a request', application: condition('max-items-exceeded') });
      const [payload, ...more] = children(item);
      if (!payload) throw badRequest('payload-required');
      if (more.length > 0) throw badRequest('invalid-payload'); // §7.1.3.5
      const id = attr(item, 'id');
      return accepted(topic, broker.publish(actor, topic, elementToPayload(payload), id === undefined ? {} : { id }));
    },
  },
});

/** By itself, so that what was asked is not held until the item is on disk. */
async function accepted(topic: string, publishing: Promise<Published>): Promise<Element> {
  const { id, recordId, repeated } = await publishing;
  return xml('pubsub', { xmlns: NS_PUBSUB },
    xml('publish', { node: topic }, xml('item', { id })),
    // Without a chosen id the item's is the record's.
    recordId === id ? undefined : xml('record', { xmlns: NS_LANPOST, id: recordId, repeated: repeated ? 'true' : undefined }),
  );
}
