// Acknowledged is not yet safe: a server may answer before its disk has it. What has been acknowledged for
// long enough on one unbroken session counts as settled.
import type { Clock, Timer } from '../clock.ts';
import type { Entry } from './lane.ts';

export interface SettlingParts {
  readonly clock: Clock;
  /** ms. */
  readonly settle: number;
  /** Whether its topic has been read back since the session began. */
  readonly ready: (entry: Entry) => boolean;
  readonly settled: (entry: Entry) => void;
}

export class Settling {
  readonly #parts: SettlingParts;
  readonly #entries = new Set<Entry>();
  #timer: Timer | undefined;
  #online = false;

  constructor(parts: SettlingParts) {
    this.#parts = parts;
  }

  add(entry: Entry): void {
    this.#entries.add(entry);
    this.#soon();
  }

  remove(entry: Entry): void {
    this.#entries.delete(entry);
  }

  /** Nothing settles while there is no connection. */
  pause(): void {
    this.#online = false;
    this.#timer?.stop();
    this.#timer = undefined;
  }

  resume(): void {
    this.#online = true;
    this.#soon();
  }

  #soon(): void {
    if (this.#timer || !this.#online || this.#entries.size === 0) return;
    const { clock, settle } = this.#parts;
    this.#timer = clock.after(Math.min(1_000, Math.max(10, settle / 4)), () => {
      this.#timer = undefined;
      this.#pass();
      this.#soon();
    });
  }

  #pass(): void {
    const { clock, settle, ready, settled } = this.#parts;
    const due = clock.mono() - settle;
    for (const entry of this.#entries) {
      if (entry.ackedAt === undefined || entry.ackedAt > due || !ready(entry)) continue;
      this.#entries.delete(entry);
      settled(entry);
    }
  }
}
