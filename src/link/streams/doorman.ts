import type { Clock } from '../../clock.ts';

interface Caller {
  /** What is left of its allowance, and when that was worked out. */
  calls: number;
  at: number;
  open: number;
}

/** Per address: connections open at once, connections per second after a burst. */
const OPEN = 24;
const CALLS = { burst: 20, perSecond: 4 };
const ADDRESSES = 1024;

/** How often one address may call. */
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

  #caller(address: string): Caller {
    const now = this.#clock.mono();
    const known = this.#callers.get(address);
    const caller = known ?? { calls: CALLS.burst, at: now, open: 0 };
    const seconds = (now - caller.at) / 1_000;
    caller.calls = Math.min(CALLS.burst, caller.calls + seconds * CALLS.perSecond);
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
