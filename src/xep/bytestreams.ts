// XEP-0065: SOCKS5 Bytestreams, version 1.8.2: the stanzas around a direct connection (§5), without proxies.
import { createHash } from 'node:crypto';
import { attr, children, type Element, xml } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';

export const NS_BYTESTREAMS = 'http://jabber.org/protocol/bytestreams';

export interface Streamhost {
  readonly jid: string;
  readonly host: string;
  readonly port: number;
}

export interface StreamhostsQuery {
  readonly sid: string;
  readonly streamhosts: readonly Streamhost[];
}

/** More addresses than one machine has on a link. */
const STREAMHOSTS = 16;

export function buildStreamhosts({ sid, streamhosts }: StreamhostsQuery): Element {
  return xml('iq', { type: 'set' }, xml('query', { xmlns: NS_BYTESTREAMS, sid, mode: 'tcp' },
    ...streamhosts.map(({ jid, host, port }) => xml('streamhost', { jid, host, port }))));
}

/** Throws `bad-request` when it is none (§5.3.1). Streamhosts that cannot be one are left out. */
export function parseStreamhosts(query: Element): StreamhostsQuery {
  const sid = attr(query, 'sid');
  if (sid === undefined) throw new StanzaError('bad-request', { text: 'a bytestream needs a sid' });
  // §8: UDP is optional, and not announced here.
  if ((attr(query, 'mode') ?? 'tcp') !== 'tcp') throw new StanzaError('not-acceptable', { text: 'only TCP' });
  const streamhosts = children(query).filter((child) => child.getName() === 'streamhost').slice(0, STREAMHOSTS).flatMap((child): Streamhost[] => {
    const [jid, host, port] = [attr(child, 'jid'), attr(child, 'host'), attr(child, 'port') ?? ''];
    const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
    return jid === undefined || host === undefined || number < 1 || number > 65_535 ? [] : [{ jid, host, port: number }];
  });
  if (streamhosts.length === 0) throw new StanzaError('bad-request', { text: 'a bytestream needs a streamhost' });
  return { sid, streamhosts };
}

/** Which of them was connected to (§5.3.3). */
export function buildUsed(sid: string, jid: string): Element {
  return xml('query', { xmlns: NS_BYTESTREAMS, sid }, xml('streamhost-used', { jid }));
}

export function parseUsed(answer: Element): string | undefined {
  const used = answer.getChild('query', NS_BYTESTREAMS)?.getChild('streamhost-used');
  return used && attr(used, 'jid');
}

/** §5.3.2: the DST.ADDR of the connection. Both addresses as in the stanzas; on a link they are names, which nothing prepares. */
export function destination(sid: string, requester: string, target: string): string {
  return createHash('sha1').update(`${sid}${requester}${target}`).digest('hex');
}
