// XEP-0060 1.30 §7.1: publish.
import type { Published, TopicConfig, TopicSettings } from '../../api.ts';
import { elementToPayload, NS_LANPOST } from '../../payload/xml.ts';
import type { Payload } from '../../payload/payload.ts';
import type { Broker } from '../../pubsub/broker.ts';
import { Refusal } from '../../pubsub/refusal.ts';
import { attr, children, type Element, namespaceOf } from '../../xml/element.ts';
import { escapeAttribute } from '../../xml/serialize.ts';
import { Written } from '../../xml/written.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { readForm } from '../data-form.ts';
import { badRequest, condition } from './errors.ts';
import { readPreconditions } from './node-config.ts';
import { leafOf, NS_PUBSUB, type PubsubRequest, type UseCase } from './terms.ts';

/** One item a request: what becomes of each must be answerable. */
export const publish = (broker: Broker): UseCase => ({
  features: ['publish', 'item-ids', 'persistent-items', 'auto-create', 'publish-options'],
  answers: {
    'set publish': (request) => {
      const topic = leafOf(request.verb, 'publish'); // §7.1.3.2
      const { id, payload, wanted, isItem } = read(request, topic, broker);
      return accepted(topic, isItem, broker.publish(request.actor, topic, payload, {
        ...(id === undefined ? {} : { id }),
        ...(wanted === undefined ? {} : { wanted }),
      }));
    },
  },
});

/** By itself, so that what was asked is not held until the item is on disk. */
async function accepted(topic: string, isItem: boolean, publishing: Promise<Published>): Promise<Element> {
  const { id, recordId, seq, repeated } = await publishing;
  // Its version is what the topic has with it: what others have published by now is not known to whoever is answered.
  // Without a chosen id the item's is the record's. What is said of the topic has been read from a stream.
  const item = isItem ? `<item id='${escapeAttribute(id)}'/>` : '';
  const record = recordId === id ? '' : `<record xmlns='${NS_LANPOST}' id='${escapeAttribute(recordId)}'${repeated ? " repeated='true'" : ''}/>`;
  return new Written('pubsub', `<pubsub xmlns='${NS_PUBSUB}'><publish node='${escapeAttribute(topic)}' ver='${seq}'>${item}</publish>${record}</pubsub>`, true);
}

interface Publication {
  readonly isItem: boolean;
  readonly id: string | undefined;
  readonly payload: Payload | undefined;
  readonly wanted: TopicSettings | undefined;
}

function read(request: PubsubRequest, topic: string, broker: Broker): Publication {
  // First: whoever may not publish learns nothing of how it is set up, and has no payload read, which costs more than all the rest.
  broker.access.check(request.actor, 'publish', topic);
  const wanted = preconditions(request);
  const settings = broker.said(topic) ?? wanted ?? {};
  const item = itemOf(request.verb, settings);
  return { wanted, isItem: item !== undefined, id: item && attr(item, 'id'), payload: item && payloadOf(item, settings) };
}

type Settings = Pick<TopicSettings, 'persist' | 'deliverPayloads' | 'type'>;

/** §7.1.3.7: what is neither kept nor told has no item; everything else has one. */
function itemOf(publishing: Element, { persist, deliverPayloads }: Settings): Element | undefined {
  const [item, ...more] = children(publishing).filter((child) => child.name === 'item');
  if (more.length > 0) throw new StanzaError('not-allowed', { text: 'one item a request', application: condition('max-items-exceeded') });
  const bare = persist === false && deliverPayloads === false;
  if (item && bare) throw badRequest('item-forbidden');
  if (!item && !bare) throw badRequest('item-required');
  return item;
}

function payloadOf(item: Element, { type, deliverPayloads }: Settings): Payload | undefined {
  const [element, ...more] = children(item);
  if (more.length > 0) throw badRequest('invalid-payload'); // §7.1.3.6
  if (!element) {
    if (deliverPayloads === false) return undefined;
    throw badRequest('payload-required');
  }
  const payload = elementToPayload(element);
  // §7.1.3.6: of what is the sender's own XML; containers stand for values that have no namespace.
  if (payload.contentType === 'application/xml' && isNamespace(type) && namespaceOf(element) !== type) {
    throw new Refusal('invalid-payload', `the payload's namespace is not ${type}`);
  }
  return payload;
}

/** A topic's type is free text; what is no URI names no namespace. */
function isNamespace(type: TopicConfig['type'] | null): type is string {
  return typeof type === 'string' && /^[a-z][a-z0-9+.-]*:\S+$/i.test(type);
}

/** §7.1.5 */
function preconditions({ pubsub }: PubsubRequest): TopicSettings | undefined {
  const options = children(pubsub).find((child) => child.name === 'publish-options');
  if (!options) return undefined;
  const form = readForm(options);
  if (!form || form.cancelled) throw new StanzaError('bad-request', { text: 'publish-options are a form' });
  return readPreconditions(form);
}
