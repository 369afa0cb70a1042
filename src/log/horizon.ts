const STEPS = 64;

/** How far back the newest so many bytes of the log reach, roughly. */
export class Horizon {
  readonly #step: number;
  readonly #marks: number[] = [];
  #bytes = 0;

  constructor(bytes: number) {
    this.#step = Math.max(1, Math.floor(bytes / STEPS));
  }

  add(seq: number, bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < this.#step) return;
    this.#bytes = 0;
    this.#marks.push(seq);
    if (this.#marks.length > STEPS) this.#marks.shift();
  }

  /** Readers that are not durable keep nothing up to here. */
  get seq(): number {
    return this.#marks.length < STEPS ? 0 : this.#marks[0]!;
  }
}
