import { OneByOne } from '../one-by-one.ts';

/** What takes long is done one after the other; whoever asks for what waits already gets that. */
export class InTurn<T> {
  readonly #turns = new OneByOne();
  /** Asked for and not begun. */
  readonly #waiting = new Map<string, Promise<T>>();

  ask(what: string, doing: () => Promise<T>): Promise<T> {
    const known = this.#waiting.get(what);
    if (known) return known;
    const turn = this.#turns.run(() => {
      this.#waiting.delete(what);
      return doing();
    });
    this.#waiting.set(what, turn);
    return turn;
  }
}
