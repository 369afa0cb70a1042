// A message that a server delivers again, since a session was lost before we could say that we had it, is told from a new one.
import { createHash } from 'node:crypto';
import { attr, children, namespaceOf, type Element } from '../xmpp/element.ts';
import { bare } from '../xmpp/jid.ts';

/** XEP-0359. */
const NS_SID = 'urn:xmpp:sid:0';

/**
 * What both have alike, and no other: the id that our own server gave it, else that of its sender. A sender could
 * give one that our server never gave: then only its own messages are taken for repeats.
 */
export function repeatKey(message: Element, from: string, account: string): string | undefined {
  const given = children(message).find((child) => child.getName() === 'stanza-id' && namespaceOf(child) === NS_SID && bare(attr(child, 'by') ?? '') === account);
  const archived = given && attr(given, 'id');
  const id = archived ?? attr(message, 'id');
  if (id === undefined || id === '') return undefined;
  return createHash('sha256').update([account, from, archived === undefined ? 'sender' : 'server', id].join('\0')).digest('hex').slice(0, 40);
}
