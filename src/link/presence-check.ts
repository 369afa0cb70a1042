// Who is there still? A peer that dies says nothing, and its records are believed for two minutes more (RFC 6762
// §10). So those that matter are asked when they have been quiet: over their stream, else by their records (§10.4).
import type { Clock, Timer } from '../clock.ts';

/** As long may a peer say nothing before it is asked; ms. */
const SILENCE = 18_000;
/** How often it is looked who must be asked; ms. */
const LOOK_EVERY = 1_000;
/** No more checks than 32 in 10 s, over all peers. */
const CHECKS_PER_SECOND = 3.2;
const CHECKS_AT_ONCE = 4;
/** How long a conversation lasts after its last message; how many are remembered. */
const CONVERSATION = 300_000;
const CONVERSATIONS = 1_024;
/** How long an answer over the stream may take before the records are doubted, too. */
const PING = 3_000;
/** Of so many watched peers none can be asked before its records are due to be renewed, and go when they are not. */
const WATCHED = 288;

/** A stream that can be asked for a sign of life. */
export interface Pinged {
  /** Monotonic time of the last byte from there. */
  readonly heardAt: number;
  /** Nothing is read from it now: the silence is ours. */
  readonly held: boolean;
  /** Its peer confirms, and so answers. */
  readonly managed: boolean;
  probe(ms: number): Promise<boolean>;
}

export interface PresenceCheckParts {
  readonly clock: Clock;
  /** Everybody on the link. */
  readonly peers: () => Iterable<string>;
  /** Whether somebody watches who comes and goes. */
  readonly watched: () => boolean;
  /** The stream in use to each peer that has one. */
  readonly streams: () => Iterable<readonly [name: string, stream: Pinged]>;
  /** When its records were last heard; undefined for who has none. */
  readonly heard: (name: string) => number | undefined;
  /** Asks for its records; without an answer it is gone in 5 s. */
  readonly reconfirm: (name: string) => void;
  readonly timing?: { readonly silence?: number; readonly look?: number };
}

interface Subject {
  readonly name: string;
  readonly stream: Pinged | undefined;
  /** When it last gave a sign of life, or was asked for one. */
  readonly since: number;
}

/**
 * Asks quiet peers whether they are there: those with a stream or a conversation first, then, while somebody watches,
 * all others. Whoever another box has just asked has been heard: many boxes ask no more than one.
 */
export class PresenceCheck {
  readonly #parts: PresenceCheckParts;
  readonly #silence: number;
  readonly #look: number;
  readonly #timer: Timer;
  /** By name, the longest silent first. */
  readonly #conversations = new Map<string, number>();
  #lastTalked = { name: '', at: -Infinity };
  /** When those with a stream or a conversation were last heard; also of who is gone since. The longest silent first. */
  readonly #signs = new Map<string, number>();
  #asked = new Map<string, number>();
  #credit = CHECKS_AT_ONCE;

  constructor(parts: PresenceCheckParts) {
    this.#parts = parts;
    this.#silence = parts.timing?.silence ?? SILENCE;
    this.#look = Math.min(parts.timing?.look ?? LOOK_EVERY, LOOK_EVERY);
    this.#timer = parts.clock.every(this.#look, () => this.look());
  }

  /** A message went there, or came from there. */
  talked(name: string): void {
    const now = this.#parts.clock.mono();
    // Where much is said, each stanza comes by here.
    if (name === this.#lastTalked.name && now - this.#lastTalked.at < LOOK_EVERY) return;
    this.#lastTalked = { name, at: now };
    this.#conversations.delete(name);
    this.#conversations.set(name, now);
    const [longest] = this.#conversations.keys();
    if (this.#conversations.size > CONVERSATIONS && longest !== undefined) this.#conversations.delete(longest);
  }

  /** When a peer that had a stream or a conversation was last heard, in monotonic time. */
  lastSign(name: string): number | undefined {
    return this.#signs.get(name);
  }

  look(): void {
    this.#credit = Math.min(CHECKS_AT_ONCE, this.#credit + CHECKS_PER_SECOND * this.#look / 1_000);
    const now = this.#parts.clock.mono();
    const asked = new Map<string, number>();
    const { urgent, others } = this.#subjects(now, asked);
    this.#asked = asked;
    this.#ask(urgent, now);
    this.#ask([...urgent, ...others].filter(({ name }) => asked.get(name) !== now), now);
  }

  stop(): void {
    this.#timer.stop();
  }

  #subjects(now: number, asked: Map<string, number>): { urgent: Subject[]; others: Subject[] } {
    const { peers, streams, heard, watched } = this.#parts;
    const open = new Map(streams());
    const urgent: Subject[] = [];
    const others: Subject[] = [];
    const consider = (name: string, list: Subject[]): void => {
      const stream = open.get(name);
      const said = heard(name);
      if (list === urgent) this.#heard(name, Math.max(stream?.heardAt ?? -Infinity, said ?? -Infinity));
      if (stream?.held) return;
      // A box whose records live may have lost its stream all the same.
      const sign = stream?.managed ? stream.heardAt : said === undefined ? undefined : Math.max(said, stream?.heardAt ?? said);
      if (sign === undefined) return;
      const last = this.#asked.get(name);
      if (last !== undefined && now - last < this.#silence) asked.set(name, last);
      list.push({ name, stream, since: Math.max(sign, last ?? sign) });
    };
    for (const name of open.keys()) consider(name, urgent);
    for (const [name, at] of this.#conversations) {
      if (now - at > CONVERSATION) this.#conversations.delete(name);
      else if (!open.has(name)) consider(name, urgent);
    }
    const all = watched() ? [...peers()] : [];
    if (all.length <= WATCHED) for (const name of all) if (!open.has(name) && !this.#conversations.has(name)) consider(name, others);
    return { urgent, others };
  }

  #heard(name: string, at: number): void {
    if (at <= (this.#signs.get(name) ?? -Infinity)) return;
    this.#signs.delete(name);
    this.#signs.set(name, at);
    const [longest] = this.#signs.keys();
    if (this.#signs.size > CONVERSATIONS && longest !== undefined) this.#signs.delete(longest);
  }

  /**
   * Not before it must be, so that one question serves all who want to know; but early enough that each of them has
   * its turn in time. When they are too many for that, the turns are further apart.
   */
  #ask(subjects: readonly Subject[], now: number): void {
    const quietest = subjects.toSorted((a, b) => a.since - b.since);
    const within = Math.max(this.#silence, quietest.length / CHECKS_PER_SECOND * 1_000);
    let needed = 0;
    for (const [ahead, { since }] of quietest.entries()) {
      if (now - since + ahead / CHECKS_PER_SECOND * 1_000 >= within) needed = ahead + 1;
    }
    for (const subject of quietest.slice(0, Math.min(needed, Math.floor(this.#credit)))) {
      this.#credit -= 1;
      this.#asked.set(subject.name, now);
      void this.#check(subject);
    }
  }

  async #check({ name, stream }: Subject): Promise<void> {
    if (stream?.managed && await stream.probe(PING)) return;
    this.#parts.reconfirm(name);
  }
}
