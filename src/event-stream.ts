import { Audience } from './audience.ts';

/** Events kept for an iterator that does not ask; the oldest go first. */
const KEPT = 1024;

/** Followers only keep what they are told, or answer who asked: nothing of that fails. */
const raise = (error: unknown): never => { throw error; };

/** A source of events that many may follow, each with a bounded queue of its own. */
export class EventSource<T> {
  readonly #followers = new Audience<T>(raise);
  #closed = false;
  readonly #closers = new Set<() => void>();

  get isFollowed(): boolean {
    return !this.#followers.isEmpty;
  }

  emit(event: T): void {
    this.#followers.tell(event);
  }

  /** Ends every iterator. */
  close(): void {
    this.#closed = true;
    for (const closer of this.#closers) closer();
  }

  /** Yields `first`, then every event from this call on, until `signal` aborts or the source closes. */
  follow(options: { readonly first?: readonly T[]; readonly signal?: AbortSignal | undefined } = {}): AsyncIterableIterator<T> {
    const { signal } = options;
    const queue = [...(options.first ?? [])];
    /** Whoever asked when there was nothing, in the order in which they came. */
    const asking: ((answer: IteratorResult<T> | Promise<IteratorResult<T>>) => void)[] = [];
    let ended = this.#closed || (signal?.aborted ?? false);
    const push = (event: T): void => {
      // Mostly one: to shift an array costs more than all the rest of this.
      const ask = asking.length > 1 ? asking.shift() : asking.pop();
      if (ask) return ask({ done: false, value: event });
      queue.push(event);
      if (queue.length > KEPT) queue.shift();
    };
    const over = async (): Promise<IteratorResult<T>> => {
      signal?.throwIfAborted();
      return { done: true, value: undefined };
    };
    let leave: (() => void) | undefined;
    const end = (): void => {
      ended = true;
      leave?.();
      this.#closers.delete(end);
      signal?.removeEventListener('abort', end);
      for (const ask of asking.splice(0)) ask(over());
    };
    if (!ended) {
      leave = this.#followers.add(push);
      this.#closers.add(end);
      signal?.addEventListener('abort', end, { once: true });
    }
    const iterator: AsyncIterableIterator<T> = {
      [Symbol.asyncIterator]: () => iterator,
      next() {
        const event = signal?.aborted ? undefined : queue.shift();
        if (event !== undefined) return Promise.resolve({ done: false, value: event });
        return ended ? over() : new Promise((resolve) => { asking.push(resolve); });
      },
      async return() {
        end();
        return { done: true, value: undefined };
      },
    };
    return iterator;
  }
}
