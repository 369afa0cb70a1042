import type { RehearseOptions } from '../../api.ts';
import { LanpostError } from '../../errors.ts';
import { checkedObject, checkedOptional } from '../../given.ts';

/** Bounds of a rehearsal; docs/LIMITS.md has them. */
export const REHEARSAL = { outage: { least: 1_000, most: 86_400_000 }, rate: { least: 0.1, most: 1_000, usual: 10 }, records: 20_000 } as const;

export interface CheckedRehearsal {
  readonly home: string | undefined;
  /** ms. */
  readonly outage: number;
  /** Records a second. */
  readonly rate: number;
}

/** Throws TypeError for wrong types, LanpostError for what cannot be. */
export function checkedRehearsal(options: RehearseOptions): CheckedRehearsal {
  checkedObject('the options of a rehearsal', options);
  checkedOptional('home', options.home, 'string');
  checkedOptional('rate', options.rate, 'number');
  const { home, outage, rate = REHEARSAL.rate.usual } = options;
  if (typeof outage !== 'number') throw new TypeError('outage must be a number of milliseconds');
  if (!within(outage, REHEARSAL.outage)) throw new LanpostError('invalid-value', 'An outage that is rehearsed lasts from 1 second to 1 day.');
  if (!within(rate, REHEARSAL.rate)) throw new LanpostError('invalid-value', `A rehearsal publishes ${REHEARSAL.rate.least} to ${REHEARSAL.rate.most} records a second.`);
  const records = Math.ceil((outage / 1_000) * rate);
  if (records > REHEARSAL.records) throw new LanpostError('too-large', `${records} records would be published, and all of them read back: at most ${REHEARSAL.records}. Rehearse a shorter outage, or a lower rate.`);
  return { home, outage, rate };
}

function within(value: number, { least, most }: { readonly least: number; readonly most: number }): boolean {
  return value >= least && value <= most;
}
