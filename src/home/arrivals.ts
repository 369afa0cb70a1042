// What arrives while a stream is being negotiated: one waiter at a time, in order, nothing lost between
// the last answer and the session that takes over in the same read.
import { LanpostError } from '../errors.ts';
import type { Element } from '../xmpp/element.ts';
import { isStreamError, streamFaultOf } from '../xmpp/stream-error.ts';
import { StreamEnded } from './loss.ts';

export type Arrival = { readonly type: 'header' } | { readonly type: 'stanza'; readonly element: Element };

export class Arrivals {
  #queue: Arrival[] = [];
  #waiter: { resolve(arrival: Arrival): void; reject(error: Error): void } | undefined;
  #handler: ((element: Element) => void) | undefined;
  #failure: Error | undefined;
  authenticated = false;

  push(arrival: Arrival): void {
    if (arrival.type === 'stanza' && isStreamError(arrival.element)) {
      this.fail(new StreamEnded(streamFaultOf(arrival.element), !this.authenticated));
      return;
    }
    if (this.#handler) {
      if (arrival.type === 'stanza') this.#handler(arrival.element);
      return;
    }
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter) waiter.resolve(arrival);
    else if (this.#queue.length < 64) this.#queue.push(arrival);
    else this.fail(new LanpostError('disconnected', 'The server sent stanzas before it was asked.'));
  }

  /** The first failure is the reason; later ones follow from it. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#waiter?.reject(this.#failure);
    this.#waiter = undefined;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  next(): Promise<Arrival> {
    const first = this.#queue.shift();
    if (first) return Promise.resolve(first);
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => { this.#waiter = { resolve, reject }; });
  }

  async header(): Promise<void> {
    const arrival = await this.next();
    if (arrival.type !== 'header') throw new LanpostError('disconnected', 'The server sent no stream header.');
  }

  async stanza(): Promise<Element> {
    const arrival = await this.next();
    if (arrival.type !== 'stanza') throw new LanpostError('disconnected', 'The server began a stream anew, unasked.');
    return arrival.element;
  }

  /** RFC 6120 §5.4.3.3: nothing that came before the new stream counts in it. */
  clear(): void {
    this.#queue = [];
  }

  /** From here on stanzas go to the session: first those that came already. */
  handOver(handler: (element: Element) => void): void {
    const queue = this.#queue;
    this.#queue = [];
    this.#handler = handler;
    for (const arrival of queue) if (arrival.type === 'stanza') handler(arrival.element);
  }
}
