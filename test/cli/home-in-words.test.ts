import { expect, it } from 'vitest';
import { homeInWords } from '../../src/cli/home-in-words.ts';
import { timeInWords } from '../../src/cli/measure.ts';
import type { HomeStatus } from '../../src/index.ts';

const SINCE = Date.UTC(2026, 0, 2, 3, 4);
const at = timeInWords(SINCE);
const status = (more: Partial<HomeStatus> = {}): HomeStatus => ({
  jid: 'box@home.test', service: 'pubsub.home.test', topics: ['#'], state: 'online', since: SINCE, queued: 0, queuedBytes: 0, oldestAge: 0, rate: { items: 0, bytes: 0 }, ...more,
});
const waiting: Partial<HomeStatus> = { queued: 1200, queuedBytes: 3 << 20, oldestAge: 7_200_000, oldest: { topic: 'plant/temp', reader: 'home:box@home.test #' } };

it.each<[string, Partial<HomeStatus>, string]>([
  ['is online', {}, `online since ${at}, nothing waits`],
  ['is refused', { state: 'refused', reason: 'not-authorized', nextAttempt: SINCE }, `refused since ${at} (not-authorized), tried again at ${at}, nothing waits`],
  ['does not answer', { unanswered: 12_000 }, `online since ${at}, no answer for 12 s, nothing waits`],
  ['is reached by way of a neighbour', { via: 'desk@pc' }, `online by way of desk@pc since ${at}, nothing waits`],
  ['is the one of its group', { group: { name: 'site', rank: 0, active: true } }, `online since ${at}, in use in site (rank 0), nothing waits`],
  ['stands by', { group: { name: 'site', rank: 1, active: false } }, `online since ${at}, standing by in site (rank 1), nothing waits`],
  ['has a backlog', { ...waiting, state: 'waiting', reason: 'no road', hoursLeft: 5 }, `waiting since ${at} (no road), 1200 waiting (3.0 MiB), the oldest for 2 h in plant/temp, kept by home:box@home.test #, room for 5 h more at this rate`],
  ['stands by while something waits', { ...waiting, group: { name: 'site', rank: 1, active: false } }, `online since ${at}, standing by in site (rank 1), 1200 waiting for the group (3.0 MiB), the oldest for 2 h in plant/temp, kept by home:box@home.test #`],
  ['would not take some', { poison: 3 }, `online since ${at}, nothing waits, 3 put aside (lanpost poison list)`],
  ['drains', { ...waiting, rate: { items: 40, bytes: 2048 }, drains: 30_000, draining: { since: SINCE, done: 800, left: 1200, rate: 40 } },
    `online since ${at}, 1200 waiting (3.0 MiB), the oldest for 2 h in plant/temp, kept by home:box@home.test #, 40/s and 2.0 KiB/s, all of it in 30 s, 800 of 2000 up since ${at}`],
  ['has nodes that keep too little', { ...waiting, short: [{ topic: 'a', node: 'a', keeps: 256, waits: 900 } as never] }, `online since ${at}, 1200 waiting (3.0 MiB), the oldest for 2 h in plant/temp, kept by home:box@home.test #, more than their nodes keep in a`],
  ['has nothing but the account itself', { pep: { reason: 'there is no service' } }, `online since ${at}, nothing waits, everything goes to the account's own service, whose nodes may keep few items (there is no service)`],
  ['has the account for some topics', { pep: { reason: 'forbidden', topics: ['a', 'b', 'c', 'd', 'e', 'f'] } }, `online since ${at}, nothing waits, a, b, c, d, e and others go to the account's own service, whose nodes may keep few items (forbidden)`],
])('a home that %s', (_what, more, words) => {
  expect(homeInWords(status(more))).toBe(words);
});
