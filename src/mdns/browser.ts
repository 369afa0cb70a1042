import { Browses } from './browses.ts';
import { Cache, type Entry } from './cache.ts';
import { Instances } from './instances.ts';
import { Missed } from './missed.ts';
import type { Unread } from './decode.ts';
import { TYPE, type DnsRecord, type Message } from './message.ts';
import { firstLabel, nameKey } from './name.ts';
import type { Source } from './network.ts';
import { type Acquaintance, newcomer } from './newcomer.ts';
import type { Output, Resolved } from './output.ts';
import { Overheard } from './overheard.ts';
import { Questions } from './questions.ts';
import { Renewals } from './renewals.ts';
import { Resolver } from './resolver.ts';

/** Of unusually long TXT records, for each of the instances there may be: RFC 6763 §6.2 calls 1300 bytes the most. */
const LONG_TEXT_BYTES = 276;

/** Known answers that fit into one packet with their question. */
const FEW_KNOWN = 16;

/** Who knows nobody and hears nothing for so long is alone; ms. */
const ALONE_TIME = 8000;
/** Whoever is there renews his address records in less; ms. */
const DEAD_TIME = 120_000;

/** Who only asks hears of no change: asks so often (ms), and believes an answer, good for 10 s (§6.7), for longer (s). */
const PLAIN_GAP = 30_000;
const PLAIN_TTL = 75;

export interface BrowserParts {
  /** Asks as plain resolvers do. */
  readonly plain: boolean;
  readonly random: () => number;
  readonly output: (output: Output) => void;
  /** Whether we say this ourselves. */
  readonly isOwn: (record: DnsRecord) => boolean;
  /** Instances remembered at once. */
  readonly limit: number;
  /** Whether an instance of that label is remembered in any case. */
  readonly keeps: (label: string) => boolean;
  /** How long nothing has been heard from others; ms. */
  readonly silence: (now: number) => number;
}

/** RFC 6763 §4 and RFC 6762 §5.2, §7, §10: finds instances, resolves them, keeps them fresh. */
export class Browser {
  readonly #parts: BrowserParts;
  readonly #cache: Cache;
  readonly #questions: Questions;
  readonly #browses: Browses;
  readonly #overheard: Overheard;
  readonly #resolver: Resolver;
  readonly #instances: Instances;
  readonly #missed: Missed;
  readonly #acquaintance: Acquaintance;
  readonly #renewals: Renewals;
  /** The last packet that somebody was told of by, as long as what it says has not been remembered. */
  #seen: { readonly packet: Unread; readonly told: Resolved } | undefined;

  /** Whether there is room for whatever one packet may say; undefined: look. */
  #isRoomy: boolean | undefined;

