import type { StreamEvent } from '../xmpp/xml-stream.ts';
import type { Clock } from '../clock.ts';

/** Stream events in order, for whoever waits for the next one. */
export class Arrivals {
  readonly #clock: Clock;
  readonly #events: StreamEvent[] = [];
  #waiting: { readonly resolve: (event: StreamEvent | undefined) => void; readonly reject: (error: Error) => void } | undefined;
  #lost: Error | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#events.length;
  }

  push(event: StreamEvent): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) waiting.resolve(event);
    else this.#events.push(event);
  }

  unread(event: StreamEvent): void {
    this.#events.unshift(event);
  }

  /** Only one may wait at a time. */
  async next(ms?: number): Promise<StreamEvent | undefined> {
    const event = this.#events.shift();
    if (event) return event;
    if (this.#lost) throw this.#lost;
    const timer = ms === undefined ? undefined : this.#clock.after(ms, () => {
      this.#waiting?.resolve(undefined);
      this.#waiting = undefined;
    });
    try {
      return await new Promise((resolve, reject) => { this.#waiting = { resolve, reject }; });
    } finally {
      timer?.stop();
    }
  }

  /** Everything that has come and nobody took. */
  takeAll(): StreamEvent[] {
    return this.#events.splice(0);
  }

  lose(error: Error): void {
    this.#lost ??= error;
    this.#waiting?.reject(this.#lost);
    this.#waiting = undefined;
  }
}
