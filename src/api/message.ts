// Messages between people, boxes and accounts.
import type { TrustLevel } from './trust.ts';

export interface SendOptions {
  /**
   * Message id, so that a retry is harmless: the same id and body to the same address is the same message while that is
   * among the newest 200 to it, and has its receipt, also when it has ended. What was refused or has expired is tried
   * anew under another id.
   */
  readonly id?: string;
  readonly subject?: string;
  readonly thread?: string;
  /** The device of this box that it is from. To an account it goes from that device's own address, where a component gives it one. */
  readonly device?: string;
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
  /** The recipient has it. A box confirms that; of Pidgin and its like, and of a person's account, it rejects with `unsupported` once it was handed over. */
  readonly delivered: Promise<void>;
}

export interface Message {
  readonly id: string;
  readonly seq: number;
  /**
   * `link:NAME` or `xmpp:JID`, as proven by the road it came on; `device:NAME` of a device of this box, `device:NAME@ADDRESS` of one
   * that the box there says is its own. What is sent to it is an answer.
   */
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
  /** With a name: where a reader begins that is new; default `start`, with all that is kept. */
  readonly from?: 'new' | 'start' | { readonly seq: number } | { readonly time: number };
  /** What is for this device, instead: there is one reader of it at a time, whose place survives restarts. */
  readonly device?: string;
  /** Without a name: how many of the newest come first. Default 0. */
  readonly last?: number;
  readonly signal?: AbortSignal;
}

export interface MessageStream extends AsyncIterableIterator<Message>, AsyncDisposable {
  /** Resolves when the reader is in place: what comes from now on will be given. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

/** A thing that speaks no XMPP, for which this box does. */
export interface DeviceInfo {
  readonly name: string;
  /** `device:NAME`, on this box and at its link; at another box `device:NAME@ADDRESS`, with the address of this one. */
  readonly address: string;
  /** Its own address at each component that has one for it. */
  readonly jids?: readonly string[];
  /** When it was added, ms since 1970. */
  readonly since: number;
  /** Messages that whoever speaks with it has not confirmed. */
  readonly unread: number;
  /** Whether anybody reads them now. */
  readonly open: boolean;
}
