import { nameKey, sameName } from './name.ts';
import { Silence } from './silence.ts';

/** Instances missed on one link; the longest missed are given up first. */
const MAX_MISSED = 256;
/** One packet's worth of questions. */
const ROUND = 16;
/** So often the missed are asked for, so that they are found within 10 s of coming back, … */
const ROUND_GAP = 7000;
/** Part of the gap, so that not all ask at once. */
const JITTER = 0.1;
/** … for so long after the last was lost, longer only while the link is silent; then every minute, and after a day not at all. */
const HASTE_TIME = 15 * 60_000;
const LONGEST_GAP = 60_000;
const MISSED_TIME = 24 * 3_600_000;
/** A host that is heard after so long is back, or was never away. */
const HOST_SILENCE = 2000;

/** A host at which instances are missed, and how many. */
interface Host { readonly silence: Silence; missed: number }

/** An instance that went without a goodbye. */
export interface Miss {
  readonly key: string;
  readonly name: string;
  /** Name of its type. */
  readonly type: string;
  /** Where it was. */
  readonly addresses: readonly string[];
}

/**
 * Who was lost silently: a cut that nobody is told of ends as silently, and both sides would be mute until the next
 * question of a backoff that has grown to an hour. A departure from RFC 6762 §5.2, whose gaps always double: one small
 * packet each 8 s, for a quarter of an hour, that duplicate question suppression (§7.3) keeps to one for all boxes.
 */
export class Missed {
  readonly #random: () => number;
  readonly #missed = new Map<string, Miss & { readonly since: number }>();
  readonly #hosts = new Map<string, Host>();
  readonly #silent: (now: number) => boolean;
  #lastLoss = -Infinity;
  #gap = ROUND_GAP;
  #due = Infinity;

  /** `silent`: nobody is heard on the link, so nobody is burdened. */
  constructor(random: () => number, silent: (now: number) => boolean) {
    this.#random = random;
    this.#silent = silent;
  }

  add(miss: Miss, now: number): void {
    this.found(miss.key);
    const [longest] = this.#missed.keys();
    if (longest !== undefined && this.#missed.size >= MAX_MISSED) this.found(longest);
    this.#missed.set(miss.key, { ...miss, since: now });
    for (const address of miss.addresses) this.#hosts.set(address, { silence: new Silence(now, HOST_SILENCE), missed: (this.#hosts.get(address)?.missed ?? 0) + 1 });
    this.hasten(now);
  }

  has(key: string): boolean {
    return this.#missed.has(key);
  }

  /** It is there again, or nobody looks for it any more. */
  found(key: string): void {
    const miss = this.#missed.get(key);
    if (!miss) return;
    this.#missed.delete(key);
    for (const address of miss.addresses) {
      const host = this.#hosts.get(address);
      // Others may be missed there.
      if (host && --host.missed === 0) this.#hosts.delete(address);
    }
    if (this.#missed.size === 0) this.#due = Infinity;
  }

  forget(type: string): void {
    for (const miss of this.#missed.values()) if (sameName(miss.type, type)) this.found(miss.key);
  }

  /** A host is heard. Whether one of the missed was there, and it is news. */
  heard(address: string, now: number): boolean {
    return this.#hosts.get(address)?.silence.broken(now) ?? false;
  }

  /** RFC 6762 §7.3: another asked, for an instance or its type; that is as good as if we had. */
  asked(name: string, now: number): void {
    if (this.#due === Infinity || !(this.#missed.has(nameKey(name)) || this.#isType(name))) return;
    this.#due = now + this.#wait();
  }

  /** The link may be another one now: as if all had been lost just now. */
  hasten(now: number): void {
    this.#lastLoss = now;
    this.#gap = ROUND_GAP;
    if (this.#missed.size > 0) this.#due = Math.min(this.#due, now + this.#wait());
  }

  next(): number {
    return this.#due;
  }

  /** Those to be asked for now: a few, each time others. */
  take(now: number): Miss[] {
    if (now < this.#due) return [];
    for (const miss of this.#missed.values()) if (now - miss.since > MISSED_TIME) this.found(miss.key);
    if (this.#missed.size === 0) return [];
    this.#gap = now - this.#lastLoss < HASTE_TIME || this.#silent(now) ? ROUND_GAP : Math.min(this.#gap * 2, LONGEST_GAP);
    this.#due = now + this.#wait();
    const round = [...this.#missed.values()].slice(0, ROUND);
    for (const miss of round) {
      this.#missed.delete(miss.key);
      this.#missed.set(miss.key, miss);
    }
    return round;
  }

  #isType(name: string): boolean {
    for (const { type } of this.#missed.values()) if (sameName(type, name)) return true;
    return false;
  }

  #wait(): number {
    return this.#gap * (1 + this.#random() * JITTER);
  }
}
