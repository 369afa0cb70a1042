// When the rules of a home change, other cursors read its topics. Those that come know from those that were what is done:
// nothing is left out, and nothing goes up again.
import { LanpostError } from '../errors.ts';
import { matcher } from '../log/filter.ts';
import type { CursorInfo, CursorProgress, Log } from '../log/log.ts';
import type { LogRecord } from '../log/record.ts';
import type { CursorNumbers } from './account.ts';
import { cursorName, isCursorOf, PREFIX } from './cursor-name.ts';
import type { Rule } from './up-rule.ts';

/** One cursor as it was: flat, as it lies in its successors' rows. */
interface Former {
  readonly filter: string;
  readonly position: number;
  readonly handed: number;
  readonly done: readonly (readonly [number, number])[];
  readonly held: readonly { readonly topic: string; readonly until: number; readonly position: number; readonly done: readonly (readonly [number, number])[] }[];
  /** Put aside; so not done. */
  readonly asides: readonly number[];
}

/** The cursors of a home at one time. A record was the business of the first that matched. */
export type Generation = readonly Former[];

/** Changes of rules that a cursor may have behind it before it has caught up with them. */
export const MAX_GENERATIONS = 16;

export function former(filter: string, progress: CursorProgress, asides: readonly number[]): Former {
  const { position, handed, done, held } = progress;
  return {
    filter, position, handed, done: [...done], asides: [...asides],
    held: held.map((one) => ({ topic: one.topic, until: one.until === Infinity ? 0 : one.until, position: one.position, done: [...one.done] })),
  };
}

/** What is known of a record from before: `done`, `seen` when it may have been sent, or nothing. */
export type Past = (record: Pick<LogRecord, 'topic' | 'seq'>) => 'done' | 'seen' | undefined;

const inside = (ranges: readonly (readonly [number, number])[], seq: number): boolean => ranges.some(([from, to]) => from <= seq && seq <= to);

function isDone({ position, done, held, asides }: Former, topic: string, seq: number): boolean {
  if (asides.includes(seq)) return false;
  const own = held.find((one) => one.topic === topic);
  if (own && own.until > 0 && seq <= own.until) return true;
  if (own && own.until === 0) return seq <= own.position || inside(own.done, seq);
  return seq <= position || inside(done, seq);
}

export function pastOf(generations: readonly Generation[]): Past {
  const known = generations.map((generation) => generation.map((one) => ({ one, matches: matcher(one.filter) })));
  return ({ topic, seq }) => {
    let seen: 'seen' | undefined = undefined;
    for (const generation of known) {
      const owner = generation.find(({ matches }) => matches(topic))?.one;
      if (!owner) continue;
      if (isDone(owner, topic, seq)) return 'done';
      if (seq <= owner.handed) seen = 'seen';
    }
    return seen;
  };
}

/** Beyond this nothing is known from before. */
export function horizonOf(generations: readonly Generation[]): number {
  let horizon = 0;
  for (const { position, handed, done, held } of generations.flat()) {
    for (const [, to] of [...done, ...held.flatMap((one) => one.done)]) horizon = Math.max(horizon, to);
    horizon = Math.max(horizon, position, handed, ...held.map(({ until, position: own }) => Math.max(until, own)));
  }
  return horizon;
}

/** What a cursor keeps with it. */
export function generationsOf(extra: unknown): readonly Generation[] {
  // Written by this program alone.
  if (typeof extra !== 'object' || extra === null || !('past' in extra) || !Array.isArray(extra.past)) return [];
  return extra.past as readonly Generation[];
}

/**
 * Whether a filter's records are the same as before: it was there, and the filters before it that take records from it are those that were.
 */
export function goesOn(filter: string, before: readonly string[], now: readonly string[]): boolean {
  const taking = (filters: readonly string[]): string => filters.slice(0, filters.indexOf(filter)).filter((other) => mayMeet(other, filter)).toSorted().join('\n');
  return before.includes(filter) && taking(before) === taking(now);
}

/** Whether two filters may match one topic. */
export function mayMeet(a: string, b: string): boolean {
  return meet(a.split('/'), b.split('/'));
}

