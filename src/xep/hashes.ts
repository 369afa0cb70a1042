// XEP-0300: Use of Cryptographic Hash Functions, version 1.0.0. Only SHA-256 is sent and checked.
import { attr, children, type Element, namespaceOf, xml } from '../xmpp/element.ts';

export const NS_HASHES = 'urn:xmpp:hashes:2';
export const NS_SHA_256 = 'urn:xmpp:hash-function-text-names:sha-256';

export function buildHash(sha256: string): Element {
  return xml('hash', { xmlns: NS_HASHES, algo: 'sha-256' }, sha256);
}

/** The SHA-256 among the children, in base64; undefined when there is none that can be one. */
export function parseHash(parent: Element): string | undefined {
  const hash = children(parent).find((child) => child.getName() === 'hash' && namespaceOf(child) === NS_HASHES && attr(child, 'algo') === 'sha-256');
  const text = hash?.getText().trim() ?? '';
  return /^[A-Za-z0-9+/]{43}=$/.test(text) ? text : undefined;
}
