// A frame is its length (u32, big-endian), then that many bytes.
import { LanpostError } from '../errors.ts';

const HEADER = 4;

export function frame(body: Uint8Array, limit: number): Buffer {
  if (body.length > limit) {
    throw new LanpostError('too-large', `This needs ${body.length} bytes on the control socket; the limit is ${limit}.`);
  }
  const framed = Buffer.allocUnsafe(HEADER + body.length);
  framed.writeUInt32BE(body.length, 0);
  framed.set(body, HEADER);
  return framed;
}

/** Cuts a byte stream into frames; the limit bites on the length, before anything is held. */
export class FrameReader {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  #held = 0;
  #wanted = HEADER;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The bodies completed by `chunk`. Throws when a frame announces more than the limit. */
  push(chunk: Buffer): Uint8Array[] {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    // Joined only when something is complete, so a large frame in many chunks is copied once.
    if (this.#held < this.#wanted) return [];
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    const bodies: Uint8Array[] = [];
    let at = 0;
    this.#wanted = HEADER;
    while (bytes.length - at >= HEADER) {
      const length = bytes.readUInt32BE(at);
      if (length > this.#limit) throw new LanpostError('too-large', `A frame of ${length} bytes is over the limit of ${this.#limit}.`);
      if (bytes.length - at - HEADER < length) {
        this.#wanted = HEADER + length;
        break;
      }
      bodies.push(bytes.subarray(at + HEADER, at + HEADER + length));
      at += HEADER + length;
    }
    this.#chunks = at === bytes.length ? [] : [bytes.subarray(at)];
    this.#held = bytes.length - at;
    return bodies;
  }
}
