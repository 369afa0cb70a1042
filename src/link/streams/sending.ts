import type { Clock } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import { type Element, serialize } from '../../xmpp/element.ts';
import type { XmppSocket } from '../../xmpp/xmpp-socket.ts';
import type { Carried } from './carried.ts';
import type { Unconfirmed } from './confirmations.ts';
import type { Holds } from './holds.ts';
import type { Unproven } from './unproven.ts';
import { answerable } from './wording.ts';

/** Stanzas sent to a peer that counts them and never says so, as answers to what it goes on asking. */
const UNCONFIRMED = 16_384;
/** Bytes of answers a peer may leave untaken before it is no longer read. */
const UNTAKEN = 1 << 20;
/** Bytes that the socket may hold before whoever has more to send waits. */
const FULL = 65_536;

export interface Sent {
  /** With the system; rejects when the stream broke first. */
  readonly handed: Promise<void>;
  /** The peer's `h` covers it. */
  readonly delivered?: Promise<void>;
  /** Of a peer that confirms nothing: it was there to read it. Rejects when it cannot have read it. */
  readonly taken?: Promise<void>;
}

/** Waits for an answer's confirmation: its asker may be gone. */
const NOBODY: Unconfirmed = { resolve: () => undefined, reject: () => undefined };

export interface SendingInit {
  readonly socket: XmppSocket;
  readonly clock: Clock;
  readonly holds: Holds;
  readonly carried: Carried;
  readonly unproven: Unproven;
  /** Whether the stream is open, and nobody has said goodbye. */
  readonly open: () => boolean;
  /** The peer confirms none of all that it has been sent. */
  readonly overrun: (error: Error) => void;
}

/** The way out of a stream. */
export class Sending {
  readonly #init: SendingInit;
  #lastAt: number;

  constructor(init: SendingInit) {
    this.#init = init;
    this.#lastAt = init.clock.mono();
  }

  /** Monotonic time of the last stanza. */
  get lastAt(): number {
    return this.#lastAt;
  }

  /** Whether there is room for another stanza without waiting. */
  get writable(): boolean {
    return this.#init.socket.buffered < FULL;
  }

  /** `kept`: no log holds it, so that it must be kept here until it is confirmed; `still`: whether it may be sent again then. */
  send(stanza: string, kept: boolean, still?: () => boolean): Sent {
    const { carried, unproven } = this.#init;
    this.#check();
    if (!carried.managed) {
      this.#write(stanza);
      const handed = this.#flushed();
      handed.catch(() => undefined); // as below
      return { handed, taken: unproven.sent() };
    }
    const delivered = new Promise<void>((resolve, reject) => {
      carried.confirmations.sent({ resolve, reject, ...(kept && carried.session ? { text: stanza, ...(still ? { still } : {}) } : {}) });
    });
    this.#write(stanza);
    delivered.catch(() => undefined); // whoever waits for it sees it; nobody has to
    return { handed: Promise.resolve(), delivered };
  }

  answer(reply: Element): void {
    const { socket, holds, carried, overrun } = this.#init;
    if (carried.confirmations.pending >= UNCONFIRMED) return overrun(new LanpostError('disconnected', 'The peer confirms nothing.'));
    const text = serialize(answerable(reply));
    this.#check();
    if (carried.managed) carried.confirmations.sent(carried.session ? { ...NOBODY, text } : NOBODY);
    this.#write(text);
    if (socket.buffered < UNTAKEN || holds.has('answers')) return;
    holds.hold('answers');
    void socket.drained().then(() => holds.release('answers'));
  }

  #check(): void {
    if (!this.#init.open()) throw new LanpostError('disconnected', 'The stream is closed.');
  }

  /** After it has been counted: whether it arrives is then asked in the same write to the system. */
  #write(stanza: string): void {
    this.#init.socket.write(stanza);
    this.#lastAt = this.#init.clock.mono();
  }

  /** All written so far has left the process: an empty write waits its turn behind it. */
  #flushed(): Promise<void> {
    const { socket } = this.#init;
    return new Promise((resolve, reject) => {
      setImmediate(() => {
        if (socket.closed) reject(new LanpostError('disconnected'));
        else socket.socket.write('', error => (error ? reject(new LanpostError('disconnected', undefined, { cause: error })) : resolve()));
      });
    });
  }
}
