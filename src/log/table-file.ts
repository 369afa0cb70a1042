// LevelDB's table files (doc/table_format.md of google/leveldb), as far as it takes to tell whether they are whole: LevelDB
// compares the checksum of a block with the block only when it is told to, and its binding cannot tell it.
import { type FileHandle, open } from 'node:fs/promises';
import { createCrc32c } from './crc32c.ts';
import { unsnap } from './snappy.ts';

const FOOTER = 48;
const TRAILER = 5;
const MAGIC = Uint8Array.of(0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb);
/** Behind each key: number and kind of the change. */
const KEY_TAIL = 8;
const MAX_BLOCK = 64 << 20;
/** Read at a time: a block has some 4 KiB, and asking for each by itself takes longer than looking at it. */
const READ_BYTES = 1 << 20;
const UNKNOWN_TYPE = 0xff;

export interface Block {
  readonly offset: number;
  /** Without its trailer. */
  readonly size: number;
  /** No key in it is above. */
  readonly to: Uint8Array;
}

export interface TableDamage {
  /** Blocks that are not what was written; of one that is damaged as a whole its index, if that has a place. */
  readonly blocks: readonly Block[];
  /** Not even its index can be read. */
  readonly whole: boolean;
}

/** Compares blocks with their checksums; `wanted` is asked which, by the keys that it lies between. */
export async function tableDamage(path: string, wanted: (after: Uint8Array, to: Uint8Array) => boolean): Promise<TableDamage> {
  const crc = createCrc32c();
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const footer = await bytesOf(file, size - FOOTER, FOOTER);
    if (!footer || Buffer.compare(footer.subarray(-8), MAGIC) !== 0) return { blocks: [], whole: true };
    const numbers = varints(footer, 0, 4);
    const ahead = new Ahead(file, size);
    if (!numbers) return { blocks: [], whole: true };
    const place = { offset: numbers[2]!, size: numbers[3]! };
    const bytes = await ahead.block(place);
    const index = content(bytes, crc);
    const list = index && blocksOf(index);
    if (!list) return { blocks: bytes ? [{ ...place, to: new Uint8Array() }] : [], whole: true };
    const blocks: Block[] = [];
    let after: Uint8Array = new Uint8Array();
    for (const block of list) {
      if (wanted(after, block.to) && !isSound(ahead.have(block) ?? await ahead.block(block), crc)) blocks.push(block);
      after = block.to;
    }
    return { blocks, whole: false };
  } finally {
    await file.close();
  }
}

/** Has LevelDB see that these blocks are none of its own, so that a repair leaves them out and keeps the others. */
export async function condemn(path: string, blocks: readonly Block[]): Promise<void> {
  const file = await open(path, 'r+');
  try {
    for (const { offset, size } of blocks) await file.write(Uint8Array.of(UNKNOWN_TYPE), 0, 1, offset + size);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function bytesOf(file: FileHandle, offset: number, length: number): Promise<Uint8Array | undefined> {
  if (offset < 0) return undefined;
  const bytes = new Uint8Array(length);
  const { bytesRead } = await file.read(bytes, 0, length, offset);
  return bytesRead === length ? bytes : undefined;
}

type Place = Pick<Block, 'offset' | 'size'>;

/** The blocks of a file, with their trailers, read in the order in which they lie there. */
class Ahead {
  readonly #file: FileHandle;
  readonly #end: number;
  #from = 0;
  #bytes: Uint8Array = new Uint8Array();

  constructor(file: FileHandle, end: number) {
    this.#file = file;
    this.#end = end;
  }

  /** If it has been read. */
  have({ offset, size }: Place): Uint8Array | undefined {
    const start = offset - this.#from;
    const end = start + size + TRAILER;
    return start >= 0 && end <= this.#bytes.length ? this.#bytes.subarray(start, end) : undefined;
  }

  /** Undefined when the file has no such place. */
  async block(place: Place): Promise<Uint8Array | undefined> {
    const { offset, size } = place;
    if (size > MAX_BLOCK || offset + size + TRAILER > this.#end) return undefined;
    const bytes = await bytesOf(this.#file, offset, Math.min(Math.max(READ_BYTES, size + TRAILER), this.#end - offset));
    if (!bytes) return undefined;
    this.#from = offset;
    this.#bytes = bytes;
    return this.have(place);
  }
}

/** Whether a block, with its trailer, is what was written. */
function isSound(bytes: Uint8Array | undefined, crc: ReturnType<typeof createCrc32c>): bytes is Uint8Array {
  if (!bytes) return false;
  const size = bytes.length - TRAILER;
  const stored = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(size + 1, true);
  const sum = crc(bytes.subarray(0, size + 1));
  // Masked, so that the checksum of what holds checksums is not a special one.
  return ((((sum >>> 15) | (sum << 17)) >>> 0) + 0xa282ead8) % 0x1_0000_0000 === stored && bytes[size]! <= 1;
}

/** What it holds, if it is sound. */
function content(bytes: Uint8Array | undefined, crc: ReturnType<typeof createCrc32c>): Uint8Array | undefined {
  if (!isSound(bytes, crc)) return undefined;
  const data = bytes.subarray(0, -TRAILER);
  return bytes.at(-TRAILER) === 0 ? data : unsnap(data, MAX_BLOCK);
}

function varints(bytes: Uint8Array, from: number, count: number): number[] | undefined {
  const numbers: number[] = [];
  let at = from;
  while (numbers.length < count) {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 49) return undefined;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) break;
    }
    numbers.push(value);
  }
  return [...numbers, at];
}

/** The blocks that an index names, in order. */
function blocksOf(index: Uint8Array): Block[] | undefined {
  if (index.length < 4) return undefined;
  const restarts = new DataView(index.buffer, index.byteOffset, index.length).getUint32(index.length - 4, true);
  const end = index.length - 4 - 4 * restarts;
  const blocks: Block[] = [];
  let key: Uint8Array = new Uint8Array();
  for (let at = 0; at < end;) {
    const head = varints(index, at, 3);
    if (!head) return undefined;
    const [shared = 0, own = 0, length = 0, from = 0] = head;
    if (shared > key.length || from + own + length > end) return undefined;
    key = Buffer.concat([key.subarray(0, shared), index.subarray(from, from + own)]);
    const handle = varints(index, from + own, 2);
    if (!handle) return undefined;
    blocks.push({ offset: handle[0]!, size: handle[1]!, to: key.subarray(0, -KEY_TAIL) });
    at = from + own + length;
  }
  return end < 0 ? undefined : blocks;
}
