/** Those who make their own source wait while too much waits for the disk: sockets that are not read meanwhile. */
export class Crowd {
  readonly #limit: number;
  #roomy: Promise<void> | undefined;
  #tell: (() => void) | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Undefined when there is room for more with so much waiting; else it resolves when there is. */
  roomy(waiting: number): Promise<void> | undefined {
    if (waiting <= this.#limit) return undefined;
    this.#roomy ??= new Promise<void>((resolve) => { this.#tell = resolve; });
    return this.#roomy;
  }

  /** So much waits now. Room is given when half is gone, lest everybody starts and stops with each batch. */
  now(waiting: number): void {
    if (!this.#roomy || waiting > this.#limit / 2) return;
    this.#tell?.();
    this.#roomy = undefined;
  }
}
