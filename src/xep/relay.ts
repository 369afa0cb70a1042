// A neighbour that passes bytes on: `urn:lanpost:relay:0`, documented in docs/HOME.md. One request opens a connection of the
// neighbour's to a server; its bytes then go as XEP-0047 (§2.2) has it, in IQs, and in both directions.
import { attr, type Element, xml } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import { type IbbData, parseData } from './ibb.ts';

export const NS_RELAY = 'urn:lanpost:relay:0';

/** Bytes of a block. Few, so that what waits behind one on the same stream does not wait for long. */
export const RELAY_BLOCK_BYTES = 8_192;
const SID = /^[0-9a-f]{32}$/;
/** RFC 1035 §2.3.4: a name; with a port, brackets or a scheme around it. */
const TO_CHARACTERS = 300;

/** RFC 6120 §3.2.1 and XEP-0368 §3: what DNS is asked for, of a domain. */
export type RelayService = 'xmpp-client' | 'xmpps-client';

export interface RelayConnect {
  readonly sid: string;
  /** `HOST:PORT`, or `xmpp:DOMAIN` where DNS says which host serves it. */
  readonly to: string;
  readonly service?: RelayService;
}

export function buildConnect({ sid, to, service = 'xmpp-client' }: RelayConnect): Element {
  return xml('iq', { type: 'set' }, xml('connect', { xmlns: NS_RELAY, sid, to, ...(service === 'xmpp-client' ? {} : { service }) }));
}

export function parseConnect(connect: Element): Required<RelayConnect> {
  const to = attr(connect, 'to');
  if (to === undefined || to === '' || to.length > TO_CHARACTERS) throw new StanzaError('bad-request', { text: 'a relay needs a destination' });
  const service = attr(connect, 'service') ?? 'xmpp-client';
  if (service !== 'xmpp-client' && service !== 'xmpps-client') throw new StanzaError('bad-request', { text: 'a relay leads to xmpp-client or xmpps-client' });
  return { sid: relaySid(connect), to, service };
}

export function buildRelayData({ sid, seq, bytes }: IbbData): Element {
  return xml('iq', { type: 'set' }, xml('data', { xmlns: NS_RELAY, sid, seq }, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')));
}

export function parseRelayData(data: Element): IbbData {
  relaySid(data);
  const block = parseData(data);
  if (block.bytes.byteLength === 0 || block.bytes.byteLength > RELAY_BLOCK_BYTES) throw new StanzaError('bad-request', { text: `a block has 1 to ${RELAY_BLOCK_BYTES} bytes`, type: 'cancel' });
  return block;
}

export function buildRelayClose(sid: string): Element {
  return xml('iq', { type: 'set' }, xml('close', { xmlns: NS_RELAY, sid }));
}

/** Whoever was refused may have it now. Nothing is said that it has not asked for. */
export function buildRelayAllowed(to: string): Element {
  return xml('iq', { type: 'set' }, xml('allowed', { xmlns: NS_RELAY, to }));
}

/** Which relay a `connect`, `data` or `close` is of. */
export function relaySid(element: Element): string {
  const sid = attr(element, 'sid') ?? '';
  if (!SID.test(sid)) throw new StanzaError('bad-request', { text: 'a relay has a sid of 32 hexadecimal digits', type: 'cancel' });
  return sid;
}
