import { attr, type Element, serialize } from '../xmpp/element.ts';
import { stanzaKind } from '../xmpp/stanza.ts';
import { NS_CLIENT } from '../xmpp/xml-stream.ts';

/** A stanza where no stream's header is around it to say its namespace (RFC 7395 §3.3.3, XEP-0206 §4). */
export function standalone(element: Element): string {
  const text = serialize(element);
  return stanzaKind(element) === undefined || attr(element, 'xmlns') !== undefined ? text : `<${element.name} xmlns='${NS_CLIENT}'${text.slice(element.name.length + 1)}`;
}
