import type { Clock } from '../../clock.ts';
import type { XmppSocket } from '../../xmpp/xmpp-socket.ts';
import type { Carried } from './carried.ts';
import type { Unproven } from './unproven.ts';

/** How long after a peer's farewell the answer of its system to what crossed that is waited for. */
const RESET_TIME = 200;

export interface FarewellInit {
  readonly socket: XmppSocket;
  readonly clock: Clock;
  readonly carried: Carried;
  readonly unproven: Unproven;
}

/** The end of a stream that one side leaves: it is not over until it is known whether the peer had read all. */
export class Farewell {
  readonly #init: FarewellInit;
  #leaving: Promise<void> | undefined;

  constructor(init: FarewellInit) {
    this.#init = init;
  }

  /** One side has said farewell: until that is known. */
  get leaving(): Promise<void> | undefined {
    return this.#leaving;
  }

  /** This side leaves: what can be is confirmed and awaited first, but not longer than `ms`. */
  async say(ms: number): Promise<void> {
    const parting = this.#part(ms);
    this.#leaving ??= parting;
    await parting;
  }

  async #part(ms: number): Promise<void> {
    const { socket, carried, unproven } = this.#init;
    const settled = await carried.confirmations.settled(ms);
    await unproven.settled();
    carried.acknowledge();
    if (!settled) await socket.close();
  }

  /**
   * The peer leaves; `closing`: it has ended the stream, or nothing outlives it. What is to be awaited before it is closed.
   * COMPAT(libpurple 2.14): closes without waiting for our closing tag, so what it has not read by then is
   * lost without a word. A write tells whether its system has said so; a closing tag at once would itself be answered so.
   */
  heard(closing: boolean): Promise<void> | undefined {
    const { socket, clock, carried, unproven } = this.#init;
    if (closing && carried.managed && carried.confirmations.pending > 0) this.#leaving ??= socket.close();
    if (unproven.pending === 0) return undefined;
    this.#leaving ??= new Promise(resolve => {
      clock.after(RESET_TIME, () => {
        // When it fails the connection is over, and what is unproven with it.
        socket.socket.write(' ', error => {
          if (!error) unproven.taken();
          resolve();
        });
      });
    });
    return this.#leaving;
  }
}
