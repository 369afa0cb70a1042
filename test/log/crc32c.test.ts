import { expect, it } from 'vitest';
import { createCrc32c } from '../../src/log/crc32c.ts';

// RFC 3720 appendix B.4.
it.each([
  [new Uint8Array(32), 0x8a9136aa],
  [new Uint8Array(32).fill(0xff), 0x62a8ab43],
  [Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  [Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  [Buffer.from('123456789'), 0xe3069283],
])('RFC 3720 B.4: %#', (bytes, sum) => {
  const crc32c = createCrc32c();
  expect(crc32c(bytes)).toBe(sum);
  expect(crc32c(bytes.subarray(0, 5), bytes.subarray(5))).toBe(sum);
});
