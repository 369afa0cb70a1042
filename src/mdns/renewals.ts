import type { Cache, Entry } from './cache.ts';
import { type DnsRecord, type Message, TYPE } from './message.ts';
import { nameKey } from './name.ts';

/** Answers remembered. */
const REMEMBERED = 2048;
/** Records of one: with more it is longer than what `Repeats` knows again, and would only take memory. */
const MAX_RECORDS = 48;

interface Renewal { readonly entry: Entry; readonly ttl: number }

/**
 * What an answer renews that has come before, as the same message (`Repeats`), and changed nothing: nothing of it is looked up
 * again, so that a refresh costs hardly more where a thousand are known than where a hundred are. Whatever changes in the cache
 * makes all of this void.
 */
export class Renewals {
  readonly #cache: Cache;
  /** Nothing yet for one that has come once: most never come again. */
  readonly #known = new Map<Message, readonly Renewal[] | undefined>();
  #version = 0;

  constructor(cache: Cache) {
    this.#cache = cache;
  }

  /** Whether that was all that the answer means. */
  renew(message: Message, now: number): boolean {
    const renewals = this.#cache.version === this.#version ? this.#known.get(message) : undefined;
    if (!renewals) return false;
    for (const { entry, ttl } of renewals) this.#cache.renew(entry, ttl, now);
    return true;
  }

  /** It has been gone through, all of it was wanted, and nothing was new. */
  taken(message: Message): void {
    if (message.answers.length + message.additionals.length > MAX_RECORDS) return;
    if (this.#cache.version !== this.#version || this.#known.size >= REMEMBERED) this.#known.clear();
    this.#version = this.#cache.version;
    if (this.#known.has(message)) this.#known.set(message, this.#renewals(message));
    else this.#known.set(message, undefined);
  }

  /** Undefined when it is more than a renewal. */
  #renewals({ answers, additionals }: Message): readonly Renewal[] | undefined {
    const renewals: Renewal[] = [];
    for (const record of [...answers, ...additionals]) {
      if (!KEPT.has(record.type)) continue;
      const entry = record.ttl > 0 ? this.#cache.said(record, nameKey(record.name)) : undefined;
      if (!entry) return undefined;
      renewals.push({ entry, ttl: record.ttl });
    }
    // RFC 6762 §10.2: of a set that is said to be whole there must be no more than this.
    return renewals.length > 0 && renewals.every(({ entry }) => this.#isWhole(entry, renewals)) ? renewals : undefined;
  }

  #isWhole({ owner, record }: Entry, renewals: readonly Renewal[]): boolean {
    if (record.type === TYPE.PTR) return true;
    return this.#cache.set(owner).every((other) => other.record.type !== record.type || renewals.some(({ entry }) => entry === other));
  }
}

/** Types that the cache has records of. */
const KEPT: ReadonlySet<DnsRecord['type']> = new Set([TYPE.PTR, TYPE.SRV, TYPE.TXT, TYPE.A, TYPE.AAAA]);
