/** What a stream that is asked is made of. */
export interface PullParts<Source, T extends object> {
  /** What is read, when it is there. */
  readonly source: Promise<Source>;
  /** Closes the stream: whoever asks then gets its reason. */
  readonly signal?: AbortSignal | undefined;
  /** The next one, or nothing once `ended` is aborted. One call at a time. */
  next(source: Source, ended: AbortSignal): Promise<T | undefined>;
  /** Gives the source up; called once, and only when it was there. */
  close(source: Source): Promise<void>;
}

/** An iterator over something that is opened, read when it is asked, and closed once. */
export class PullStream<Source, T extends object> implements AsyncIterableIterator<T>, AsyncDisposable {
  /** Resolves when the source is there. */
  readonly ready: Promise<void>;
  readonly #parts: PullParts<Source, T>;
  readonly #ended = new AbortController();
  #turn: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(parts: PullParts<Source, T>) {
    this.#parts = parts;
    this.ready = parts.source.then(() => undefined);
    // Whoever iterates sees the failure there; `ready` alone must not raise an unhandled rejection.
    this.ready.catch(() => undefined);
    parts.signal?.addEventListener('abort', this.#abort, { once: true });
    if (parts.signal?.aborted) this.#abort();
  }

  [Symbol.asyncIterator](): this { return this; }

  /** Calls are answered one after another, in the order in which they came. */
  next(): Promise<IteratorResult<T>> {
    const turn = this.#turn.then(() => this.#next());
    this.#turn = turn.catch(() => undefined); // whoever asked sees it
    return turn;
  }

  async return(): Promise<IteratorResult<T>> {
    await this.close();
    return { done: true, value: undefined };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> { return this.close(); }

  async #next(): Promise<IteratorResult<T>> {
    const source = await this.#parts.source;
    const { signal } = this.#ended;
    const value = signal.aborted ? undefined : await this.#parts.next(source, signal);
    if (value !== undefined) return { done: false, value };
    this.#parts.signal?.throwIfAborted();
    return { done: true, value: undefined };
  }

  readonly #abort = (): void => {
    this.close().catch(() => undefined); // closing again returns the same promise
  };

  async #close(): Promise<void> {
    this.#ended.abort();
    this.#parts.signal?.removeEventListener('abort', this.#abort);
    // Never opened: nothing to give up, and whoever iterates is told.
    const opened = await this.#parts.source.then((source) => ({ source }), () => undefined);
    if (opened) await this.#parts.close(opened.source);
  }
}
