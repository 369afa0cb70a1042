/** Topics of which it is remembered that something was said of who may read them. */
const SAID = 10_000;

/** Counts what is said of anybody's rights: what was found out before it need not hold any more. */
export class Sayings {
  /** What the trust room has said; undefined: nobody can say. */
  readonly trusted: (() => number) | undefined;
  /** Counts what this room itself has changed. */
  #changes = 0;
  /** By topic, the last of those changes that was about it; of topics that are not here it is `#before`. */
  readonly #topics = new Map<string, number>();
  #before = 0;
  readonly #listeners: (() => void)[] = [];

  constructor(trusted: (() => number) | undefined) {
    this.trusted = trusted;
  }

  /** Changes with all that is said of anybody's rights; undefined: nobody can say. */
  get generation(): number | undefined {
    const trusted = this.trusted?.();
    // Both only grow: their sum is another whenever one of them is.
    return trusted === undefined ? undefined : trusted + this.#changes;
  }

  /** Changes with what is said of that topic. */
  of(topic: string): number {
    return this.#topics.get(topic) ?? this.#before;
  }

  about(topic: string): void {
    if (this.#topics.size >= SAID) {
      this.#topics.clear();
      this.#before = this.#changes;
    }
    this.#changes += 1;
    this.#topics.set(topic, this.#changes);
  }

  /** Who may read what is another from now on. */
  changed(): void {
    this.#changes += 1;
    for (const tell of this.#listeners) tell();
  }

  /** Calls whenever somebody may read more, or less, than before; what the trust room changes is for others to tell. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }
}
