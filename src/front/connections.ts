import { isLoopback, sourceOf } from './remote-address.ts';

/** Connections at once, from this machine and from others; and from one of those others. */
export const MOST_CONNECTIONS = 256;
export const MOST_OF_ONE = 64;

interface Caller {
  readonly remoteAddress?: string | undefined;
  once(event: 'close', gone: () => void): unknown;
  destroy(): unknown;
}

/** How many connections there are, and whose: each takes memory and a file of those that the box has. Others take none from whoever is at this machine. */
export class Connections {
  #here = 0;
  #beyond = 0;
  readonly #sources: Map<string, number> = new Map();

  /** Whether there is room for it; one for which there is none is cut. */
  admit(socket: Caller): boolean {
    const address = socket.remoteAddress ?? '';
    const source = isLoopback(address) ? undefined : sourceOf(address);
    const own = source === undefined ? 0 : this.#sources.get(source) ?? 0;
    if ((source === undefined ? this.#here : this.#beyond) >= MOST_CONNECTIONS || own >= MOST_OF_ONE) {
      socket.destroy();
      return false;
    }
    this.#count(source, 1);
    socket.once('close', () => this.#count(source, -1));
    return true;
  }

  #count(source: string | undefined, by: 1 | -1): void {
    if (source === undefined) {
      this.#here += by;
      return;
    }
    this.#beyond += by;
    const own = (this.#sources.get(source) ?? 0) + by;
    if (own > 0) this.#sources.set(source, own);
    else this.#sources.delete(source);
  }
}
