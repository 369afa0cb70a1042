import { LanpostError } from '../errors.ts';
import { checkedDeviceName } from './device-name.ts';

/** An end on the link or at a home. A link name is an opaque label; a JID is an account at some home. */
export type Place =
  | { readonly kind: 'link'; readonly name: string }
  | { readonly kind: 'xmpp'; readonly jid: string };

/** Where something goes. */
export type Address =
  | Place
  /** A device of this box or, with a place, of the box there. */
  | { readonly kind: 'device'; readonly name: string; readonly at?: Place }
  /** An account, written to from a device's own address. Nobody types it: it is what letters between the two are kept under. */
  | { readonly kind: 'as'; readonly from: string; readonly jid: string };

/** Bounded so that it fits a topic name even when every byte is escaped. */
const MAX_BYTES = 160;
const COLON = 0x3a;
const AT = 0x40;
const DOT = 0x2e;
const SLASH = 0x2f;
/** Of `as`: in no JID without a resource. */
const TO = '>';

/**
 * `link:NAME`, `xmpp:JID`, `device:NAME`, `device:NAME@ADDRESS`, or plain text: a JID if what follows the last `@` has a dot in it or
 * is the domain of a home; else a name on the link.
 */
export function parseAddress(text: string, isHomeDomain: (domain: string) => boolean): Exclude<Address, { kind: 'as' }> {
  if (typeof text !== 'string') throw new TypeError('an address must be a string');
  if (!text.startsWith('device:')) return parsePlace(text, isHomeDomain);
  const rest = text.slice('device:'.length);
  // No device has an @ in its name, whatever stands behind it.
  const at = rest.indexOf('@');
  const name = checkedDeviceName(at < 0 ? rest : rest.slice(0, at));
  const address = { kind: 'device' as const, name, ...(at < 0 ? {} : { at: parsePlace(rest.slice(at + 1), isHomeDomain) }) };
  checkLength(formatAddress(address));
  return address;
}

/** What `formatAddress` has written down. */
export function parseKept(text: string): Address {
  const to = text.indexOf(TO);
  if (text.startsWith('as:') && to > 0) return { kind: 'as', from: text.slice('as:'.length, to), jid: text.slice(to + TO.length) };
  return parseAddress(text, () => false);
}

/** `from`: bare. */
export function addressAs(from: string, jid: string): Address {
  const address: Address = { kind: 'as', from, jid };
  checkLength(formatAddress(address));
  return address;
}

function parsePlace(text: string, isHomeDomain: (domain: string) => boolean): Place {
  const address = split(text, isHomeDomain);
  const rest = address.kind === 'link' ? address.name : address.jid;
  if (rest === '' || /\p{Cc}/u.test(rest)) {
    throw new LanpostError('invalid-value', `"${text}" is no address: use link:NAME or xmpp:JID`);
  }
  checkLength(rest);
  return address;
}

function checkLength(text: string): void {
  if (Buffer.byteLength(text) > MAX_BYTES) throw new LanpostError('too-large', `an address has at most ${MAX_BYTES} bytes`);
}

function split(text: string, isHomeDomain: (domain: string) => boolean): Place {
  if (text.startsWith('link:')) return { kind: 'link', name: text.slice('link:'.length) };
  if (text.startsWith('xmpp:')) return { kind: 'xmpp', jid: text.slice('xmpp:'.length) };
  return isJid(text, isHomeDomain) ? { kind: 'xmpp', jid: text } : { kind: 'link', name: text };
}

function isJid(text: string, isHomeDomain: (domain: string) => boolean): boolean {
  // By hand: it is asked of everybody who comes.
  let at = text.length - 1;
  while (at >= 0 && text.charCodeAt(at) !== AT) at--;
  if (at < 0) return false;
  let end = at + 1;
  for (; end < text.length && text.charCodeAt(end) !== SLASH; end++) if (text.charCodeAt(end) === DOT) return true;
  return isHomeDomain(text.slice(at + 1, end));
}

/** Whether the name of a peer, typed as it is, does not go to the link. */
export function readsAsJid(name: string, isHomeDomain: (domain: string) => boolean): boolean {
  // Most have no colon where `xmpp:` or `link:`, and where `device:` has it.
  if (name.charCodeAt(4) !== COLON && name.charCodeAt(6) !== COLON) return isJid(name, isHomeDomain);
  return name.startsWith('xmpp:') || name.startsWith('device:') || (!name.startsWith('link:') && isJid(name, isHomeDomain));
}

/** Where a letter for it is carried to; nothing when that is this box, or not for the roads of places. */
export function placeOf(address: Address): Place | undefined {
  return address.kind === 'device' ? address.at : address.kind === 'as' ? undefined : address;
}

/** The device that a letter for it is for, at its place. */
export function deviceOf(address: Address): string | undefined {
  return address.kind === 'device' ? address.name : undefined;
}

export function formatAddress(address: Address): string {
  switch (address.kind) {
    case 'link': return `link:${address.name}`;
    case 'xmpp': return `xmpp:${address.jid}`;
    case 'device': return `device:${address.name}${address.at === undefined ? '' : `@${formatAddress(address.at)}`}`;
    default: return `as:${address.from}${TO}${address.jid}`;
  }
}
