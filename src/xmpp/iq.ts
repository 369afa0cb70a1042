// Requests of our own: each waits for its answer under its id, bounded, with a deadline.
import { randomBytes } from 'node:crypto';
import type { Clock, Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { attr, type Element } from './element.ts';
import { full } from './jid.ts';
import { stanzaErrorOf } from './stanza-error.ts';

interface Waiting {
  readonly to: string | undefined;
  readonly timer: Timer;
  resolve(answer: Element): void;
  reject(error: Error): void;
}

export interface RequestOptions {
  /** Milliseconds until it is given up. */
  readonly timeout?: number;
  /** For protocols in which the id says more than which answer belongs to which request. */
  readonly id?: string;
  /** For whoever sends it, where it may have to wait for that: whether it still may. */
  readonly still?: () => boolean;
  /** For whoever sends it, where it may have to be said once more: called each time it is. */
  readonly again?: () => void;
}

export interface IqCallerOptions {
  readonly send: (iq: Element, still?: () => boolean, again?: () => void) => void;
  readonly clock: Clock;
  /** Milliseconds until a request is given up; default 30 s. */
  readonly timeout?: number;
  /** Requests waiting at once; default 256. */
  readonly limit?: number;
  /** Who answers a request without `to` (RFC 6120 §8.1.2.1): own bare address and domain, on a home. */
  readonly self?: () => readonly string[];
}

export class IqCaller {
  readonly #options: IqCallerOptions;
  readonly #waiting = new Map<string, Waiting>();
  readonly #prefix = randomBytes(6).toString('hex');
  #count = 0;
  #closed: Error | undefined;

  constructor(options: IqCallerOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Sends `<iq/>` (its id is set here) and resolves with the result. Rejects with a StanzaError, or with
   * `timeout`, `busy` or `disconnected`. Never leaves a rejection without its promise: the caller has it at once.
   */
  request(iq: Element, options: RequestOptions & { readonly to?: string } = {}): Promise<Element> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(this.#closed);
        return;
      }
      if (this.#waiting.size >= (this.#options.limit ?? 256)) {
        reject(new LanpostError('busy', 'Too many requests wait for their answers.'));
        return;
      }
      const id = options.id ?? `${this.#prefix}-${(this.#count++).toString(36)}`;
      if (this.#waiting.has(id)) {
        reject(new LanpostError('conflict', 'A request of that id waits for its answer.'));
        return;
      }
      iq.attrs['id'] = id;
      if (options.to !== undefined) iq.attrs['to'] = options.to;
      const timer = this.#options.clock.after(options.timeout ?? this.#options.timeout ?? 30_000, () => {
        this.#waiting.delete(id);
        reject(new LanpostError('timeout', 'No answer came to the request.'));
      });
      this.#waiting.set(id, { to: attr(iq, 'to'), timer, resolve, reject });
      this.#options.send(iq, options.still, options.again);
    });
  }

  /** Whether the stanza is the answer to a request that waits for it. */
  expects(stanza: Element): boolean {
    return this.#waitingFor(stanza) !== undefined;
  }

  /** Whether the stanza was the answer to a request; late and forged answers are not, and are to be ignored. */
  receive(stanza: Element): boolean {
    const waiting = this.#waitingFor(stanza);
    if (!waiting) return false;
    this.#waiting.delete(attr(stanza, 'id') ?? '');
    waiting.timer.stop();
    if (attr(stanza, 'type') === 'result') waiting.resolve(stanza);
    else waiting.reject(stanzaErrorOf(stanza));
    return true;
  }

  #waitingFor(stanza: Element): Waiting | undefined {
    const type = attr(stanza, 'type');
    if (stanza.getName() !== 'iq' || (type !== 'result' && type !== 'error')) return undefined;
    const waiting = this.#waiting.get(attr(stanza, 'id') ?? '');
    return waiting && this.#answers(waiting.to, attr(stanza, 'from')) ? waiting : undefined;
  }

  #answers(asked: string | undefined, from: string | undefined): boolean {
    const self = this.#options.self?.() ?? [];
    if (from === undefined) return asked === undefined || self.some((own) => same(own, asked));
    if (asked === undefined) return self.some((own) => same(own, from));
    return same(asked, from);
  }

  /** That one could not be sent; what else was asked may still be answered. */
  refused(iq: Element, error: Error = new LanpostError('disconnected')): void {
    const id = attr(iq, 'id') ?? '';
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.timer.stop();
    waiting?.reject(error);
  }

  /** The session is over: nobody answers any more, now or later. */
  close(error: Error = new LanpostError('disconnected')): void {
    this.#closed = error;
    this.fail(error);
  }

  /** The stream has gone: what was asked on it will not be answered. */
  fail(error: Error = new LanpostError('disconnected')): void {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const waiting of all) {
      waiting.timer.stop();
      waiting.reject(error);
    }
  }
}

function same(a: string, b: string): boolean {
  return a === b || (full(a) ?? a) === (full(b) ?? b);
}
