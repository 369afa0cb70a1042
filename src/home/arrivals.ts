// What arrives while a stream is being negotiated: in order, nothing lost between the last answer and the
// session that takes over in the same read.
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { Arrivals } from '../xmpp/arrivals.ts';
import type { Element } from '../xmpp/element.ts';
import { isStreamError, streamFaultOf } from '../xmpp/stream-error.ts';
import { StreamEnded } from './loss.ts';

export type Arrival = { readonly type: 'header' } | { readonly type: 'stanza'; readonly element: Element };

/** A server has no reason to say more than this before it is asked. */
const UNASKED = 64;
/** Behind its last answer stands what the session missed, as much as one read from the system holds. */
const BEHIND = 4_096;

export class HomeArrivals {
  readonly #arrivals: Arrivals<Arrival>;
  readonly #failed: (error: Error) => void;
  #handler: ((element: Element) => void) | undefined;
  authenticated = false;

  constructor(clock: Clock, failed: (error: Error) => void) {
    this.#arrivals = new Arrivals(clock);
    this.#failed = failed;
  }

  push(arrival: Arrival): void {
    if (arrival.type === 'stanza' && isStreamError(arrival.element)) {
      this.fail(new StreamEnded(streamFaultOf(arrival.element), !this.authenticated));
      return;
    }
    if (this.#handler) {
      if (arrival.type === 'stanza') this.#handler(arrival.element);
      return;
    }
    if (this.#arrivals.size < (this.authenticated ? BEHIND : UNASKED)) this.#arrivals.push(arrival);
    else this.fail(new LanpostError('disconnected', 'The server sent stanzas before it was asked.'));
  }

  /** The first failure is the reason; later ones follow from it. */
  fail(error: Error): void {
    this.#arrivals.lose(error);
    this.#failed(this.failure ?? error);
  }

  get failure(): Error | undefined {
    return this.#arrivals.lost;
  }

  async header(): Promise<void> {
    const arrival = await this.#arrivals.next();
    if (arrival.type !== 'header') throw new LanpostError('disconnected', 'The server sent no stream header.');
  }

  async stanza(): Promise<Element> {
    const arrival = await this.#arrivals.next();
    if (arrival.type !== 'stanza') throw new LanpostError('disconnected', 'The server began a stream anew, unasked.');
    return arrival.element;
  }

  /** RFC 6120 §5.4.3.3: nothing that came before the new stream counts in it. */
  clear(): void {
    this.#arrivals.takeAll();
  }

  /** From here on stanzas go to the session: first those that came already. */
  handOver(handler: (element: Element) => void): void {
    this.#handler = handler;
    for (const arrival of this.#arrivals.takeAll()) if (arrival.type === 'stanza') handler(arrival.element);
  }
}
