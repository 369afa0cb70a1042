// A file from one box for another: only the other can read it, and it can see who wrote it, all of it, and nothing else.
//
//   "lanpost-sealed-1\n"                            17 bytes
//   length u32, header                              JSON, at most 4096 bytes: author, recipient, ephemeral key, and what is said of it
//   (length u32, last u8, ciphertext and tag)*      frames of at most 320 KiB; `last` is 1 in the last one alone
//   signature                                       64 bytes: the author's, of the SHA-256 of all before it
//
// Key: ECDH over P-256 of the ephemeral and the recipient's key (a fresh one for each file), HKDF-SHA-256 (RFC 5869)
// with the hash of what stands before the frames as salt. AES-256-GCM; nonce: number of the frame u64, then `last` u32. So frames
// cannot be cut off, left out, changed or put in another order (as in Rogaway's STREAM), and each is known to be right when it is read.
import { createCipheriv, createDecipheriv, createHash, createPublicKey, diffieHellman, generateKeyPairSync, hkdfSync, type Hash, type KeyObject, createPrivateKey } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { LanpostError } from '../errors.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { Identity } from './identity.ts';
import { isSealed, type SealLabel, type Sealer, sealKey } from './seal.ts';

const MAGIC: Buffer = Buffer.from('lanpost-sealed-1\n');
const INFO = 'lanpost sealed file 1';
const HEADER_BYTES = 4_096;
/** Of what is in a frame. */
export const FRAME_BYTES: number = 320 * 1024;
const TAG = 16;
const SIGNATURE = 64;
const LABEL: SealLabel = 'lanpost file 1';

/** What stands before the frames, readable by everybody. */
export interface SealedHeader {
  /** SubjectPublicKeyInfo, base64. */
  readonly author: string;
  /** Fingerprint. */
  readonly recipient: string;
  readonly ephemeral: string;
  /** What the file is, and of it. */
  readonly about: unknown;
}

export interface Opened {
  readonly header: SealedHeader;
  /** Of the author's key. */
  readonly author: string;
  /** Of all of it but the signature, hex. */
  readonly sha256: string;
}

/** Bytes in, pieces of the file out. */
export class SealedWriter {
  readonly #hash: Hash = createHash('sha256');
  readonly #key: Buffer;
  readonly #sealer: Sealer;
  readonly #start: Buffer;
  #frames = 0n;

  constructor({ sealer, author, recipient, about }: { readonly sealer: Sealer; readonly author: Uint8Array; readonly recipient: Uint8Array; readonly about: unknown }) {
    const to = publicKeyOf(recipient);
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const header: SealedHeader = {
      author: Buffer.from(author).toString('base64'), recipient: fingerprintOf(recipient),
      ephemeral: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'), about,
    };
    const text = Buffer.from(JSON.stringify(header));
    if (text.length > HEADER_BYTES) throw new LanpostError('too-large', 'Too much is said of the file.');
    this.#start = Buffer.concat([MAGIC, u32(text.length), text]);
    this.#key = keyOf(privateKey, to, this.#start);
    this.#sealer = sealer;
  }

  begin(): Buffer {
    this.#hash.update(this.#start);
    return this.#start;
  }

