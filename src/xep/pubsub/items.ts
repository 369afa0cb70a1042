// XEP-0060 1.30 §6.5: retrieve items, paged by XEP-0059; XEP-0248 §6.2: those of a collection, leaf by leaf.
import { NS_LANPOST, payloadToElement } from '../../payload/xml.ts';
import type { Actor } from '../../pubsub/actor.ts';
import type { Broker, NoticePage } from '../../pubsub/broker.ts';
import type { Notice } from '../../pubsub/notice.ts';
import type { PeerSubscriptions } from '../../pubsub/peer-subscriptions.ts';
import { filterOf, isSubtree } from '../../pubsub/subtree.ts';
import { attr, children, type Element, namespaceOf, xml } from '../../xml/element.ts';
import { serialize } from '../../xml/serialize.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { NS_RSM, type PageRequest, readSet, setElement } from '../rsm.ts';
import { needed, NS_PUBSUB, type PubsubRequest, type UseCase } from './terms.ts';

/** Items in one answer. */
const PAGE = 100;
/** Of one answer, as XML: what any box takes, whatever its payloads become when they are escaped. */
export const ANSWER_BYTES: number = 192 * 1024;
/** Topics looked at for the items of one collection. */
const LEAVES = 1000;

export interface ItemsParts {
  readonly broker: Broker;
  readonly subscriptions: PeerSubscriptions;
}

export function items({ broker, subscriptions }: ItemsParts): UseCase {
  let before: Promise<unknown> = Promise.resolve();
  return {
    features: ['retrieve-items', 'rsm'],
    // Data versioning is not in 1.30: its source has it as "removed pending further discussion".
    announces: [NS_RSM, `${NS_LANPOST}#versioning`],
    answers: {
      'get items': async (request) => {
        checkSubid(subscriptions, request);
        // One at a time: a page of the largest items is megabytes, and anybody may ask often.
        const told = new Map<Element, Notice>();
        const reading = before.then(() => answer(broker, request, told));
        before = reading.catch(() => undefined); // whoever asked sees it
        const found = await reading;
        const wantsRecords = children(request.pubsub).some((child) => child.name === 'records' && namespaceOf(child) === NS_LANPOST);
        return xml('pubsub', { xmlns: NS_PUBSUB }, ...found, wantsRecords ? recordsOf(found, told) : undefined);
      },
    },
  };
}

/** What goes beside the items where it is asked for: which record each is, in their order. */
function recordsOf(found: readonly Element[], told: ReadonlyMap<Element, Notice>): Element {
  const given = found.filter(({ name }) => name === 'items').flatMap(children);
  return xml('records', { xmlns: NS_LANPOST }, ...given.map((item) => {
    const { recordId, time, publisher } = told.get(item) ?? {};
    return xml('record', { id: recordId, at: time === undefined ? undefined : String(time), publisher });
  }));
}

/** §6.5.9.1, §6.5.9.2 */
function checkSubid(subscriptions: PeerSubscriptions, { verb, actor }: PubsubRequest): void {
  const node = attr(verb, 'node') ?? '';
  if (actor.kind !== 'peer' || actor.fingerprint === undefined) return;
  // That an owner lets it read is no subscription.
  const subscribed = [...subscriptions.of(actor.fingerprint, node)].some(({ consent }) => !consent);
  if (subscribed) subscriptions.get(actor.fingerprint, node, attr(verb, 'subid'));
}

async function answer(broker: Broker, { verb, pubsub, actor }: PubsubRequest, told: Map<Element, Notice>): Promise<Element[]> {
  const node = attr(verb, 'node') ?? '';
  const paged = readSet(pubsub) ?? readSet(verb);
  if (isSubtree(node)) return collection(broker, actor, node, maxItems(verb) ?? PAGE);
  const written = itemElement(broker, node);
  const element = (notice: Notice): Element => {
    const item = written(notice);
    told.set(item, notice);
    return item;
  };
  const ids = children(verb).filter((child) => child.name === 'item').map((item) => needed(item, 'id', 'item-required'));
  const since = attr(verb, 'ver');
  const found = (all: readonly Element[]): Element => xml('items', { node, ver: broker.version(node) }, ...all);
  if (ids.length > 0) return [found(fitting((await broker.notices(actor, node, { ids })).map(element), 'whole').all)];
  if (since !== undefined) return [found(fitting((await broker.changes(actor, node, version(since))).map(element), 'whole').all)];
  if (paged) return page(await broker.page(actor, node, bounded(paged)), element, paged, found);
  // §6.5.4: all of them, or as many of the newest as one answer holds, and then it says so.
  const newest = { max: maxItems(verb) ?? PAGE, before: '' };
  const got = await broker.page(actor, node, newest);
  const whole = page(got, element, newest, found);
  const isCut = maxItems(verb) === undefined && got.count > children(whole[0]).length;
  return isCut ? whole : whole.slice(0, 1);
}

