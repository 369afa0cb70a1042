// Which of two records of another box is the older one, when they come by roads that keep no order between them.
import type { Draft, LogRecord, Origin, Stamp } from './record.ts';

/** Where a record was accepted first, and when, if that box knew. */
export interface Accepted {
  readonly origin: Origin;
  readonly at: number | undefined;
}

/** Undefined for what was accepted here. */
export function acceptedOf({ origin }: Pick<Draft | LogRecord, 'origin'>, stamp: Pick<Stamp, 'wall' | 'trusted' | 'elsewhere'> | undefined, elsewhere: boolean | undefined = stamp?.elsewhere): Accepted | undefined {
  // Rows have whole milliseconds.
  return origin && { origin, at: elsewhere === true && stamp?.trusted === true ? Math.floor(stamp.wall) : undefined };
}

/**
 * Whether its box accepted it before the other. Within one opening of the store the positions tell. Of two openings the lower
 * counter was earlier, unless the times gainsay that or are not known: a store that was put back from a copy counts on from there,
 * and what it accepts then is newer all the same. Of two that nothing puts in order, and of two boxes, neither is older.
 */
export function isOlder(one: Accepted | undefined, other: Accepted | undefined): boolean {
  if (!one || !other || one.origin.box !== other.origin.box) return false;
  if (one.origin.epoch === other.origin.epoch) return one.origin.seq < other.origin.seq;
  return counterOf(one.origin) < counterOf(other.origin) && one.at !== undefined && other.at !== undefined && one.at <= other.at;
}

/** An epoch's name begins with it. */
function counterOf({ epoch }: Origin): number {
  return Number.parseInt(epoch, 10);
}
