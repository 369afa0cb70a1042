// Whether the owner has a home left alone for now; kept over restarts.
import type { Registry } from '../log/registry.ts';

const keyOf = (jid: string): string => `home-paused:${jid}`;

export function isPaused(registry: Registry, jid: string): boolean {
  return registry.get(keyOf(jid)) === true;
}

/** Resolves when it is on disk; what is so already is not written again. */
export async function setPaused(registry: Registry, jid: string, paused: boolean): Promise<void> {
  if (isPaused(registry, jid) !== paused) await registry.set(keyOf(jid), paused ? true : undefined);
}
