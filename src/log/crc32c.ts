/** CRC-32C (Castagnoli, RFC 3720 appendix B.4), eight bytes at a time. */
export type Crc32c = (...parts: readonly Uint8Array[]) => number;

const POLYNOMIAL = 0x82f63b78;

/** Builds the tables, 8 KiB, that go with the function. */
export function createCrc32c(): Crc32c {
  const t = new Uint32Array(2048);
  for (let i = 0; i < 256; i++) {
    let value = i;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    t[i] = value;
  }
  for (let i = 256; i < 2048; i++) t[i] = (t[i - 256]! >>> 8) ^ t[t[i - 256]! & 255]!;
  const over = (bytes: Uint8Array, before: number): number => {
    let crc = before;
    let i = 0;
    for (; i + 8 <= bytes.length; i += 8) {
      const low = crc ^ (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
      crc = t[1792 + (low & 255)]! ^ t[1536 + ((low >>> 8) & 255)]! ^ t[1280 + ((low >>> 16) & 255)]! ^ t[1024 + (low >>> 24)]!
        ^ t[768 + bytes[i + 4]!]! ^ t[512 + bytes[i + 5]!]! ^ t[256 + bytes[i + 6]!]! ^ t[bytes[i + 7]!]!;
    }
    for (; i < bytes.length; i++) crc = (crc >>> 8) ^ t[(crc ^ bytes[i]!) & 255]!;
    return crc;
  };
  return (...parts) => ~parts.reduce((crc, part) => over(part, crc), -1) >>> 0;
}
