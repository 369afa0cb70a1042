import type { Clock } from '../../clock.ts';
import type { Element } from '../../xmpp/element.ts';
import { IqCaller, type RequestOptions } from '../../xmpp/iq.ts';

/** What peers have been asked and have not answered yet, by their names. */
export class Requests {
  readonly #clock: Clock;
  readonly #send: (name: string, iq: Element, still?: () => boolean) => Promise<unknown>;
  readonly #callers = new Map<string, IqCaller>();

  constructor(clock: Clock, send: (name: string, iq: Element, still?: () => boolean) => Promise<unknown>) {
    this.#clock = clock;
    this.#send = send;
  }

  async ask(name: string, iq: Element, options: RequestOptions): Promise<Element> {
    const known = this.#callers.get(name);
    const caller = known ?? new IqCaller({
      clock: this.#clock,
      send: (request, still) => void this.#send(name, request, still).catch((error: unknown) => caller.refused(request, error instanceof Error ? error : undefined)),
    });
    if (!known) this.#callers.set(name, caller);
    try {
      return await caller.request(iq, { ...options, to: name });
    } finally {
      if (caller.waiting === 0) this.#callers.delete(name);
    }
  }

  /** Whether it is an answer that was waited for. */
  receive(name: string, stanza: Element): boolean {
    return this.#callers.get(name)?.receive(stanza) === true;
  }

  /** Whether it is an answer that is waited for. */
  expects(name: string, stanza: Element): boolean {
    return this.#callers.get(name)?.expects(stanza) === true;
  }

  /** The peer will not answer. */
  fail(name: string): void {
    this.#callers.get(name)?.fail();
  }

  failAll(error: Error): void {
    for (const caller of this.#callers.values()) caller.fail(error);
  }
}
