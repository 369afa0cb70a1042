import type { Message } from './message.ts';
import type { Source } from './network.ts';
import { Silence } from './silence.ts';

/** What a silence must last for its end to mean something: of all, of hosts that were never heard before. */
const LINK_SILENCE = 20_000;
const STRANGER_SILENCE = 8000;
/** Hosts known by their voice; beyond, none is a stranger. */
const MAX_VOICES = 1024;
/** The link is alive again: we say that we are here, unless an answer says it before; not more often than the other. */
const REVIVAL_DELAY = [500, 1000] as const;
const REVIVAL_GAP = 10_000;

export interface PulseParts {
  readonly now: number;
  readonly random: () => number;
  readonly ownAddresses: () => ReadonlySet<string>;
  /** Whether somebody who was lost is at that address, and this is the first of it after a silence. */
  readonly isBack: (address: string, now: number) => boolean;
  /** Whether anybody is known. */
  readonly knowsSome: () => boolean;
  /** Whether the sender says who it is, or asks who we are, as newcomers do. */
  readonly introduces: (message: Message) => boolean;
  /** Whether it asks for something of ours. */
  readonly isAsked: (message: Message) => boolean;
  /** The link is not what it was: who is there? */
  readonly alive: (now: number) => void;
}

/**
 * A cut ends as silently as it began. Somebody lost is heard again, or anybody after nobody was, or a stranger in
 * the middle of a conversation: then the link is not what it was, and all is asked and said anew (RFC 6762 §8.3).
 */
export class Pulse {
  readonly #parts: PulseParts;
  readonly #voices = new Set<string>();
  readonly #link: Silence;
  readonly #strangers: Silence;
  #revival = Infinity;
  #revived = -Infinity;

  constructor(parts: PulseParts) {
    this.#parts = parts;
    this.#link = new Silence(parts.now, LINK_SILENCE);
    this.#strangers = new Silence(parts.now, STRANGER_SILENCE);
  }

  /** How long nobody else has been heard; ms. */
  silence(now: number): number {
    return now - this.#link.last;
  }

  heard(message: Message, { address }: Source, now: number): void {
    const { ownAddresses, isBack, knowsSome, introduces, alive, isAsked, random } = this.#parts;
    // Known answers that follow a question are part of it.
    if (ownAddresses().has(address) || (!message.response && message.questions.length === 0)) return;
    const stranger = !this.#voices.has(address) && this.#voices.size < MAX_VOICES;
    if (stranger) this.#voices.add(address);
    const back = isBack(address, now);
    const first = this.#link.broken(now) && !knowsSome();
    const joined = stranger && !introduces(message) && this.#strangers.broken(now);
    if (!back && !first && !joined) return;
    alive(now);
    // Whoever asks for us has his answer.
    if (this.#revival < Infinity || isAsked(message)) return;
    this.#revival = Math.max(now + REVIVAL_DELAY[0] + random() * REVIVAL_DELAY[1], this.#revived + REVIVAL_GAP);
  }

  next(): number {
    return this.#revival;
  }

  /** Whether it is time to say that we are here. */
  tick(now: number): boolean {
    if (now < this.#revival) return false;
    this.#revival = Infinity;
    this.#revived = now;
    return true;
  }
}
