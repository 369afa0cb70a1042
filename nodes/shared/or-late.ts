/** For so long what the box was asked may still be answered when the flow is stopped. */
export const FINISH_MS = 4000;
export const NOT_ANSWERED = 'the box had not answered when the flow was stopped or deployed again';

/** What comes of it; an error when it takes too long after the flow has begun to stop, so that whoever waits is told in any case. */
export function orLate<T>(work: Promise<T>, closing: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const begin = (): void => { timer = setTimeout(() => reject(new Error(NOT_ANSWERED)), FINISH_MS); };
    if (closing.aborted) begin();
    else closing.addEventListener('abort', begin, { once: true });
    work.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      closing.removeEventListener('abort', begin);
    });
  });
}
