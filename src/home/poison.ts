// What a home will never take is put aside: it stays in the log, whole, and the home's subscription notes why.
import type { Entry } from './lane.ts';

export interface PoisonNote {
  readonly recordId: string;
  readonly itemId: string;
  readonly reason: string;
  /** Wall time, ms. */
  readonly at: number;
}

export function noteOf({ recordId, itemId }: Entry, reason: string, at: number): PoisonNote {
  return { recordId, itemId, reason, at };
}
