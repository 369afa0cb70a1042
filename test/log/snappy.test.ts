import { describe, expect, it } from 'vitest';
import { unsnap } from '../../src/log/snappy.ts';
import { seeded } from '../support/seeded.ts';

describe('snappy blocks', () => {
  it('are literals and copies, which may overlap themselves', () => {
    // 10 bytes: literal "ab", then 8 bytes from 2 back.
    expect(Buffer.from(unsnap(Uint8Array.of(10, 4, 0x61, 0x62, 0x11, 2), 100) ?? []).toString()).toBe('ababababab');
    // The same with two and four bytes of offset.
    expect(Buffer.from(unsnap(Uint8Array.of(10, 4, 0x61, 0x62, 0x1e, 2, 0), 100) ?? []).toString()).toBe('ababababab');
    expect(Buffer.from(unsnap(Uint8Array.of(10, 4, 0x61, 0x62, 0x1f, 2, 0, 0, 0), 100) ?? []).toString()).toBe('ababababab');
    // A literal whose length takes a byte of its own.
    expect(unsnap(Uint8Array.of(70, 0xf0, 69, ...new Uint8Array(70).fill(7)), 100)).toEqual(new Uint8Array(70).fill(7));
  });

  it('that are none are undefined, whatever they are', () => {
    expect(unsnap(Uint8Array.of(10, 4, 0x61, 0x62, 0x11, 3), 100)).toBeUndefined();
    expect(unsnap(Uint8Array.of(200, 1, 4, 0x61, 0x62), 100)).toBeUndefined();
    expect(unsnap(new Uint8Array(), 100)).toBeUndefined();
    const random = seeded(9);
    for (let i = 0; i < 2000; i++) unsnap(Uint8Array.from({ length: random() * 40 }, () => random() * 256), 1000);
  });
});
