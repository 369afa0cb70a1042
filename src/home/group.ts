// Homes of one group are one reader: what goes up goes to one of them, the lowest in rank that is connected. The cursors are
// the group's, so what the one had not safely is read again for the next, under the same record ids.
import type { Clock, Timer } from '../clock.ts';

export interface Member {
  readonly jid: string;
  readonly rank: number;
  readonly online: boolean;
  /** Whether it is the one that reads. Resolves when it has stopped, or begun. */
  carry(on: boolean): Promise<void>;
}

export interface GroupParts {
  readonly clock: Clock;
  readonly members: readonly Member[];
  readonly failed: (error: unknown) => void;
}

/** How long the one may be away before another reads; how long a lower one is there before it reads again, ms. */
const AWAY = 30_000;
const STEADY = 60_000;
/** Between two tries of one that could not begin, doubling; ms. */
const AGAIN = { first: 1_000, most: 60_000 };

export class HomeGroup {
  readonly #parts: GroupParts;
  readonly #members: readonly Member[];
  #active: Member | undefined;
  #next: { readonly member: Member; readonly timer: Timer } | undefined;
  #turn: Promise<void> = Promise.resolve();
  #closed = false;
  /** Ends the wait for another try. */
  #wake: (() => void) | undefined;

  constructor(parts: GroupParts) {
    this.#parts = parts;
    this.#members = parts.members.toSorted((a, b) => a.rank - b.rank || (a.jid < b.jid ? -1 : 1));
  }

  /** From the first moment somebody reads, connected or not: so the log keeps what the group does not have. */
  async start(): Promise<void> {
    const [first] = this.#members;
    this.#active = first;
    try {
      await first?.carry(true);
    } catch (error) {
      if (first) this.#turn = this.#pause(AGAIN.first).then(() => this.#begin(first));
      throw error;
    }
  }

  isActive(jid: string): boolean {
    return this.#active?.jid === jid;
  }

  /** A member has come or gone. */
  changed(): void {
    const best = this.#members.find((member) => member.online);
    if (this.#closed || best === this.#next?.member) return;
    this.#next?.timer.stop();
    this.#next = undefined;
    if (!best || best === this.#active) return;
    const wait = this.#active?.online === true ? STEADY : AWAY;
    this.#next = { member: best, timer: this.#parts.clock.after(wait, () => this.#switch(best)) };
  }

  #switch(to: Member): void {
    this.#next = undefined;
    const from = this.#active;
    this.#active = to;
    this.#wake?.();
    this.#turn = this.#handOver(this.#turn, from, to);
    this.changed();
  }

  async #handOver(before: Promise<void>, from: Member | undefined, to: Member): Promise<void> {
    await before;
    if (this.#closed) return;
    await from?.carry(false).catch((error: unknown) => this.#parts.failed(error));
    await this.#begin(to);
  }

  /** Until it reads, or another is to: nobody else would. */
  async #begin(to: Member): Promise<void> {
    for (let wait = AGAIN.first; !this.#closed && this.#active === to; wait = Math.min(AGAIN.most, wait * 2)) {
      try {
        return await to.carry(true);
      } catch (error) {
        this.#parts.failed(error);
      }
      await this.#pause(wait);
    }
  }

  async #pause(ms: number): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      const timer = this.#parts.clock.after(ms, resolve);
      this.#wake = () => {
        timer.stop();
        resolve();
      };
    });
    this.#wake = undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#next?.timer.stop();
    this.#wake?.();
    await this.#turn;
  }
}
