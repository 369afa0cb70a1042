// What may come from home: messages for people to read, small talk between programs, and commands from whom the owner
// lets. Everything else is refused; presence subscriptions are never accepted.
import type { CommandOffers } from '../commands/offers.ts';
import { LanpostError } from '../errors.ts';
import { deviceName } from '../mail/device-name.ts';
import type { Devices } from '../mail/devices.ts';
import type { Incoming } from '../mail/inbox.ts';
import { NS_LANPOST } from '../payload/xml.ts';
import { type JidChallenge, NS_JID, parseChallenge } from '../xep/jid-proof.ts';
import { letterReceived, letterRefused } from '../xep/letter-record.ts';
import { deviceOfThread, parseDevices } from '../xep/device.ts';
import { readMessage } from '../xep/message-body.ts';
import { Commands } from '../xep/commands.ts';
import { Disco } from '../xep/disco.ts';
import { offeredCommands } from '../xep/offered-commands.ts';
import { createPing } from '../xep/ping.ts';
import { createVersion } from '../xep/version.ts';
import { Dispatcher } from '../xmpp/dispatch.ts';
import type { Extension } from '../xmpp/extension.ts';
import { attr, type Element } from '../xmpp/element.ts';
import { bare, full, parseJid } from '../xmpp/jid.ts';
import { StanzaError, stanzaErrorOf } from '../xmpp/stanza-error.ts';
import { NS_CLIENT } from '../xmpp/xml-stream.ts';
import type { HomeReceiver } from './home.ts';
import { repeatKey } from './repeat-key.ts';
import type { SealedLetters } from './sealed-letters.ts';

export interface ReceiverParts {
  /** Resolves when the message is on disk; only then does the session's `h` count it. */
  readonly receive: (incoming: Incoming) => Promise<void>;
  readonly version: string;
  /** Actions, for the own accounts and for those that may run them. Default: none. */
  readonly commands?: { readonly offers: CommandOffers; readonly may: (account: string, name: string) => boolean; readonly answerBytes: number };
  /** Those of this box, and who may write to them: accounts, and keys that have signed. Default: none. */
  readonly devices?: Pick<Devices, 'has' | 'receive'> & { readonly may: (sender: { readonly account: string; readonly fingerprint?: string }, name: string) => boolean };
  /** Letters of boxes, signed with their keys. */
  readonly letters: Pick<SealedLetters, 'open' | 'kept' | 'lost' | 'refused'>;
  /** A box asks, through home, that the account be shown to be at this box's disposal. */
  readonly challenged: (challenge: JidChallenge, account: string) => void;
  /** A box says that it has a letter of ours. */
  readonly received: (element: Element, from: string) => void;
  /** A message of ours came back. */
  readonly returned: (from: string, error: StanzaError, id: string | undefined) => void;
}

interface HomeContext {
  readonly jid: string;
  /** Full, where this box is connected. */
  readonly session: string;
  readonly device?: string;
  /** Who sent it, as the server says; absent: the server, for the own account (RFC 6120 §8.1.2.1). */
  readonly from?: string;
  /** Absent at the addresses of devices: what is offered is the box's own. */
  readonly answer?: (reply: Element) => void;
  /** What is to be sent when the stanza is done. */
  reply?: Element;
}

/** XEP-0115: what kind of software this is, as a URI. */
const CAPS_NODE = 'urn:lanpost:0';
/** RFC 6121 §5.2.2: `headline` is for nobody who was away, `groupchat` not for us, `error` no message. */
const READ: ReadonlySet<string> = new Set(['chat', 'normal']);

