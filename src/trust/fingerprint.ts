import { createHash } from 'node:crypto';

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** RFC 4648 base32, lower case, without padding. */
function base32(bytes: Uint8Array): string {
  let out = '';
  let value = 0;
  let bits = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out += BASE32[(value >>> bits) & 31];
    }
    value &= (1 << bits) - 1;
  }
  return bits > 0 ? out + BASE32[(value << (5 - bits)) & 31] : out;
}

const digest = (spki: Uint8Array): Buffer => createHash('sha256').update(spki).digest();

/** The whole SHA-256 of a public key (SubjectPublicKeyInfo, DER), in hex. */
export function fingerprintOf(spki: Uint8Array): string {
  return digest(spki).toString('hex');
}

/** The short name a box mints its record ids with. */
export function boxIdOf(spki: Uint8Array): string {
  return base32(digest(spki)).slice(0, 16);
}

/** The box id of a key known by its fingerprint only. */
export function boxIdOfFingerprint(fingerprint: string): string {
  return base32(Buffer.from(fingerprint, 'hex')).slice(0, 16);
}
