/** Memory of stanzas that have begun and not ended, or that came before their stream was open: of all streams, and of strangers'. */
const ALL = 16 << 20;
const STRANGERS = 4 << 20;

export interface Holder {
  /** Of whom the owner has not vouched for the key. */
  readonly isStranger: boolean;
}

/** One bound for all streams: as many as there may be, each with a stanza that never ends, would be too much together. */
export class HalfReceived<T extends Holder> {
  readonly #held = new Map<T, number>();

  get total(): number {
    return this.#sum(() => true);
  }

  /**
   * The stream holds that much now. Who has to let go, when it is too much: of strangers while theirs is too much or there
   * are any, and of those who holds most; so that nobody loses his stream by what many others do with little.
   */
  hold(stream: T, bytes: number): T | undefined {
    if (bytes === 0) this.#held.delete(stream);
    else this.#held.set(stream, bytes);
    if (bytes === 0 || this.#held.size === 0) return undefined;
    const strangers = this.#sum(({ isStranger }) => isStranger);
    if (strangers > STRANGERS || (strangers > 0 && this.total > ALL)) return this.#most(({ isStranger }) => isStranger);
    return this.total > ALL ? this.#most(() => true) : undefined;
  }

  #sum(counts: (stream: T) => boolean): number {
    let sum = 0;
    for (const [stream, bytes] of this.#held) if (counts(stream)) sum += bytes;
    return sum;
  }

  #most(counts: (stream: T) => boolean): T | undefined {
    let most: T | undefined;
    for (const [stream, bytes] of this.#held) if (counts(stream) && bytes > (most ? this.#held.get(most) ?? 0 : 0)) most = stream;
    return most;
  }
}