export function createReceiver(parts: ReceiverParts): HomeReceiver {
  const dispatcher = new Dispatcher<HomeContext>();
  const disco = new Disco<HomeContext>({ node: CAPS_NODE, identities: [{ category: 'client', type: 'bot', name: 'lanpost' }] });
  const extensions: Extension<HomeContext>[] = [disco, createPing<HomeContext>(), createVersion<HomeContext>({ name: 'lanpost', version: parts.version })];
  if (parts.commands) {
    const commands = commandsOf(parts.commands);
    extensions.push(commands);
    disco.serve(commands.beside({ info: async () => undefined, items: async () => undefined }));
  }
  for (const extension of extensions) {
    extension.attach(dispatcher);
    disco.add(extension.features);
  }
  dispatcher.message(NS_CLIENT, 'body', async (message, _body, context) => {
    const said = readMessage(message);
    const from = full(attr(message, 'from') ?? '');
    if (!said || from === undefined || !READ.has(attr(message, 'type') ?? 'normal')) return;
    const id = attr(message, 'id');
    const repeat = repeatKey(message, from, context.jid);
    const devices = parseDevices(message);
    const letter = parts.letters.open(message, said, { from, account: context.jid, devices });
    if (typeof letter === 'string') return;
    const sender = { account: bare(from) ?? '', ...(letter ? { fingerprint: letter.fingerprint } : {}) };
    const may = (name: string): boolean => (!letter && sender.account === context.jid) || parts.devices?.may(sender, name) === true;
    // What a box has signed says itself for whom it is.
    const named = devices.to ?? context.device;
    const device = named ?? (letter ? undefined : meant(message, said.thread, context).find((name) => parts.devices?.has(name) === true && may(name)));
    if (named !== undefined && (!may(named) || parts.devices?.has(named) !== true)) {
      // Who may not write to it is not told whether it is there.
      throw new StanzaError(may(named) ? 'item-not-found' : 'forbidden', { text: `${named}: the owner of that box has not allowed it`, ...(letter ? { application: letterRefused(letter.id, parts.letters.refused(letter)) } : {}) });
    }
    try {
      // The server vouches for the address, nobody for a key: but for what the key has signed.
      const by = letter ? letter.sender : { from: `xmpp:${from}`, trust: 'none' as const };
      const incoming = { ...said, ...by, ...(devices.from === undefined ? {} : { from: `device:${devices.from}@${by.from}` }) };
      const keep = (kept: Incoming): Promise<void> => (device === undefined || !parts.devices ? parts.receive(kept) : parts.devices.receive(device, kept));
      await keep({ ...incoming, to: device === undefined || context.device !== undefined ? `xmpp:${context.jid}` : `device:${device}`, ...(id === undefined ? {} : { id }), ...(letter || repeat === undefined ? {} : { repeat }) });
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
  return async (stanza, { jid, session, device, answer }) => {
    const given = attr(stanza, 'from');
    // What is no address is nobody's, and surely not nobody: that would be the own account.
    const context: HomeContext = { jid, session, ...(device === undefined ? {} : { device }), ...(answer ? { answer } : {}), ...(given === undefined ? {} : { from: full(given) ?? '' }) };
    if (stanza.getName() === 'message' && attr(stanza, 'type') === 'error') {
      // It may have with it what it is about, which nobody sent.
      const from = full(attr(stanza, 'from') ?? '');
      if (from !== undefined) parts.returned(from, stanzaErrorOf(stanza), attr(stanza, 'id'));
      return undefined;
    }
    return await dispatcher.dispatch(stanza, context) ?? context.reply;
  };
}

/** Devices that a client may mean that knows of none: the thread of what one has written, and `account/NAME` (RFC 6121 §8.5.3.2.1: a chat message to a resource that there is not comes to the account). */
function meant(message: Element, thread: string | undefined, { session }: HomeContext): string[] {
  const to = attr(message, 'to') ?? '';
  const resource = full(to) === full(session) ? undefined : parseJid(to)?.resource;
  return [deviceOfThread(thread), resource === undefined ? undefined : deviceName(resource)].filter((name) => name !== undefined);
}

/** The own account may run what is offered: who has it has what the box has. Others, what the owner lets them. */
function commandsOf({ offers, may, answerBytes }: NonNullable<ReceiverParts['commands']>): Commands<HomeContext> {
  const isOwn = ({ from, jid }: HomeContext): boolean => from === undefined || bare(from) === jid;
  return new Commands<HomeContext>({
    ownName: ({ session }) => session,
    later: async ({ answer }, reply) => answer?.(reply),
    offers: offeredCommands<HomeContext>({
      offers, answerBytes,
      runnerOf: ({ from, jid }) => ({ from: `xmpp:${from ?? jid}`, trust: 'none' }),
      may: (context, name) => context.answer !== undefined && (isOwn(context) || (context.from !== undefined && may(`xmpp:${bare(context.from) ?? ''}`, name))),
    }),
  });
}

/** Told to the sender, so that one message does not hold up the whole session, and with it what would make room; of a box's letter with its word for it. */
function refusal(error: unknown, signed?: () => Element): unknown {
  if (!(error instanceof LanpostError)) return error;
  if (error.code === 'topic-full' || error.code === 'disk-full' || error.code === 'busy') return new StanzaError('resource-constraint', { text: error.message });
  if (error.code === 'too-large' || error.code === 'invalid-value') return new StanzaError('not-acceptable', { text: error.message, ...(signed ? { application: signed() } : {}) });
  return error;
}
