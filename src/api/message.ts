// Messages between people, boxes and accounts.
import type { TrustLevel } from './trust.ts';

export interface SendOptions {
  /** Message id, so that a retry is harmless. */
  readonly id?: string;
  readonly subject?: string;
  readonly thread?: string;
  /** Milliseconds until it is given up; default 7 days. */
  readonly expires?: number;
  readonly signal?: AbortSignal;
}

export type MessageState = 'accepted' | 'handed' | 'delivered' | 'refused' | 'expired';

export interface Receipt {
  readonly id: string;
  readonly to: string;
  /** On disk here. */
  readonly accepted: Promise<void>;
  /** The road has it. */
  readonly handed: Promise<void>;
  /** The recipient has it. */
  readonly delivered: Promise<void>;
}

export interface Message {
  readonly id: string;
  readonly seq: number;
  /** `link:NAME` or `xmpp:JID`, as proven by the road it came on. */
  readonly from: string;
  readonly to: string;
  readonly body: string;
  readonly subject?: string;
  readonly thread?: string;
  readonly time: number;
  /** Whether the sender's key is `none`, `seen` or `paired`. */
  readonly trust: TrustLevel;
  readonly redelivered: boolean;
  ack(): void;
}

export interface MessagesOptions {
  /** A named reader: its cursor survives restarts. Without a name: live only, after the `last` newest. */
  readonly name?: string;
  /** Without a name: how many of the newest come first. Default 0. */
  readonly last?: number;
  readonly signal?: AbortSignal;
}

export interface MessageStream extends AsyncIterableIterator<Message>, AsyncDisposable {
  close(): Promise<void>;
}
