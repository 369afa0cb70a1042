// How much may be unanswered at once, in items and in bytes: little at first, more while answers come quickly, less when a
// server holds back. Its rate limit is silence, no error: what is in flight then only waits, and the more the longer.
// At most fewer than the answers that Prosody keeps for a session that is cut off (500): one that missed more could not be taken up again.
export const WINDOW = { first: 16, most: 384, firstBytes: 32_768, leastBytes: 4_096, mostBytes: 1_048_576, quick: 250, slow: 2_000 } as const;

export class SendWindow {
  #size: number = WINDOW.first;
  #limit: number = WINDOW.firstBytes;
  #items = 0;
  #bytes = 0;
  #fastest = Infinity;
  /** Answers to what was sent before the window was last made smaller tell nothing of the smaller one. */
  #smaller = 0;
  #sent = 0;
  #answers = 0;
  /** Bytes are found carefully from the first slow answer on. */
  #careful = false;
  #narrowed = false;

  get size(): number {
    return this.#size;
  }

  /** Bytes. */
  get limit(): number {
    return this.#limit;
  }

  /** Of one item made of many records: so that several of them are in flight, and none takes long. */
  get packBytes(): number {
    return Math.max(WINDOW.leastBytes, this.#limit >> 2);
  }

  get items(): number {
    return this.#items;
  }

  /** One item may always go, however large. */
  admits(bytes: number): boolean {
    return this.#items === 0 || (this.#items < this.#size && this.#bytes + bytes <= this.#limit);
  }

  sent(bytes: number): void {
    this.#items++;
    this.#bytes += bytes;
    this.#sent++;
  }

  /** An answer came, or never will. */
  left(bytes: number, latency?: number): void {
    const used = this.#bytes;
    this.#items--;
    this.#bytes -= bytes;
    this.#answers++;
    if (latency === undefined) return;
    this.#fastest = Math.min(this.#fastest, latency);
    if (latency > WINDOW.slow) this.#shrink();
    else if (latency <= Math.max(2 * this.#fastest, WINDOW.quick)) this.#grow(bytes, used);
  }

  #shrink(): void {
    if (this.#answers <= this.#smaller) return;
    this.#smaller = this.#sent;
    this.#careful = true;
    this.#size = Math.max(1, this.#size >> 1);
    this.#limit = Math.max(WINDOW.leastBytes, this.#limit >> 1);
  }

  #grow(bytes: number, used: number): void {
    if (!this.#narrowed) this.#size = Math.min(WINDOW.most, this.#size + 1);
    // Nothing is known of a window that was not made use of.
    if (used < this.#limit / 2) return;
    this.#limit = Math.min(WINDOW.mostBytes, this.#limit + (this.#careful ? Math.ceil(1_024 * bytes / this.#limit) : bytes));
  }

  get narrowed(): boolean {
    return this.#narrowed;
  }

  /** Something in flight killed the stream: one at a time shows which, until it may grow again. */
  narrow(): void {
    this.#size = 1;
    this.#narrowed = true;
  }

  widen(): void {
    this.#narrowed = false;
  }

  reset(): void {
    this.#items = 0;
    this.#bytes = 0;
    this.#answers = this.#sent;
  }
}
