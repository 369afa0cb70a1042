import type { HomeStatus } from '../index.ts';
import { bytesInWords, spanInWords, timeInWords } from './measure.ts';
import { printable } from './printable.ts';

/** How a home is, on one line: what it is, why, and what waits for it. */
export function homeInWords(home: HomeStatus): string {
  const { queued, queuedBytes, oldestAge, oldest, rate, drains, draining, hoursLeft, poison, short = [], group, pep } = home;
  const waiting = queued === 0 ? ['nothing waits'] : [
    // It is all the group's, whichever of its homes says so.
    `${queued} waiting${group?.active === false ? ' for the group' : ''} (${bytesInWords(queuedBytes)}), the oldest for ${spanInWords(oldestAge)}${oldest === undefined ? '' : ` in ${printable(oldest.topic)}, kept by ${printable(oldest.reader)}`}`,
    ...drains === undefined ? [] : [`${Math.round(rate.items)}/s and ${bytesInWords(rate.bytes)}/s, all of it in ${spanInWords(drains)}`],
    ...draining === undefined ? [] : [`${draining.done} of ${draining.done + draining.left} up since ${timeInWords(draining.since)}`],
    ...hoursLeft === undefined ? [] : [`room for ${spanInWords(hoursLeft * 3_600_000)} more at this rate`],
  ];
  // Where nothing else is the matter it is the reason.
  const few = short.filter(({ topic }) => home.reason?.includes(`${topic}: `) !== true);
  if (few.length > 0) waiting.push(`more than their nodes keep in ${printable(few.slice(0, 5).map(({ topic }) => topic).join(', '))}`);
  if (poison !== undefined) waiting.push(`${poison} put aside (lanpost poison list)`);
  if (pep) waiting.push(pepInWords(pep));
  const of = group === undefined ? '' : `, ${group.active ? 'in use' : 'standing by'} in ${printable(group.name)} (rank ${group.rank})`;
  const via = home.via === undefined ? '' : ` by way of ${printable(home.via)}`;
  const again = home.nextAttempt === undefined ? '' : `, tried again at ${timeInWords(home.nextAttempt)}`;
  const silent = home.unanswered === undefined ? '' : `, no answer for ${spanInWords(home.unanswered)}`;
  return `${home.state}${via} since ${timeInWords(home.since)}${of}${silent}${home.reason === undefined ? '' : ` (${home.reason})`}${again}, ${waiting.join(', ')}`;
}

/** That the account's own service is in its place, and what that means. */
function pepInWords({ reason, topics }: NonNullable<HomeStatus['pep']>): string {
  const what = topics === undefined ? 'everything' : printable(topics.slice(0, 5).join(', ')) + (topics.length > 5 ? ' and others' : '');
  return `${what} ${(topics?.length ?? 1) > 1 ? 'go' : 'goes'} to the account's own service, whose nodes may keep few items (${printable(reason)})`;
}
