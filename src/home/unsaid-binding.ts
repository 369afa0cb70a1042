// Which kind of channel binding a home means that offers one and does not say which, as those do that are older than XEP-0440.
// Known for good once it has let the account in: what it refuses from then on is the password, not the binding.
import type { Registry } from '../log/registry.ts';
import type { UnsaidBinding } from '../xmpp/channel-binding.ts';

const keyOf = (jid: string): string => `home-binding:${jid}`;

/** Where it was let in, so seldom is the other kind tried: the server may be another since. */
const SELDOM = 4;

function takenBinding(registry: Registry, jid: string): UnsaidBinding | undefined {
  const taken = registry.get(keyOf(jid));
  return taken === 'tls-unique' || taken === 'tls-exporter' ? taken : undefined;
}

/** The kind to try; `refusals`: how often in a row the account was refused. */
export function unsaidBinding(registry: Registry, jid: string, refusals: number): UnsaidBinding {
  const taken = takenBinding(registry, jid);
  const isOther = taken === undefined ? refusals % 2 === 1 : refusals % SELDOM === SELDOM - 1;
  return (taken === 'tls-exporter') === isOther ? 'tls-unique' : 'tls-exporter';
}

/** Resolves when it is on disk that the account was let in with it; `undefined` forgets. What is so already is not written again. */
export async function noteBinding(registry: Registry, jid: string, kind: UnsaidBinding | undefined): Promise<void> {
  if (takenBinding(registry, jid) !== kind) await registry.set(keyOf(jid), kind);
}
