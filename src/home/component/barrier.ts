// XEP-0114 confirms nothing. But a server takes what a component says in its order: what it is asked behind a message, and passes on to
// whom it is addressed, it has read after that message. So the component asks itself, by way of the server.
import { randomUUID } from 'node:crypto';
import type { Clock, Timer } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import { buildPing } from '../../xep/ping.ts';
import { attr, type Element } from '../../xmpp/element.ts';
import { bare } from '../../xmpp/jid.ts';

/** A server that has not passed a question on for so long does not read any more, ms. */
const PATIENCE = 60_000;

interface Waiting {
  readonly read: () => void;
  readonly lost: (error: Error) => void;
}

export interface BarrierParts {
  readonly domain: string;
  readonly clock: Clock;
  readonly write: (stanza: Element) => void;
  /** Nothing came back. */
  readonly silent: () => void;
}

/** One question is on its way at a time; the next one is for all that was written meanwhile. */
export class Barrier {
  readonly #parts: BarrierParts;
  #written: Waiting[] = [];
  #asked: { readonly id: string; readonly waiting: readonly Waiting[] } | undefined;
  #timer: Timer | undefined;
  #over: Error | undefined;

  constructor(parts: BarrierParts) {
    this.#parts = parts;
  }

  /** Resolves when the server has read what was written until now. */
  passed(): Promise<void> {
    if (this.#over) return Promise.reject(this.#over);
    return new Promise((read, lost) => {
      this.#written.push({ read, lost });
      if (!this.#asked) this.#ask();
    });
  }

  /** Whether it is the question: back as it is, or answered by a server that takes it for its own. */
  receive(stanza: Element): boolean {
    const asked = this.#asked;
    if (!asked || stanza.getName() !== 'iq' || attr(stanza, 'id') !== asked.id || bare(attr(stanza, 'from') ?? this.#parts.domain) !== this.#parts.domain) return false;
    this.#timer?.stop();
    this.#asked = undefined;
    if (this.#written.length > 0) this.#ask();
    for (const { read } of asked.waiting) read();
    return true;
  }

  /** The connection is gone: nobody knows what of it was read. */
  close(error: Error): void {
    this.#over = error;
    this.#timer?.stop();
    for (const { lost } of [...this.#asked?.waiting ?? [], ...this.#written.splice(0)]) lost(error);
    this.#asked = undefined;
  }

  #ask(): void {
    const { domain, clock, write, silent } = this.#parts;
    const id = randomUUID();
    this.#asked = { id, waiting: this.#written.splice(0) };
    this.#timer = clock.after(PATIENCE, silent);
    write(buildPing({ id, from: domain, to: domain }));
  }
}

/** As outboxes know it: another try may help. */
export function lostWith(error: Error): LanpostError {
  return error instanceof LanpostError ? error : new LanpostError('disconnected', error.message, { cause: error });
}
