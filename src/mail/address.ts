import { LanpostError } from '../errors.ts';

/** Where something goes. A link name is an opaque label; a JID is an account at some home. */
export type Address =
  | { readonly kind: 'link'; readonly name: string }
  | { readonly kind: 'xmpp'; readonly jid: string };

/** Bounded so that it fits a topic name even when every byte is escaped. */
const MAX_BYTES = 160;

/**
 * `link:NAME`, `xmpp:JID`, or plain text: a JID if what follows the last `@` has a dot in it or
 * is the domain of a home; else a name on the link.
 */
export function parseAddress(text: string, isHomeDomain: (domain: string) => boolean): Address {
  if (typeof text !== 'string') throw new TypeError('an address must be a string');
  const address = split(text, isHomeDomain);
  const rest = address.kind === 'link' ? address.name : address.jid;
  if (rest === '' || /\p{Cc}/u.test(rest)) {
    throw new LanpostError('invalid-value', `"${text}" is no address: use link:NAME or xmpp:JID`);
  }
  if (Buffer.byteLength(rest) > MAX_BYTES) throw new LanpostError('too-large', `an address has at most ${MAX_BYTES} bytes`);
  return address;
}

function split(text: string, isHomeDomain: (domain: string) => boolean): Address {
  if (text.startsWith('link:')) return { kind: 'link', name: text.slice('link:'.length) };
  if (text.startsWith('xmpp:')) return { kind: 'xmpp', jid: text.slice('xmpp:'.length) };
  return isJid(text, isHomeDomain) ? { kind: 'xmpp', jid: text } : { kind: 'link', name: text };
}

function isJid(text: string, isHomeDomain: (domain: string) => boolean): boolean {
  const at = text.lastIndexOf('@');
  if (at < 0) return false;
  const slash = text.indexOf('/', at);
  const domain = slash < 0 ? text.slice(at + 1) : text.slice(at + 1, slash);
  return domain.includes('.') || isHomeDomain(domain);
}

/** Whether the name of a peer, typed as it is, goes to a home. */
export function readsAsJid(name: string, isHomeDomain: (domain: string) => boolean): boolean {
  return name.startsWith('xmpp:') || (!name.startsWith('link:') && isJid(name, isHomeDomain));
}

export function formatAddress(address: Address): string {
  return address.kind === 'link' ? `link:${address.name}` : `xmpp:${address.jid}`;
}
