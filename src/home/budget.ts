// Bytes that may go up in an hour, for links that are paid by volume: in no hour more than that, and of it about a tenth in six
// minutes, so that what is new does not wait an hour behind a backlog. What was used outlives the process, and is forgotten for
// the time between only where that can be told.
import type { Clock, Timer } from '../clock.ts';
import type { Registry } from '../log/registry.ts';
import { type Spent, SpentBytes } from './spent-bytes.ts';

const HOUR = 3_600_000;
const PARTS = 10;
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

/** Bytes, and for how many ms more they count; and when that was written down, where anything vouches for it. */
interface Row {
  readonly spent: readonly Spent[];
  readonly at?: number;
}

function keyOf(jid: string): string {
  return `home-budget:${jid}`;
}

export class Budget {
  readonly #parts: BudgetParts;
  readonly #hour: SpentBytes;
  readonly #tenth: SpentBytes;
  #unkept = 0;
  #timer: Timer | undefined;
  /** What could not go when it was last asked. */
  #asked: number | undefined;

  constructor(parts: BudgetParts) {
    this.#parts = parts;
    const { clock, registry, trustedNow, jid, budget } = parts;
    const { spent, at } = rowOf(registry.get(keyOf(jid)), budget);
    const now = trustedNow();
    const away = at === undefined || now === undefined ? 0 : Math.max(0, now - at);
    this.#hour = new SpentBytes(HOUR, budget, spent.map(({ bytes, until }) => ({ bytes, until: until - away + clock.mono() })));
    this.#tenth = new SpentBytes(HOUR / PARTS, budget / PARTS);
  }

  /** When what was asked for can go, in ms from now; 0: it can, or nothing was. */
  get wait(): number {
    return this.#asked === undefined ? 0 : this.#waitFor(this.#asked);
  }

  /** False while there is not so much left; calls `wake` when there is. What is larger than the whole goes when nothing else has, and the next waits for that, too. */
  admits(bytes: number): boolean {
    const wait = this.#waitFor(bytes);
    this.#asked = wait === 0 ? undefined : bytes;
    if (wait === 0) return true;
    this.#timer?.stop();
    this.#timer = this.#parts.clock.after(wait, () => this.#parts.wake());
    return false;
  }

  spend(bytes: number): void {
    for (const spent of [this.#hour, this.#tenth]) spent.add(this.#parts.clock.mono(), bytes);
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

  #waitFor(bytes: number): number {
    const now = this.#parts.clock.mono();
    // The last may use more than is left of a tenth: else what is left would be lost where items are large.
    return Math.max(this.#hour.wait(now, bytes), this.#tenth.wait(now, 1));
  }

  #keep(): Promise<void> {
    const { registry, trustedNow, jid, clock } = this.#parts;
    const mono = clock.mono();
    const at = trustedNow();
    const row: Row = { spent: this.#hour.at(mono).map(({ bytes, until }) => ({ bytes, until: Math.ceil(until - mono) })), ...at === undefined ? {} : { at } };
    return registry.set(keyOf(jid), row);
  }
}

/** As it was written by this program; by an earlier one, what was left and when. */
function rowOf(row: unknown, budget: number): Row {
  if (Array.isArray(row)) {
    const [left = budget, at] = row.map(Number);
    return { spent: left < budget ? [{ bytes: budget - left, until: HOUR }] : [], ...at === undefined ? {} : { at } };
  }
  return isRow(row) ? row : { spent: [] };
}

function isRow(row: unknown): row is Row {
  return typeof row === 'object' && row !== null && 'spent' in row && Array.isArray(row.spent);
}

/** The home is gone. */
export async function forgetBudget(registry: Registry, jid: string): Promise<void> {
  if (registry.get(keyOf(jid)) !== undefined) await registry.set(keyOf(jid), undefined);
}
