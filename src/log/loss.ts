import type { GapRange } from '../api.ts';
import type { LostTopics } from './lost-topics.ts';
import type { Draft, GapReason, TopicSettings } from './record.ts';

/** Records that a reader still needed, and that it will not get. */
export interface Loss extends GapRange {
  /** Whose they were; absent when every reader's that had not got so far. */
  readonly reader?: string;
  /** The topic, or the filter where they may be of several. */
  readonly topic: string;
  /** How many topics of that filter have lines of their own: what is counted here is of others. */
  readonly besides?: number;
  /** Why: `poison` has been put aside, and can still be had; `dropped` was given up by the owner; of `short`, where it goes fewer are kept than wait. */
  readonly reason: GapReason | 'poison' | 'dropped' | 'short';
  /** Of a reader as there may be any number of: it is written down with those of all others like it. */
  readonly pooled?: boolean;
}

/** How losses are written down: as items of a topic. The log has no payload formats, so the broker says how. */
export interface LossLedger {
  readonly topic: string;
  /** What the topic is opened with. */
  readonly settings: TopicSettings;
  /** Of all that one batch has taken. */
  readonly drafts: (losses: readonly Loss[]) => Draft[];
}

/** One for each topic that is known, and one for the others of the `filter`, of which `named` have lines of their own. */
export function* lossesOf({ topics = [], others }: LostTopics, filter: string, named: number, common: Pick<Loss, 'reader' | 'reason'>): Generator<Loss> {
  for (const topic of topics) yield { ...common, ...topic };
  if (!others) return;
  const { from, to, count } = others;
  yield { ...common, topic: filter, ...(named > 0 && { besides: named }), from, to, ...(count !== undefined && { count }) };
}
