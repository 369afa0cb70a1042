// XEP-0047: In-Band Bytestreams, version 2.0.1; data in IQs only, which is what it recommends.
import { attr, type Element, xml } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';

export const NS_IBB = 'http://jabber.org/protocol/ibb';

/** §2.1: no block may be larger. */
export const MOST_BLOCK_BYTES = 65_535;
/** §2.2: `seq` is 16 bits and begins again after the last of them. */
export const SEQUENCE = 65_536;

export interface IbbOpen {
  readonly sid: string;
  readonly blockBytes: number;
}

export interface IbbData {
  readonly sid: string;
  readonly seq: number;
  readonly bytes: Uint8Array;
}

export function buildOpen({ sid, blockBytes }: IbbOpen): Element {
  return xml('iq', { type: 'set' }, xml('open', { xmlns: NS_IBB, sid, 'block-size': blockBytes, stanza: 'iq' }));
}

export function parseOpen(open: Element): IbbOpen {
  const sid = sidOf(open);
  const size = attr(open, 'block-size') ?? '';
  const blockBytes = /^\d{1,5}$/.test(size) ? Number(size) : 0;
  if (blockBytes < 1 || blockBytes > MOST_BLOCK_BYTES) throw new StanzaError('bad-request', { text: 'block-size is 1 to 65535' });
  if ((attr(open, 'stanza') ?? 'iq') !== 'iq') throw new StanzaError('feature-not-implemented', { text: 'data is taken in IQs' });
  return { sid, blockBytes };
}

export function buildData({ sid, seq, bytes }: IbbData): Element {
  return xml('iq', { type: 'set' }, xml('data', { xmlns: NS_IBB, sid, seq }, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')));
}

/** §6: what is not base64 by the letter is refused, never overlooked. */
export function parseData(data: Element): IbbData {
  const sid = sidOf(data);
  const seq = attr(data, 'seq') ?? '';
  if (!/^\d{1,5}$/.test(seq) || Number(seq) >= SEQUENCE) throw new StanzaError('bad-request', { text: 'seq is 0 to 65535', type: 'cancel' });
  const text = data.getText();
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw new StanzaError('bad-request', { text: 'not base64', type: 'cancel' });
  return { sid, seq: Number(seq), bytes };
}

export function buildClose(sid: string): Element {
  return xml('iq', { type: 'set' }, xml('close', { xmlns: NS_IBB, sid }));
}

export function parseClose(close: Element): string {
  return sidOf(close);
}

function sidOf(element: Element): string {
  const sid = attr(element, 'sid');
  if (sid === undefined || sid === '') throw new StanzaError('bad-request', { text: 'a bytestream needs a sid', type: 'cancel' });
  return sid;
}
