// urn:lanpost:pairing:0, lanpost's own: how two boxes come to the words that their owners compare.
// set <pair commit/> → result <pair nonce/>; set <pair reveal/>; then, from each side, set <pair same/>. Whoever gives it up says <pair left/>.
import { attr, type Element, xml } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';

export const NS_PAIRING = 'urn:lanpost:pairing:0';

/** For whoever asks before the owner has. */
export function noWindow(): StanzaError {
  return new StanzaError('unexpected-request', { text: 'the owner of this box has opened no pairing with yours' });
}

/** What one side tells the other. */
export type PairingStep =
  | { readonly step: 'commit'; readonly commitment: Uint8Array }
  | { readonly step: 'reveal'; readonly nonce: Uint8Array }
  | { readonly step: 'same'; readonly same: boolean }
  | { readonly step: 'left' };

export function buildStep(step: PairingStep): Element {
  const attrs = step.step === 'commit' ? { commit: base64(step.commitment) }
    : step.step === 'reveal' ? { reveal: base64(step.nonce) }
    : step.step === 'same' ? { same: String(step.same) }
    : { left: 'true' };
  return xml('iq', { type: 'set' }, xml('pair', { xmlns: NS_PAIRING, ...attrs }));
}

/** Throws `bad-request` when it is none. */
export function parseStep(pair: Element): PairingStep {
  const [commit, reveal, same, left] = [attr(pair, 'commit'), attr(pair, 'reveal'), attr(pair, 'same'), attr(pair, 'left')];
  if (commit !== undefined) return { step: 'commit', commitment: bytes(commit) };
  if (reveal !== undefined) return { step: 'reveal', nonce: bytes(reveal) };
  if (same === 'true' || same === 'false') return { step: 'same', same: same === 'true' };
  if (left === 'true') return { step: 'left' };
  throw new StanzaError('bad-request', { text: 'no step of a pairing' });
}

export function nonceElement(nonce: Uint8Array): Element {
  return xml('pair', { xmlns: NS_PAIRING, nonce: base64(nonce) });
}

/** The nonce in the answer to a commitment. */
export function parseNonce(answer: Element): Uint8Array {
  const pair = answer.getChild('pair', NS_PAIRING);
  return bytes((pair && attr(pair, 'nonce')) ?? '');
}

function base64(value: Uint8Array): string {
  return Buffer.from(value).toString('base64');
}

/** Commitments and nonces are 32 bytes each. */
function bytes(text: string): Uint8Array {
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) throw new StanzaError('bad-request', { text: 'not 32 bytes in base64' });
  return Buffer.from(text, 'base64');
}
