/** Open, or shut until it is opened: what a flow pauses and resumes. */
export class Gate {
  #shut: Promise<void> | undefined;
  #open: () => void = () => undefined;

  readonly #watching = new Set<() => void>();

  get isShut(): boolean { return this.#shut !== undefined; }

  shut(): void {
    if (this.#shut) return;
    this.#shut = new Promise((resolve) => { this.#open = resolve; });
    for (const listener of this.#watching) listener();
  }

  /** Calls each time it is shut; returns how to stop. */
  onShut(listener: () => void): () => void {
    this.#watching.add(listener);
    return () => void this.#watching.delete(listener);
  }

  open(): void {
    this.#shut = undefined;
    this.#open();
  }

  /** Resolves as soon as it is open, or `signal` says that nobody waits any more. */
  async passed(signal: AbortSignal): Promise<void> {
    while (this.#shut && !signal.aborted) {
      const opened = this.#shut;
      await new Promise<void>((resolve) => {
        const go = (): void => { signal.removeEventListener('abort', go); resolve(); };
        signal.addEventListener('abort', go, { once: true });
        void opened.then(go);
      });
    }
  }
}
