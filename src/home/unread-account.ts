// A home that is kept and cannot be taken up: another version has kept it, say. It is shown with what to do about it; what
// waits for it waits on, until it is added anew or removed.
import type { HomeStatus } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import { RecordAges } from '../log/stamp-age.ts';
import { backlogOf } from './backlog.ts';
import { cursorNumbers, type CursorNumbers } from './account.ts';
import { cursorName, isCursorOf, readerOf } from './cursor-name.ts';
import { reasonOf } from './reason.ts';

export interface UnreadAccount {
  readonly jid: string;
  readonly group: string | undefined;
  readonly service: string;
  /** What goes up, as far as it can be told, in the order in which it was given. */
  readonly filters: readonly string[];
  readonly reason: string;
  /** ms since 1970. */
  readonly since: number;
}

const texts = (list: unknown): string[] => (Array.isArray(list) ? list.filter((one) => typeof one === 'string') : []);

/** As much of the row as can be told whatever version has written it. */
export function unreadAccount(jid: string, row: unknown, error: unknown, since: number): UnreadAccount {
  const { group, service, up, topics }: { readonly [key: string]: unknown } = typeof row === 'object' && row !== null ? { ...row } : {};
  const given = Array.isArray(up) ? up.map((rule: unknown) => (typeof rule === 'object' && rule !== null && 'filter' in rule ? rule.filter : undefined)) : [];
  return {
    jid, reason: reasonOf(error), since,
    group: typeof group === 'string' ? group : undefined,
    service: typeof service === 'string' ? service : `pubsub.${jid.slice(jid.indexOf('@') + 1)}`,
    filters: [...new Set([...texts(given), ...texts(topics).toSorted()])],
  };
}

export async function unreadStatus(account: UnreadAccount, { log, clock }: { readonly log: Log; readonly clock: Clock }): Promise<HomeStatus> {
  const { jid, group, service, filters, reason, since } = account;
  const reader = readerOf(account);
  const { queued, left, bytes, oldest, poison } = await backlogOf(log, (name) => isCursorOf(reader, name));
  const ages = new RecordAges(log, clock);
  return {
    jid, service, topics: filters, state: 'refused', since, queued, ...(left > 0 ? { left } : {}), queuedBytes: bytes,
    oldestAge: oldest && queued > 0 ? Math.max(0, Math.round(ages.of(oldest.record) ?? 0)) : 0,
    rate: { items: 0, bytes: 0 },
    ...(poison > 0 ? { poison } : {}),
    ...(oldest && queued > 0 ? { oldest: { topic: oldest.record.topic, reader: oldest.reader } } : {}),
    ...(group === undefined ? {} : { group: { name: group, rank: 0, active: false } }),
    reason: `this version cannot take it up as it is kept: ${reason}. What is for it waits. \`lanpost home add ${jid}\` gives it anew, \`lanpost home remove ${jid}\` forgets it`,
  };
}

/** Homes of one group go by the same rules, and one that cannot be read cannot be given others. */
export function checkBeside(unread: readonly UnreadAccount[], groups: readonly (string | undefined)[]): void {
  const beside = unread.find(({ group }) => group !== undefined && groups.includes(group));
  if (beside) throw new LanpostError('conflict', `${beside.jid}, of the same group ${beside.group}, cannot be taken up as it is kept: ${beside.reason}. Add or remove that one first.`);
}

/**
 * Where the one that takes its place goes on: behind the cursors that were there, when it can be told whose business each
 * topic was; else with all that the log still has, under the same record ids.
 */
export function leftBehind(account: UnreadAccount, reader: string, now: readonly string[], log: Pick<Log, 'cursors' | 'registry'>): { readonly before: readonly string[]; readonly numbers: CursorNumbers } {
  const names = new Set([...log.cursors()].map(({ name }) => name).filter((name) => isCursorOf(reader, name)));
  const numbers = cursorNumbers(log.registry, account.jid);
  const before = account.filters.filter((filter) => names.has(cursorName(reader, filter, numbers[filter])));
  if (readerOf(account) === reader && before.length === names.size) return { before, numbers };
  // The new are there before the old go, so that the log keeps what these have kept.
  const free = (filter: string): number => {
    let number = 0;
    while (names.has(cursorName(reader, filter, number))) number += 1;
    return number;
  };
  return { before: [], numbers: Object.fromEntries(now.map((filter) => [filter, free(filter)])) };
}
