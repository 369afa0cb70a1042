// When to try again. Full jitter, so that a hundred boxes do not come back in step.
export interface Retry {
  readonly delay: number;
  /** It will not mend by itself: the owner must do something. */
  readonly refused: boolean;
}

const FLOOR = 500;
const FIRST = 1_000;
const CAP = 300_000;
/** Online this long, and the next loss starts from the beginning. */
const STEADY = 60_000;
const MINUTE = 60_000;
/** Fewer than 20 failures in an hour, or ejabberd's fail2ban shuts out the whole address. */
const AUTH: readonly number[] = [MINUTE, 5 * MINUTE, 30 * MINUTE, 60 * MINUTE];
/** Of that, up to so much more, as a part of it. */
const AUTH_JITTER = 1 / 4;
/** Nothing is ever left alone for longer, ms. */
export const LONGEST_REFUSED: number = 60 * MINUTE * (1 + AUTH_JITTER);

export type LossKind = 'link' | 'auth' | 'config' | 'conflict' | 'banned';

export class Backoff {
  readonly #random: () => number;
  #losses = 0;
  #refusals: number;

  /** `refusals`: how often in a row it was refused before. */
  constructor(random: () => number = Math.random, refusals: number = 0) {
    this.#random = random;
    this.#refusals = refusals;
  }

  /** How often in a row it was refused. */
  get refusals(): number {
    return this.#refusals;
  }

  /** The session is over after `uptime` ms online, 0 when it never was; `progress`: items arrived on it. */
  lost(kind: LossKind, uptime: number, progress: boolean = false): Retry {
    if (uptime > 0) this.#refusals = 0;
    if (uptime >= STEADY) this.#losses = 0;
    // A session that got something done was no mistake, however short.
    else if (progress) this.#losses = Math.min(this.#losses, 2);
    if (kind === 'auth') return { delay: (AUTH[Math.min(this.#refusals++, AUTH.length - 1)] ?? CAP) * (1 + this.#random() * AUTH_JITTER), refused: true };
    if (kind === 'banned') return { delay: 60 * MINUTE, refused: true };
    if (kind === 'config') return { delay: this.#jitter(Math.min(60 * MINUTE, CAP * 2 ** this.#refusals++), CAP / 2), refused: true };
    const delay = this.#jitter(Math.min(CAP, FIRST * 2 ** Math.min(this.#losses++, 20)), FLOOR);
    return { delay: kind === 'conflict' ? Math.max(delay, MINUTE) : delay, refused: false };
  }

  #jitter(most: number, least: number): number {
    return Math.max(least, this.#random() * most);
  }
}
