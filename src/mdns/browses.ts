import { nameKey, nameToBytes } from './name.ts';

/** RFC 6762 §5.2: the first question after a random 20–120 ms, the next after a second, then doubling to an hour. */
const FIRST_DELAY = [20, 100] as const;
const FIRST_GAP = 1000;
const LONGEST_GAP = 3_600_000;
/** While nobody at all is heard nobody is burdened: the link may be cut, and then be whole again. For a quarter of an hour. */
const ALONE_GAP = 7000;
const ALONE_TIME = 15 * 60_000;
/** Boxes that started together would else ask together for ever: part of the gap. */
const GAP_JITTER = 0.1;

/** A name that is looked for, and how it is written where nothing was written before it. */
export interface Browsed { readonly name: string; readonly bytes: Buffer }

/** Others' questions for a name are held against all that is known of it so often at most, ms: a packet may ask it a thousand times. */
const WEIGH_GAP = 250;

interface Browse { readonly name: string; due: number; gap: number; weighed: number }

/** What is looked for on the link, and when each is asked about next. */
export class Browses {
  readonly #random: () => number;
  readonly #alone: (now: number) => boolean;
  readonly #longest: number;
  #hasteSince = 0;
  readonly #browses = new Map<string, Browse>();
  #plain: readonly Browsed[] = [];

  /** `alone`: nobody is known or heard on the link. `longest`: gap between two questions, ms. */
  constructor(random: () => number, alone: (now: number) => boolean, longest: number = LONGEST_GAP) {
    this.#longest = longest;
    this.#random = random;
    this.#alone = alone;
  }

  add(name: string, now: number): void {
    const key = nameKey(name);
    if (this.#browses.has(key)) return;
    this.#browses.set(key, { name, due: now + this.wait(), gap: FIRST_GAP, weighed: -Infinity });
    this.#hasteSince = now;
    if (name === key) this.#plain = [...this.#plain, { name, bytes: nameToBytes(name) }];
  }

  remove(key: string): void {
    this.#browses.delete(key);
    this.#plain = this.#plain.filter(({ name }) => name !== key);
  }

  /** Those that are their own keys. */
  get plain(): readonly Browsed[] {
    return this.#plain;
  }

  keys(): Iterable<string> {
    return this.#browses.keys();
  }

  has(key: string): boolean {
    return this.#browses.has(key);
  }

  /** Whether it is time to hold what another asks for the name, and what nobody answers, against what is known. */
  weighs(key: string, now: number): boolean {
    const browse = this.#browses.get(key);
    if (!browse || now - browse.weighed < WEIGH_GAP) return false;
    browse.weighed = now;
    return true;
  }

  /** The name as it was asked for. */
  name(key: string): string | undefined {
    return this.#browses.get(key)?.name;
  }

  /** Asks afresh. */
  restart(now: number): void {
    this.#hasteSince = now;
    for (const browse of this.#browses.values()) {
      browse.due = now + this.wait();
      browse.gap = FIRST_GAP;
    }
  }

  next(): number {
    let next = Infinity;
    for (const { due } of this.#browses.values()) next = Math.min(next, due);
    return next;
  }

  /** Names to be asked about now; they are then due later. */
  take(now: number): string[] {
    const taken: string[] = [];
    for (const browse of this.#browses.values()) {
      if (browse.due > now) continue;
      this.#asked(browse, now);
      taken.push(browse.name);
    }
    return taken;
  }

  /** Another asked: that saves us a question that was due soon (RFC 6762 §7.3). */
  heard(key: string, now: number): void {
    const browse = this.#browses.get(key);
    if (browse && browse.due <= now + FIRST_GAP) this.#asked(browse, now);
  }

  /** A little, so that not all speak at once. */
  wait(): number {
    return FIRST_DELAY[0] + this.#random() * FIRST_DELAY[1];
  }

  #asked(browse: Browse, now: number): void {
    browse.due = now + browse.gap * (1 + this.#random() * GAP_JITTER);
    const alone = this.#alone(now) && now - this.#hasteSince < ALONE_TIME;
    browse.gap = Math.min(browse.gap * 2, alone ? ALONE_GAP : this.#longest);
  }
}
