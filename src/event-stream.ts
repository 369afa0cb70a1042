/** Events kept for an iterator that does not ask; the oldest go first. */
const KEPT = 1024;

/** A source of events that many may follow, each with a bounded queue of its own. */
export class EventSource<T> {
  readonly #followers = new Set<(event: T) => void>();
  #closed = false;
  readonly #closers = new Set<() => void>();

  get isFollowed(): boolean {
    return this.#followers.size > 0;
  }

  emit(event: T): void {
    for (const follower of this.#followers) follower(event);
  }

  /** Ends every iterator. */
  close(): void {
    this.#closed = true;
    for (const closer of this.#closers) closer();
  }

  /** Yields `first`, then every event from this call on, until `signal` aborts or the source closes. */
  follow(options: { readonly first?: readonly T[]; readonly signal?: AbortSignal | undefined } = {}): AsyncIterableIterator<T> {
    const queue = [...(options.first ?? [])];
    let wake: (() => void) | undefined;
    const state = { ended: this.#closed || (options.signal?.aborted ?? false) };
    const push = (event: T): void => {
      queue.push(event);
      if (queue.length > KEPT) queue.shift();
      wake?.();
    };
    const end = (): void => {
      state.ended = true;
      this.#followers.delete(push);
      this.#closers.delete(end);
      options.signal?.removeEventListener('abort', end);
      wake?.();
    };
    if (!state.ended) {
      this.#followers.add(push);
      this.#closers.add(end);
      options.signal?.addEventListener('abort', end, { once: true });
    }
    const one = async (): Promise<IteratorResult<T>> => {
      while (queue.length === 0 && !state.ended) {
        await new Promise<void>((resolve) => { wake = resolve; });
        wake = undefined;
      }
      options.signal?.throwIfAborted();
      const event = queue.shift();
      return event === undefined ? { done: true, value: undefined } : { done: false, value: event };
    };
    let turn: Promise<unknown> = Promise.resolve();
    const iterator: AsyncIterableIterator<T> = {
      [Symbol.asyncIterator]: () => iterator,
      // Calls are answered one after another, in the order in which they came.
      next() {
        const answer = turn.then(() => one());
        turn = answer.catch(() => undefined); // whoever asked sees it
        return answer;
      },
      async return() {
        end();
        return { done: true, value: undefined };
      },
    };
    return iterator;
  }
}
