import { describe, expect, test } from 'vitest';
import { AVATAR_BYTES, avatarHash, checkedAvatar } from '../../src/link/avatar.ts';
import { GIF, PNG } from './pictures.ts';

describe('an avatar', () => {
  test.each([['PNG', PNG], ['GIF', GIF], ['JPEG', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0)]])('may be a %s', (_, image) => {
    expect(checkedAvatar(image)).toEqual(image);
    expect(checkedAvatar(Buffer.from(image))).not.toBe(image);
  });

  test('is bytes, of a picture, and no more than a packet holds', () => {
    expect(() => checkedAvatar('x')).toThrow(TypeError);
    for (const bytes of [[], [0x89, 0x50], [...Buffer.from('<svg/>')]]) expect(() => checkedAvatar(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ code: 'invalid-value' }) as Error);
    const padded = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => PNG[at] ?? 0);
    expect(checkedAvatar(padded(AVATAR_BYTES))).toHaveLength(AVATAR_BYTES);
    expect(() => checkedAvatar(padded(AVATAR_BYTES + 1))).toThrow(expect.objectContaining({ code: 'too-large' }) as Error);
  });

  test('has a hash as hex', () => {
    expect(avatarHash(Buffer.from('abc'))).toBe('a9993e364706816aba3e25717850c26c9cd0d89d');
  });
});
