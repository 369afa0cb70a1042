/** Work that is done one after the other, in the order in which it was asked for. */
export class OneByOne {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined); // whoever asked has the failure
    return result;
  }

  /** Resolves when all that was asked for is over. */
  async settled(): Promise<void> {
    await this.#last;
  }
}
