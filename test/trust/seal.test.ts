import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { isSealed, Sealer, sealKey } from '../../src/trust/seal.ts';
import { keyPair } from './fixtures.ts';

test('what a key has signed holds, and nothing that differs from it', async () => {
  const { seal, spki } = await keyPair();
  const signed = seal.seal('lanpost jid 1', ['nonce', 'a', 'b']);
  expect(sealKey(signed)).toEqual(spki);
  expect(isSealed(signed, 'lanpost jid 1', ['nonce', 'a', 'b'])).toBe(true);
  expect(isSealed(signed, 'lanpost letter 1', ['nonce', 'a', 'b'])).toBe(false);
  // The same bytes, cut otherwise.
  expect(isSealed(signed, 'lanpost jid 1', ['noncea', '', 'b'])).toBe(false);
  expect(isSealed(signed, 'lanpost jid 1', ['nonce', 'a', 'b', ''])).toBe(false);
  const other = (await keyPair()).seal.seal('lanpost jid 1', ['nonce', 'a', 'b']);
  expect(isSealed({ ...signed, key: other.key }, 'lanpost jid 1', ['nonce', 'a', 'b'])).toBe(false);
});

test.each([
  ['nothing', '', ''], ['no base64', '*'.repeat(124), 'x'], ['a key of zeros', `${'A'.repeat(122)}==`, `${'A'.repeat(86)}==`], ['a long one', 'A'.repeat(100_000), 'A'.repeat(100_000)],
])('%s has signed nothing, and harms nobody', (_what, key, signature) => {
  expect(isSealed({ key, signature }, 'lanpost jid 1', [])).toBe(false);
});

test('a key of another kind signs nothing here', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
  const seal = new Sealer({ key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), spki: publicKey.export({ type: 'spki', format: 'der' }) });
  expect(isSealed(seal.seal('lanpost jid 1', ['x']), 'lanpost jid 1', ['x'])).toBe(false);
});
