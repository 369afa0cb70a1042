import type { Trouble } from '../index.ts';

/**
 * A flow is the user's code: what it throws outside any call (a timer, a promise nobody awaits)
 * must not take the box down with it. Reports instead; returns how to stop doing so.
 */
export function catchStrayErrors(trouble: (trouble: Trouble) => void): () => void {
  const report = (error: unknown): void => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    trouble({ kind: 'editor.stray-error', message: `a flow threw outside its node: ${text}` });
  };
  process.on('uncaughtException', report);
  process.on('unhandledRejection', report);
  return () => {
    process.off('uncaughtException', report);
    process.off('unhandledRejection', report);
  };
}
