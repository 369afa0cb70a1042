import type { TrustLevel } from '../api.ts';
import { isEvent, NS_XHTML, readMessage } from '../xep/message-body.ts';
import { NS_COMMANDS } from '../xep/commands.ts';
import { NS_BYTESTREAMS } from '../xep/bytestreams.ts';
import { NS_DISCO_INFO, NS_DISCO_ITEMS } from '../xep/disco.ts';
import { NS_IBB } from '../xep/ibb.ts';
import { NS_PING } from '../xep/ping.ts';
import { NS_PUBSUB } from '../xep/pubsub/terms.ts';
import { NS_SI } from '../xep/si.ts';
import { NS_VERSION } from '../xep/version.ts';
import { attr, children, type Element, namespaceOf, xml } from '../xmpp/element.ts';
import { iqPayload, stanzaKind } from '../xmpp/stanza.ts';
import type { Ends } from './streams-port.ts';

/** What the stream has proven of whoever sent a stanza. The only `from` there is. */
export interface PeerContext {
  readonly kind: 'link';
  /** Instance name on the link. */
  readonly name: string;
  /** Absent for a peer that has shown no key. */
  readonly fingerprint?: string;
  readonly trust: TrustLevel;
  readonly tls: boolean;
  /** Of the stream that it came over; undefined when that has gone, or is in the clear. */
  readonly ends?: () => Ends | undefined;
}

/** What may be asked by somebody who has shown no key. */
const OPEN_REQUESTS: ReadonlySet<string> = new Set([NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PING, NS_VERSION]);

/** What may be offered by somebody who has shown no key: a file, which the owner takes or leaves. */
const OPEN_OFFERS: ReadonlySet<string> = new Set([NS_SI, NS_BYTESTREAMS, NS_IBB]);

/** Whether it says something to somebody. */
export function isChat(stanza: Element): boolean {
  return stanzaKind(stanza) === 'message' && attr(stanza, 'type') !== 'error' && readMessage(stanza) !== undefined;
}

/** What the owner lets whoever sent it do. */
export interface Permitted {
  chat(): boolean;
  /** Whether peers without a key may ask about topics; about which, is the broker's to say. */
  topics(): boolean;
  /** Whether they may run any command; which, is asked when it is run. */
  commands(): boolean;
}

/** Discovery and offers of files for everybody, chat for whom the owner lets; the rest is for keys, and then up to the grants. */
export function admitted(stanza: Element, context: PeerContext, permitted: Permitted): boolean {
  const kind = stanzaKind(stanza);
  const says = isChat(stanza);
  if (says && !permitted.chat()) return false;
  if (context.fingerprint !== undefined) return true;
  if (kind === 'message') return says;
  if (kind !== 'iq') return false;
  const type = attr(stanza, 'type');
  if (type !== 'get' && type !== 'set') return true; // an answer to a request of ours
  const asked = namespaceOf(iqPayload(stanza) ?? stanza) ?? '';
  return (type === 'get' ? OPEN_REQUESTS : OPEN_OFFERS).has(asked) || (asked === NS_PUBSUB && permitted.topics()) || (asked === NS_COMMANDS && permitted.commands());
}

/**
 * The stanza as the rest of the house may believe it: from whom the stream says, to this box.
 * Undefined: nothing in it is meant for anybody.
 */
export function believed(stanza: Element, from: string, self: string): Element | undefined {
  stanza.attrs['from'] = from;
  stanza.attrs['to'] = self;
  if (stanza.getName() !== 'message') return stanza;
  if (isEvent(stanza)) return undefined;
  // COMPAT: some clients send only the HTML of a message.
  const html = children(stanza).some(child => namespaceOf(child) === NS_XHTML);
  const content = html && !stanza.getChild('body') ? readMessage(stanza) : undefined;
  if (content) stanza.append(xml('body', {}, content.body));
  return stanza;
}
