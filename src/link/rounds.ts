import { setImmediate as nextTurn } from 'node:timers/promises';

/** Many things to look at because of changes that may come faster than they can be looked at: one round at a time, and one more for all that has changed meanwhile. */
export class Rounds {
  readonly #round: () => Promise<void>;
  #last: Promise<unknown> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(round: () => Promise<void>) {
    this.#round = round;
  }

  /** Resolves when a round that began after this has ended. */
  wanted(): Promise<void> {
    if (this.#next) return this.#next;
    const next = this.#after(this.#last);
    this.#last = next.catch(() => undefined); // whoever wanted it sees it
    this.#next = next;
    return next;
  }

  async #after(last: Promise<unknown>): Promise<void> {
    await last;
    await nextTurn();
    this.#next = undefined;
    await this.#round();
  }
}
