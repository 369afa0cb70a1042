/** The events of what is still being begun; whoever asks for the first is told when it could not be. */
export function following<T>(started: Promise<AsyncIterableIterator<T>>, leave?: () => void): AsyncIterableIterator<T> {
  started.catch(() => undefined); // whoever asks sees it
  const events: AsyncIterableIterator<T> = {
    [Symbol.asyncIterator]: () => events,
    next: async () => (await started).next(),
    async return() {
      leave?.();
      await started.then((stream) => stream.return?.(), () => undefined);
      return { done: true, value: undefined };
    },
  };
  return events;
}
