import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Delivery } from '../../src/index.ts';

/**
 * What was handed to the flow and is confirmed by that. Node-RED hands on in the next turn of the loop, and each is confirmed right
 * behind. A deployment that comes first closes the next nodes: what they did not get is not confirmed, so it comes again.
 */
export class HandedOn {
  readonly #signal: AbortSignal;
  /** On their way to the next nodes. */
  #pending = 0;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** To be told at once when it was sent: what is asked for in one turn comes in that order. */
  add(delivery: Delivery): void {
    this.#pending++;
    setImmediate(() => {
      this.#pending--;
      if (!this.#signal.aborted) delivery.ack();
    });
  }

  /** Resolves when the next nodes have all that was handed on so far, and that is confirmed. */
  async flush(): Promise<void> {
    while (this.#pending > 0) await nextTurn();
  }
}
