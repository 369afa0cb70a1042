import type { Delivery, ItemsOptions } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { asRecordId } from '../log/record-id.ts';
import { elementToPayload, NS_LANPOST } from '../payload/xml.ts';
import { deliveryOf } from '../pubsub/delivery.ts';
import { checkedQuery } from '../pubsub/items-query.ts';
import { checkedTopic } from '../pubsub/topic-name.ts';
import { fromPubsubError } from '../xep/pubsub/errors.ts';
import { NS_PUBSUB } from '../xep/pubsub/terms.ts';
import { attr, children, type Element, xml } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';

/** Items in one answer of a box. */
const MOST = 100;

/** What a topic of another box has in view, oldest first: the newest `last`, or those of `ids`. XEP-0060 §6.5. */
export async function itemsAt(request: (iq: Element) => Promise<Element>, topic: string, options: ItemsOptions): Promise<Delivery[]> {
  checkedTopic(topic);
  checkedQuery(options);
  const { last, ids, ...others } = options;
  const [other] = Object.keys(others);
  if (other !== undefined) throw new LanpostError('unsupported', `items of a peer's topic are asked for by last or ids, and not by ${other}`);
  const [count, what] = ids === undefined ? [last ?? 20, 'last'] : [ids.length, 'number of ids'];
  if (!(Number.isInteger(count) && count >= 1 && count <= MOST)) throw new LanpostError('invalid-value', `of a peer's topic the ${what} must be a whole number from 1 to ${MOST}`);
  const items = xml('items', ids === undefined ? { node: topic, max_items: String(count) } : { node: topic }, ...(ids ?? []).map((id) => xml('item', { id })));
  let answer;
  try {
    answer = await request(xml('iq', { type: 'get' }, xml('pubsub', { xmlns: NS_PUBSUB }, items, xml('records', { xmlns: NS_LANPOST }))));
  } catch (error) {
    throw error instanceof StanzaError ? fromPubsubError(error) : error;
  }
  const pubsub = children(answer).find(({ name }) => name === 'pubsub');
  const parts = pubsub ? children(pubsub) : [];
  const given = (parts.find(({ name }) => name === 'items')?.getChildren('item') ?? []).slice(0, MOST);
  const stamps = parts.find(({ name }) => name === 'records')?.getChildren('record') ?? [];
  // One of another version does not say which record it is.
  return given.map((item, i) => read(topic, item, stamps.length === given.length ? stamps[i] : undefined));
}

/** By a peer's word. */
function read(topic: string, item: Element, stamp: Element | undefined): Delivery {
  const id = attr(item, 'id') ?? '';
  const recordId = (stamp && attr(stamp, 'id')) ?? id;
  const time = Number(stamp && attr(stamp, 'at'));
  const known = Number.isSafeInteger(time) && time >= 0;
  const [payload] = children(item);
  const publisher = stamp && attr(stamp, 'publisher');
  return deliveryOf({
    topic, id, recordId, seq: asRecordId(recordId)?.seq ?? 0, time: known ? time : 0, timeTrusted: known,
    ...(payload ? { payload: elementToPayload(payload) } : {}), ...(publisher === undefined ? {} : { publisher }),
  });
}
