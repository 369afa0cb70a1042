/** Packets of this host that may still come back to it, as it sent them. */
export class Echoes {
  readonly #most: number;
  #sent: Buffer[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  add(bytes: Buffer): void {
    this.#sent.push(bytes);
    if (this.#sent.length > this.#most) this.#sent.shift();
  }

  /** It never left, so it never comes back. */
  remove(bytes: Buffer): void {
    this.#sent = this.#sent.filter((sent) => sent !== bytes);
  }

  /** Whether this is one of them: it comes back once. */
  takes(bytes: Buffer): boolean {
    const index = this.#sent.findIndex((sent) => sent.equals(bytes));
    if (index < 0) return false;
    // They come back in order: what is older than this one got lost.
    this.#sent.splice(0, index + 1);
    return true;
  }
}
