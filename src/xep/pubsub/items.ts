// XEP-0060 1.30 §6.5: retrieve items.
import { payloadToElement } from '../../payload/xml.ts';
import type { Broker } from '../../pubsub/broker.ts';
import type { Notice } from '../../pubsub/notice.ts';
import { attr, children, type Element, xml } from '../../xml/element.ts';
import { serialize } from '../../xml/serialize.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { needed, nodeOf, NS_PUBSUB, type UseCase } from './terms.ts';

/** Items in one answer; RSM (XEP-0059) is not offered, `max_items` is. */
const PAGE = 100;
/** Of one answer, as XML: what any box takes, whatever its payloads become when they are escaped. */
const ANSWER_BYTES = 192 * 1024;

export function items(broker: Broker): UseCase {
  let before: Promise<unknown> = Promise.resolve();
  return {
    features: ['retrieve-items'],
    answers: {
      'get items': async ({ verb, actor }) => {
        const topic = nodeOf(verb);
        const ids = children(verb).filter((child) => child.name === 'item').map((item) => needed(item, 'id', 'item-required'));
        const asked = ids.length > 0 ? { ids: ids.slice(0, PAGE) } : { last: maxItems(verb) };
        // One at a time: a page of the largest items is megabytes, and anybody may ask often.
        const reading = before.then(() => broker.notices(actor, topic, asked));
        before = reading.catch(() => undefined); // whoever asked sees it
        const found = fitting((await reading).filter(({ kind }) => kind === 'publish'));
        return xml('pubsub', { xmlns: NS_PUBSUB }, xml('items', { node: topic }, ...found));
      },
    },
  };
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

function maxItems(element: Element): number {
  const asked = Number(attr(element, 'max_items') ?? PAGE);
  if (!Number.isInteger(asked) || asked < 1) throw new StanzaError('bad-request', { text: 'max_items must be a positive number' });
  return Math.min(asked, PAGE);
}
