import { plain } from './record.ts';

/** Something served over the control socket: calls that answer once, and streams that are pulled. */
export interface Service {
  call(method: string, args: readonly unknown[]): Promise<unknown>;
  open(method: string, args: readonly unknown[]): Source;
}

/** The near end of a stream. Nothing is asked of it that the far end has not pulled. */
export interface Source {
  /** Resolves when it is in place. */
  readonly ready: Promise<void>;
  /** Holds hardly anything (a receipt): counted apart from those that read. */
  readonly light?: boolean;
  /** Called again only after the previous call is settled. */
  next(): Promise<IteratorResult<Handed, unknown>>;
  /** Ends a pending `next`; what was not confirmed is given back. Idempotent. */
  close(): Promise<void>;
}

/** One value of a stream; those that are confirmed one by one say how. */
export interface Handed {
  readonly value: unknown;
  ack?(): void;
  nack?(delay: number): void;
}

/** A source over what is already here, or will be at once. */
export function listSource(values: () => Promise<Iterable<unknown>>): Source {
  let iterator: Iterator<unknown> | undefined;
  return {
    ready: Promise.resolve(),
    async next() {
      iterator ??= (await values())[Symbol.iterator]();
      const step = iterator.next();
      return step.done ? step : { done: false, value: { value: step.value } };
    },
    async close() { iterator = [][Symbol.iterator](); },
  };
}

/** A source over an iterator that ends when its signal is aborted. */
export function watchSource(watch: (signal: AbortSignal) => AsyncIterator<unknown>): Source {
  const stopper = new AbortController();
  const iterator = watch(stopper.signal);
  return {
    ready: Promise.resolve(),
    async next() {
      const step = await iterator.next();
      return step.done ? step : { done: false, value: { value: plain(step.value) } };
    },
    async close() {
      stopper.abort();
      await iterator.return?.();
    },
  };
}
