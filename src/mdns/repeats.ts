import { decodeMessage } from './decode.ts';
import { asBuffer, type Message } from './message.ts';

/** Longer packets are read each time. */
const MAX_BYTES = 512;
/** Packets remembered, twice: those of late, and those before. */
const REMEMBERED = 1024;

/** Records are refreshed in the same words: a packet that comes again, byte for byte, has been read before. */
export class Repeats {
  #late = new Map<string, Message>();
  #before = new Map<string, Message>();
  /** The last one that was read, if it was not remembered. */
  #last: { readonly key: string; readonly message: Message } | undefined;

  /** Packets remembered. */
  get size(): number {
    return this.#late.size + this.#before.size;
  }

  /** As `decodeMessage`. */
  read(bytes: Uint8Array): Message {
    this.#last = undefined;
    if (bytes.length > MAX_BYTES) return decodeMessage(bytes);
    const key = asBuffer(bytes).toString('latin1');
    const late = this.#late.get(key);
    if (late) return late;
    const before = this.#before.get(key);
    const message = before ?? decodeMessage(bytes);
    if (before) this.#remember(key, before);
    else this.#last = { key, message };
    return message;
  }

  /** What was read last told nothing new: it may well come again. */
  remember(): void {
    if (this.#last) this.#remember(this.#last.key, this.#last.message);
    this.#last = undefined;
  }

  #remember(key: string, message: Message): void {
    if (this.#late.size >= REMEMBERED) {
      this.#before = this.#late;
      this.#late = new Map();
    }
    this.#late.set(key, message);
  }
}