  constructor(parts: BrowserParts) {
    this.#parts = parts;
    this.#browses = new Browses(parts.random, (now) => this.#instances.size === 0 && parts.silence(now) > ALONE_TIME, parts.plain ? PLAIN_GAP : undefined);
    this.#missed = new Missed(parts.random, (now) => parts.silence(now) > DEAD_TIME);
    this.#questions = new Questions({ output: parts.output, plain: parts.plain, known: (name, type, now) => this.#known(name, type, now) });
    this.#cache = new Cache({
      random: parts.random,
      limit: parts.limit * 8,
      bytes: parts.limit * LONG_TEXT_BYTES,
      ...(parts.plain ? { least: PLAIN_TTL } : {}),
      changed: (entry, now) => this.#instances.changed(entry, now),
      refresh: (entry, now) => this.#refresh(entry, now),
      goodbye: (entry, now) => {
        const { name, data } = entry.record;
        // RFC 6762 §10.1 leaves it a second: anybody can say this for another, and who is there answers within that.
        if (data.kind === 'name' && parts.keeps(firstLabel(data.target).label ?? '')) this.#questions.ask(name, TYPE.PTR, now + this.#browses.wait());
        if (data.kind === 'name') parts.output({ type: 'goodbye', name: data.target });
        if (data.kind === 'address') parts.output({ type: 'goodbye', name });
      },
    });
    this.#renewals = new Renewals(this.#cache);
    this.#resolver = new Resolver({
      cache: this.#cache, questions: this.#questions, output: parts.output, wait: () => this.#browses.wait(),
      drop: (instance, now) => this.#instances.drop(instance, now),
    });
    this.#instances = new Instances({
      cache: this.#cache, resolver: () => this.#resolver, missed: this.#missed, output: parts.output, limit: parts.limit, keeps: parts.keeps,
      askFor: (type, now) => this.#questions.ask(type, TYPE.PTR, now + this.#browses.wait()),
    });
    this.#acquaintance = { browses: this.#browses, instances: this.#instances };
    this.#overheard = new Overheard({
      knows: (record) => this.#knows(record),
      located: (key, now) => this.#instances.unanswered(key, now),
      listed: (name, known, by, now) => {
        if (this.#browses.weighs(nameKey(name), now)) this.#instances.listed(nameKey(name), known, by, now);
      },
      asked: ({ name, type }, now) => {
        if (type === TYPE.PTR || type === TYPE.SRV) this.#missed.asked(name, now);
        if (!this.#questions.heard(name, type, now) && type === TYPE.PTR) this.#browses.heard(nameKey(name), now);
      },
    });
  }

  /** Whether any instance is known. */
  get knowsSome(): boolean {
    return this.#instances.size > 0;
  }

  get records(): number {
    return this.#cache.size;
  }

  browse(name: string, now: number): void {
    this.#browses.add(name, now);
  }

  stop(name: string, now: number): void {
    this.catchUp();
    const key = nameKey(name);
    this.#browses.remove(key);
    this.#questions.cancel(name, TYPE.PTR);
    for (const entry of this.#cache.pointers(key)) this.#cache.forget(entry, now);
    this.#missed.forget(key);
    this.#resolver.settle(now);
  }

  /** One question, without keeping what it brings. */
  ask(name: string, type: number, at: number): void {
    this.#questions.ask(name, type, at);
  }

  stopAsking(name: string, type: number): void {
    this.#questions.cancel(name, type);
  }

  /** Asks afresh, as after waking up or coming back to a link; believes only what is said again. */
  restart(now: number): void {
    this.catchUp();
    this.#browses.restart(now);
    this.#missed.hasten(now);
    this.#instances.doubt(now);
  }

  /** Somebody is heard. Whether that is one of those that were lost, after a silence. */
  heard(from: string, now: number): boolean {
    return this.#missed.heard(from, now);
  }

  /** Whether a host says who it is, or asks who we are, as a newcomer does: then nothing is to be concluded from it. */
  introduces({ response, questions, answers, authorities }: Message): boolean {
    return authorities.length > 0 || (response ? answers : questions).some(({ name, type }) => type === TYPE.PTR && this.#browses.has(nameKey(name)));
  }

  /** There are others than before: who? */
  lookAround(now: number): void {
    for (const key of this.#browses.keys()) this.#questions.ask(this.#browses.name(key) ?? key, TYPE.PTR, now + this.#browses.wait());
  }

  /** RFC 6762 §10.4: the caller could not reach it. */
  reconfirm(name: string, now: number): void {
    this.catchUp();
    const key = nameKey(name);
    for (const type of [TYPE.SRV, TYPE.A, TYPE.AAAA]) for (const entry of this.#cache.find(key, type)) this.#cache.doubt(entry, now);
  }

  /** When the instance last said something of itself. */
  lastHeard(name: string): number | undefined {
    this.catchUp();
    const heard = this.#cache.set(nameKey(name)).map((entry) => entry.heard);
    return heard.length > 0 ? Math.max(...heard) : undefined;
  }

  /** Forgets everything: the link is gone (§10.3). */
  clear(now: number): void {
    this.catchUp();
    for (const key of this.#browses.keys()) {
      for (const entry of this.#cache.pointers(key)) this.#cache.forget(entry, now);
      this.#missed.forget(key);
    }
    this.#resolver.settle(now);
  }

  /** Who is new at a glance: what the packet says is then remembered by `catchUp`. */
  glance(packet: Unread): Resolved | undefined {
    if (this.#seen) this.catchUp();
    this.#isRoomy ??= this.#instances.isRoomy && this.#cache.isRoomy;
    if (!this.#isRoomy) {
      this.#isRoomy = undefined;
      return undefined;
    }
    const told = newcomer(packet.bytes, this.#acquaintance);
    if (told) this.#seen = { packet, told };
    return told;
  }

  /** Somebody answers, or announces what he has. */
  response(message: Message, now: number): void {
    this.catchUp();
    if (this.#renewals.renew(message, now)) return;
    const { version } = this.#cache;
    if (this.#take(message, now) && this.#cache.version === version) this.#renewals.taken(message);
    this.#resolver.settle(now);
  }

  /** Remembers what the last packet said, if that was put off. */
  catchUp(): void {
    if (!this.#seen) return;
    const { packet, told } = this.#seen;
    const { now } = packet;
    this.#seen = undefined;
    try {
      this.#take(packet.message, now);
    } catch {
      // Whoever weighs it is told that it cannot be read; then nothing of it is believed.
    }
    if (!this.#instances.told(told)) this.#parts.output({ type: 'lost', name: told.name });
    this.#resolver.settle(now);
    this.#isRoomy = this.#instances.isRoomy && this.#cache.isRoomy || undefined;
  }

  /** What another asks. */
  query(message: Message, from: Source, now: number): void {
    this.catchUp();
    this.#overheard.query(message, from, now);
  }

  next(): number {
    this.catchUp();
    return Math.min(this.#cache.next(), this.#questions.next(), this.#resolver.next(), this.#browses.next(), this.#missed.next());
  }

  tick(now: number): void {
    this.catchUp();
    for (const name of this.#browses.take(now)) this.#questions.ask(name, TYPE.PTR, now);
    this.#askForMissed(now);
    this.#cache.tick(now);
    this.#resolver.tick(now);
    this.#resolver.settle(now);
    this.#questions.tick(now);
  }

  /** Only what somebody asked for is remembered: instances of browsed types, then what they need. Whether that was all of it. */
  #take({ answers, additionals }: Message, now: number): boolean {
    this.#isRoomy = undefined;
    const records = additionals.length > 0 ? [...answers, ...additionals] : answers;
    // What makes a record wanted may come after it: a pointer leads to an instance, that to a host.
    let left = records.filter((record) => !this.#takes(record, now));
    if (left.length > 0) left = left.filter((record) => !this.#takes(record, now));
    if (left.length > 0) left = left.filter((record) => !this.#takes(record, now));
    for (const { type, ttl, name } of left) {
      if ((type === TYPE.SRV || type === TYPE.TXT) && ttl > 0 && this.#missed.has(nameKey(name))) this.lookAround(now);
    }
    return left.length === 0;
  }

  #takes(record: DnsRecord, now: number): boolean {
    const owner = nameKey(record.name);
    switch (record.type) {
      case TYPE.PTR: {
        const type = this.#browses.name(owner);
        if (type === undefined || record.data.kind !== 'name') return false;
        this.#instances.pointer(record, owner, type, record.data.target, now);
        return true;
      }
      case TYPE.SRV: case TYPE.TXT:
        if (!this.#instances.has(owner)) return false;
        this.#instances.put(record, owner, now);
        return true;
      case TYPE.A: case TYPE.AAAA:
        if (!this.#instances.isAt(owner)) return false;
        this.#instances.put(record, owner, now);
        return true;
      default: return true;
    }
  }

  /** RFC 6762 §5.2; and what hangs on it, for a change may have been missed: TXT is good for more than an hour. */
  #refresh({ record, owner }: Entry, now: number): void {
    this.#questions.ask(record.name, record.type, now);
    if (record.type === TYPE.SRV && this.#cache.find(owner, TYPE.TXT).length > 0) this.#questions.ask(record.name, TYPE.TXT, now);
  }

  /** By their type where its known answers fit beside the question: then others are found too. Else by name. */
  #askForMissed(now: number): void {
    const missed = this.#missed.take(now);
    for (const type of new Set(missed.map((miss) => miss.type))) {
      if (this.#known(type, TYPE.PTR, now).length <= FEW_KNOWN) this.#questions.ask(type, TYPE.PTR, now);
      else for (const miss of missed) if (miss.type === type) this.#questions.ask(miss.name, TYPE.SRV, now);
    }
  }

  /** §7.1: a known answer is one with at least half its life left. */
  #known(name: string, type: number, now: number): DnsRecord[] {
    const known: DnsRecord[] = [];
    if (type !== TYPE.PTR) return known;
    for (const entry of this.#cache.pointers(nameKey(name))) {
      const left = entry.expires - now;
      if (entry.state !== 'good' || left * 2 < entry.lifetime) continue;
      known.push({ ...entry.record, flush: false, ttl: Math.floor(left / 1000) });
    }
    return known;
  }

  #knows(record: DnsRecord): boolean {
    const { data, name } = record;
    const owner = nameKey(name);
    if (data.kind !== 'name' || !this.#browses.has(owner)) return true;
    return this.#cache.pointer(owner, nameKey(data.target)) !== undefined || this.#parts.isOwn(record);
  }
}