/** What fits of a page, from its beginning or, going backwards, from its end. */
function page({ notices, index, count }: NoticePage, element: (notice: Notice) => Element, { before }: PageRequest, found: (all: readonly Element[]) => Element): [items: Element, set: Element] {
  const { all, left } = fitting(notices.map(element), before === undefined ? 'first' : 'last');
  const [first, last] = [all[0], all.at(-1)].map((item) => item && attr(item, 'id'));
  const place = index === undefined ? undefined : index + (before === undefined ? 0 : left);
  return [found(all), setElement({
    count,
    ...(first === undefined || last === undefined ? {} : { first, last, ...(place === undefined ? {} : { index: place }) }),
  })];
}

function bounded({ max = PAGE, ...request }: PageRequest): PageRequest & { readonly max: number } {
  return { ...request, max: Math.min(max, PAGE) };
}

/** XEP-0248 §6.2.2: one `<items/>` for each leaf that has some, of what the asker may read. */
async function collection(broker: Broker, actor: Actor, node: string, most: number): Promise<Element[]> {
  await broker.subscribable(actor, node);
  const found: Element[] = [];
  let [room, bytes] = [PAGE, ANSWER_BYTES];
  let looked = 0;
  for (const name of (await broker.find.readable(actor, filterOf(node))).toSorted()) {
    if ((broker.topic(name)?.items ?? 0) === 0 || !broker.mayRead(actor, name)) continue;
    looked += 1;
    if (room === 0 || bytes <= 0 || looked > LEAVES) break;
    const notices = await broker.notices(actor, name, { last: Math.min(most, room) });
    const { all } = fitting(notices.map(itemElement(broker, name)), 'last', bytes);
    room -= all.length;
    bytes -= all.reduce((sum, item) => sum + sizeOf(item), 0);
    if (all.length > 0) found.push(xml('items', { node: name }, ...all));
  }
  return found;
}

/** As many as one answer holds: the first ones, the last ones, or all or nothing. `left`: how many it does not. */
function fitting(elements: readonly Element[], which: 'first' | 'last' | 'whole' = 'last', most: number = ANSWER_BYTES): { all: Element[]; left: number } {
  let bytes = 0;
  const inOrder = which === 'last' ? elements.toReversed() : elements;
  const end = inOrder.findIndex((element) => (bytes += sizeOf(element)) > most);
  const fits = end < 0 ? elements.length : end;
  if (elements.length > 0 && (fits === 0 || (which === 'whole' && fits < elements.length)) && most === ANSWER_BYTES) {
    throw new StanzaError('resource-constraint', { text: 'that is too large for one answer' });
  }
  return { all: which === 'last' ? elements.slice(elements.length - fits) : elements.slice(0, fits), left: elements.length - fits };
}

function sizeOf(element: Element): number {
  return Buffer.byteLength(serialize(element));
}

function itemElement(broker: Broker, node: string): (notice: Notice) => Element {
  const { itemReply } = broker.config(node);
  return ({ kind, id, payload, publisher }) => (kind === 'retract'
    ? xml('retract', { id })
    // §7.1.2.3: as notifications do.
    : xml('item', { id, publisher: itemReply === 'publisher' ? publisher?.replace(/^(link|xmpp):/, '') : undefined }, payload && payloadToElement(payload)));
}

function maxItems(element: Element): number | undefined {
  const text = attr(element, 'max_items');
  if (text === undefined) return undefined;
  const asked = Number(text);
  if (!Number.isInteger(asked) || asked < 1) throw new StanzaError('bad-request', { text: 'max_items must be a positive number' });
  return Math.min(asked, PAGE);
}

function version(text: string): number {
  if (!/^\d{1,16}$/.test(text)) throw new StanzaError('item-not-found', { text: 'that is no version of this node' });
  return Number(text);
}
