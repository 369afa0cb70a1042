// What this box signs with its key, and whether somebody else's key signed it. Each kind of statement has a label of
// its own, so that what was signed as one never counts as another.
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import type { Identity } from './identity.ts';

/** What is said by it: the nonce came back, this letter is mine, I have your letter, I can never take it, this file is mine, what you wrote is there. */
export type SealLabel = 'lanpost jid 1' | 'lanpost letter 1' | 'lanpost receipt 1' | 'lanpost refusal 1' | 'lanpost file 1' | 'lanpost carried 1';

/** A signature with the key that goes with it, as base64. */
export interface Seal {
  readonly key: string;
  readonly signature: string;
}

/** ECDSA over P-256 with SHA-256, r and s of 32 bytes each: the only kind that is made, and taken. */
const HASH = 'sha256';
const ENCODING = 'ieee-p1363';
const SIGNATURE = /^[A-Za-z0-9+/]{86}==$/;
const CURVE = 'prime256v1';
/** SubjectPublicKeyInfo of a key of that curve has 91 bytes. */
const KEY = /^[A-Za-z0-9+/]{122}==$/;

/** Signs in the name of this box. */
export class Sealer {
  readonly #key: KeyObject;
  readonly #public: string;

  constructor({ key, spki }: Pick<Identity, 'key' | 'spki'>) {
    this.#key = createPrivateKey(key);
    this.#public = spki.toString('base64');
  }

  seal(label: SealLabel, parts: readonly string[]): Seal {
    const signature = sign(HASH, statement(label, parts), { key: this.#key, dsaEncoding: ENCODING });
    return { key: this.#public, signature: signature.toString('base64') };
  }
}

/** The key of a seal, if it is one that can seal. */
export function sealKey({ key }: Pick<Seal, 'key'>): Uint8Array | undefined {
  return KEY.test(key) ? Buffer.from(key, 'base64') : undefined;
}

export function isSealed(seal: Seal, label: SealLabel, parts: readonly string[]): boolean {
  const spki = sealKey(seal);
  if (!spki || !SIGNATURE.test(seal.signature)) return false;
  const key = publicKey(spki);
  return key !== undefined && verify(HASH, statement(label, parts), { key, dsaEncoding: ENCODING }, Buffer.from(seal.signature, 'base64'));
}

function publicKey(spki: Uint8Array): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === CURVE ? key : undefined;
  } catch {
    return undefined; // bytes that are no key have sealed nothing
  }
}

/** The label and each part with its length before it, 32 bits, big-endian: no two statements have the same bytes. */
function statement(label: SealLabel, parts: readonly string[]): Buffer {
  return Buffer.concat([label, ...parts].flatMap((part) => {
    const bytes = Buffer.from(part);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return [length, bytes];
  }));
}
