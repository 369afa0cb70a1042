import type { Trouble } from './api.ts';
import type { Clock } from './clock.ts';

/** ms */
const USUAL_GAP = 10_000;

/** Trouble that strangers can cause at will: each kind is told once in a while, with the others counted in. */
export class Seldom {
  readonly #clock: Pick<Clock, 'mono'>;
  readonly #trouble: (trouble: Trouble) => void;
  readonly #gap: number;
  readonly #told = new Map<string, { readonly at: number; others: number }>();

  /** `gap`: ms between two of a kind. */
  constructor(clock: Pick<Clock, 'mono'>, trouble: (trouble: Trouble) => void, gap: number = USUAL_GAP) {
    this.#clock = clock;
    this.#trouble = trouble;
    this.#gap = gap;
  }

  tell(trouble: Trouble): void {
    const at = this.#clock.mono();
    const before = this.#told.get(trouble.kind);
    if (before && at - before.at < this.#gap) {
      before.others += 1;
      return;
    }
    this.#told.set(trouble.kind, { at, others: 0 });
    const others = before?.others ?? 0;
    this.#trouble(others === 0 ? trouble : { ...trouble, message: `${trouble.message} (and ${others} more since)` });
  }
}
