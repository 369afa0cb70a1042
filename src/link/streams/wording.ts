import { LanpostError } from '../../errors.ts';
import { withHtml } from '../../xep/message-body.ts';
import { type Element, serialize, xml } from '../../xmpp/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { isLegalElement } from '../../xml/written.ts';

/** Bytes of a stanza to a peer whose own limit is not known. */
const PLAIN_STANZA_BYTES = 1 << 20;

/** The answer, or an error in its place: what XML cannot carry would end the stream, and be sent again over the next. */
export function answerable(reply: Element): Element {
  if (isLegalElement(reply)) return reply;
  const error = new StanzaError('internal-server-error', { text: 'what is asked for holds a character that XML cannot carry' });
  return xml(reply.getName(), { ...reply.attrs, type: 'error' }, error.toElement());
}

/** The stanza as it is written to that peer; `box`: it is one, and takes so many bytes as this one does. */
export function worded(stanza: Element, { from, to, box, stanzaBytes }: {
  readonly from: string; readonly to: string; readonly box: boolean; readonly stanzaBytes: number;
}): string {
  stanza.attrs['from'] = from;
  stanza.attrs['to'] = to;
  const text = serialize(box || stanza.getName() !== 'message' ? stanza : withHtml(stanza));
  if (!isLegalElement(stanza)) throw new LanpostError('invalid-value', 'The stanza holds a character that XML cannot carry.');
  const most = box ? stanzaBytes : PLAIN_STANZA_BYTES;
  // A character has at most three bytes (one of four is two here): most need not be counted.
  if (text.length * 3 > most && Buffer.byteLength(text) > most) throw new LanpostError('too-large', `A stanza to ${to} may have ${most} bytes.`);
  return text;
}
