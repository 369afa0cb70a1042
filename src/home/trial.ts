// Errors that ask to wait may mean the item, whatever they say: so ejabberd answers much that it will never take. Nothing tells the
// one from the other but what is behind it: an item is at fault when that gets through, time after time, and the item still does not.

const MINUTE = 60_000;
/** So long an item fails before anything goes before it. */
const LONG = 9 * MINUTE;
/** Between two failures no more than this counts: what was meanwhile nobody knows. */
const GAP = 5 * MINUTE;
/** So often what is behind it gets through, at the first try, before it is put aside. */
const PASSES = 3;
const TRIES = 8;
/** Of what has failed for so long, or what others have passed by. */
const FEW_TRIES = 4;
/** What comes so long after the last failure does not go before it: it may get through itself by now. */
const FRESH = 5_000;
/** Of one topic, standing back at once: few at first, so that a service that is away is not asked for much. */
const STANDING = { first: 16, most: 256 } as const;
/** Trials of one topic that are remembered. One that is forgotten begins anew. */
const REMEMBERED = 1024;

/** What is known of an item that fails again and again with errors that ask to wait. In memory only: begun anew it does no harm. */
export interface Trial {
  /** Monotonic; when it last failed. */
  at: number;
  /** ms. */
  lasted: number;
  /** So often what is behind it got through while it stood back. */
  passes: number;
  /** It is being tried because something has just got through. */
  passed: boolean;
  /** That it stands back has been told. */
  told: boolean;
}

/** What stands back: undone, and not read again before it is wanted. */
export interface Standing {
  /** Of a pack several; its trial is known by the first. */
  readonly seqs: readonly number[];
  readonly itemId: string;
}

/** Of one topic. */
interface Topic {
  /** By seq. */
  readonly trials: Map<number, Trial>;
  /** Oldest first. */
  readonly standing: readonly Standing[];
  /** So often all of it has waited. */
  readonly holds: number;
}

interface Item {
  readonly seq: number;
  readonly pack?: unknown;
}

export function failedAgain({ trials }: Topic, { seq }: Item, now: number): void {
  const trial = trials.get(seq);
  if (trial) trial.lasted += Math.min(now - trial.at, GAP);
  trials.set(seq, { passes: 0, passed: false, told: false, lasted: 0, ...trial, at: now });
  const [oldest] = trials.keys();
  if (trials.size > REMEMBERED && oldest !== undefined) trials.delete(oldest);
}

/** How often it is tried in a row. What is tried before others that stand back only shows whether it gets through. */
export function triesOf({ trials, standing }: Topic, { seq }: Item): number {
  const { lasted = 0, passes = 0 } = trials.get(seq) ?? {};
  if (standing.length > 0) return 1;
  return lasted >= LONG || passes > 0 ? FEW_TRIES : TRIES;
}

/** It is some time since what stands back was tried: the home may take it by now. */
export function isStale({ trials, standing }: Topic, now: number): boolean {
  const last = standing.at(-1)?.seqs[0];
  return last !== undefined && now - (trials.get(last)?.at ?? -Infinity) > FRESH;
}

/** It has been tried so often, and failed: the home will not take it, what is behind it is to be tried, or all of the topic waits. */
export function verdictOn({ trials, standing, holds }: Topic, { seq, pack }: Item): 'refused' | 'stand' | 'wait' {
  const { lasted = 0, passes = 0, passed = false } = trials.get(seq) ?? {};
  if (standing.length > 0) return standing.length < Math.min(STANDING.most, STANDING.first * 2 ** Math.max(0, holds - 1)) ? 'stand' : 'wait';
  if (lasted >= LONG && (pack || (passes >= PASSES && passed))) return 'refused';
  return lasted >= LONG || passes > 0 ? 'stand' : 'wait';
}

/** An item of the topic got through. One that had failed before tells that the home is at fault, whatever else failed meanwhile. */
export function gotThrough({ trials, standing }: Topic, seq: number): void {
  if (trials.delete(seq)) {
    for (const trial of trials.values()) trial.passes = 0;
    return;
  }
  for (const { seqs: [first = 0] } of standing) {
    const trial = trials.get(first);
    if (!trial) continue;
    trial.passes++;
    trial.passed = true;
  }
}
