import type { Clock } from '../../clock.ts';

interface Caller {
  /** What is left of its allowances, and when that was worked out. */
  calls: number;
  stanzas: number;
  at: number;
  open: number;
}

/** Per address: connections opened at once, connections per second after a burst, and plain stanzas likewise. */
const OPEN = 24;
const CALLS = { burst: 20, perSecond: 4 };
const STANZAS = { burst: 400, perSecond: 100 };
const ADDRESSES = 1024;

/** How much one address may ask of the box. */
export class Doorman {
  readonly #clock: Clock;
  readonly #callers = new Map<string, Caller>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether another connection may come in; `left` must follow when it has ended. */
  admits(address: string): boolean {
    const caller = this.#caller(address);
    if (caller.open >= OPEN || caller.calls < 1) return false;
    caller.calls -= 1;
    caller.open += 1;
    return true;
  }

  left(address: string): void {
    const caller = this.#callers.get(address);
    if (caller) caller.open -= 1;
  }

  /** A plain stanza came: milliseconds for which no more should be read. */
  pace(address: string): number {
    const caller = this.#caller(address);
    caller.stanzas -= 1;
    return caller.stanzas >= 0 ? 0 : Math.ceil((-caller.stanzas * 1_000) / STANZAS.perSecond);
  }

  #caller(address: string): Caller {
    const now = this.#clock.mono();
    const known = this.#callers.get(address);
    const caller = known ?? { calls: CALLS.burst, stanzas: STANZAS.burst, at: now, open: 0 };
    const seconds = (now - caller.at) / 1_000;
    caller.calls = Math.min(CALLS.burst, caller.calls + seconds * CALLS.perSecond);
    caller.stanzas = Math.min(STANZAS.burst, caller.stanzas + seconds * STANZAS.perSecond);
    caller.at = now;
    this.#callers.delete(address);
    this.#callers.set(address, caller);
    if (!known) this.#forget();
    return caller;
  }

  #forget(): void {
    for (const [address, { open }] of this.#callers) {
      if (this.#callers.size <= ADDRESSES) return;
      if (open === 0) this.#callers.delete(address);
    }
  }
}
