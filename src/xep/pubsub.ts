// XEP-0060 1.30 (Publish-Subscribe): requests to the broker, translated. Engine: pubsub/.
import type { From } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { elementToPayload, NS_LANPOST, payloadToElement } from '../payload/xml.ts';
import type { Actor } from '../pubsub/actor.ts';
import type { Broker } from '../pubsub/broker.ts';
import type { Notice } from '../pubsub/notice.ts';
import { attr, children, type Element, namespaceOf, xml } from '../xml/element.ts';
import { serialize } from '../xml/serialize.ts';
import type { Dispatcher } from '../xmpp/dispatch.ts';
import type { Extension } from '../xmpp/extension.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import { NS_PUBSUB_ERRORS, pubsubError } from './pubsub-errors.ts';

export const NS_PUBSUB = 'http://jabber.org/protocol/pubsub';
export const NS_PUBSUB_OWNER = 'http://jabber.org/protocol/pubsub#owner';
/** Items in one answer; RSM (XEP-0059) is not offered, `max_items` is. */
const PAGE = 100;
/** Of one answer, as XML: what any box takes, whatever its payloads become when they are escaped. */
const ANSWER_BYTES = 192 * 1024;

/** What a subscription over a stream needs beyond the broker: somebody who delivers to it. */
export interface Feeder {
  subscribe(actor: Actor, request: { readonly filter: string; readonly reader: string; readonly from: From; readonly durable: boolean }): Promise<void>;
  unsubscribe(actor: Actor, request: { readonly filter: string; readonly reader: string }): Promise<void>;
}

type Verb = (element: Element, pubsub: Element, actor: Actor) => Promise<Element | undefined>;

export interface PubsubParts<C> {
  readonly broker: Broker;
  readonly feeder: Feeder;
  /** Who a stream's peer is to the broker: what the stream proved, never what the stanza says. */
  readonly actorOf: (context: C) => Actor;
}

/** Answers requests in the pubsub and pubsub#owner namespaces. */
export class PubsubService<C> implements Extension<C> {
  readonly #broker: Broker;
  readonly #feeder: Feeder;
  readonly #actorOf: (context: C) => Actor;
  #reading: Promise<unknown> = Promise.resolve();
  readonly #verbs: Readonly<Record<string, Verb>>;

  constructor(parts: PubsubParts<C>) {
    this.#broker = parts.broker;
    this.#feeder = parts.feeder;
    this.#actorOf = parts.actorOf;
    this.#verbs = {
      'set publish': (...request) => this.#publish(...request),
      'set subscribe': (...request) => this.#subscribe(...request),
      'set unsubscribe': (...request) => this.#unsubscribe(...request),
      'set retract': (...request) => this.#retract(...request),
      'set create': (...request) => this.#create(...request),
      'get items': (...request) => this.#items(...request),
    };
  }

  readonly features: readonly string[] = [
    NS_PUBSUB,
    ...['create-nodes', 'item-ids', 'persistent-items', 'publish', 'retract-items', 'retrieve-items', 'subscribe', 'access-whitelist']
      .map((feature) => `${NS_PUBSUB}#${feature}`),
  ];

  attach(dispatcher: Dispatcher<C>): void {
    for (const type of ['get', 'set'] as const) {
      for (const namespace of [NS_PUBSUB, NS_PUBSUB_OWNER]) {
        dispatcher.iq(type, namespace, 'pubsub', ({ payload, context }) => this.#answer(type, payload, this.#actorOf(context)));
      }
    }
  }

  async #answer(type: 'get' | 'set', pubsub: Element, actor: Actor): Promise<Element | undefined> {
    const [verb] = children(pubsub);
    const handle = verb && namespaceOf(pubsub) === NS_PUBSUB ? this.#verbs[`${type} ${verb.name}`] : undefined;
    if (!verb || !handle) throw unsupported(verb?.name ?? 'empty');
    try {
      return await handle(verb, pubsub, actor);
    } catch (error) {
      throw error instanceof LanpostError ? pubsubError(error) : error;
    }
  }

  /** §7.1: publish. One item a request: what becomes of each must be answerable. */
  async #publish(publish: Element, _pubsub: Element, actor: Actor): Promise<Element> {
    const topic = nodeOf(publish);
    const items = children(publish).filter((child) => child.name === 'item');
    const [item] = items;
    if (!item) throw badRequest('item-required');
    if (items.length > 1) throw new StanzaError('not-allowed', { text: 'one item a request', application: app('max-items-exceeded') });
    const [payload, ...more] = children(item);
    if (!payload) throw badRequest('payload-required');
    if (more.length > 0) throw badRequest('invalid-payload'); // §7.1.3.5
    const id = attr(item, 'id');
    const published = await this.#broker.publish(actor, topic, elementToPayload(payload), id === undefined ? {} : { id });
    return xml('pubsub', { xmlns: NS_PUBSUB },
      xml('publish', { node: topic }, xml('item', { id: published.id })),
      // Without a chosen id the item's is the record's.
      published.recordId === published.id ? undefined
        : xml('record', { xmlns: NS_LANPOST, id: published.recordId, repeated: published.repeated ? 'true' : undefined }),
    );
  }

  /** §6.1. Between boxes a filter may have wildcards, and `<reader/>` names a durable subscription. */
  async #subscribe(subscribe: Element, pubsub: Element, actor: Actor): Promise<Element> {
    const filter = nodeOf(subscribe);
    const jid = ownJid(subscribe, actor);
    const reader = readerOf(pubsub);
    await this.#feeder.subscribe(actor, { filter, ...reader });
    return xml('pubsub', { xmlns: NS_PUBSUB }, xml('subscription', { node: filter, jid, subid: reader.reader, subscription: 'subscribed' }));
  }

  /** §6.2 */
  async #unsubscribe(unsubscribe: Element, pubsub: Element, actor: Actor): Promise<undefined> {
    ownJid(unsubscribe, actor);
    await this.#feeder.unsubscribe(actor, { filter: nodeOf(unsubscribe), reader: attr(unsubscribe, 'subid') ?? readerOf(pubsub).reader });
  }

  /** §6.5 */
  async #items(items: Element, _pubsub: Element, actor: Actor): Promise<Element> {
    const topic = nodeOf(items);
    const ids = children(items).filter((child) => child.name === 'item').map((item) => needed(item, 'id', 'item-required'));
    // One at a time: a page of the largest items is megabytes, and anybody may ask often.
    const reading = this.#reading.then(() => this.#broker.notices(actor, topic, ids.length > 0 ? { ids: ids.slice(0, PAGE) } : { last: maxItems(items) }));
    this.#reading = reading.catch(() => undefined); // whoever asked sees it
    const found = fitting((await reading).filter(({ kind }) => kind === 'publish'));
    return xml('pubsub', { xmlns: NS_PUBSUB }, xml('items', { node: topic }, ...found));
  }

  /** §7.2 */
  async #retract(retract: Element, _pubsub: Element, actor: Actor): Promise<undefined> {
    const topic = nodeOf(retract);
    const [item] = children(retract);
    if (!item) throw badRequest('item-required');
    await this.#broker.retract(actor, topic, needed(item, 'id', 'item-required'));
  }

  /** §8.1 */
  async #create(create: Element, _pubsub: Element, actor: Actor): Promise<undefined> {
    const topic = attr(create, 'node');
    if (topic === undefined) throw new StanzaError('not-acceptable', { application: app('nodeid-required') }); // §8.1.2: no instant nodes
    await this.#broker.create(actor, topic);
  }
}

