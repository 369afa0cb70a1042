import type { BrowseEvent } from './directory.ts';

type Listener = (event: BrowseEvent) => void;

/** Who follows which browsed name, by its key. */
export class Listeners {
  /** Calls one so that what it throws harms nobody else. */
  readonly #safely: (call: () => void) => void;
  readonly #listeners = new Map<string, Set<Listener>>();

  constructor(safely: (call: () => void) => void) {
    this.#safely = safely;
  }

  /** Names that anybody follows. */
  keys(): Iterable<string> {
    return this.#listeners.keys();
  }

  /** Gives how to stop it, which tells whether it was the last of its name. */
  add(key: string, on: Listener, first: readonly BrowseEvent[]): () => boolean {
    const listener: Listener = (event) => on(event);
    const listeners = this.#listeners.get(key) ?? new Set<Listener>();
    this.#listeners.set(key, listeners.add(listener));
    for (const event of first) this.#safely(() => listener(event));
    return () => listeners.delete(listener) && listeners.size === 0 && this.#listeners.delete(key);
  }

  emit(key: string, event: BrowseEvent): void {
    for (const listener of this.#listeners.get(key) ?? []) this.#safely(() => listener(event));
  }

  clear(): void {
    this.#listeners.clear();
  }
}
