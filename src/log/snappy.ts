/** Snappy's block format (format_description.txt of google/snappy): what LevelDB may store blocks as. Undefined when it is none. */
export function unsnap(from: Uint8Array, most: number): Uint8Array | undefined {
  let at = 0;
  const number = (bytes: number): number => {
    let value = 0;
    for (let i = 0; i < bytes; i++) value += (from[at++] ?? 0) * 2 ** (8 * i);
    return value;
  };
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = from[at++];
    if (byte === undefined || shift > 28) return undefined;
    length += (byte & 127) * 2 ** shift;
    if (byte < 128) break;
  }
  if (length > most) return undefined;
  const to = new Uint8Array(length);
  let end = 0;
  while (at < from.length) {
    const tag = from[at++]!;
    const kind = tag & 3;
    if (kind === 0) {
      const short = tag >>> 2;
      const size = (short < 60 ? short : number(short - 59)) + 1;
      if (at + size > from.length || end + size > length) return undefined;
      to.set(from.subarray(at, at + size), end);
      at += size;
      end += size;
      continue;
    }
    const size = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    const back = kind === 1 ? (tag >>> 5) * 256 + number(1) : number(kind === 2 ? 2 : 4);
    if (back === 0 || back > end || end + size > length) return undefined;
    // Byte by byte: it may overlap itself.
    for (let i = 0; i < size; i++, end++) to[end] = to[end - back]!;
  }
  return end === length ? to : undefined;
}
