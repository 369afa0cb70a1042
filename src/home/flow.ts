// How fast records go: of the last minute, second by second.
import type { Clock } from '../clock.ts';

const SECONDS = 60;

export class Flow {
  readonly #clock: Clock;
  readonly #items = new Float64Array(SECONDS);
  readonly #bytes = new Float64Array(SECONDS);
  #began: number;
  #second: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#began = clock.mono();
    this.#second = Math.floor(this.#began / 1000);
  }

  /** Nothing went before, and not because there was nothing. */
  begin(): void {
    this.#turn();
    this.#items.fill(0);
    this.#bytes.fill(0);
    this.#began = this.#clock.mono();
  }

  add(items: number, bytes: number): void {
    this.#turn();
    const at = this.#second % SECONDS;
    this.#items[at] = (this.#items[at] ?? 0) + items;
    this.#bytes[at] = (this.#bytes[at] ?? 0) + bytes;
  }

  /** A second; over the last minute, or since there is anything to count if that is less. */
  get rate(): { readonly items: number; readonly bytes: number } {
    this.#turn();
    const seconds = Math.min(SECONDS, Math.max(1, (this.#clock.mono() - this.#began) / 1000));
    const sum = (values: Float64Array): number => Math.round((values.reduce((all, one) => all + one, 0) / seconds) * 100) / 100;
    return { items: sum(this.#items), bytes: sum(this.#bytes) };
  }

  #turn(): void {
    const now = Math.floor(this.#clock.mono() / 1000);
    for (let second = Math.max(this.#second + 1, now - SECONDS + 1); second <= now; second++) {
      this.#items[second % SECONDS] = 0;
      this.#bytes[second % SECONDS] = 0;
    }
    this.#second = Math.max(this.#second, now);
  }
}
