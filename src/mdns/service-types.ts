import { nameKey } from './name.ts';

type Listener = (type: string, there: boolean) => void;

/** Types remembered; there are some hundreds of them registered that anybody uses. */
const MAX_TYPES = 1024;

/** What kinds of services all links together offer (RFC 6763 §9). */
export class ServiceTypes {
  /** Calls a listener so that what it throws harms nobody else. */
  readonly #safely: (call: () => void) => void;
  readonly #listeners = new Set<Listener>();
  /** By key: the type, and the links it was seen on. */
  readonly #types = new Map<string, { readonly name: string; readonly places: Set<string> }>();

  constructor(safely: (call: () => void) => void) {
    this.#safely = safely;
  }

  get wanted(): boolean {
    return this.#listeners.size > 0;
  }

  /** Tells it what is there already. Whether it is the first. */
  add(listener: Listener): boolean {
    this.#listeners.add(listener);
    for (const { name } of this.#types.values()) this.#safely(() => listener(name, true));
    return this.#listeners.size === 1;
  }

  /** Whether it was the last. */
  remove(listener: Listener): boolean {
    return this.#listeners.delete(listener) && this.#listeners.size === 0;
  }

  seen(place: string, target: string, there: boolean): void {
    const key = nameKey(target);
    const known = this.#types.get(key);
    if (!there) {
      if (!known?.places.delete(place) || known.places.size > 0) return;
      this.#types.delete(key);
      this.#tell(known.name, false);
      return;
    }
    if (known) return void known.places.add(place);
    if (this.#types.size >= MAX_TYPES) return;
    const name = target.replace(/\.local$/i, '');
    this.#types.set(key, { name, places: new Set([place]) });
    this.#tell(name, true);
  }

  clear(): void {
    this.#listeners.clear();
    this.#types.clear();
  }

  #tell(type: string, there: boolean): void {
    for (const listener of this.#listeners) this.#safely(() => listener(type, there));
  }
}
