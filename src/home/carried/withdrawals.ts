// Boxes that may publish for this one no more: the box forgets them at once, and their accounts lose what they have at a home as soon as
// that is reached. Until then each is remembered, over restarts too.
import type { Trouble } from '../../api.ts';
import type { Clock, Timer } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import { OneByOne } from '../../one-by-one.ts';
import type { Home } from '../home.ts';
import { reasonOf } from '../reason.ts';
import { type Carriers, isSamePlace, type Withdrawn } from './carriers.ts';

/** Between two tries at a home that is connected and did not do it, ms. */
const AGAIN = 300_000;

export interface WithdrawalsParts {
  readonly carriers: Carriers;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly homes: () => readonly Home[];
  /** Takes back from the account what it has at the nodes of that home. */
  readonly take: (home: Home, account: string) => Promise<void>;
}

export class Withdrawals {
  readonly #parts: WithdrawalsParts;
  /** One after the other, and after whatever else is asked of homes about the same accounts. */
  readonly #turns = new OneByOne();
  #again: Timer | undefined;
  /** Said to the owner already. */
  readonly #told = new Set<string>();
  #closed = false;

  constructor(parts: WithdrawalsParts) {
    this.#parts = parts;
  }

  inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.run(() => {
      if (this.#closed) throw new LanpostError('closed');
      return work();
    });
  }

  /** Tries what there is to do at homes that are connected. */
  look(): void {
    this.#again?.stop();
    this.#again = undefined;
    for (const one of this.#parts.carriers.withdrawn()) void this.inTurn(() => this.#tried(one)).catch(() => undefined); // closed
  }

  /** That one, now: rejects when it cannot be done, and it is tried again then. */
  async settle(one: Withdrawn): Promise<void> {
    const { carriers, homes, take } = this.#parts;
    if (!carriers.withdrawn().some((other) => isSamePlace(one, other))) return;
    // The account is another box's by now, as of a machine that was set up anew: it keeps what that may.
    if (!carriers.list().some((other) => isSamePlace(one, other))) {
      const home = homes().find(({ account }) => account.jid === one.jid);
      if (!home?.online) throw new LanpostError('unreachable', `${one.jid} is not connected: that ${one.account} may publish there is taken back when it is.`);
      await take(home, one.account);
    }
    await carriers.settled(one);
  }

  async #tried(one: Withdrawn): Promise<void> {
    const { homes, clock, trouble } = this.#parts;
    if (!homes().some(({ account, online }) => online && account.jid === one.jid)) return; // when it opens
    try {
      await this.settle(one);
    } catch (error) {
      if (this.#closed) return;
      this.#again ??= clock.after(AGAIN, () => this.look());
      const message = `that ${one.account} may publish at ${one.jid} could not be taken back yet: ${reasonOf(error)}`;
      if (this.#told.has(message)) return;
      if (this.#told.size >= 64) this.#told.clear();
      this.#told.add(message);
      trouble({ kind: 'home.outbox', message });
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#again?.stop();
    await this.#turns.settled();
  }
}
