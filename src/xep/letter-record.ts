// What a box says of a letter of its own, beside the body: the number it has, over whichever road it goes. Where nobody
// but a server vouches for who sends it, signed; and so is the answer, that it is on the recipient's disk.
import type { Letter } from '../mail/letter.ts';
import { NS_LANPOST } from '../payload/xml.ts';
import { attr, children, type Element, namespaceOf, xml } from '../xmpp/element.ts';
import { buildMessage } from '../xmpp/stanza.ts';
import type { DevicePair } from './device.ts';
import type { MessageBody } from './message-body.ts';
import { passing } from './hints.ts';

/** As long as an escaped address can be. */
const MAX_CHAIN = 512;

/** A key and its signature, base64. */
export interface Signed {
  readonly key: string;
  readonly signature: string;
}

/** The accounts a letter is from and to, bare, where it is addressed to one. */
export interface Accounts {
  readonly from: string;
  readonly to: string;
}

export interface LetterRecord {
  /** As it stands there: what is signed. */
  readonly id: string;
  readonly chain: string;
  readonly previous?: number;
  readonly after?: string;
  readonly at: string;
  readonly accounts?: Accounts;
  /** Fingerprint of the key that it is for: others may be at the same account. */
  readonly recipient?: string;
  readonly signed?: Signed;
}

export function letterRecord({ recordId, chain, previous, after, time }: Letter, accounts?: Accounts, recipient?: string, signed?: Signed): Element {
  return xml('record', {
    xmlns: NS_LANPOST, id: recordId, chain, at: String(time),
    ...(after === undefined ? {} : { after }),
    // Only where a letter may have gone another road before, whose copy comes later.
    ...(accounts ? { ...(previous === undefined ? {} : { previous: String(previous) }), ...accounts } : {}),
    ...(recipient === undefined ? {} : { recipient }),
    ...signed,
  });
}

/** Nothing when the message has none. */
export function parseLetterRecord(message: Element): LetterRecord | undefined {
  const record = children(message).find((child) => child.getName() === 'record' && namespaceOf(child) === NS_LANPOST);
  if (!record) return undefined;
  const [after, recipient, from, to, key, signature] = [attr(record, 'after'), attr(record, 'recipient'), attr(record, 'from'), attr(record, 'to'), attr(record, 'key'), attr(record, 'signature')];
  const previous = Number(attr(record, 'previous'));
  return {
    id: attr(record, 'id') ?? '', chain: (attr(record, 'chain') ?? '').slice(0, MAX_CHAIN), at: attr(record, 'at') ?? '',
    ...(Number.isSafeInteger(previous) && previous > 0 ? { previous } : {}),
    ...(after === undefined ? {} : { after }),
    ...(recipient === undefined ? {} : { recipient }),
    ...(from === undefined || to === undefined ? {} : { accounts: { from, to } }),
    ...(key === undefined || signature === undefined ? {} : { signed: { key, signature } }),
  };
}

/** What is signed of a letter. */
export function letterStatement({ id, chain, previous, after, at, accounts, recipient }: LetterRecord, said: MessageBody, { from, to }: DevicePair = {}): readonly string[] {
  return [id, chain, String(previous ?? ''), after ?? '', at, accounts?.from ?? '', accounts?.to ?? '', recipient ?? '', ...[said.subject, said.thread, said.body].map(ended), ...(from === undefined && to === undefined ? [] : [from ?? '', to ?? ''])];
}

/** XML §2.11: servers on the way may make one line end of another. */
function ended(text: string | undefined): string {
  return (text ?? '').replace(/\r\n?/g, '\n');
}

/** To a box, that its letter is on disk here. It is for who is there: who is not sends the letter again. */
export function letterReceived(to: string, id: string, { key, signature }: Signed): Element {
  return buildMessage({ to, type: 'headline', extensions: [xml('received', { xmlns: NS_LANPOST, id, key, signature }), ...passing()] });
}

export function parseReceived(received: Element): { readonly id: string; readonly signed: Signed } {
  return { id: attr(received, 'id') ?? '', signed: { key: attr(received, 'key') ?? '', signature: attr(received, 'signature') ?? '' } };
}

/** With the error that a letter comes back with: its recipient can never take it. */
export function letterRefused(id: string, { key, signature }: Signed): Element {
  return xml('refused', { xmlns: NS_LANPOST, id, key, signature });
}

/** Nothing when it is something else. */
export function parseRefused(application: Element | undefined): ReturnType<typeof parseReceived> | undefined {
  return application?.getName() === 'refused' && namespaceOf(application) === NS_LANPOST ? parseReceived(application) : undefined;
}

/** What is signed of either; fingerprints of whose letter it was, and of who has it or refuses it. */
export function receivedStatement(id: string, sender: string, recipient: string): readonly string[] {
  return [id, sender, recipient];
}
