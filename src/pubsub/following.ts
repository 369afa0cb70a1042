// What becomes of an item at one reader, in the words of whoever published it.
import { LanpostError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { Follow, Outcome } from '../log/outcomes.ts';
import { LOCAL } from './abandonment.ts';
import { isInMemory } from './in-memory.ts';

/** Throws when that reader cannot get it. `cursor`: of a home; else `as` is the name of a durable subscription of this box. */
export function followed(log: Pick<Log, 'topic' | 'reads' | 'hasCursor'>, topic: string, as: string, cursor: string | undefined = LOCAL + as): Follow {
  if (isInMemory(log.topic(topic))) throw new LanpostError('unsupported', `${topic} is in memory only, and keeps nothing for ${as}: its items cannot be followed`);
  if (!log.hasCursor(cursor)) throw new LanpostError('not-found', `there is no durable subscription "${as}": see \`lanpost subscriptions list\``);
  if (!log.reads(cursor, topic)) throw new LanpostError('invalid-topic', `"${as}" does not read ${topic}`);
  return { reader: cursor, as };
}

const WHY: Record<Exclude<Outcome, 'delivered'>, (as: string) => LanpostError> = {
  superseded: (as) => new LanpostError('superseded', `a newer item took its place before ${as} had it`),
  expired: (as) => new LanpostError('expired', `it waited for ${as} for longer than it may, and was dropped`),
  overflow: (as) => new LanpostError('dropped', `more waited for ${as} than it may keep, and this was dropped`),
  dropped: (as) => new LanpostError('dropped', `${as} was dropped, or sent past it, before it had it`),
  withheld: (as) => new LanpostError('dropped', `it came down from another home, and does not go on to ${as}`),
  poison: (as) => new LanpostError('refused', `${as} would not take it, and it was put aside: see \`lanpost poison list\``),
  corrupt: (as) => new LanpostError('corrupt', `it was damaged on disk before ${as} had it`),
};

/** Nothing where it was delivered; else why not. */
export function undelivered(outcome: Outcome, as: string): LanpostError | undefined {
  return outcome === 'delivered' ? undefined : WHY[outcome](as);
}
