import type { Clock } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';

/** Milliseconds that may be spent at once, and that come back each second. */
const AT_ONCE = 500;
const EACH_SECOND = 50;
/** Milliseconds that count for nothing: what is quick is not worth a row. */
const QUICK = 1;

/**
 * What others may have this box compute by schemas: one item may take its 100 ms, and whoever sets a schema can make it
 * so. Each that pays has so much; what it spent comes back with time.
 */
export class Allowance {
  readonly #clock: Pick<Clock, 'mono'>;
  readonly #spent = new Map<string, { readonly ms: number; readonly at: number }>();

  constructor(clock: Pick<Clock, 'mono'>) {
    this.#clock = clock;
  }

  /** Undefined pays nothing. Throws `busy` when there is nothing left. */
  spend<T>(who: string | undefined, work: () => T): T {
    if (who === undefined) return work();
    const before = this.#of(who);
    if (before >= AT_ONCE) throw new LanpostError('busy', 'checking what you send by schemas takes too much of this box: try again in a few seconds');
    // Of the processor's time, whatever a test's clock says.
    const began = performance.now();
    try {
      return work();
    } finally {
      const took = performance.now() - began;
      if (took > QUICK) this.#spent.set(who, { ms: before + took, at: this.#clock.mono() });
    }
  }

  #of(who: string): number {
    const row = this.#spent.get(who);
    if (!row) return 0;
    const left = row.ms - (this.#clock.mono() - row.at) * EACH_SECOND / 1000;
    if (left > 0) return left;
    this.#spent.delete(who);
    return 0;
  }
}
