// The client's half of a stream: pulls what its reader asks for, and a little ahead of an eager one.
import { LanpostError } from '../errors.ts';
import { deferred, type Deferred } from './deferred.ts';
import type { Reply } from './wire.ts';

/** What the stream needs of the connection that carries it. */
export interface StreamWire {
  pull(count: number): void;
  close(): void;
}

interface Waiter<T> { readonly resolve: (step: IteratorResult<T, undefined>) => void; readonly reject: (error: unknown) => void }

const done: IteratorReturnResult<undefined> = { done: true, value: undefined };

export class RemoteStream<T> {
  /** Resolves when the far end says it is in place; whoever does not wait for it hears of a failure from `next`. */
  readonly ready: Promise<void>;
  /** Resolves when the far end has closed it, or is gone. Never rejects. */
  readonly ended: Promise<void>;
  readonly #wire: StreamWire;
  readonly #decode: (no: number, value: unknown) => T;
  readonly #ahead: number;
  readonly #queue: T[] = [];
  readonly #waiters: Waiter<T>[] = [];
  readonly #readied: Deferred<void> = deferred();
  readonly #finished: Deferred<void> = deferred();
  /** Pulled and not arrived yet. */
  #coming = 0;
  #window = 0;
  #state: 'open' | 'closing' | 'ended' = 'open';
  #failure: { error: unknown } | undefined;

  constructor(o: {
    wire: StreamWire;
    decode: (no: number, value: unknown) => T;
    /** How many values may be pulled ahead of the reader; 0 for none. */
    ahead: number;
  }) {
    this.#wire = o.wire;
    this.#decode = o.decode;
    this.#ahead = o.ahead;
    this.ready = this.#readied.promise;
    this.ended = this.#finished.promise;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const value = this.#queue.shift();
    if (value !== undefined) {
      if (this.#state === 'open') this.#pull();
      return Promise.resolve({ done: false, value });
    }
    if (this.#failure) return Promise.reject(this.#failure.error);
    if (this.#state !== 'open') return Promise.resolve(done);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#pull();
    });
  }

  /** What the connection heard about this stream. */
  receive(reply: Extract<Reply, { type: 'ready' | 'next' | 'end' }>): void {
    if (reply.type === 'ready') return this.#readied.resolve();
    if (reply.type === 'end') return this.#end();
    this.#coming--;
    if (this.#state !== 'open') return; // never shown to anybody: the far end gives it back
    const value = this.#decode(reply.no, reply.value);
    const waiter = this.#waiters.shift();
    if (waiter) waiter.resolve({ done: false, value });
    else this.#queue.push(value);
  }

  /** The stream is over because of `error`; what had arrived before is still read. */
  fail(error: unknown): void {
    if (this.#state === 'open') this.#failure = { error };
    this.#end();
  }

  /** Drops what was pulled ahead; resolves when the far end has given back what was not confirmed. */
  async close(): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'closing';
      this.#queue.length = 0;
      this.#settle();
      this.#wire.close();
    }
    await this.ended;
  }

  /** Closes at once: the reader's own `next` rejects with `reason`. */
  abort(reason: unknown): void {
    if (this.#state !== 'open') return;
    this.#failure = { error: reason };
    this.#queue.length = 0;
    this.#state = 'closing';
    this.#settle();
    this.#wire.close();
  }

  #end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#settle();
    this.#finished.resolve();
  }

  #settle(): void {
    this.#readied.reject(this.#failure?.error ?? new LanpostError('closed', 'The stream was closed.'));
    for (const waiter of this.#waiters.splice(0)) {
      if (this.#failure) waiter.reject(this.#failure.error);
      else waiter.resolve(done);
    }
  }

  /** A reader that comes back to an empty queue is eager: it gets twice as many ahead. */
  #pull(): void {
    const have = this.#queue.length + this.#coming;
    let want = this.#waiters.length;
    if (this.#ahead > 0) {
      if (this.#queue.length === 0 && this.#window < this.#ahead) this.#window = Math.min(Math.max(1, this.#window * 2), this.#ahead);
      if (have <= this.#window / 2) want = Math.max(want, this.#window);
    }
    if (want <= have) return;
    this.#coming += want - have;
    this.#wire.pull(want - have);
  }
}
