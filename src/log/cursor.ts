import type { Committer } from './commit.ts';
import type { Cursors } from './cursors.ts';
import type { Outcome } from './outcomes.ts';
import type { Reading } from './reading.ts';
import type { LogRecord } from './record.ts';
import type { LogState } from './state.ts';

export interface LogRecordDelivery {
  readonly record: LogRecord;
  /** This reader may have been given it before. */
  readonly redelivered: boolean;
}

/** One reader of the log. */
export interface Cursor {
  readonly name: string;
  readonly filter: string;
  readonly durable: boolean;
  /** Every matching record up to here is done. */
  readonly position: number;
  /** Every matching record up to here has been handed out. */
  readonly read: number;
  /** All there is has been handed out: `next` gives none, and not because too much is open. */
  readonly atTail: boolean;
  /** Records handed out and not confirmed. */
  readonly unconfirmed: number;
  /** Up to `max` records not handed out yet, oldest first; none at the tail. One call at a time. */
  next(max: number): LogRecordDelivery[] | Promise<LogRecordDelivery[]>;
  /** Resolves when `next` may have something, or `signal` aborts, or it is closed. */
  wait(signal?: AbortSignal): Promise<void>;
  /** Confirms it; `outcome` for whoever follows it there, where it is not what a confirmation says. */
  done(seq: number, outcome?: Outcome): void;
  /** Nobody has seen it: it is handed out again as if it had not been. */
  back(seq: number): void;
  /**
   * How often it is known to have been handed out without being confirmed; undefined when it has not been. 0: a crash
   * may have been its fault, but nobody counted.
   */
  deliveries(seq: number): number | undefined;
  /** What `count` was told of it last. */
  counted(seq: number): number | undefined;
  /** Resolves when the disk knows how often it has been handed out, and what has been confirmed. */
  count(seq: number, times: number): Promise<void>;
  /** What is handed out and not confirmed when it is closed counts as handed out once. */
  counts: boolean;
  /** Called when it has been sent elsewhere: what was handed out before is void. Gives what ends that. */
  onRestart(call: () => void): () => void;
  again(seq: number, delayMs?: number): void;
  /** Everything handed out and not confirmed will be handed out again. */
  rewind(): void;
  /** Everything from `seq` on that is not done will be handed out again. */
  rewindTo(seq: number): void;
  /** Records of one topic that it has to hand out before `before`, about. */
  unread(topic: string, before: number): Promise<number>;
  /** Of one topic, what was left and is not read yet, about. */
  unreadLeft(topic: string): Promise<number>;
  /** Goes on from `seq`, which is behind all there is; what is to be handed out before that is left, for `nextLeft`. Of one that reads a single topic. */
  leap(seq: number): void;
  /** What was left and is not read yet, from the first such record to the last. */
  readonly hole: { readonly from: number; readonly to: number } | undefined;
  /** As `next`, of what was left; none when nothing is. */
  nextLeft(max: number): Promise<LogRecordDelivery[]>;
  /** From `seq` on, which nobody may have sent on yet, nothing is handed out before all that was left. */
  park(seq: number): void;
  /** Confirms for now: it is done for good when what was taken up to `tag` is settled, and never done if this process ends before. */
  take(seq: number, tag: number, outcome?: Outcome): void;
  /** What was taken up to `tag` is done. */
  settle(tag: number): void;
  /** Whether it was put aside, and is handed out once more: beside what is read in order, whatever has come after it. */
  isRetried(seq: number): boolean;
  /** What was put aside, handed out once more and taken is handed out again. */
  doubtRetries(): void;
  /** As if all that is taken had been with this tag. */
  retake(tag: number): void;
  /** What is taken of a topic, newest first, up to `max` records below `before`. */
  taken(topic: string, before: number, max: number): Promise<LogRecord[]>;
  /** Up to here records may have been handed out before it was opened. */
  readonly handedBefore: number;
  /** Seqs of the items of a topic from `from` up to `to` that are not done for good, oldest first. */
  undone(topic: string, from: number, to: number): Promise<number[]>;
  /** These records, as far as they are there. */
  at(seqs: readonly number[]): Promise<LogRecord[]>;
  /** Passes a record that its reader will not take, in one batch with a note of that; the record stays as long as the note. */
  putAside(seq: number, note: unknown): Promise<void>;
  /**
   * Holds a topic back: from now on what is not done of it has a cursor of its own, and this one goes on
   * without it. Part of the same subscription, kept over restarts, and closed with this one.
   */
  hold(topic: string): Promise<Cursor>;
  /** The topic is read by this cursor again, if its own has done all there is; false if it has not. */
  unhold(topic: string): Promise<boolean>;
  /** Topics held back. */
  readonly held: ReadonlyMap<string, Cursor>;
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface CursorParts {
  readonly state: LogState;
  readonly reading: Reading;
  readonly cursors: Cursors;
  readonly committer: Committer;
}
