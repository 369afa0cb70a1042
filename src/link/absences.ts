import type { Clock, Timer } from '../clock.ts';

export interface AbsencesParts {
  readonly clock: Pick<Clock, 'mono' | 'wall' | 'every'>;
  /** The keys of peers that something is wanted of, or kept for. */
  readonly wanted: () => Iterable<string>;
  /** Whether a stream has proven the key and is open. */
  readonly isOpen: (fingerprint: string) => boolean;
  /** Told once of each absence that lasts. */
  readonly long: (fingerprint: string, since: number) => void;
  /** It was looked who is away. */
  readonly looked: () => void;
}

/** ms */
const LOOK_EVERY = 5_000;

/** Milliseconds after which an absence is no restart and no short cut of the link any more. */
export const LONG = 600_000;

/** Since when peers have not been spoken with that something is wanted of. */
export class Absences {
  readonly #parts: AbsencesParts;
  /** By key, in monotonic time. */
  readonly #since = new Map<string, { readonly at: number; told: boolean }>();

  readonly #timer: Timer;

  constructor(parts: AbsencesParts) {
    this.#parts = parts;
    this.#timer = parts.clock.every(LOOK_EVERY, () => {
      this.look();
      parts.looked();
    });
  }

  /** Something has become of a stream, or of what is wanted. */
  look(): void {
    const { clock, wanted, isOpen, long } = this.#parts;
    const now = clock.mono();
    const absent = new Set([...wanted()].filter((fingerprint) => !isOpen(fingerprint)));
    for (const fingerprint of this.#since.keys()) if (!absent.has(fingerprint)) this.#since.delete(fingerprint);
    for (const fingerprint of absent) {
      const absence = this.#since.get(fingerprint) ?? { at: now, told: false };
      this.#since.set(fingerprint, absence);
      if (absence.told || now - absence.at < LONG) continue;
      absence.told = true;
      long(fingerprint, this.since(fingerprint) ?? clock.wall());
    }
  }

  /** Those that have been away for so many ms. */
  *lasting(ms: number): Iterable<string> {
    const now = this.#parts.clock.mono();
    for (const [fingerprint, { at }] of this.#since) if (now - at >= ms) yield fingerprint;
  }

  /** Since when that key is away, ms since 1970; undefined when it is not, or nothing is wanted of it. */
  since(fingerprint: string): number | undefined {
    const absence = this.#since.get(fingerprint);
    const { clock } = this.#parts;
    return absence && Math.round(clock.wall() - (clock.mono() - absence.at));
  }

  close(): void {
    this.#timer.stop();
  }
}
