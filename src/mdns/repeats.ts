import { decodeMessage } from './decode.ts';
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
  #before = new Map<number, Read>();
  /** The last one that was read, if it was not remembered. */
  #last: { readonly print: number; readonly bytes: Uint8Array; readonly message: Message } | undefined;

  /** Packets remembered. */
  get size(): number {
    return this.#late.size + this.#before.size;
  }

  /** As `decodeMessage`. What is read may be remembered until the next one is. */
  read(bytes: Uint8Array): Message {
    this.#last = undefined;
    if (bytes.length > MAX_BYTES) return decodeMessage(bytes);
    const print = printOf(bytes);
    const late = this.#late.get(print);
    const known = late ?? this.#before.get(print);
    if (known && known.words === wordsOf(bytes)) {
      if (!late) this.#remember(print, known);
      return known.message;
    }
    const message = decodeMessage(bytes);
    this.#last = { print, bytes, message };
    return message;
  }

  /** What was read last told nothing new: it may well come again. */
  remember(): void {
    if (this.#last) this.#remember(this.#last.print, { words: wordsOf(this.#last.bytes), message: this.#last.message });
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

/** FNV-1a, 32 bits. Whoever makes two packets with one print makes us read both. */
function printOf(bytes: Uint8Array): number {
  let print = 0x811c9dc5;
  // By index: this is done with every packet, and an iterator costs as much again.
  for (let at = 0; at < bytes.length; at++) print = Math.imul(print ^ (bytes[at] ?? 0), 0x01000193);
  return print;
}
