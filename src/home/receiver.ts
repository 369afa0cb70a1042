// What may come from home: messages for people to read, and small talk between programs. Everything
// else is refused; presence subscriptions are never accepted.
import { LanpostError } from '../errors.ts';
import type { Incoming } from '../mail/inbox.ts';
import { readMessage } from '../xep/message-body.ts';
import { createPing } from '../xep/ping.ts';
import { createVersion } from '../xep/version.ts';
import { Dispatcher } from '../xmpp/dispatch.ts';
import { attr } from '../xmpp/element.ts';
import { full } from '../xmpp/jid.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import { NS_CLIENT } from '../xmpp/xml-stream.ts';
import type { HomeReceiver } from './home.ts';

export interface ReceiverParts {
  /** Resolves when the message is on disk; only then does the session's `h` count it. */
  readonly receive: (incoming: Incoming) => Promise<void>;
  readonly version: string;
}

/** RFC 6121 §5.2.2: `headline` is for nobody who was away, `groupchat` not for us, `error` no message. */
const READ: ReadonlySet<string> = new Set(['chat', 'normal']);

export function createReceiver(parts: ReceiverParts): HomeReceiver {
  const dispatcher = new Dispatcher<{ readonly jid: string }>();
  createPing<{ readonly jid: string }>().attach(dispatcher);
  createVersion<{ readonly jid: string }>({ name: 'lanpost', version: parts.version }).attach(dispatcher);
  dispatcher.message(NS_CLIENT, 'body', async (message, _body, { jid }) => {
    const said = readMessage(message);
    const from = full(attr(message, 'from') ?? '');
    if (!said || from === undefined || !READ.has(attr(message, 'type') ?? 'normal')) return;
    const id = attr(message, 'id');
    try {
      // The server vouches for the address, nobody for a key.
      await parts.receive({ ...said, from: `xmpp:${from}`, to: `xmpp:${jid}`, trust: 'none', ...(id === undefined ? {} : { id }) });
    } catch (error) {
      throw refusal(error);
    }
  });
  return (stanza, { jid }) => dispatcher.dispatch(stanza, { jid });
}

/** Told to the sender, so that one message does not hold up the whole session, and with it what would make room. */
function refusal(error: unknown): unknown {
  if (!(error instanceof LanpostError)) return error;
  if (error.code === 'topic-full' || error.code === 'disk-full' || error.code === 'busy') return new StanzaError('resource-constraint', { text: error.message });
  if (error.code === 'too-large' || error.code === 'invalid-value') return new StanzaError('not-acceptable', { text: error.message });
  return error;
}
