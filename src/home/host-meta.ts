// XEP-0156 version 1.4.0: the WebSocket and BOSH services of a domain, as its web server tells them. Over https only, so
// nobody on the way can name others; the services themselves are checked again when they are called.
import { children, attr, namespaceOf, parseElement } from '../xmpp/element.ts';
import type { UrlTarget } from './target.ts';

const NS_XRD = 'http://docs.oasis-open.org/ns/xri/xrd-1.0';
const KINDS: Readonly<Record<string, UrlTarget['kind']>> = {
  'urn:xmpp:alt-connections:websocket': 'websocket', 'urn:xmpp:alt-connections:xbosh': 'bosh',
};
/** Bytes of the paper; services taken from it; characters of an address. */
export const MAX_HOST_META = 65_536;
const MAX_TARGETS = 4;
const MAX_URL = 2_048;

/** `.well-known/host-meta.json` (RFC 6415 appendix A). Throws for what is no JSON; what is no link is passed over. */
export function fromJson(text: string): UrlTarget[] {
  const paper: unknown = JSON.parse(text);
  const links: unknown = typeof paper === 'object' && paper !== null && 'links' in paper ? paper.links : undefined;
  if (!Array.isArray(links)) return [];
  return targets(links.map((link: unknown) => (typeof link === 'object' && link !== null ? { rel: 'rel' in link ? link.rel : undefined, href: 'href' in link ? link.href : undefined } : {})));
}

/** `.well-known/host-meta`: XRD. Throws XmlFault for what is no XML. */
export function fromXrd(text: string): UrlTarget[] {
  const xrd = parseElement(text, { stanzaBytes: MAX_HOST_META, depth: 16 });
  if (xrd.getName() !== 'XRD' || namespaceOf(xrd) !== NS_XRD) return [];
  return targets(children(xrd).filter((child) => child.getName() === 'Link' && namespaceOf(child) === NS_XRD).map((link) => ({ rel: attr(link, 'rel'), href: attr(link, 'href') })));
}

function targets(links: readonly { readonly rel?: unknown; readonly href?: unknown }[]): UrlTarget[] {
  const found: UrlTarget[] = [];
  for (const { rel, href } of links) {
    const kind = typeof rel === 'string' && Object.hasOwn(KINDS, rel) ? KINDS[rel] : undefined;
    if (kind === undefined || typeof href !== 'string' || !isServiceUrl(kind, href) || found.some(({ url }) => url === href)) continue;
    found.push({ kind, url: href });
  }
  // A stream that stays is better than requests.
  return found.toSorted((a, b) => Number(a.kind === 'bosh') - Number(b.kind === 'bosh')).slice(0, MAX_TARGETS);
}

/** Encrypted, and without credentials in it. */
export function isServiceUrl(kind: UrlTarget['kind'], text: string): boolean {
  if (text.length > MAX_URL || !URL.canParse(text)) return false;
  const { protocol, username, password, hostname } = new URL(text);
  return protocol === (kind === 'websocket' ? 'wss:' : 'https:') && username === '' && password === '' && hostname !== '';
}
