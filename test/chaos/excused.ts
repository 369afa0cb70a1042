// What need not be there any more, because its node was deleted after the home had acknowledged it. What is there again in spite of
// that (it had not settled, and was sent once more) is to stay from then on, as what came after the deletion is.

export class Excused implements Iterable<string> {
  readonly #ids = new Set<string>();

  /** What a node held when it was deleted. */
  gone(recordIds: Iterable<string>): void {
    for (const id of recordIds) this.#ids.add(id);
  }

  /** What is there now: of that nothing is excused any more. */
  there(recordIds: Iterable<string>): void {
    for (const id of recordIds) this.#ids.delete(id);
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#ids.values();
  }
}