function meet(a: readonly string[], b: readonly string[]): boolean {
  for (let i = 0; ; i++) {
    if (a[i] === '#' || b[i] === '#') return true;
    // `a/#` matches `a` too.
    if (a[i] === undefined || b[i] === undefined) return a[i] === b[i] || (a[i] ?? b[i]) === '#';
    if (a[i] !== b[i] && a[i] !== '+' && b[i] !== '+') return false;
  }
}

type Cursors = Pick<Log, 'cursors' | 'cursor' | 'hasCursor' | 'dropCursor' | 'asides'>;

/**
 * Makes the cursors of filters that may not go on with those there are; the others stay until `dropOthers`. `former`: whose
 * those there are, where that was another reader. Gives all their numbers.
 */
export async function succeed(log: Cursors, { jid, former: of = jid, before, now, numbers }: { jid: string; former?: string; before: readonly string[]; now: readonly string[]; numbers: CursorNumbers }): Promise<CursorNumbers> {
  const next: Record<string, number> = {};
  const infos = new Map([...log.cursors()].map((info) => [info.name, info]));
  const infoOf = (filter: string): CursorInfo | undefined => infos.get(cursorName(of, filter, numbers[filter]));
  const current: Former[] = [];
  for (const filter of before) {
    const info = infoOf(filter);
    if (info) current.push(former(filter, info.progress(), (await log.asides(info.name)).map(({ record }) => record.seq)));
  }
  for (const filter of now) {
    const number = numbers[filter] ?? 0;
    const stays = of === jid && goesOn(filter, before, now);
    next[filter] = before.includes(filter) && !stays ? number + 1 : number;
    if (stays) continue;
    const past = before.some((other) => mayMeet(other, filter)) ? gathered([...before.flatMap((other) => generationsOf(infoOf(other)?.extra)), current]) : [];
    if (past.length > MAX_GENERATIONS) throw new LanpostError('busy', `The rules of ${jid} were changed ${MAX_GENERATIONS} times while ${filter} waited: let it catch up first.`);
    const name = cursorName(jid, filter, next[filter]);
    // Of a change that was not finished.
    if (log.hasCursor(name)) await log.dropCursor(name);
    const cursor = await log.cursor({ name, filter, from: 'start', durable: true, ...(past.length === 0 ? {} : { extra: { past } }) });
    await cursor.close();
  }
  return Object.fromEntries(Object.entries(next).filter(([, number]) => number > 0));
}

function gathered(generations: readonly Generation[]): Generation[] {
  return [...new Map(generations.map((generation) => [JSON.stringify(generation), generation])).values()];
}

/** Whoever waits to be told what becomes of a record at a reader that is about to go is told by that which has it then. */
export function followOn(log: Pick<Log, 'cursors' | 'followOn'>, was: string, jid: string, rules: readonly Pick<Rule, 'filter' | 'matches'>[], numbers: CursorNumbers): void {
  const to = (topic: string): string | undefined => {
    const rule = rules.find(({ matches }) => matches(topic));
    return rule && cursorName(jid, rule.filter, numbers[rule.filter]);
  };
  for (const { name } of log.cursors()) if (isCursorOf(was, name)) log.followOn(name, to);
}

/** Cursors that no rule has any more would hold the log for ever. */
export async function dropOthers(log: Cursors, jid: string, now: readonly string[], numbers: CursorNumbers): Promise<void> {
  const kept = new Set(now.map((filter) => cursorName(jid, filter, numbers[filter])));
  const mine = [...log.cursors()].map((info) => info.name).filter((name) => isCursorOf(jid, name));
  for (const name of mine) if (!kept.has(name)) await log.dropCursor(name);
}

/** What no reader has any more: of a change that was cut short before or after it was written down. */
export async function dropStrays(log: Cursors, readers: readonly string[]): Promise<void> {
  const strays = [...log.cursors()].map(({ name }) => name).filter((name) => name.startsWith(PREFIX) && !readers.some((reader) => isCursorOf(reader, name)));
  for (const name of strays) await log.dropCursor(name);
}
