import type { Box } from '../api.ts';
import { late } from '../late.ts';

export interface AttachOptions {
  /** Data directory of a running box. Default `./.lanpost`. */
  readonly dir?: string;
  /** Gives up attaching. */
  readonly signal?: AbortSignal;
}

/**
 * The box that runs in `dir`, in another process; `close` leaves it running. When it stops,
 * everything that is waited for fails as `disconnected`.
 * @example
 * const box = await attachBox({ dir: '/var/lib/lanpost' });
 * try { await box.publish('door', 'open'); } finally { await box.close(); }
 */
export async function attachBox(options: AttachOptions = {}): Promise<Box> {
  const { dir = '.lanpost', signal } = options;
  if (typeof dir !== 'string' || dir === '') throw new TypeError('dir must be a path');
  const { attachRemote } = await late('What speaks with a running box', () => import('./attachment.ts'));
  return attachRemote({ dir, signal });
}
