// What may come from home: messages for people to read, and small talk between programs. Everything
// else is refused; presence subscriptions are never accepted.
import { LanpostError } from '../errors.ts';
import type { Incoming } from '../mail/inbox.ts';
import { NS_LANPOST } from '../payload/xml.ts';
import { type JidChallenge, NS_JID, parseChallenge } from '../xep/jid-proof.ts';
import { letterReceived, letterRefused } from '../xep/letter-record.ts';
import { readMessage } from '../xep/message-body.ts';
import { createPing } from '../xep/ping.ts';
import { createVersion } from '../xep/version.ts';
import { Dispatcher } from '../xmpp/dispatch.ts';
import { attr, type Element } from '../xmpp/element.ts';
import { full } from '../xmpp/jid.ts';
import { StanzaError, stanzaErrorOf } from '../xmpp/stanza-error.ts';
import { NS_CLIENT } from '../xmpp/xml-stream.ts';
import type { HomeReceiver } from './home.ts';
import { repeatKey } from './repeat-key.ts';
import type { SealedLetters } from './sealed-letters.ts';

export interface ReceiverParts {
  /** Resolves when the message is on disk; only then does the session's `h` count it. */
  readonly receive: (incoming: Incoming) => Promise<void>;
  readonly version: string;
  /** Letters of boxes, signed with their keys. */
  readonly letters: Pick<SealedLetters, 'open' | 'kept' | 'lost' | 'refused'>;
  /** A box asks, through home, that the account be shown to be at this box's disposal. */
  readonly challenged: (challenge: JidChallenge, account: string) => void;
  /** A box says that it has a letter of ours. */
  readonly received: (element: Element, from: string) => void;
  /** A message of ours came back. */
  readonly returned: (from: string, error: StanzaError) => void;
}

interface HomeContext {
  readonly jid: string;
  /** What is to be sent when the stanza is done. */
  reply?: Element;
}

/** RFC 6121 §5.2.2: `headline` is for nobody who was away, `groupchat` not for us, `error` no message. */
const READ: ReadonlySet<string> = new Set(['chat', 'normal']);

export function createReceiver(parts: ReceiverParts): HomeReceiver {
  const dispatcher = new Dispatcher<HomeContext>();
  createPing<HomeContext>().attach(dispatcher);
  createVersion<HomeContext>({ name: 'lanpost', version: parts.version }).attach(dispatcher);
  dispatcher.message(NS_CLIENT, 'body', async (message, _body, context) => {
    const said = readMessage(message);
    const from = full(attr(message, 'from') ?? '');
    if (!said || from === undefined || !READ.has(attr(message, 'type') ?? 'normal')) return;
    const id = attr(message, 'id');
    const repeat = repeatKey(message, from, context.jid);
    const letter = parts.letters.open(message, said, { from, account: context.jid });
    if (typeof letter === 'string') return;
    try {
      // The server vouches for the address, nobody for a key: but for what the key has signed.
      const sender = letter ? letter.sender : { from: `xmpp:${from}`, trust: 'none' as const };
      await parts.receive({ ...said, ...sender, to: `xmpp:${context.jid}`, ...(id === undefined ? {} : { id }), ...(letter || repeat === undefined ? {} : { repeat }) });
    } catch (error) {
      if (letter) parts.letters.lost(letter);
      throw refusal(error, letter && (() => letterRefused(letter.id, parts.letters.refused(letter))));
    }
    if (letter) context.reply = letterReceived(from, letter.id, parts.letters.kept(letter));
  });
  dispatcher.message(NS_LANPOST, 'received', async (message, element) => {
    const from = full(attr(message, 'from') ?? '');
    if (from !== undefined) parts.received(element, from);
  });
  dispatcher.message(NS_JID, 'prove', async (_message, element, { jid }) => {
    const challenge = parseChallenge(element);
    if (challenge) parts.challenged(challenge, jid);
  });
  return async (stanza, { jid }) => {
    const context: HomeContext = { jid };
    if (stanza.getName() === 'message' && attr(stanza, 'type') === 'error') {
      // It may have with it what it is about, which nobody sent.
      const from = full(attr(stanza, 'from') ?? '');
      if (from !== undefined) parts.returned(from, stanzaErrorOf(stanza));
      return undefined;
    }
    return await dispatcher.dispatch(stanza, context) ?? context.reply;
  };
}

/** Told to the sender, so that one message does not hold up the whole session, and with it what would make room; of a box's letter with its word for it. */
function refusal(error: unknown, signed?: () => Element): unknown {
  if (!(error instanceof LanpostError)) return error;
  if (error.code === 'topic-full' || error.code === 'disk-full' || error.code === 'busy') return new StanzaError('resource-constraint', { text: error.message });
  if (error.code === 'too-large' || error.code === 'invalid-value') return new StanzaError('not-acceptable', { text: error.message, ...(signed ? { application: signed() } : {}) });
  return error;
}
