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

/** How many records of each topic, by its number. */
type Topics = Map<number, number>;

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
  topic: number;
  /** When the newest of what is taken was. */
  tag: number;
  /** Of what is taken. */
  topics?: Topics | undefined;
}

/** Whether the two may be counted as one. */
export function alike(a: Run, b: Run): boolean {
  return a.state === b.state && (a.state === DONE || a.state === HOLE || (a.state === TAKEN && a.tag === b.tag));
}

/** Of two that become one; the larger has the other added to it. */
export function together(a: Topics | undefined, b: Topics | undefined): Topics | undefined {
  if (!a || !b) return a ?? b;
  const [topics, more] = a.size < b.size ? [b, a] : [a, b];
  for (const [topic, count] of more) topics.set(topic, (topics.get(topic) ?? 0) + count);
  return topics;
}
