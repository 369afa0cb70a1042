/** A promise and its two ends; Node 20 has no `Promise.withResolvers`. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

/** Whoever does not look at the promise is not hurt by its failure. */
export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((fulfil, refuse) => { resolve = fulfil; reject = refuse; });
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
