// Bytes that may go up in an hour, for links that are paid by volume: a bucket that fills as the hour passes. What is left of it
// outlives the process, and is filled up for the time between only where that can be told.
import type { Clock, Timer } from '../clock.ts';
import type { Registry } from '../log/registry.ts';

const HOUR = 3_600_000;
/** What a crash may give back, as a part of the budget. */
const KEEP = 0.01;

export interface BudgetParts {
  readonly jid: string;
  /** Bytes an hour. */
  readonly budget: number;
  readonly clock: Clock;
  readonly registry: Registry;
  /** The log's; undefined while nothing vouches for the time. */
  readonly trustedNow: () => number | undefined;
  /** There is some left again. */
  readonly wake: () => void;
}

function keyOf(jid: string): string {
  return `home-budget:${jid}`;
}

export class Budget {
  readonly #parts: BudgetParts;
  #left: number;
  #at: number;
  #unkept = 0;
  #timer: Timer | undefined;

  constructor(parts: BudgetParts) {
    this.#parts = parts;
    const { clock, registry, trustedNow, jid, budget } = parts;
    this.#at = clock.mono();
    const row = registry.get(keyOf(jid));
    const kept = Array.isArray(row) ? row.map(Number) : [];
    const [left = budget, at] = kept;
    const now = trustedNow();
    const away = at === undefined || now === undefined ? 0 : Math.max(0, now - at);
    this.#left = Math.min(budget, left + (away * budget) / HOUR);
  }

  /** When there will be some again, in ms from now; 0: there is. */
  get wait(): number {
    const { budget } = this.#parts;
    this.#fill();
    return this.#left > 0 ? 0 : Math.ceil((-this.#left * HOUR) / budget) + 1_000;
  }

  /** False while it is used up; calls `wake` when it is not. */
  admits(): boolean {
    const { wait } = this;
    if (wait === 0) return true;
    this.#timer ??= this.#parts.clock.after(wait, () => {
      this.#timer = undefined;
      this.#parts.wake();
    });
    return false;
  }

  /** One item may use more than there is left: the next waits for that, too. */
  spend(bytes: number): void {
    this.#left -= bytes;
    this.#unkept += bytes;
    if (this.#unkept < this.#parts.budget * KEEP) return;
    this.#unkept = 0;
    // A log that takes nothing: then a restart may give back what was used since.
    this.#keep().catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#timer?.stop();
    await this.#keep().catch(() => undefined); // as above
  }

  #fill(): void {
    const { clock, budget } = this.#parts;
    const now = clock.mono();
    this.#left = Math.min(budget, this.#left + ((now - this.#at) * budget) / HOUR);
    this.#at = now;
  }

  #keep(): Promise<void> {
    this.#fill();
    const { registry, trustedNow, jid } = this.#parts;
    const now = trustedNow();
    return registry.set(keyOf(jid), [Math.floor(this.#left), ...now === undefined ? [] : [now]]);
  }
}

/** The home is gone. */
export async function forgetBudget(registry: Registry, jid: string): Promise<void> {
  if (registry.get(keyOf(jid)) !== undefined) await registry.set(keyOf(jid), undefined);
}
