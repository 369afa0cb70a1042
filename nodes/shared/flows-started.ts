import type { EventEmitter } from 'node:events';

/**
 * When the flows that Node-RED is starting now all run. It makes its nodes one by one, and a message to
 * one that is not made yet is dropped without a word. One listener, however many nodes wait.
 */
export class FlowsStarted {
  readonly #events: EventEmitter;
  #next: Promise<void> | undefined;

  constructor(events: EventEmitter) {
    this.#events = events;
  }

  next(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      this.#events.once('flows:started', () => {
        this.#next = undefined;
        resolve();
      });
    });
    return this.#next;
  }
}
