// XEP-0174 §11.2: a picture lies in a NULL record at the instance, its hash in TXT.
import { createHash } from 'node:crypto';
import { LanpostError } from '../errors.ts';
import { MAX_RECORD_BYTES } from '../mdns/offer.ts';

/** RFC 1035 §3.3.10. */
export const NULL_RECORD = 10;
/** §11.2 allows 65535, which no mDNS packet holds (RFC 6762 §17: 9000 with all headers). */
export const AVATAR_BYTES: number = MAX_RECORD_BYTES;

/** How pictures begin that the clients there are can show. */
const BEGINNINGS: readonly (readonly [kind: string, bytes: readonly number[]])[] = [
  ['png', [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ['jpeg', [0xff, 0xd8, 0xff]],
  ['gif', [0x47, 0x49, 0x46, 0x38]],
];

/** `phsh`: SHA-1, hex. */
export function avatarHash(image: Uint8Array): string {
  return createHash('sha1').update(image).digest('hex');
}

/** A copy: the caller may go on writing in his. */
export function checkedAvatar(image: unknown): Uint8Array {
  if (!(image instanceof Uint8Array)) throw new TypeError('an avatar must be bytes');
  if (!BEGINNINGS.some(([, bytes]) => bytes.every((byte, at) => image[at] === byte))) throw new LanpostError('invalid-value', 'an avatar is a PNG, JPEG or GIF picture');
  if (image.length > AVATAR_BYTES) throw new LanpostError('too-large', `an avatar has at most ${AVATAR_BYTES} bytes, and this one ${image.length}: a picture of 96 by 96 points will do`);
  return Uint8Array.from(image);
}
