// The `<body/>` around what goes over BOSH (XEP-0124 version 1.11.2, XEP-0206 version 1.4): written, and read.
import { attr, children, type Element, namespaceOf, parseElement, serialize, xml, XmlFault } from '../xmpp/element.ts';

const NS_BOSH = 'http://jabber.org/protocol/httpbind';
const NS_XBOSH = 'urn:xmpp:xbosh';

/** How long the server may keep a request that it has nothing to say to, and how many such; seconds. */
const WAIT = 60;
const HOLD = 1;

/** XEP-0124 §7.1, XEP-0206 §3. */
export function creation(rid: number, to: string): string {
  return serialize(xml('body', {
    xmlns: NS_BOSH, 'xmlns:xmpp': NS_XBOSH, 'xml:lang': 'en', 'xmpp:version': '1.0', content: 'text/xml; charset=utf-8',
    ver: '1.11', rid, to, wait: WAIT, hold: HOLD,
  }));
}

/** XEP-0206 §5: a new stream; XEP-0124 §13: the last of all. */
export function request(rid: number, sid: string, about: { readonly restart?: string; readonly terminate?: boolean; readonly stanzas?: readonly string[] } = {}): string {
  const { restart, terminate, stanzas = [] } = about;
  const body = serialize(xml('body', {
    xmlns: NS_BOSH, rid, sid,
    ...(restart === undefined ? {} : { 'xmlns:xmpp': NS_XBOSH, 'xmpp:restart': 'true', to: restart, 'xml:lang': 'en' }),
    ...(terminate === true ? { type: 'terminate' } : {}),
  }));
  return stanzas.length === 0 ? body : `${body.slice(0, -2)}>${stanzas.join('')}</body>`;
}

export interface BoshAnswer {
  readonly sid?: string;
  /** Requests that may be open at once. */
  readonly requests?: number;
  readonly terminated?: string;
  readonly elements: readonly Element[];
}

/** Bytes around the stanzas of an answer. */
export const BODY_BYTES = 4_096;

/** Throws XmlFault for what is none. */
export function parseBody(text: string, limits: { readonly stanzaBytes: number; readonly depth: number }): BoshAnswer {
  const body = parseElement(text, { stanzaBytes: limits.stanzaBytes + BODY_BYTES, depth: limits.depth + 1 });
  if (body.getName() !== 'body' || namespaceOf(body) !== NS_BOSH) throw new XmlFault('bad-format', 'no body of BOSH');
  const sid = attr(body, 'sid');
  const requests = Number(attr(body, 'requests') ?? Number.NaN);
  const over = attr(body, 'type') === 'terminate';
  return {
    ...(sid === undefined || sid === '' ? {} : { sid }),
    ...(Number.isSafeInteger(requests) && requests >= 1 ? { requests } : {}),
    ...(over ? { terminated: attr(body, 'condition') ?? '' } : {}),
    elements: children(body),
  };
}
