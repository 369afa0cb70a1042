// Which request of BOSH may go when. Each takes a connection of its own, so that a later one can overtake an earlier one; the server has
// to take them in the order of their numbers all the same (XEP-0124 §14.1).
// COMPAT(ejabberd 23.01): of two that came the wrong way round the second is looked at when the first is answered, and one that asks
// for nothing is answered when there is something to tell: all stands still, and what the client says next waits behind it.
import type { Clock, Timer } from '../clock.ts';

/** Ms that a request has a start of the next, beside what the fastest answer so far took: as long as a lost segment needs to go again. */
const LEAD = 200;
const MAX_LEAD = 2_000;

export class BoshOrder {
  readonly #clock: Clock;
  /** By rid, those that are not answered: when the last byte was handed to the network; undefined until then. */
  readonly #open = new Map<number, number | undefined>();
  readonly #waiting = new Set<() => void>();
  #fastest = MAX_LEAD;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when it is its turn. */
  turn(rid: number): Promise<void> {
    if (!this.#open.has(rid)) this.#open.set(rid, undefined);
    return this.#until(() => this.#dueAfter(rid - 1));
  }

  /** It failed and has to go once more, after `ms`; what waits for it waits anew. */
  again(rid: number, ms: number): Promise<void> {
    this.#open.set(rid, undefined);
    const due = this.#clock.mono() + ms;
    return this.#until(() => due);
  }

  /** Its last byte was handed to the network. */
  gone(rid: number): void {
    if (this.#open.has(rid)) this.#open.set(rid, this.#clock.mono());
    this.#wake();
  }

  answered(rid: number): void {
    const gone = this.#open.get(rid);
    if (gone !== undefined) this.#fastest = Math.min(this.#fastest, this.#clock.mono() - gone);
    this.#open.delete(rid);
    this.#wake();
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** When the next may go, by the monotonic clock. */
  #dueAfter(rid: number): number {
    if (!this.#open.has(rid)) return -Infinity;
    const gone = this.#open.get(rid);
    return gone === undefined ? Infinity : gone + Math.min(MAX_LEAD, LEAD + this.#fastest);
  }

  /** What is due is looked at again with each thing that happens. */
  async #until(due: () => number): Promise<void> {
    for (let left = due() - this.#clock.mono(); left > 0 && !this.#closed; left = due() - this.#clock.mono()) await this.#change(left);
  }

  /** Resolves after `ms`, or when something happens before. */
  #change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      let timer: Timer | undefined;
      const wake = (): void => {
        timer?.stop();
        this.#waiting.delete(wake);
        resolve();
      };
      if (ms !== Infinity) timer = this.#clock.after(ms, wake);
      this.#waiting.add(wake);
    });
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }
}
