// XEP-0060 1.30 §5.1 to §5.5, XEP-0248 §5: which nodes there are, what they are, and which items they hold; each asker
// sees what it may read, and no more.
import type { TopicInfo } from '../../api.ts';
import { LanpostError } from '../../errors.ts';
import { NS_LANPOST } from '../../payload/xml.ts';
import type { Actor } from '../../pubsub/actor.ts';
import type { Broker } from '../../pubsub/broker.ts';
import type { PeerSubscriptions } from '../../pubsub/peer-subscriptions.ts';
import { PERSONAL, PERSONAL_CONFIG, personalNode } from '../../pubsub/personal.ts';
import { childOf, filterOf, isSubtree } from '../../pubsub/subtree.ts';
import type { Element } from '../../xml/element.ts';
import { type Field, type FieldType, formElement } from '../data-form.ts';
import type { Identity } from '../caps.ts';
import type { DiscoItem, DiscoNodes } from '../disco.ts';
import { type PageInfo, pageOf, type PageRequest } from '../rsm.ts';
import { pubsubError } from './errors.ts';
import { NS_PUBSUB, type UseCase } from './terms.ts';

export const META_DATA = 'http://jabber.org/protocol/pubsub#meta-data';

/** What a box is: a service (§16.2), and itself an account with nodes of its own (XEP-0163 §6.1). */
export const IDENTITIES: readonly Identity[] = [{ category: 'pubsub', type: 'service', name: 'lanpost' }, { category: 'pubsub', type: 'pep' }];

/**
 * It is asked for by service discovery, so that nothing is answered here. XEP-0163 §6.1: nodes of the account are open to
 * presence by default, so that this is announced beside what topics are; `last-published` would say it of topics, too (§4.3).
 */
export const discoverable: UseCase = {
  features: ['meta-data', 'collections', 'auto-subscribe', 'filtered-notifications', 'presence-subscribe', 'pubsub-on-a-jid', `access-${PERSONAL_CONFIG.accessModel}`],
  answers: {},
};

/** Nodes, or items, in one answer. */
const PAGE = 100;

export interface DiscoveryParts<C> {
  readonly broker: Broker;
  readonly subscriptions: PeerSubscriptions;
  readonly actorOf: (context: C) => Actor;
  /** What this box is called. */
  readonly ownName: () => string;
}

export function discovery<C>({ broker, subscriptions, actorOf, ownName }: DiscoveryParts<C>): DiscoNodes<C> {
  const childrenOf = async (actor: Actor, node: string): Promise<string[]> => {
    const names = await broker.find.readable(actor, filterOf(node));
    return [...new Set(names.map((name) => childOf(node, name)))].toSorted();
  };
  const listed = (nodes: readonly string[], request: PageRequest | undefined): { items: DiscoItem[]; set?: PageInfo } => {
    const { page, info } = pageOf(nodes, (node) => node, request ?? {}, PAGE);
    return { items: page.map((node) => ({ jid: ownName(), node, ...titleOf(broker.topic(node)) })), ...(request !== undefined || page.length < nodes.length ? { set: info } : {}) };
  };
  return {
    info: async (asked, context) => {
      const node = broker.meant(asked);
      const actor = actorOf(context);
      if (isSubtree(node)) {
        return (await broker.find.readable(actor, filterOf(node), 1)).length === 0 ? undefined : { identities: [{ category: 'pubsub', type: 'collection' }], features: [NS_PUBSUB] };
      }
      const topic = broker.topic(node);
      if (!topic || !broker.mayRead(actor, node)) return undefined;
      return {
        identities: [{ category: 'pubsub', type: 'leaf', ...titleOf(topic) }], features: [NS_PUBSUB],
        forms: [metadata(topic, ownName(), subscriptions.count(node))],
      };
    },

    items: async (asked, context, request) => {
      const actor = actorOf(context);
      // XEP-0163 §6.2: beside the topics, what there is of the account itself.
      if (asked === undefined) {
        const own = (await broker.find.readable(actor, PERSONAL)).map((name) => personalNode(name) ?? name);
        return listed([...await childrenOf(actor, ''), ...own].toSorted(), request);
      }
      const node = broker.meant(asked);
      if (isSubtree(node)) {
        const nodes = await childrenOf(actor, node);
        return nodes.length === 0 ? undefined : listed(nodes, request);
      }
      if (!broker.topic(node) || !broker.mayRead(actor, node)) return undefined;
      return itemsOf(broker, actor, node, request, ownName());
    },
  };
}

/** §5.5: an item has a name and no node. */
async function itemsOf(broker: Broker, actor: Actor, node: string, request: PageRequest | undefined, jid: string): Promise<{ items: DiscoItem[]; set?: PageInfo }> {
  const asked = request ?? { before: '' };
  let found;
  try {
    found = await broker.page(actor, node, { ...asked, max: Math.min(asked.max ?? PAGE, PAGE) });
  } catch (error) {
    throw error instanceof LanpostError ? pubsubError(error) : error;
  }
  const { notices, index, count } = found;
  const names = notices.map(({ id }) => id ?? '');
  const [first, last] = [names[0], names.at(-1)];
  const set: PageInfo = { count, ...(first === undefined || last === undefined ? {} : { first, last, ...(index === undefined ? {} : { index }) }) };
  return { items: names.map((name) => ({ jid, name })), ...(request !== undefined || names.length < count ? { set } : {}) };
}

function titleOf(topic: TopicInfo | undefined): { name?: string } {
  return topic?.title === undefined ? {} : { name: topic.title };
}

/** §5.4 */
export function metadata({ title, description, type, language, contentType, tags, accessModel, publishModel, maxItems, lane }: TopicInfo, owner: string, subscribers: number): Element {
  return formElement('result', META_DATA, [
    ...field('title', 'text-single', title), ...field('description', 'text-single', description), ...field('type', 'text-single', type),
    ...field('language', 'list-single', language), ...field('access_model', 'list-single', accessModel), ...field('publish_model', 'list-single', publishModel),
    ...field('max_items', 'text-single', maxItems), ...field('owner', 'jid-multi', owner), ...field('num_subscribers', 'text-single', subscribers),
    // XEP-0068 §3.4: fields of our own.
    ...contentType === undefined ? [] : [{ name: `{${NS_LANPOST}}content_type`, type: 'text-single', values: [contentType] } as const],
    ...lane === 'history' ? [] : [{ name: `{${NS_LANPOST}}lane`, type: 'text-single', values: [lane] } as const],
    ...tags.length === 0 ? [] : [{ name: `{${NS_LANPOST}}tags`, type: 'text-multi', values: tags } as const],
  ]);
}

function field(name: string, type: FieldType, value: string | number | undefined): Field[] {
  return value === undefined ? [] : [{ name: `pubsub#${name}`, type, values: [String(value)] }];
}
