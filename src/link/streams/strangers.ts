import type { Clock } from '../../clock.ts';

/** Bytes that all strangers together may have this box work on in a second, and what of it may come at once: from one address, from all. */
const PER_SECOND = 512 * 1024;
const AT_ONCE = { one: 4 << 20, all: 8 << 20 };
/** Whoever has the address of one that goes too far waits for it, but not longer than this at a time, ms. */
const LONGEST = 10_000;
/** For so long one that went too far counts among those who share, ms: their turns need not come at the same time. */
const SHARES = 1_000;
const ADDRESSES = 1024;

interface Account {
  /** What may come at once, and when that was worked out. */
  left: number;
  at: number;
  /** When what came beyond it is paid for. */
  restsUntil: number;
}

/**
 * How fast those are read whom the owner has not vouched for. Keys are free, and so are streams: an address has one account
 * for all of them. Addresses are free, too: those that have come beyond what may come at once share what all may have in
 * a second, in equal parts, so that none of them can have another wait.
 */
export class Strangers {
  readonly #clock: Pick<Clock, 'mono'>;
  /** The longest unused first. */
  readonly #accounts = new Map<string, Account>();
  readonly #all: { left: number; at: number };

  constructor(clock: Pick<Clock, 'mono'>) {
    this.#clock = clock;
    this.#all = { left: AT_ONCE.all, at: clock.mono() };
  }

  /** That much came from there: milliseconds for which no more should be read. */
  pace(address: string, bytes: number): number {
    const now = this.#clock.mono();
    const account = this.#account(address, now);
    const all = this.#all;
    all.left = Math.min(AT_ONCE.all, all.left + (now - all.at) * PER_SECOND / 1_000);
    all.at = now;
    const atOnce = account.restsUntil > now ? 0 : Math.max(0, Math.min(bytes, all.left, this.#refilled(account, now)));
    account.left -= atOnce;
    account.at = now;
    // Below nothing as well: what is read at a rate leaves nothing that could come at once.
    all.left = Math.max(-AT_ONCE.all, all.left - bytes);
    const owed = bytes - atOnce;
    if (owed > 0) {
      const from = Math.max(account.restsUntil, now);
      account.restsUntil = Math.min(now + LONGEST, from + owed * 1_000 / (PER_SECOND / this.#sharing(account, now)));
    }
    return Math.max(0, Math.ceil(account.restsUntil - now));
  }

  #refilled(account: Account, now: number): number {
    const since = Math.min(now, Math.max(account.at, account.restsUntil));
    account.left = Math.min(AT_ONCE.one, account.left + (now - since) * PER_SECOND / 1_000);
    return account.left;
  }

  /** How many share what there is in a second: that one, and who else has come too fast just now. */
  #sharing(account: Account, now: number): number {
    let count = 1;
    for (const other of this.#accounts.values()) if (other !== account && other.restsUntil > now - SHARES) count += 1;
    return count;
  }

  #account(address: string, now: number): Account {
    const account = this.#accounts.get(address) ?? { left: AT_ONCE.one, at: now, restsUntil: now - SHARES };
    this.#accounts.delete(address);
    this.#accounts.set(address, account);
    for (const [oldest] of this.#accounts) {
      if (this.#accounts.size <= ADDRESSES) break;
      this.#accounts.delete(oldest);
    }
    return account;
  }
}
