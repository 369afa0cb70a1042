// How much may be unanswered at once: few at first, more while answers come quickly, fewer when a server
// holds back (its rate limit is silence, not an error).
export const WINDOW = { first: 4, most: 32, bytes: 32_768, slow: 5_000 } as const;

export class SendWindow {
  #size: number = WINDOW.first;
  #items = 0;
  #bytes = 0;
  #fastest = Infinity;

  get size(): number {
    return this.#size;
  }

  get items(): number {
    return this.#items;
  }

  /** One item may always go, however large. */
  admits(bytes: number): boolean {
    return this.#items === 0 || (this.#items < this.#size && this.#bytes + bytes <= WINDOW.bytes);
  }

  sent(bytes: number): void {
    this.#items++;
    this.#bytes += bytes;
  }

  /** An answer came, or never will. */
  left(bytes: number, latency?: number): void {
    this.#items--;
    this.#bytes -= bytes;
    if (latency === undefined) return;
    this.#fastest = Math.min(this.#fastest, latency);
    if (latency > WINDOW.slow) this.#size = Math.max(1, this.#size >> 1);
    else if (latency <= Math.max(2 * this.#fastest, 20)) this.#size = Math.min(WINDOW.most, this.#size + 1);
  }

  /** Something in flight killed the stream: one at a time shows which. */
  narrow(): void {
    this.#size = 1;
  }

  reset(): void {
    this.#items = 0;
    this.#bytes = 0;
  }
}
