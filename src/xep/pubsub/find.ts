// Our own, beside XEP-0060 §5: which nodes are about something, and which could hold an item. docs/LINK.md has the form.
import type { ClassifyOptions, TopicCandidate, TopicInfo, TopicQuery } from '../../api.ts';
import { LanpostError } from '../../errors.ts';
import { elementToPayload, NS_LANPOST } from '../../payload/xml.ts';
import type { Actor } from '../../pubsub/actor.ts';
import type { Broker } from '../../pubsub/broker.ts';
import { attr, children, type Element, xml } from '../../xml/element.ts';
import { serialize } from '../../xml/serialize.ts';
import type { Extension } from '../../xmpp/extension.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { pubsubError } from './errors.ts';
import { ANSWER_BYTES } from './items.ts';

/** Nodes in one answer. */
export const PAGE = 100;

export interface FinderParts<C> {
  readonly broker: Broker;
  readonly actorOf: (context: C) => Actor;
  /** The form that says what a node is. */
  readonly metadata: (topic: TopicInfo) => Element;
}

export function finder<C>({ broker, actorOf, metadata }: FinderParts<C>): Extension<C> {
  const found = (all: readonly { topic: TopicInfo; reasons?: TopicCandidate['reasons'] }[]): Element => {
    const topics = all.map(({ topic, reasons = [] }) => xml('topic', { node: topic.name },
      ...reasons.map((reason) => xml('reason', { kind: reason.kind, value: 'value' in reason ? reason.value : undefined })), metadata(topic)));
    let room = ANSWER_BYTES;
    return xml('found', { xmlns: NS_LANPOST }, ...topics.filter((element) => (room -= Buffer.byteLength(serialize(element))) >= 0));
  };
  /** One is worked on at a time: it may look at every schema there is. */
  let isBusy = false;
  return {
    features: [`${NS_LANPOST}#find`],
    attach(dispatcher): void {
      dispatcher.iq('get', NS_LANPOST, 'find', ({ payload, context }) => inTerms(async () => (
        found((await broker.find.search(actorOf(context), queryOf(payload))).map((topic) => ({ topic })))
      )));
      dispatcher.iq('get', NS_LANPOST, 'classify', ({ payload, context }) => inTerms(async () => {
        const [item, ...more] = children(payload).filter(({ name }) => name === 'item').flatMap(children);
        if (!item || more.length > 0) throw new StanzaError('bad-request', { text: 'one <item/> with one payload is to be classified' });
        if (isBusy) throw new StanzaError('resource-constraint', { text: 'another item is being classified' });
        isBusy = true;
        try {
          return found(await broker.find.classify(actorOf(context), elementToPayload(item), optionsOf(payload)));
        } finally {
          isBusy = false;
        }
      }));
    },
  };
}

async function inTerms(answer: () => Promise<Element>): Promise<Element> {
  try {
    return await answer();
  } catch (error) {
    throw error instanceof LanpostError ? pubsubError(error) : error;
  }
}

function queryOf(find: Element): TopicQuery {
  const [text, type, contentType] = [find.getChildText('text') ?? undefined, attr(find, 'type'), attr(find, 'content-type')];
  return { ...optionsOf(find), ...text === undefined ? {} : { text }, ...type === undefined ? {} : { type }, ...contentType === undefined ? {} : { contentType } };
}

function optionsOf(asked: Element): ClassifyOptions {
  const tags = children(asked).filter(({ name }) => name === 'tag').map((tag) => tag.getText());
  const [filter, limit] = [attr(asked, 'filter'), Number(attr(asked, 'limit') ?? PAGE)];
  return { tags, limit: Math.min(limit, PAGE), ...filter === undefined ? {} : { filter } };
}
