// What two people compare to know that their boxes speak to each other and to nobody between them.
import { createHash } from 'node:crypto';
import { WORDLIST } from './wordlist.ts';

export const NONCE_BYTES = 32;
/** Of 2,048 words each: 33 bits. Whoever stands between has three guesses a window, for each nonce is committed to before the other is seen. */
const WORDS = 3;
const LABEL = 'lanpost pairing 1';

export interface PairingInputs {
  /** Public key (SPKI) and nonce of the side that committed first. */
  readonly first: { readonly spki: Uint8Array; readonly nonce: Uint8Array };
  readonly second: { readonly spki: Uint8Array; readonly nonce: Uint8Array };
  /** Exported from the TLS connection (RFC 8446 §7.5): on two connections it differs. */
  readonly binding: Uint8Array;
}

/** What the first side sends before it knows the second's nonce. */
export function commitment(nonce: Uint8Array): Uint8Array {
  return createHash('sha256').update(nonce).digest();
}

export function pairingWords({ first, second, binding }: PairingInputs): string[] {
  const hash = createHash('sha256').update(LABEL);
  for (const part of [first.spki, second.spki, first.nonce, second.nonce, binding]) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    hash.update(length).update(part);
  }
  const bits = hash.digest();
  return Array.from({ length: WORDS }, (_, i) => WORDLIST[bits.readUInt16BE(2 * i) % WORDLIST.length] ?? '');
}
