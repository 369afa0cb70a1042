import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commitment, pairingWords, type PairingInputs } from '../../src/trust/pairing-words.ts';
import { WORDLIST } from '../../src/trust/wordlist.ts';

const bytes = fc.uint8Array({ minLength: 1, maxLength: 100 });
const side = fc.record({ spki: bytes, nonce: bytes });
const inputs: fc.Arbitrary<PairingInputs> = fc.record({ first: side, second: side, binding: bytes });

describe('the words of a pairing', () => {
  it('are three, of lower case letters, the same for the same inputs', () => {
    fc.assert(fc.property(inputs, (one) => {
      const words = pairingWords(one);
      expect(words).toHaveLength(3);
      for (const word of words) expect(word).toMatch(/^[a-z]{3,8}$/);
      expect(pairingWords(structuredClone(one))).toEqual(words);
    }));
  });

  it('are of the English list of BIP-39, whole and in its order: another box has the same', () => {
    expect(WORDLIST).toHaveLength(2048);
    expect(createHash('sha256').update(`${WORDLIST.join('\n')}\n`).digest('hex')).toBe('2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda');
  });

  it('depend on every input, and on who began', () => {
    const base: PairingInputs = { first: { spki: Buffer.from('a'), nonce: Buffer.from('b') }, second: { spki: Buffer.from('c'), nonce: Buffer.from('d') }, binding: Buffer.from('e') };
    const { first, second } = base;
    const others: PairingInputs[] = [
      { ...base, binding: Buffer.from('f') }, { ...base, first: second, second: first },
      { ...base, first: { ...first, spki: Buffer.from('x') } }, { ...base, first: { ...first, nonce: Buffer.from('x') } },
      { ...base, second: { ...second, spki: Buffer.from('x') } }, { ...base, second: { ...second, nonce: Buffer.from('x') } },
      // Where one part ends and the next begins counts too.
      { ...base, first: { spki: Buffer.from('ac'), nonce: Buffer.from('b') }, second: { spki: Buffer.from(''), nonce: Buffer.from('d') } },
    ];
    const all = [base, ...others].map((one) => pairingWords(one).join(' '));
    expect(new Set(all).size).toBe(all.length);
  });

  it('a relay between two connections sees other words on each, whatever it chooses after its commitment', () => {
    // 33 bits: of a thousand tries none hits.
    const target = pairingWords({ first: { spki: Buffer.from('A'), nonce: Buffer.alloc(32, 1) }, second: { spki: Buffer.from('M'), nonce: Buffer.alloc(32, 2) }, binding: Buffer.from('one') }).join(' ');
    fc.assert(fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (nonce) => {
      const other = pairingWords({ first: { spki: Buffer.from('M'), nonce }, second: { spki: Buffer.from('B'), nonce: Buffer.alloc(32, 3) }, binding: Buffer.from('two') }).join(' ');
      expect(other).not.toBe(target);
    }), { numRuns: 1000 });
  });

  it('a commitment is the SHA-256 of the nonce', () => {
    expect(Buffer.from(commitment(Buffer.from('abc'))).toString('hex')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });
});
