// Which way the session of a home takes: this machine's own road; when that fails, a neighbour that passes bytes on. And
// from there back to the own road once that is there again.
import type { Clock, Timer } from '../clock.ts';
import type { Detour } from './detour.ts';
import type { Dialing } from './dial.ts';
import { lossOf } from './loss.ts';

/** Neighbours that are tried one after the other. */
const DETOURS = 4;
/** The longest that the own road may take when there is another, ms. */
const OWN_TIME = 8_000;
/** While a neighbour passes the bytes on: how often the own road is tried, ms; doubled each time it promised more than it held. */
const PROBE = { first: 30_000, most: 3_600_000 };

export interface RoadsParts {
  readonly clock: Clock;
  /** As neighbours are asked for it. */
  readonly to: string;
  readonly detours: () => readonly Detour[];
  /** Resolves when the server can be connected to by the own road. */
  readonly probe: (signal: AbortSignal) => Promise<void>;
}

/** How a session begins; without `dial` by the own road. */
export interface Beginning {
  readonly dial?: Dialing['dial'];
  /** At most so long, ms. */
  readonly within?: number;
}

export class Roads {
  readonly #parts: RoadsParts;
  #via: string | undefined;
  #timer: Timer | undefined;
  #probing: AbortController | undefined;
  #pause = PROBE.first;
  /** The own road was left for a neighbour's because it was there, and then it was not. */
  #promised = false;

  constructor(parts: RoadsParts) {
    this.#parts = parts;
  }

  /** Who passes on what the session says. */
  get via(): string | undefined {
    return this.#via;
  }

  /** Rejects with what was wrong with the own road when no other is better. */
  async begin<T>(attempt: (how: Beginning) => Promise<T>, signal: AbortSignal): Promise<T> {
    this.#via = undefined;
    const detours = this.#parts.detours().slice(0, DETOURS);
    let failure: unknown;
    try {
      const session = await attempt(detours.length > 0 ? { within: OWN_TIME } : {});
      this.#pause = PROBE.first;
      this.#promised = false;
      return session;
    } catch (error) {
      // What the server says of the account it says whoever passes it on.
      if (signal.aborted || !['link', 'config'].includes(lossOf(error).kind)) throw error;
      failure = error;
    }
    if (this.#promised) this.#pause = Math.min(PROBE.most, this.#pause * 2);
    this.#promised = false;
    for (const detour of detours) {
      try {
        const session = await attempt({ dial: (ended, kind) => detour.dial(this.#parts.to, ended, kind) });
        this.#via = detour.via;
        return session;
      } catch (error) {
        if (signal.aborted || !['link', 'config'].includes(lossOf(error).kind)) throw error;
      }
    }
    throw failure;
  }

  /** While a neighbour passes it on: calls back, once, when the own road is there again. */
  watch(back: () => void): void {
    this.rest();
    if (this.#via !== undefined) this.#timer = this.#parts.clock.after(this.#pause, () => void this.#look(back));
  }

  rest(): void {
    this.#timer?.stop();
    this.#probing?.abort();
    this.#timer = undefined;
    this.#probing = undefined;
  }

  async #look(back: () => void): Promise<void> {
    const probing = new AbortController();
    this.#probing = probing;
    try {
      await this.#parts.probe(probing.signal);
    } catch {
      if (!probing.signal.aborted) this.watch(back); // not yet
      return;
    }
    if (probing.signal.aborted) return;
    this.#promised = true;
    back();
  }
}
