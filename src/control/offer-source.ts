// A command that an attached program offers: each running of it is a value of a stream, and answered by a call. When the program leaves, so does the offer.
import { randomBytes } from 'node:crypto';
import type { Box, OfferOptions } from '../api.ts';
import { EventSource } from '../event-stream.ts';
import { parseFailure, toError } from './failure.ts';
import { isRecord } from './record.ts';
import type { Source } from './service.ts';
import { packValue, unpackValue } from './value-wire.ts';

/** What an attached program says of one running; `value` absent: it gave nothing. */
export interface OfferAnswer { readonly value?: unknown; readonly error?: unknown }

/** Runnings that wait for their answers, of all attached programs; bounded by what a box runs at once. */
export class OfferAnswers {
  readonly #waiting = new Map<string, (answer: OfferAnswer) => void>();

  wait(id: string, settle: (answer: OfferAnswer) => void, signal: AbortSignal): void {
    this.#waiting.set(id, settle);
    signal.addEventListener('abort', () => this.#waiting.delete(id), { once: true });
  }

  /** One that nobody waits for any more is nobody's business. */
  settle(id: string, answer: unknown): void {
    const settle = this.#waiting.get(id);
    this.#waiting.delete(id);
    settle?.(isRecord(answer) ? answer : {});
  }
}

export function offerSource(box: Box, answers: OfferAnswers, name: string, options: OfferOptions | undefined): Source {
  const events = new EventSource<{ readonly id: string; readonly call?: object }>();
  const iterator = events.follow();
  const offering = box.commands.offer(name, ({ command, value, from, trust, signal }) => new Promise((resolve, reject) => {
    const id = randomBytes(12).toString('hex');
    answers.wait(id, ({ value: given, error }) => {
      try {
        if (error !== undefined) reject(toError(parseFailure(error)));
        else resolve(given === undefined || given === null ? undefined : unpackValue(given));
      } catch (wrong) {
        // The program is told so, and whoever waits for its answer as well.
        reject(wrong);
        throw wrong;
      }
    }, signal);
    signal.addEventListener('abort', () => events.emit({ id }), { once: true });
    events.emit({ id, call: { command, value: packValue(value), trust, ...(from === undefined ? {} : { from }) } });
  }), options);
  const ready = offering.then(({ ended }) => void ended.then(() => events.close()));
  ready.catch(() => events.close()); // who waits for it has the reason
  return {
    ready,
    async next() {
      const step = await iterator.next();
      return step.done ? step : { done: false, value: { value: step.value } };
    },
    async close() {
      events.close();
      const offer = await offering.catch(() => undefined); // it was told when it was to be ready
      await offer?.close();
    },
  };
}
