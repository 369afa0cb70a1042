import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Delivery } from '../../src/index.ts';

/**
 * What was handed to the flow and is confirmed by that. Node-RED hands on in the next turn of the loop. A deployment that comes first
 * closes the next nodes: what they did not get is not confirmed, so it comes again.
 */
export class HandedOn {
  readonly #signal: AbortSignal;
  #sent: Delivery[] = [];
  /** Turns that are to come. */
  #turns = 0;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  add(delivery: Delivery): void {
    if (this.#sent.push(delivery) > 1) return;
    this.#later(() => {
      const [first, ...others] = this.#sent;
      this.#sent = [];
      this.#confirm(first ? [first] : []);
      // Those were sent after this was asked for, and before it came: the next nodes have them a turn later.
      if (others.length > 0) this.#later(() => this.#confirm(others));
    });
  }

  /** Resolves when the next nodes have all that was handed on so far, and that is confirmed. */
  async flush(): Promise<void> {
    while (this.#turns > 0) await nextTurn();
  }

  #later(work: () => void): void {
    this.#turns++;
    setImmediate(() => {
      this.#turns--;
      work();
    });
  }

  #confirm(handed: readonly Delivery[]): void {
    if (!this.#signal.aborted) for (const one of handed) one.ack();
  }
}
