import { setTimeout as sleep } from 'node:timers/promises';
import type { Box, HomeStatus } from '../../src/index.ts';
import { ageInWords } from './age-in-words.ts';

/** What has become of a home account: what it can be reached by, how much waits for it. */
export interface HomeEvent {
  /** `state`: it came, went, or is not what it was. `progress`: another number waits. `drained`: nothing does any more. `removed`: the box has no such account now. */
  readonly event: 'state' | 'progress' | 'drained' | 'removed';
  readonly home: HomeStatus;
}

/** How often the box is asked; it is on this machine. */
const EVERY_MS = 1000;

/** Follows the homes of a box: first what they are, then what changes. */
export async function* homeEvents(box: Box, only: string, signal: AbortSignal, all: (homes: readonly HomeStatus[]) => void): AsyncGenerator<HomeEvent> {
  const known = new Map<string, HomeStatus>();
  while (!signal.aborted) {
    const homes = (await box.homes.list()).filter(({ jid }) => only === '' || jid === only);
    all(homes);
    for (const home of homes) {
      const event = changeOf(known.get(home.jid), home);
      known.set(home.jid, home);
      if (event) yield { event, home };
    }
    for (const [jid, home] of known) {
      if (homes.some((one) => one.jid === jid)) continue;
      known.delete(jid);
      yield { event: 'removed', home };
    }
    await sleep(EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined); // aborted: the loop ends
  }
}

export function changeOf(before: HomeStatus | undefined, now: HomeStatus): HomeEvent['event'] | undefined {
  if (before?.state !== now.state || before.reason !== now.reason || before.via !== now.via) return 'state';
  if (before.queued === now.queued) return undefined;
  return now.queued === 0 ? 'drained' : 'progress';
}

/** How it stands, as the status line says it. */
export function homesInWords(homes: readonly HomeStatus[], wanted: string): { readonly text: string; readonly kind: 'good' | 'waiting' | 'bad' | 'idle' } {
  const [home] = homes;
  if (!home) return wanted === '' ? { text: 'no home', kind: 'idle' } : { text: `no home ${wanted}`, kind: 'bad' };
  const queued = homes.reduce((sum, { queued: one }) => sum + one, 0);
  const oldest = Math.max(...homes.map(({ oldestAge }) => oldestAge));
  const waits = queued === 0 ? '' : ` · ${queued} queued, oldest ${ageInWords(oldest)}`;
  if (homes.length > 1) {
    const online = homes.filter(({ state, unanswered }) => state === 'online' && unanswered === undefined).length;
    return { text: `${online} of ${homes.length} online${waits}`, kind: online === homes.length ? 'good' : 'waiting' };
  }
  const { state, reason, unanswered } = home;
  if (unanswered !== undefined) return { text: `no answer for ${ageInWords(unanswered)}${waits}`, kind: 'waiting' };
  // What is wrong comes last: it is cut off at its end.
  const text = `${state}${waits}${reason === undefined ? '' : ` · ${reason}`}`;
  if (state === 'online') return { text, kind: 'good' };
  if (state === 'paused') return { text, kind: 'idle' };
  return { text, kind: state === 'refused' ? 'bad' : 'waiting' };
}
