import type { SubscribeOptions, Trouble } from '../api.ts';
import type { Clock, Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import { type Terms, termsOf, termsWith } from './terms.ts';

/** Which of the durable cursors are readers of this box. */
export const LOCAL = 'local:';
/** How much of the time without a reader a crash may take back: a minute, or a twentieth of what is waited for. */
const NOTED = 60_000;
const NOTED_PART = 20;
/** Timers count no further. */
const LONGEST_TIMER = 2 ** 31 - 1;

interface Idle {
  terms: Terms;
  /** By the monotonic clock, when `terms.idle` was what it says. */
  from: number;
}

export interface AbandonmentParts {
  readonly log: Log;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  /** It is dropped: nobody has read it for as long as was agreed. */
  readonly expire: (name: string) => Promise<void>;
}

/**
 * Durable readers of this box that nobody has open. How long is counted by the monotonic clock while the
 * box runs: neither a clock that jumps nor a box that is off for the winter drops one.
 */
export class Abandonment {
  readonly #parts: AbandonmentParts;
  readonly #idle = new Map<string, Idle>();
  #timer: Timer | undefined;
  #due = Infinity;

  constructor(parts: AbandonmentParts) {
    this.#parts = parts;
    const { log, clock } = parts;
    for (const { name, extra, open } of log.cursors()) {
      if (!name.startsWith(LOCAL) || open) continue;
      this.#begin(name, { since: clock.wall(), idle: 0, ...termsOf(extra) });
    }
  }

  /** It has a reader, who may have said what holds from now on; gives what does. */
  async opened(name: string, options: Pick<SubscribeOptions, 'maxDeliveries' | 'expires'>): Promise<Terms> {
    this.#idle.delete(name);
    const before = this.#kept(name);
    const { since: _, idle: __, ...after } = termsWith(before, options);
    const agreed = before.maxDeliveries === after.maxDeliveries && before.expires === after.expires;
    // That it has a reader need not outlive a power cut, unless time is counted.
    if (!agreed || before.since !== undefined) await this.#note(name, after, !agreed || after.expires !== undefined);
    return after;
  }

  /** Its last reader is gone. */
  async left(name: string): Promise<void> {
    const { log, clock } = this.#parts;
    if (!log.hasCursor(name)) return;
    const terms = { ...this.#kept(name), since: clock.wall(), idle: 0 };
    this.#begin(name, terms);
    await this.#note(name, terms, false);
  }

  /** What is agreed for it, and since when it has no reader. */
  terms(name: string): Terms & { readonly expiresAt?: number } {
    const idle = this.#idle.get(name);
    if (!idle) {
      const { since: _, idle: __, ...open } = this.#kept(name);
      return open;
    }
    const { expires } = idle.terms;
    return { ...idle.terms, ...(expires === undefined ? {} : { expiresAt: this.#parts.clock.wall() + Math.max(0, expires - this.#time(idle)) }) };
  }

  close(): void {
    this.#timer?.stop();
    this.#timer = undefined;
    this.#due = -Infinity;
  }

  #kept(name: string): Terms {
    return termsOf(this.#parts.log.extra(name));
  }

  #begin(name: string, terms: Terms): void {
    const idle = { terms, from: this.#parts.clock.mono() };
    this.#idle.set(name, idle);
    this.#arm(this.#next(idle));
  }

  /** Milliseconds without a reader. */
  #time({ terms, from }: Idle): number {
    return (terms.idle ?? 0) + this.#parts.clock.mono() - from;
  }

  /** When it expires, or how long it has waited is noted. */
  #next({ terms: { expires, idle = 0 }, from }: Idle): number {
    return expires === undefined ? Infinity : from + Math.min(expires - idle, Math.max(NOTED, expires / NOTED_PART));
  }

  #arm(due: number): void {
    if (due >= this.#due) return;
    const { clock } = this.#parts;
    this.#timer?.stop();
    this.#due = due;
    this.#timer = clock.after(Math.min(Math.max(0, due - clock.mono()), LONGEST_TIMER), () => this.#look());
  }

  #look(): void {
    this.#timer = undefined;
    this.#due = Infinity;
    const now = this.#parts.clock.mono();
    let due = Infinity;
    for (const [name, idle] of this.#idle) {
      if (this.#next(idle) <= now) {
        const time = this.#time(idle);
        if (time >= (idle.terms.expires ?? Infinity)) {
          this.#idle.delete(name);
          void this.#expire(name, idle.terms);
          continue;
        }
        idle.terms = { ...idle.terms, idle: time };
        idle.from = now;
        void this.#note(name, idle.terms, false);
      }
      due = Math.min(due, this.#next(idle));
    }
    this.#arm(due);
  }

  async #expire(name: string, terms: Terms): Promise<void> {
    try {
      await this.#parts.expire(name);
    } catch (error) {
      // The disk takes nothing now: it is looked at again.
      if (!(error instanceof LanpostError) || error.code === 'not-found' || error.code === 'closed') return;
      this.#begin(name, { ...terms, idle: Math.max(0, (terms.expires ?? 0) - NOTED) });
    }
  }

  /** A log that takes nothing, or is closing, stops no reader: what could not be noted is as it was. */
  async #note(name: string, terms: Terms, sync: boolean): Promise<void> {
    await this.#parts.log.annotate(name, terms, sync).catch((error: unknown) => {
      if (!(error instanceof LanpostError)) this.#parts.trouble({ kind: 'pubsub.abandoned', message: `what is agreed for ${name} could not be noted: ${String(error)}` });
    });
  }
}
