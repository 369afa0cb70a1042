import type { BrowseEvent } from './directory.ts';

type Listener = (event: BrowseEvent) => void;

/** Who follows which browsed name, by its key. */
export class Listeners {
  /** What one throws harms nobody else. */
  readonly #failed: (error: unknown) => void;
  readonly #listeners = new Map<string, Set<{ readonly on: Listener }>>();

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** Names that anybody follows. */
  keys(): Iterable<string> {
    return this.#listeners.keys();
  }

  /** Gives how to stop it, which tells whether it was the last of its name. */
  add(key: string, on: Listener, first: readonly BrowseEvent[]): () => boolean {
    const listener = { on };
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners.add(listener));
    for (const event of first) {
      try {
        on(event);
      } catch (error) {
        this.#failed(error);
      }
    }
    return () => listeners.delete(listener) && listeners.size === 0 && this.#listeners.delete(key);
  }

  emit(key: string, event: BrowseEvent): void {
    const listeners = this.#listeners.get(key);
    if (!listeners) return;
    for (const { on } of listeners) {
      try {
        on(event);
      } catch (error) {
        this.#failed(error);
      }
    }
  }

  clear(): void {
    this.#listeners.clear();
  }
}
