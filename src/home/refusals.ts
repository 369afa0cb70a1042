// That a home refuses the account, or a server the component, outlives the process that was told: else one that is started again and
// again shows the server a wrong password each time, until that shuts out the whole address.
import type { Clock } from '../clock.ts';
import type { Log } from '../log/log.ts';
import type { Registry } from '../log/registry.ts';
import { LONGEST_REFUSED } from './backoff.ts';

interface Refusal {
  /** How often in a row. */
  readonly count: number;
  /** When it was last: the log's trusted time or, where there is none yet, wall time. */
  readonly at: number;
  /** For how long from then on it is left alone, ms. */
  readonly wait: number;
  readonly reason: string;
  /** How often it was tried out of turn, since it was added once more as it is. */
  readonly early: number;
}

/**
 * Programs say their accounts at each of their starts, and one that is started again and again must not be how the password is
 * shown all the same: with the tries that are due these are fewer than 30 a day.
 */
const MAX_EARLY = 2;

/** Where it is kept what was said of a home's account. */
export function accountRefusals(jid: string): string {
  return `home-refused:${jid}`;
}

/** The same of a component. */
export function componentRefusals(domain: string): string {
  return `component-refused:${domain}`;
}

const number = (value: unknown): number => (typeof value === 'number' && value >= 0 ? value : 0);

function refusalOf(registry: Registry, key: string): Refusal | undefined {
  const row = registry.get(key);
  if (typeof row !== 'object' || row === null) return undefined;
  // Another version may have written it.
  const { count, at, wait, reason, early }: { readonly [key: string]: unknown } = { ...row };
  return { count: number(count), at: number(at), wait: Math.min(LONGEST_REFUSED, number(wait)), reason: typeof reason === 'string' ? reason : 'the account was refused', early: number(early) };
}

export interface RefusalsParts {
  /** Where they are kept. */
  readonly key: string;
  readonly log: Pick<Log, 'registry' | 'trustedNow'>;
  readonly clock: Clock;
}

export class Refusals {
  readonly #parts: RefusalsParts;
  /** Those of an earlier process, until it has been asked how long they hold. */
  #earlier: Refusal | undefined;

  constructor(parts: RefusalsParts) {
    this.#parts = parts;
    this.#earlier = this.#kept;
  }

  get #kept(): Refusal | undefined {
    return refusalOf(this.#parts.log.registry, this.#parts.key);
  }

  get #now(): number {
    return this.#parts.log.trustedNow() ?? this.#parts.clock.wall();
  }

  /** How often in a row. */
  get count(): number {
    return this.#kept?.count ?? 0;
  }

  /** How long it is left alone yet because of what an earlier process was told, and why; asked once. */
  rest(): { readonly ms: number; readonly reason: string } | undefined {
    const earlier = this.#earlier;
    this.#earlier = undefined;
    if (!earlier) return undefined;
    const { at, wait, reason } = earlier;
    const now = this.#now;
    // The clock was wrong then, or is now: from here on it is counted anew, lest the next process begins once more.
    if (now < at) void this.#keep({ ...earlier, at: now });
    const ms = wait - Math.max(0, now - at);
    return ms > 0 ? { ms, reason } : undefined;
  }

  /** Its owner wants it to be tried now. */
  waive(): void {
    this.#earlier = undefined;
  }

  /** Resolves when it is on disk, or the log takes nothing: then a restart forgets it. */
  async note(count: number, wait: number, reason: string): Promise<void> {
    await this.#keep({ count, at: this.#now, wait: Math.round(wait), reason, early: this.#kept?.early ?? 0 });
  }

  /** It was let in. */
  end(): void {
    forgetRefusals(this.#parts.log.registry, this.#parts.key).catch(() => undefined); // as above: then the next process waits once more
  }

  async #keep(refusal: Refusal): Promise<void> {
    const { log, key } = this.#parts;
    await log.registry.set(key, refusal).catch(() => undefined); // see `note`
  }
}

/** Rows to be written with an account that is added once more as it is while it is refused: it is tried at once, if it was not too often. */
export function triedEarly(registry: Registry, key: string): (readonly [key: string, value: Refusal])[] {
  const refusal = refusalOf(registry, key);
  return refusal && refusal.early < MAX_EARLY ? [[key, { ...refusal, wait: 0, early: refusal.early + 1 }]] : [];
}

/** The row to be written with an account that is another now: what was said of the former says nothing of it. */
export function unrefused(registry: Registry, key: string): (readonly [key: string, value: undefined])[] {
  return registry.get(key) === undefined ? [] : [[key, undefined]];
}

export async function forgetRefusals(registry: Registry, key: string): Promise<void> {
  const rows = unrefused(registry, key);
  if (rows.length > 0) await registry.setAll(rows);
}
