import { type Actor, addressOf } from './actor.ts';

/** Remembered at once. */
const MOST = 10_000;

/** For whoever reads a filter wider than what it may read: a topic of it that it may. Only ever a hint, to be asked for again. */
export class Witnesses {
  readonly #topics = new Map<string, string>();

  of(actor: Actor, filter: string): string | undefined {
    return this.#topics.get(keyOf(actor, filter));
  }

  /** Whether there is one. */
  found(actor: Actor, filter: string, topic: string | undefined): boolean {
    const key = keyOf(actor, filter);
    if (topic === undefined) this.#topics.delete(key);
    else {
      if (this.#topics.size >= MOST) this.#topics.clear();
      this.#topics.set(key, topic);
    }
    return topic !== undefined;
  }
}

function keyOf(actor: Actor, filter: string): string {
  return `${addressOf(actor) ?? ''} ${filter}`;
}
