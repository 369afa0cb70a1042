/** The box goes on with it when the flow is stopped; only the waiting ends. `until`: what is waited for, past tense. */
export async function orClosing(wait: (signal: AbortSignal) => Promise<void>, closing: AbortSignal, until: string): Promise<void> {
  const waiting = new AbortController();
  try {
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => reject(new Error(`the flow was stopped or deployed again before this was known to be ${until}; the box goes on with it`));
      if (closing.aborted) return abort();
      closing.addEventListener('abort', abort, { once: true });
      wait(waiting.signal).then(resolve, reject).finally(() => closing.removeEventListener('abort', abort));
    });
  } finally {
    waiting.abort();
  }
}
