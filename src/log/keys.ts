// Key layout (big-endian, so that byte order is number order):
//
//   m                     meta: format version, box id, head, clean mark, machine
//   e <counter u32>       epoch: box, name, first seq, predecessor
//   b <first seq u64>     commit row: count, CRC-32 of its records' CRCs (of the last 24 MiB)
//   r <seq u64>           record, written once
//   t <topic u32><seq>    index: state, kind, size, ordinal within the topic, item id if chosen
//   k <topic u32><id>     -> seq of the newest item with that id
//   T <topic u32>         name, settings, view, counters
//   g <seq u64>           -> topic: a record outside the view although its topic's view begins before it
//   s <name>              cursor: filter and what its owner keeps with it
//   c <name>              cursor: position, handed bound, done ranges
//   c <name>\0<topic>     the same of a topic that is held back alone, and up to where it is
//   p <name>\0<seq u64>   a record the reader would not take: why
//   d <name>\0<seq u64>   how often a record was handed out that is not confirmed, where that is counted
//   l <name>\0<seq u64>   what the reader lost from there on, until it knows
//   o <box>\0<epoch>\0<topic>  what was taken from another box
//   x <due u64><seq>      expiry
//   y <key>               registry
//
// Topic number 0 is the log itself: gap records lie there and match every filter.

export const PREFIX = {
  meta: 0x6d, epoch: 0x65, commit: 0x62, record: 0x72, index: 0x74, id: 0x6b, topic: 0x54,
  garbage: 0x67, subscription: 0x73, cursor: 0x63, aside: 0x70, delivery: 0x64, lost: 0x6c, origin: 0x6f, expiry: 0x78, registry: 0x79,
} as const;

const TWO_32 = 0x1_0000_0000;

export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function getU32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** A seq has 53 bits and eight bytes. */
export function putSeq(bytes: Uint8Array, at: number, seq: number): void {
  putU32(bytes, at, Math.floor(seq / TWO_32));
  putU32(bytes, at + 4, seq >>> 0);
}

export function getSeq(bytes: Uint8Array, at: number): number {
  return getU32(bytes, at) * TWO_32 + getU32(bytes, at + 4);
}

/** Up to 2^48. */
export function putU48(bytes: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / TWO_32);
  bytes[at] = high >>> 8;
  bytes[at + 1] = high;
  putU32(bytes, at + 2, value >>> 0);
}

export function getU48(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 8) | bytes[at + 1]!) * TWO_32 + getU32(bytes, at + 2);
}

function seqKey(prefix: number, seq: number): Uint8Array {
  const key = Buffer.allocUnsafe(9);
  key[0] = prefix;
  putSeq(key, 1, seq);
  return key;
}

function u32Key(prefix: number, number: number): Uint8Array {
  const key = Buffer.allocUnsafe(5);
  key[0] = prefix;
  putU32(key, 1, number);
  return key;
}

function textKey(prefix: number, text: string): Uint8Array {
  const key = Buffer.allocUnsafe(1 + Buffer.byteLength(text));
  key[0] = prefix;
  key.write(text, 1);
  return key;
}

export const META_KEY: Uint8Array = Uint8Array.of(PREFIX.meta);
export const epochKey = (counter: number): Uint8Array => u32Key(PREFIX.epoch, counter);
export const commitKey = (first: number): Uint8Array => seqKey(PREFIX.commit, first);
export const recordKey = (seq: number): Uint8Array => seqKey(PREFIX.record, seq);
export const garbageKey = (seq: number): Uint8Array => seqKey(PREFIX.garbage, seq);
export const topicKey = (topic: number): Uint8Array => u32Key(PREFIX.topic, topic);
export const subscriptionKey = (name: string): Uint8Array => textKey(PREFIX.subscription, name);
export const cursorKey = (name: string): Uint8Array => textKey(PREFIX.cursor, name);
/** Names of subscriptions have no NUL. */
export const heldCursorKey = (name: string, topic: string): Uint8Array => textKey(PREFIX.cursor, `${name}\0${topic}`);
export const registryKey = (key: string): Uint8Array => textKey(PREFIX.registry, key);
export const originKey = (name: string): Uint8Array => textKey(PREFIX.origin, name);

export function indexKey(topic: number, seq: number): Uint8Array {
  const key = Buffer.allocUnsafe(13);
  key[0] = PREFIX.index;
  putIndexKey(key, topic, seq);
  return key;
}

/** Makes a record's key another's. */
export function putRecordKey(key: Uint8Array, seq: number): void {
  putSeq(key, 1, seq);
}

/** Makes an index row's key another's. */
export function putIndexKey(key: Uint8Array, topic: number, seq: number): void {
  putU32(key, 1, topic);
  putSeq(key, 5, seq);
}

export function idKey(topic: number, id: string): Uint8Array {
  const key = Buffer.allocUnsafe(5 + Buffer.byteLength(id));
  key[0] = PREFIX.id;
  putU32(key, 1, topic);
  key.write(id, 5);
  return key;
}

export function expiryKey(due: number, seq: number): Uint8Array {
  const key = Buffer.allocUnsafe(17);
  key[0] = PREFIX.expiry;
  putSeq(key, 1, due);
  putSeq(key, 9, seq);
  return key;
}

export const asideKey = (name: string, seq: number): Uint8Array => readerSeqKey(PREFIX.aside, name, seq);
export const deliveryKey = (name: string, seq: number): Uint8Array => readerSeqKey(PREFIX.delivery, name, seq);
export const lostKey = (name: string, seq: number): Uint8Array => readerSeqKey(PREFIX.lost, name, seq);

function readerSeqKey(prefix: number, name: string, seq: number): Uint8Array {
  const length = Buffer.byteLength(name);
  const key = Buffer.alloc(10 + length);
  key[0] = prefix;
  key.write(name, 1);
  putSeq(key, 2 + length, seq);
  return key;
}

/** Subscription and seq of such a key. */
export function readerSeqOf(key: Uint8Array): { readonly name: string; readonly seq: number } {
  return { name: Buffer.from(key.buffer, key.byteOffset + 1, key.length - 10).toString(), seq: getSeq(key, key.length - 8) };
}

/** The text after a one-byte prefix. */
export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset + 1, key.length - 1).toString();
}

/** Every key that begins with `prefix`. */
export function prefixRange(prefix: number): { gte: Uint8Array; lt: Uint8Array } {
  return { gte: Uint8Array.of(prefix), lt: Uint8Array.of(prefix + 1) };
}
