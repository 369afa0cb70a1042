// Actions that are offered to others, and asked of them.
import type { Value } from './item.ts';
import type { TrustLevel } from './trust.ts';

/** One thing that is asked of whoever runs a command with a form (XEP-0004). */
export interface CommandField {
  readonly name: string;
  /** For people. */
  readonly label?: string;
  /** `list`: one of `options`. Default `text`. */
  readonly kind?: 'text' | 'number' | 'boolean' | 'list';
  readonly options?: readonly string[];
  readonly required?: boolean;
}

export interface OfferOptions {
  /** For people, in lists of commands. */
  readonly title?: string;
  /** What clients that know no values are asked for; the command then gets an object of it. Default: nothing. */
  readonly fields?: readonly CommandField[];
  /** Milliseconds in which it has to end; default 30 s, at most an hour. */
  readonly timeout?: number;
  /** Takes the offer back. */
  readonly signal?: AbortSignal;
}

/** One running of a command that this box offers. */
export interface CommandCall {
  readonly command: string;
  /** What it is run with; `null` when nothing was given. */
  readonly value: Value;
  /** `link:NAME` or `xmpp:JID`, as proven by the road it came on; absent for this box itself. */
  readonly from?: string;
  readonly trust: TrustLevel;
  /** Aborted when nobody waits for the end any more. */
  readonly signal: AbortSignal;
}

/** What it gives is the answer. A `LanpostError` is told to whoever runs it, with its code and words; of anything else it is only told that it `failed`. */
export type CommandHandler = (call: CommandCall) => Value | undefined | Promise<Value | undefined>;

export interface CommandOffer extends AsyncDisposable {
  readonly name: string;
  /** Resolves when it is offered no more: taken back, or the box is closed or gone. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

export interface CommandInfo {
  readonly name: string;
  readonly title?: string;
}

export interface RunOptions {
  /** Milliseconds until it is given up; default 30 s, at most an hour. */
  readonly timeout?: number;
  /** Stops the waiting, not the command. */
  readonly signal?: AbortSignal;
}

export interface RequestOptions extends RunOptions {
  /** Default `get`. */
  readonly type?: 'get' | 'set';
}
