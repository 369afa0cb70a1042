import { BrokenPipe } from './output.ts';

/** Why a command is ended from outside. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  /** As shells count: 128 and the signal's number. */
  readonly exitCode: number;

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(`ended by ${signal}`);
    this.exitCode = signal === 'SIGINT' ? 130 : 143;
  }
}

/** Resolves when it is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** COMPAT(npm): `npm start` passes on the Ctrl-C that the terminal has sent to us already. */
const SAME_PRESS = 500;

/** Aborts once at Ctrl-C, SIGTERM, or when nobody reads the output any more; a second press ends the process. */
export function interruption(process: NodeJS.Process): AbortSignal {
  const stopper = new AbortController();
  let first = 0;
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      const why = new Interrupted(name);
      if (first > 0 && performance.now() - first > SAME_PRESS) process.exit(why.exitCode);
      first ||= performance.now();
      stopper.abort(why);
    });
  }
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    stopper.abort(error.code === 'EPIPE' ? new BrokenPipe('nobody reads the output', { cause: error }) : error);
  });
  // Nobody is left to be told that nobody reads it. Thrown, it would be told, and end in this again, faster than anything else is done.
  process.stderr.on('error', () => undefined);
  return stopper.signal;
}
