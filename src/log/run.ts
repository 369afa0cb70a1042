// How records fare that a reader was given.
export const HANDED = 0;
export const AGAIN = 1;
export const DONE = 2;
/** Whoever got it has it, but not yet for good. */
export const TAKEN = 3;
/** Done with the batch that is being written, if that succeeds. */
export const ASIDE = 4;
/** Passed over for now, and not read yet. */
export const HOLE = 5;

/**
 * Matching records that follow each other and fare alike. One that is handed out stands alone; those
 * that are done or taken are only counted, so that memory grows with the runs and not with the records.
 */
export interface Run {
  from: number;
  to: number;
  count: number;
  state: number;
  /** Of one that stands alone. */
  readonly topic: number;
  /** When the newest of what is taken was. */
  tag: number;
}

/** Whether the two may be counted as one. */
export function alike(a: Run, b: Run): boolean {
  return a.state === b.state && (a.state === DONE || a.state === HOLE || (a.state === TAKEN && a.tag === b.tag));
}
