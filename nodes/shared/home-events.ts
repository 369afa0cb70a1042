import { setTimeout as sleep } from 'node:timers/promises';
import type { HomeStatus } from '../../src/index.ts';
import { ageInWords } from './age-in-words.ts';

/** What has become of a home account: what it can be reached by, how much waits for it. */
export interface HomeEvent {
  /** `state`: it came, went, or is not what it was. `progress`: another number waits, here or there. `drained`: it has taken all there is. `removed`: the box has no such account now. */
  readonly event: 'state' | 'progress' | 'drained' | 'removed';
  readonly home: HomeStatus;
}

/** How often the box is asked; it is on this machine. */
const EVERY_MS = 1000;

/** Follows the homes of a box: first what they are, then what changes. */
export async function* homeEvents(list: () => Promise<HomeStatus[]>, only: string, signal: AbortSignal, all: (homes: readonly HomeStatus[]) => void): AsyncGenerator<HomeEvent> {
  const known = new Map<string, HomeStatus>();
  while (!signal.aborted) {
    const homes = (await list()).filter(({ jid }) => only === '' || jid === only);
    all(homes);
    for (const home of homes) {
      const events = changesOf(known.get(home.jid), home);
      known.set(home.jid, home);
      for (const event of events) yield { event, home };
    }
    for (const [jid, home] of known) {
      if (homes.some((one) => one.jid === jid)) continue;
      known.delete(jid);
      yield { event: 'removed', home };
    }
    await sleep(EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined); // aborted: the loop ends
  }
}

/** What is another thing than it was: it may come back and take all that waited between two looks. What it has taken is `queued` for a minute more. */
export function changesOf(before: HomeStatus | undefined, now: HomeStatus): HomeEvent['event'][] {
  const drained = (before?.left ?? 0) > 0 && now.left === undefined;
  if (!before || standing(before) !== standing(now)) return drained ? ['state', 'drained'] : ['state'];
  if (drained) return ['drained'];
  return before.queued === now.queued && before.left === now.left && before.poison === now.poison && before.down?.waiting === now.down?.waiting ? [] : ['progress'];
}

/** All that makes it another state. Numbers that run on, as how long it has not answered, make none. */
function standing({ state, since, reason, via, over, unanswered, group, pep, down, service, topics }: HomeStatus): string {
  // It may have gone and come back between two looks.
  const session = state === 'online' ? since : undefined;
  return JSON.stringify([state, session, reason?.replaceAll(/\d+/g, '#'), via, over, unanswered !== undefined, group, pep, down?.nodes, service, topics]);
}

interface Words {
  readonly text: string;
  readonly kind: 'good' | 'waiting' | 'bad' | 'idle';
}

/** How it stands, as the status line says it. What is wrong comes last: it is cut off at its end. */
export function homesInWords(homes: readonly HomeStatus[], wanted: string): Words {
  const [home] = homes;
  if (!home) return wanted === '' ? { text: 'no home', kind: 'idle' } : { text: `no home ${wanted}`, kind: 'bad' };
  const waits = waitsInWords(homes);
  if (homes.length > 1) return severalInWords(homes, waits);
  const { state, reason, unanswered, group } = home;
  if (unanswered !== undefined) return { text: `no answer for ${ageInWords(unanswered)}${waits}`, kind: 'waiting' };
  const standsBy = state === 'online' && group?.active === false ? ', stands by' : '';
  const text = `${state}${standsBy}${waits}${reason === undefined ? '' : ` · ${reason}`}`;
  if (state === 'paused') return { text, kind: 'idle' };
  if (state === 'refused') return { text, kind: 'bad' };
  // Online, and something of it does not get there.
  return { text, kind: state === 'online' && reason === undefined ? 'good' : 'waiting' };
}

function severalInWords(homes: readonly HomeStatus[], waits: string): Words {
  const count = (fits: (home: HomeStatus) => boolean): number => homes.filter(fits).length;
  const online = count(({ state, unanswered }) => state === 'online' && unanswered === undefined);
  const [paused, refused] = [count(({ state }) => state === 'paused'), count(({ state }) => state === 'refused')];
  const wrong = homes.filter(({ reason }) => reason !== undefined).toSorted((a, b) => Number(b.state === 'refused') - Number(a.state === 'refused'))[0];
  const text = [`${online} of ${homes.length} online`, ...(paused === 0 ? [] : [`${paused} paused`]), ...(refused === 0 ? [] : [`${refused} refused`])].join(', ')
    + waits + (wrong ? ` · ${wrong.jid}: ${wrong.reason}` : '');
  if (refused > 0) return { text, kind: 'bad' };
  if (paused === homes.length) return { text, kind: 'idle' };
  return { text, kind: online + paused === homes.length && !wrong ? 'good' : 'waiting' };
}

function waitsInWords(homes: readonly HomeStatus[]): string {
  // What is for a group is told by each home of it.
  const groups = new Map(homes.map((home) => [home.group?.name ?? home, home.left ?? 0]));
  const left = [...groups.values()].reduce((sum, one) => sum + one, 0);
  return left === 0 ? '' : ` · ${left} queued, oldest ${ageInWords(Math.max(...homes.map(({ oldestAge }) => oldestAge)))}`;
}
