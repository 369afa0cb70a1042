import { Audience } from '../audience.ts';
import type { BrowseEvent } from './directory.ts';

type Listener = (event: BrowseEvent) => void;

/** Who follows which browsed name, by its key. */
export class Listeners {
  /** What one throws harms nobody else. */
  readonly #failed: (error: unknown) => void;
  readonly #listeners = new Map<string, Audience<BrowseEvent>>();

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** Names that anybody follows. */
  keys(): Iterable<string> {
    return this.#listeners.keys();
  }

  /** Gives how to stop it, which tells whether it was the last of its name. */
  add(key: string, on: Listener, first: readonly BrowseEvent[]): () => boolean {
    let ended = false;
    const listeners = this.#listeners.get(key) ?? new Audience(this.#failed);
    this.#listeners.set(key, listeners);
    const leave = listeners.add(on);
    for (const event of first) {
      try {
        on(event);
      } catch (error) {
        this.#failed(error);
      }
    }
    return () => {
      if (ended) return false;
      ended = true;
      leave();
      return listeners.isEmpty && this.#listeners.delete(key);
    };
  }

  emit(key: string, event: BrowseEvent): void {
    this.#listeners.get(key)?.tell(event);
  }

  clear(): void {
    this.#listeners.clear();
  }
}
