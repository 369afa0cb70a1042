import type { Clock, Timer } from '../clock.ts';

/** One timer for everything: rings at the earliest of the times it was set to, or a little before. */
export class Alarm {
  readonly #clock: Clock;
  readonly #ring: (now: number) => void;
  #set: { readonly at: number; readonly timer: Timer } | undefined;

  constructor(clock: Clock, ring: (now: number) => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  set(at: number): void {
    if (at === Infinity) return;
    if (this.#set) {
      // One that comes too early only looks; this is cheaper than moving it with every packet.
      if (this.#set.at <= at) return;
      this.#set.timer.stop();
    }
    const timer = this.#clock.after(Math.max(0, Math.ceil(at - this.#clock.mono())), () => {
      this.#set = undefined;
      this.#ring(this.#clock.mono());
    });
    this.#set = { at, timer };
  }

  stop(): void {
    this.#set?.timer.stop();
  }
}
