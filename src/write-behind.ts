import type { Clock, Timer } from './clock.ts';
import { OneByOne } from './one-by-one.ts';

/** What comes within it shares an fsync. */
const DELAY = 1_000;
/** A log that failed begins to reopen after a second: whoever comes in that moment finds it closed. */
const RETRY = 10_000;

export interface WriteBehindParts {
  readonly clock: Clock;
  /** Nobody waited for it: told once, however often it fails in a row. */
  readonly failed: (error: unknown) => void;
}

/** What holds in memory before it is on disk: it is written in a moment, with all that is due by then, and again until it is there. */
export class WriteBehind {
  readonly #parts: WriteBehindParts;
  /** By what it is that is written; each writes what holds when it is called. */
  readonly #due = new Map<string, () => Promise<void>>();
  /** One after the other, so that an older state never overwrites a newer one. */
  readonly #turns = new OneByOne();
  #timer: Timer | undefined;
  #failing = false;
  #closed = false;

  constructor(parts: WriteBehindParts) {
    this.#parts = parts;
  }

  later(key: string, write: () => Promise<void>): void {
    this.#due.set(key, write);
    this.#arm(DELAY);
  }

  /** With all that is due. Durable when resolved; rejected: tried again. What becomes of the rest is not the caller's. */
  async now(key: string, write: () => Promise<void>): Promise<void> {
    let own: Promise<void> | undefined;
    this.#due.set(key, () => (own = write()));
    try {
      await this.#flush();
    } catch (error) {
      this.#arm(DELAY);
      if (!own) throw error;
      await own;
    }
  }

  /** Writes what is still due, for the last time. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.stop();
    this.#timer = undefined;
    await this.#flush();
  }

  #arm(delay: number): void {
    if (this.#closed) return;
    this.#timer ??= this.#parts.clock.after(delay, () => {
      this.#timer = undefined;
      this.#flush().catch((error: unknown) => {
        this.#arm(RETRY);
        if (this.#failing) return;
        this.#failing = true;
        this.#parts.failed(error);
      });
    });
  }

  #flush(): Promise<void> {
    const due = [...this.#due];
    this.#due.clear();
    return this.#turns.run(async () => {
      const outcomes = await Promise.allSettled(due.map(([, write]) => write()));
      const failed = outcomes.find((outcome) => outcome.status === 'rejected');
      this.#failing &&= failed !== undefined;
      if (!failed) return;
      for (const [index, [key, write]] of due.entries()) {
        if (outcomes[index]?.status === 'rejected' && !this.#due.has(key)) this.#due.set(key, write);
      }
      throw failed.reason;
    });
  }
}
