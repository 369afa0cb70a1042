// XEP-0203: Delayed Delivery, version 2.0
import { type Element, xml } from '../xml/element.ts';

export const NS_DELAY = 'urn:xmpp:delay';

/** When it was first said, ms since 1970. */
export function delayElement(time: number): Element {
  return xml('delay', { xmlns: NS_DELAY, stamp: new Date(time).toISOString() });
}