/** §6.5.4: the newest that one answer holds, oldest first. */
function fitting(notices: readonly Notice[]): Element[] {
  const found: Element[] = [];
  let bytes = 0;
  for (const notice of notices.toReversed()) {
    const item = itemElement(notice);
    bytes += Buffer.byteLength(serialize(item));
    if (bytes > ANSWER_BYTES) break;
    found.unshift(item);
  }
  if (found.length === 0 && notices.length > 0) throw new StanzaError('resource-constraint', { text: 'the newest item is too large for one answer' });
  return found;
}

function itemElement({ id, payload }: Notice): Element {
  return xml('item', { id }, ...(payload ? [payloadToElement(payload)] : []));
}

function nodeOf(element: Element): string {
  return needed(element, 'node', 'nodeid-required');
}

function needed(element: Element, name: string, condition: string): string {
  const value = attr(element, name);
  if (value === undefined || value === '') throw badRequest(condition);
  return value;
}

/** §6.1.3.1: nobody subscribes anybody else. */
function ownJid(element: Element, actor: Actor): string {
  const jid = needed(element, 'jid', 'jid-required');
  if (actor.kind === 'peer' && jid !== actor.name) throw badRequest('invalid-jid');
  return jid;
}

function readerOf(pubsub: Element): { reader: string; from: From; durable: boolean } {
  const reader = children(pubsub).find((child) => child.name === 'reader' && namespaceOf(child) === NS_LANPOST);
  const name = reader && attr(reader, 'name');
  if (!reader || name === undefined || name === '' || name.length > 128) return { reader: 'xep-0060', from: 'new', durable: true };
  return { reader: name, from: fromOf(attr(reader, 'from')), durable: attr(reader, 'durable') !== 'false' };
}

/** `new`, `last`, `start`, `seq:N` or `time:MS`. */
export function fromOf(text = 'new'): From {
  if (text === 'new' || text === 'last' || text === 'start') return text;
  const [kind, number] = text.split(':');
  const value = Number(number);
  if (number !== undefined && Number.isSafeInteger(value) && value >= 0) {
    if (kind === 'seq') return { seq: value };
    if (kind === 'time') return { time: value };
  }
  throw badRequest('invalid-options');
}

export function fromText(from: From): string {
  if (typeof from === 'string') return from;
  return 'seq' in from ? `seq:${from.seq}` : `time:${from.time}`;
}

function maxItems(items: Element): number {
  const asked = Number(attr(items, 'max_items') ?? PAGE);
  if (!Number.isInteger(asked) || asked < 1) throw new StanzaError('bad-request', { text: 'max_items must be a positive number' });
  return Math.min(asked, PAGE);
}

function badRequest(condition: string): StanzaError {
  return new StanzaError('bad-request', { application: app(condition) });
}

function app(condition: string): Element {
  return xml(condition, { xmlns: NS_PUBSUB_ERRORS });
}

const FEATURES: Readonly<Record<string, string>> = {
  options: 'subscription-options', default: 'retrieve-default', configure: 'config-node', subscriptions: 'retrieve-subscriptions',
  affiliations: 'retrieve-affiliations', delete: 'delete-nodes', purge: 'purge-nodes',
};

function unsupported(verb: string): StanzaError {
  const feature = FEATURES[verb];
  return new StanzaError('feature-not-implemented', {
    application: xml('unsupported', { xmlns: NS_PUBSUB_ERRORS, ...(feature === undefined ? {} : { feature }) }),
  });
}
