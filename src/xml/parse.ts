import type { Element } from './element.ts';
import { XmlFault } from './fault.ts';
import { XmlReader, type XmlLimits } from './reader.ts';

const ROOT = 'r';

/** Parses text that is exactly one element, comments around it aside. Throws XmlFault. */
export function parseElement(text: string, limits: XmlLimits = { stanzaBytes: Number.MAX_SAFE_INTEGER, depth: 128 }): Element {
  const reader = new XmlReader({ limits });
  reader.write(`<${ROOT}>`);
  let element: Element | undefined;
  // The XML declaration is no part of the element.
  for (const event of reader.write(text.replace(/^\uFEFF?\s*<\?xml\s[^>]*\?>/, ''))) {
    if (event.type === 'fault') throw event.fault;
    if (event.type !== 'child' || element) throw new XmlFault('not-well-formed', 'more than one element');
    element = event.element;
  }
  // Closing the root shows whether anything was left open.
  if (!element || reader.write(`</${ROOT}>`)[0]?.type !== 'close') throw new XmlFault('not-well-formed', 'no complete element');
  element.parent = null;
  return element;
}
