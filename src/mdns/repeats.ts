import { asBuffer, type Message } from './message.ts';

/** Longer packets are read each time. */
const MAX_BYTES = 512;
/** Packets remembered, twice: those of late, and those before. */
const REMEMBERED = 1024;

interface Read { readonly words: string; readonly message: Message }

/** Records are refreshed in the same words: a packet that comes again, byte for byte, has been read before. */
export class Repeats {
  /** By a number that is mostly theirs alone: a packet that is new shall cost no more than to work it out. */
  #late = new Map<number, Read>();
  #before: Map<number, Read> | undefined;
  /** The last one, if it was not known. */
  #last: { readonly print: number; readonly bytes: Uint8Array } | undefined;

  /** Packets remembered. */
  get size(): number {
    return this.#late.size + (this.#before?.size ?? 0);
  }

  /** What it says, if it is known. */
  known(bytes: Uint8Array): Message | undefined {
    this.#last = undefined;
    if (bytes.length > MAX_BYTES) return undefined;
    const print = printOf(bytes);
    const late = this.#late.get(print);
    const read = late ?? this.#before?.get(print);
    if (read && read.words === wordsOf(bytes)) {
      if (!late) this.#remember(print, read);
      return read.message;
    }
    this.#last = { print, bytes };
    return undefined;
  }

  /** What was read last, and was not known, told nothing new: it may well come again. */
  remember(message: Message): void {
    if (this.#last) this.#remember(this.#last.print, { words: wordsOf(this.#last.bytes), message });
    this.#last = undefined;
  }

  #remember(print: number, read: Read): void {
    if (this.#late.size >= REMEMBERED) {
      this.#before = this.#late;
      this.#late = new Map();
    }
    this.#late.set(print, read);
  }
}

const wordsOf = (bytes: Uint8Array): string => asBuffer(bytes).toString('latin1');

/** Four bytes at a time: it is done with every packet. Whoever makes two packets with one print makes us read both. */
function printOf(bytes: Uint8Array): number {
  let print = bytes.length;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    const four = (bytes[at] ?? 0) << 24 | (bytes[at + 1] ?? 0) << 16 | (bytes[at + 2] ?? 0) << 8 | (bytes[at + 3] ?? 0);
    print = Math.imul((print << 13 | print >>> 19) ^ four, 0x01000193);
  }
  for (; at < bytes.length; at++) print = Math.imul((print << 13 | print >>> 19) ^ (bytes[at] ?? 0), 0x01000193);
  return print;
}
