import type { Message, MessageStream } from '../api.ts';
import type { Cursor } from '../log/cursor.ts';
import type { LogRecord } from '../log/record.ts';
import { toMessage } from './inbox.ts';

/** Where a reader stands, and what it is shown before that. */
export interface Opening {
  readonly cursor: Cursor;
  readonly first: LogRecord[];
}

/** A reader of incoming messages; asking for the next one confirms the previous one. */
export class MessageReader implements MessageStream {
  readonly #opening: Promise<Opening>;
  readonly #signal: AbortSignal | undefined;
  readonly #ended = new AbortController();
  #previous: number | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(opening: Promise<Opening>, signal?: AbortSignal) {
    this.#opening = opening;
    this.#opening.catch(() => undefined); // whoever iterates sees it
    this.#signal = signal;
    signal?.addEventListener('abort', this.#abort, { once: true });
    if (signal?.aborted) this.#abort();
  }

  [Symbol.asyncIterator](): this { return this; }

  next(): Promise<IteratorResult<Message>> {
    const turn = this.#turn.then(() => this.#next());
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async return(): Promise<IteratorResult<Message>> {
    await this.close();
    return { done: true, value: undefined };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> { return this.close(); }

  async #next(): Promise<IteratorResult<Message>> {
    const { cursor, first } = await this.#opening;
    const old = first.shift();
    if (old) return { done: false, value: toMessage(old, false, () => undefined) };
    if (this.#previous !== undefined && !this.#ended.signal.aborted) cursor.done(this.#previous);
    this.#previous = undefined;
    while (!this.#ended.signal.aborted) {
      const [next] = await cursor.next(1);
      if (!next) {
        await cursor.wait(this.#ended.signal);
        continue;
      }
      const { record, redelivered } = next;
      if (record.kind !== 'publish') {
        cursor.done(record.seq);
        continue;
      }
      this.#previous = record.seq;
      return { done: false, value: toMessage(record, redelivered, () => cursor.done(record.seq)) };
    }
    this.#signal?.throwIfAborted();
    return { done: true, value: undefined };
  }

  readonly #abort = (): void => {
    this.#ended.abort();
    this.close().catch(() => undefined); // closing again returns the same promise
  };

  async #close(): Promise<void> {
    this.#ended.abort();
    this.#signal?.removeEventListener('abort', this.#abort);
    const opened = await this.#opening.catch(() => undefined); // never opened: nothing to close
    if (this.#previous !== undefined) opened?.cursor.again(this.#previous, 0);
    await opened?.cursor.close();
  }
}
