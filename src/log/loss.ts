import type { Draft, GapReason, TopicSettings } from './record.ts';

/** Records that a reader still needed, and that it will not get. */
export interface Loss {
  /** Whose they were; absent when every reader's that had not got so far. */
  readonly reader?: string;
  /** The topic, or the filter where they may be of several. */
  readonly topic: string;
  /** First and last of these positions in the log. */
  readonly from: number;
  readonly to: number;
  /** Absent when it is not known how many there were. */
  readonly count?: number;
  /** Why: `poison` has been put aside, and can still be had; `dropped` was given up by the owner; of `short`, where it goes fewer are kept than wait. */
  readonly reason: GapReason | 'poison' | 'dropped' | 'short';
}

/** How losses are written down: as items of a topic. The log has no payload formats, so the broker says how. */
export interface LossLedger {
  readonly topic: string;
  /** What the topic is opened with. */
  readonly settings: TopicSettings;
  /** Of all that one batch has taken. */
  readonly drafts: (losses: readonly Loss[]) => Draft[];
}
