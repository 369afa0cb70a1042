import type { RingEntry } from './ring.ts';
import type { LogState } from './state.ts';
import type { Transaction } from './transaction.ts';

/** Makes room: a page in each batch. */
export class Space {
  readonly #state: LogState;

  constructor(state: LogState) {
    this.#state = state;
  }

  get due(): boolean {
    return false;
  }

  async page(_tx: Transaction): Promise<void> {
    await Promise.resolve(this.#state);
  }

  committed(_entries: readonly RingEntry[]): void {
    // Nothing yet.
  }

  stop(): void {
    // Nothing yet.
  }
}