  frame(bytes: Uint8Array, last: boolean): Buffer {
    if (bytes.length > FRAME_BYTES) throw new LanpostError('too-large', 'A frame of a sealed file is too large.');
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce(this.#frames++, last));
    const sealed = Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
    const frame = Buffer.concat([u32(sealed.length), Buffer.of(last ? 1 : 0), sealed]);
    this.#hash.update(frame);
    return frame;
  }

  /** After the last frame. */
  end(): { readonly signature: Buffer; readonly sha256: string } {
    const sha256 = this.#hash.digest('hex');
    return { sha256, signature: Buffer.from(this.#sealer.seal(LABEL, [sha256]).signature, 'base64') };
  }
}

/** Reads the header alone: who it is for, and from. Nothing of it is proven yet. */
export async function readHeader(file: FileHandle): Promise<{ readonly header: SealedHeader; readonly start: Buffer }> {
  const head = await take(file, 0, MAGIC.length + 4);
  if (!head.subarray(0, MAGIC.length).equals(MAGIC)) throw new LanpostError('invalid-value', 'That is no sealed file of lanpost, or of a newer one.');
  const length = head.readUInt32BE(MAGIC.length);
  if (length > HEADER_BYTES) throw damaged();
  const start = Buffer.concat([head, await take(file, head.length, length)]);
  return { header: parseHeader(start.subarray(head.length)), start };
}

/** Everything is read and checked, and nothing kept of it. Throws `corrupt` unless it is whole, unchanged, and signed by whom it says. */
export async function verifySealed(file: FileHandle, identity: Pick<Identity, 'key' | 'fingerprint'>): Promise<Opened> {
  let opened: Opened | undefined;
  for await (const step of frames(file, identity)) if (!(step instanceof Uint8Array)) opened = step;
  if (!opened) throw damaged();
  return opened;
}

/** What is in it, frame by frame, as `verifySealed` has found it; throws `corrupt` when it is another file by now, before anything of that. */
export async function* readSealed(file: FileHandle, identity: Pick<Identity, 'key' | 'fingerprint'>, { sha256, header }: Opened): AsyncGenerator<Uint8Array> {
  for await (const step of frames(file, identity, header)) {
    if (step instanceof Uint8Array) yield step;
    else if (step.sha256 !== sha256) throw damaged();
  }
}

async function* frames(file: FileHandle, { key, fingerprint }: Pick<Identity, 'key' | 'fingerprint'>, found?: SealedHeader): AsyncGenerator<Uint8Array | Opened> {
  const { header, start } = await readHeader(file);
  // With that ephemeral key only its author can make frames that are read here.
  if (found && (header.author !== found.author || header.ephemeral !== found.ephemeral)) throw damaged();
  if (header.recipient !== fingerprint) throw new LanpostError('forbidden', `That file is for another box, of key ${header.recipient.slice(0, 16)}…`);
  const author = sealKey({ key: header.author });
  if (!author) throw damaged();
  const secret = keyOf(createPrivateKey(key), publicKeyOf(Buffer.from(header.ephemeral, 'base64')), start);
  const hash = createHash('sha256').update(start);
  let at = start.length;
  for (let number = 0n; ; number++) {
    const head = await take(file, at, 5);
    const length = head.readUInt32BE(0);
    const last = head[4] === 1;
    if (length < TAG || length > FRAME_BYTES + TAG || (head[4] ?? 2) > 1) throw damaged();
    const sealed = await take(file, at + 5, length);
    at += 5 + length;
    hash.update(head).update(sealed);
    yield decrypted(secret, nonce(number, last), sealed);
    if (last) break;
  }
  const signature = await take(file, at, SIGNATURE);
  if ((await file.read(Buffer.alloc(1), 0, 1, at + SIGNATURE)).bytesRead > 0) throw damaged();
  const sha256 = hash.digest('hex');
  if (!isSealed({ key: header.author, signature: signature.toString('base64') }, LABEL, [sha256])) throw damaged();
  yield { header, author: fingerprintOf(author), sha256 };
}

function decrypted(key: Buffer, iv: Buffer, sealed: Buffer): Uint8Array {
  const decipher = createDecipheriv('aes-256-gcm', key, iv);
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, sealed.length - TAG)), decipher.final()]);
  } catch {
    throw damaged();
  }
}

function keyOf(own: KeyObject, other: KeyObject, start: Buffer): Buffer {
  const shared = diffieHellman({ privateKey: own, publicKey: other });
  return Buffer.from(hkdfSync('sha256', shared, createHash('sha256').update(start).digest(), INFO, 32));
}

function publicKeyOf(spki: Uint8Array): KeyObject {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  } catch {
    // It is said below.
  }
  throw new LanpostError('corrupt', 'What should be a key is none that boxes have.');
}

function parseHeader(text: Buffer): SealedHeader {
  let header: unknown;
  try {
    header = JSON.parse(text.toString());
  } catch {
    throw damaged();
  }
  if (typeof header === 'object' && header !== null && 'author' in header && typeof header.author === 'string' && 'recipient' in header && typeof header.recipient === 'string'
    && 'ephemeral' in header && typeof header.ephemeral === 'string' && 'about' in header) {
    return { author: header.author, recipient: header.recipient, ephemeral: header.ephemeral, about: header.about };
  }
  throw damaged();
}

async function take(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  for (let got = 0; got < length;) {
    const { bytesRead } = await file.read(bytes, got, length - got, at + got);
    if (bytesRead === 0) throw new LanpostError('corrupt', 'The file ends too early: it was cut off.');
    got += bytesRead;
  }
  return bytes;
}

function nonce(number: bigint, last: boolean): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeBigUInt64BE(number, 0);
  bytes.writeUInt32BE(last ? 1 : 0, 8);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function damaged(): LanpostError {
  return new LanpostError('corrupt', 'The file is not what its author wrote: it was changed, or damaged on its way.');
}
