import { attr, namespaceOf } from '../../../src/xmpp/element.ts';
import type { StanzaError } from '../../../src/xmpp/stanza-error.ts';

const ERRORS = 'http://jabber.org/protocol/pubsub#errors';

/** As the XEP's examples have it: the error's type, its condition, and the XEP's own, which is in the XEP's namespace. */
export function shown({ type, condition, application }: StanzaError): string {
  if (!application) return `${type} ${condition}`;
  const feature = attr(application, 'feature');
  return `${type} ${condition} / ${namespaceOf(application) === ERRORS ? '' : `{${String(namespaceOf(application))}}`}${application.name}${feature === undefined ? '' : ` ${feature}`}`;
}
