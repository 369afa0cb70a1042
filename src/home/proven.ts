// Whether a home has shown, in a login with SCRAM, that it knows the password. Whoever then offers only PLAIN is not it, or it was
// changed: either way its owner says once more that the password may be shown.
import type { Registry } from '../log/registry.ts';

const keyOf = (jid: string): string => `home-proven:${jid}`;

export function isProven(registry: Registry, jid: string): boolean {
  return registry.get(keyOf(jid)) === true;
}

/** Resolves when it is on disk; what is so already is not written again. */
export async function setProven(registry: Registry, jid: string, proven: boolean): Promise<void> {
  if (isProven(registry, jid) !== proven) await registry.set(keyOf(jid), proven ? true : undefined);
}
