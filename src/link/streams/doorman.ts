import type { Clock } from '../../clock.ts';

/** Who is not paired: without a key, or with one that is free to make. */
export type Strangeness = 'keyless' | 'keyed';

interface Caller {
  /** What is left of its allowances, and when that was worked out. */
  calls: number;
  readonly stanzas: Record<Strangeness, number>;
  at: number;
  open: number;
}

/**
 * Per address, for one host has as many keys as it likes: connections opened at once, connections per second after a burst,
 * and likewise stanzas of those who are not paired. Boxes have more to say to each other than people.
 */
const OPEN = 24;
const CALLS = { burst: 20, perSecond: 4 };
const STANZAS = { keyless: { burst: 400, perSecond: 100 }, keyed: { burst: 1_000, perSecond: 200 } } as const;
const ADDRESSES = 1024;
/** Bytes a second that the letters of all strangers may put on the disk, so that those of paired peers stay quick; one second's at once. */
const LETTER_RATE = 1024 * 1024;
/** What the disk has of a letter besides its text, about. */
const ENVELOPE = 512;

/** How much one address may ask of the box, and all whom its owner has not paired. */
export class Doorman {
  readonly #clock: Clock;
  readonly #callers = new Map<string, Caller>();
  readonly #letters: { left: number; at: number };

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#letters = { left: LETTER_RATE, at: clock.mono() };
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

  /** A stanza of a stranger came, with so many bytes of text if it is a letter: milliseconds for which no more should be read. */
  pace(address: string, who: Strangeness, text?: number): number {
    const { stanzas } = this.#caller(address);
    stanzas[who] -= 1;
    const wait = stanzas[who] >= 0 ? 0 : Math.ceil((-stanzas[who] * 1_000) / STANZAS[who].perSecond);
    return text === undefined ? wait : Math.max(wait, this.#write(text + ENVELOPE));
  }

  #write(bytes: number): number {
    const letters = this.#letters;
    const now = this.#clock.mono();
    letters.left = Math.min(LETTER_RATE, letters.left + ((now - letters.at) * LETTER_RATE) / 1_000) - bytes;
    letters.at = now;
    return letters.left >= 0 ? 0 : Math.ceil((-letters.left * 1_000) / LETTER_RATE);
  }

  #caller(address: string): Caller {
    const now = this.#clock.mono();
    const known = this.#callers.get(address);
    const caller = known ?? { calls: CALLS.burst, stanzas: { keyless: STANZAS.keyless.burst, keyed: STANZAS.keyed.burst }, at: now, open: 0 };
    const seconds = (now - caller.at) / 1_000;
    caller.calls = Math.min(CALLS.burst, caller.calls + seconds * CALLS.perSecond);
    for (const who of ['keyless', 'keyed'] as const) {
      const { burst, perSecond } = STANZAS[who];
      caller.stanzas[who] = Math.min(burst, caller.stanzas[who] + seconds * perSecond);
    }
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
