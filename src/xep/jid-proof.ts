// urn:lanpost:jid:0, lanpost's own: how a peer on the link shows that an account is at its disposal.
// <prove/> goes through home to the account; <proof/> comes back over the link, and nowhere else.
import { attr, type Element, xml } from '../xmpp/element.ts';
import { buildMessage } from '../xmpp/stanza.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import { passing } from './hints.ts';

export const NS_JID = 'urn:lanpost:jid:0';

export const PROOF_NONCE_BYTES = 32;

export interface JidChallenge {
  /** 32 bytes, base64. */
  readonly nonce: string;
  /** Fingerprints: of who asks, to whom the answer goes, and of whom it is asked. */
  readonly asker: string;
  readonly asked: string;
}

export interface JidProof {
  readonly nonce: string;
  /** Bare; the account at which the challenge came in. */
  readonly jid: string;
  readonly key: string;
  readonly signature: string;
}

const NONCE = /^[A-Za-z0-9+/]{43}=$/;
const FINGERPRINT = /^[0-9a-f]{64}$/;

/**
 * RFC 6121 §8.5.2: a headline goes to who is online at the account, and is never kept for who is not. Nobody shows one
 * without a body.
 */
export function challengeMessage(jid: string, id: string, { nonce, asker, asked }: JidChallenge): Element {
  return buildMessage({ to: jid, id, type: 'headline', extensions: [xml('prove', { xmlns: NS_JID, nonce, asker, asked }), ...passing()] });
}

/** Nothing when it is none. */
export function parseChallenge(prove: Element): JidChallenge | undefined {
  const [nonce = '', asker = '', asked = ''] = [attr(prove, 'nonce'), attr(prove, 'asker'), attr(prove, 'asked')];
  return NONCE.test(nonce) && FINGERPRINT.test(asker) && FINGERPRINT.test(asked) ? { nonce, asker, asked } : undefined;
}

export function proofRequest({ nonce, jid, key, signature }: JidProof): Element {
  return xml('iq', { type: 'set' }, xml('proof', { xmlns: NS_JID, nonce, jid, key, signature }));
}

/** Throws `bad-request` when it is none. */
export function parseProof(proof: Element): JidProof {
  const [nonce = '', jid, key, signature] = [attr(proof, 'nonce'), attr(proof, 'jid'), attr(proof, 'key'), attr(proof, 'signature')];
  if (!NONCE.test(nonce) || jid === undefined || key === undefined || signature === undefined) throw new StanzaError('bad-request', { text: 'no proof of an account' });
  return { nonce, jid, key, signature };
}

/** What is signed: the nonce, both keys, and the account. */
export function proofStatement({ nonce, asker, asked }: JidChallenge, jid: string): readonly string[] {
  return [nonce, asker, asked, jid];
}
