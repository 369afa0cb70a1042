import { setTimeout as sleep } from 'node:timers/promises';
import type { Box } from '../../src/index.ts';
import type { BoxConnection } from './box-connection.ts';
import { codeOf, inWords } from './in-words.ts';

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;

/** One thing that is read from a box for as long as it is wanted. */
export interface Reading {
  readonly connection: BoxConnection;
  /** When all nodes of the flows are there; ask while the node is being made. */
  readonly started: Promise<void>;
  /** Reads until there is no more, the box is gone, or `signal` says that it is enough. */
  readonly once: (box: Box, signal: AbortSignal) => Promise<void>;
  /** It could not be read; it is tried again unless that is `final`. */
  readonly failed: (words: string, final: boolean) => void;
}

/** Reads as soon as the box is open, begins again when the box comes back, tries again when it is refused. */
export async function keepReading({ connection, started, once, failed }: Reading, signal: AbortSignal): Promise<void> {
  let delay = FIRST_RETRY_MS;
  await unlessAborted(started, signal).catch(() => undefined); // the flows start by themselves: it was closed before they did
  while (!signal.aborted) {
    const began = performance.now();
    try {
      await once(await connection.box(signal), signal);
    } catch (error) {
      if (signal.aborted) return;
      const final = isMistake(error);
      failed(inWords(error), final);
      if (final) return;
    }
    if (performance.now() - began > LAST_RETRY_MS) delay = FIRST_RETRY_MS;
    await sleep(delay, undefined, { signal, ref: false }).catch(() => undefined); // aborted: the loop ends
    delay = Math.min(delay * 2, LAST_RETRY_MS);
  }
}

/** The same, but it rejects as soon as nobody waits for it any more: a box that hangs keeps no node from being closed. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** Waiting does not mend what the user wrote. */
function isMistake(error: unknown): boolean {
  const code = codeOf(error);
  return error instanceof TypeError || code === 'invalid-topic' || code === 'invalid-value' || code === 'unsupported';
}
