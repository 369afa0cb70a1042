// What a rehearsal makes, written down before it is made: whatever becomes of the process, it goes again.
import { LanpostError } from '../../errors.ts';
import type { Log } from '../../log/log.ts';
import type { Registry } from '../../log/registry.ts';
import type { Element } from '../../xmpp/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { deleteRequest } from '../node-info.ts';
import { forgetPacks } from '../packs.ts';
import { forgetStretches } from '../stretches.ts';

export interface Trace {
  readonly id: string;
  readonly jid: string;
  readonly service: string;
  readonly topic: string;
  readonly node: string;
}

const PREFIX = 'rehearsal:';
const ANSWER = 30_000;

/** Whose cursors read it: no account is called so. */
export const REHEARSAL_READER = 'rehearsal';

/** Whose packs, as each home of a group has its own. */
export function rehearsalPacker(jid: string): string {
  return `${REHEARSAL_READER} ${jid}`;
}

/** Of one topic at one home. Below `$`, so that nothing that reads many topics reads it. */
export function traceOf(name: string, { jid, service }: { readonly jid: string; readonly service: string }): Trace {
  return { id: `${name} ${jid}`, jid, service, topic: `$rehearse/${name}`, node: `rehearse/${name}` };
}

export function keepTrace(registry: Registry, trace: Trace): Promise<void> {
  return registry.set(`${PREFIX}${trace.id}`, { ...trace });
}

export function tracesIn(registry: Registry): Trace[] {
  return registry.entries(PREFIX).flatMap(([, row]) => (isTrace(row) ? [row] : []));
}

export function forgetTrace(registry: Registry, { id }: Trace): Promise<void> {
  return registry.set(`${PREFIX}${id}`, undefined);
}

function isTrace(row: unknown): row is Trace {
  return typeof row === 'object' && row !== null && ['id', 'jid', 'service', 'topic', 'node'].every((key) => typeof Reflect.get(row, key) === 'string');
}

/** Of this box. Nobody reads it while this is done. */
export async function clearHere(log: Log, { topic, jid }: Trace): Promise<void> {
  const mine = [...log.cursors()].filter(({ filter }) => filter === topic).map(({ name }) => name);
  for (const name of mine) await log.dropCursor(name);
  for (const packer of [REHEARSAL_READER, rehearsalPacker(jid)]) await forgetPacks(log.registry, packer);
  await forgetStretches(log.registry, REHEARSAL_READER);
  if (log.topic(topic)?.deleted === false) await log.append({ topic, kind: 'delete', makesRoom: true });
}

/** Of the home. XEP-0060 §8.4: the node goes with all that it holds. */
export async function clearThere(request: (iq: Element, timeout: number) => Promise<Element>, { service, node }: Trace): Promise<void> {
  try {
    await request(deleteRequest(service, node), ANSWER);
  } catch (error) {
    if (error instanceof StanzaError && error.condition === 'item-not-found') return; // it was never made
    throw error instanceof StanzaError ? new LanpostError('forbidden', `${node} could not be deleted: ${error.condition}`, { cause: error }) : error;
  }
}
