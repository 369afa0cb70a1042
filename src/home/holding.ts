// Waiting: one topic for somebody to change something, or all of them for a service that is away.
import type { Trouble } from '../api.ts';
import type { Clock, Timer } from '../clock.ts';
import type { Lane } from './lane.ts';

export interface HoldingParts {
  readonly jid: string;
  readonly service: string;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  /** The topic's wait is over. */
  readonly wake: (lane: Lane) => void;
  /** What stood back is to be tried again. */
  readonly back: (lane: Lane) => void;
  /** The service may be there again. */
  readonly wakeAll: () => void;
}

const MINUTE = 60_000;
const HOLD = { first: 5 * MINUTE, most: 60 * MINUTE } as const;
const SERVICE = { first: 5_000, most: 5 * MINUTE } as const;

function delayAfter(holds: number): number {
  return Math.min(HOLD.most, HOLD.first * 2 ** holds);
}

export class Holding {
  readonly #parts: HoldingParts;
  readonly #timers = new Set<Timer>();
  #serviceUntil = 0;
  #serviceTries = 0;

  constructor(parts: HoldingParts) {
    this.#parts = parts;
  }

  close(): void {
    for (const timer of this.#timers) timer.stop();
  }

  get serviceAway(): boolean {
    return this.#serviceUntil !== 0;
  }

  /** An item got through. */
  answered(): void {
    this.#serviceTries = 0;
  }

  /** A new session: everything may be tried at once. */
  reset(): void {
    this.#serviceUntil = 0;
  }

  #later(ms: number, call: () => void): number {
    const timer = this.#parts.clock.after(ms, () => {
      this.#timers.delete(timer);
      call();
    });
    this.#timers.add(timer);
    return this.#parts.clock.mono() + ms;
  }

  wait(lane: Lane, delay: number): void {
    const until = this.#later(delay, () => {
      // Unless another wait has taken its place.
      if (lane.heldUntil !== until) return;
      lane.heldUntil = 0;
      this.#parts.wake(lane);
    });
    lane.heldUntil = until;
  }

  /** Longer each time, until something of the topic gets through. */
  hold(lane: Lane, reason: string): void {
    const delay = delayAfter(lane.holds++);
    lane.reason = reason;
    this.#parts.trouble({ kind: 'home.held', message: `${this.#parts.jid}: ${lane.topic} waits ${Math.round(delay / MINUTE)} min: ${reason}` });
    this.wait(lane, delay);
  }

  /** For what stands back. What is behind it does not wait. */
  stand(lane: Lane, recordId: string, told: boolean): void {
    const { jid, trouble } = this.#parts;
    const delay = delayAfter(lane.holds);
    if (!told) trouble({ kind: 'home.held', message: `${jid}: ${recordId} of ${lane.topic} waits ${Math.round(delay / MINUTE)} min, what is behind it does not: ${lane.reason}` });
    const until = this.#later(delay, () => {
      if (lane.standsUntil === until) this.#parts.back(lane);
    });
    lane.standsUntil = until;
  }

  pauseService(reason: string): void {
    if (this.serviceAway) return;
    const { trouble, jid, service, wakeAll } = this.#parts;
    const delay = Math.min(SERVICE.most, SERVICE.first * 2 ** this.#serviceTries++);
    trouble({ kind: 'home.service', message: `${jid}: ${service} is away, next try in ${Math.round(delay / 1000)} s: ${reason}` });
    const until = this.#later(delay, () => {
      if (this.#serviceUntil !== until) return;
      this.#serviceUntil = 0;
      wakeAll();
    });
    this.#serviceUntil = until;
  }
}
