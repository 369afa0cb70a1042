import type { Source } from './service.ts';

/** What is waited for as a stream of one value, which says that it is so. As many as there are receipts, and as long. */
export function outcomeSource(wait: (signal: AbortSignal) => Promise<void>): Source {
  const closed = new AbortController();
  let told = false;
  return {
    ready: Promise.resolve(),
    light: true,
    async next() {
      if (told) return { done: true, value: undefined };
      told = true;
      try {
        await wait(closed.signal);
      } catch (error) {
        if (!closed.signal.aborted) throw error;
        return { done: true, value: undefined };
      }
      return { done: false, value: { value: true } };
    },
    async close() {
      closed.abort();
    },
  };
}
