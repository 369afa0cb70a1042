import { Cache, type Entry } from './cache.ts';
import { DueQueue, type Due } from './due-queue.ts';
import { asBuffer, TYPE, type DnsRecord, type Message, type Question } from './message.ts';
import { firstLabel, nameKey } from './name.ts';
import { MDNS_PORT, type Source } from './network.ts';
import type { Output, Resolved } from './output.ts';
import { Questions } from './questions.ts';

/** RFC 6762 §5.2: the first question after a random 20–120 ms, the next after a second, then doubling to an hour. */
const FIRST_DELAY = [20, 100] as const;
const FIRST_GAP = 1000;
const LONGEST_GAP = 3_600_000;
/** What an instance does not tell after so many questions (1, 2, 4, … s apart) it will not tell. */
const MAX_TRIES = 5;
/** After so many, an instance without TXT is taken as it is (XEP-0174 §3: every key is optional). */
const TRIES_FOR_TEXT = 2;
/** Boxes that started together would else ask together for ever: part of the gap. */
const GAP_JITTER = 0.1;
/** Questioners whose further known answers are awaited, for duplicate question suppression. */
const MAX_CHAINS = 64;
const CHAIN_TIME = 1000;
/** RFC 6762 §10.5: others' questions unanswered for this long make us doubt. */
const UNANSWERED_TIME = 1000;

/** Data remembered for each of the instances there may be; RFC 6763 §6.2 calls 1300 bytes the most, most have 200. */
const TEXT_BYTES = 1024;

interface Browse { readonly name: string; due: number; gap: number }

/** A question of another, while its known answers still come in further packets (TC). */
interface Chain { readonly questions: readonly Question[]; known: boolean; readonly since: number }

interface Instance extends Due {
  readonly key: string;
  readonly name: string;
  readonly type: string;
  host?: string;
  tries: number;
  /** What was last told about it. */
  shown?: string;
}

export interface BrowserParts {
  readonly random: () => number;
  readonly output: (output: Output) => void;
  /** Whether we say this ourselves. */
  readonly isOwn: (record: DnsRecord) => boolean;
  /** Instances remembered at once. */
  readonly limit: number;
}

/** RFC 6763 §4 and RFC 6762 §5.2, §7, §10: finds instances, resolves them, keeps them fresh. */
export class Browser {
  readonly #parts: BrowserParts;
  readonly #cache: Cache;
  readonly #questions: Questions;
  readonly #browses = new Map<string, Browse>();
  readonly #instances = new Map<string, Instance>();
  readonly #hosts = new Map<string, Set<Instance>>();
  readonly #unresolved = new DueQueue<Instance>();
  readonly #dirty = new Set<Instance>();
  readonly #chains = new Map<string, Chain>();

  constructor(parts: BrowserParts) {
    this.#parts = parts;
    this.#questions = new Questions({ output: parts.output, known: (name, type, now) => this.#known(name, type, now) });
    this.#cache = new Cache({
      random: parts.random,
      limit: parts.limit * 8,
      bytes: parts.limit * TEXT_BYTES,
      changed: (entry, now) => this.#changed(entry, now),
      refresh: (entry, now) => this.#questions.ask(entry.record.name, entry.record.type, now),
      goodbye: (entry) => {
        if (entry.record.data.kind === 'name') parts.output({ type: 'goodbye', name: entry.record.data.target });
      },
    });
  }

  get records(): number {
    return this.#cache.size;
  }

  browse(name: string, now: number): void {
    const key = nameKey(name);
    if (this.#browses.has(key)) return;
    const browse = { name, due: now + this.#wait(), gap: FIRST_GAP };
    this.#browses.set(key, browse);
  }

  stop(name: string, now: number): void {
    const key = nameKey(name);
    this.#browses.delete(key);
    this.#questions.cancel(name, TYPE.PTR);
    for (const entry of this.#cache.pointers(key)) this.#cache.forget(entry, now);
    this.#settle(now);
  }

  /** One question, without keeping what it brings. */
  ask(name: string, type: number, at: number): void {
    this.#questions.ask(name, type, at);
  }

  /** Asks afresh, as after waking up or coming back to a link. */
  restart(now: number): void {
    for (const browse of this.#browses.values()) {
      browse.due = now + this.#wait();
      browse.gap = FIRST_GAP;
    }
  }

  /** RFC 6762 §10.4: the caller could not reach it. */
  reconfirm(name: string, now: number): void {
    for (const entry of this.#cache.find(nameKey(name), TYPE.SRV)) this.#cache.doubt(entry, now);
  }

  /** Forgets everything: the link is gone (§10.3). */
  clear(now: number): void {
    for (const key of this.#browses.keys()) for (const entry of this.#cache.pointers(key)) this.#cache.forget(entry, now);
    this.#settle(now);
  }

  response(message: Message, now: number): void {
    this.#take(message.answers, message.additionals, now);
    this.#settle(now);
  }

  /** RFC 6762 §7.3 duplicate questions, §10.5 passive observation of failures. */
  query(message: Message, from: Source, now: number): void {
    if (from.port !== MDNS_PORT || message.authorities.length > 0) return;
    for (const { name, type } of message.questions) if (type === TYPE.SRV) this.#unanswered(nameKey(name), now);
    const chain = this.#chains.get(from.address);
    if (chain) this.#chains.delete(from.address);
    const going = message.questions.length === 0 && chain && now - chain.since < CHAIN_TIME ? chain : undefined;
    const questions = going?.questions ?? message.questions.filter(({ unicast }) => !unicast);
    if (questions.length === 0) return;
    // With an answer among the known ones that we lack, the reply would not serve us.
    const known = (going?.known ?? true) && message.answers.every((record) => this.#knows(record));
    if (message.truncated) {
      if (this.#chains.size < MAX_CHAINS) this.#chains.set(from.address, { questions, known, since: going?.since ?? now });
      return;
    }
    if (!known) return;
    for (const { name, type } of questions) {
      const asked = this.#questions.heard(name, type, now);
      const browse = type === TYPE.PTR ? this.#browses.get(nameKey(name)) : undefined;
      if (!asked && browse && browse.due <= now + FIRST_GAP) this.#asked(browse, now);
    }
  }

  next(): number {
    let next = Math.min(this.#cache.next(), this.#questions.next(), this.#unresolved.next());
    for (const browse of this.#browses.values()) next = Math.min(next, browse.due);
    return next;
  }

  tick(now: number): void {
    for (const browse of this.#browses.values()) {
      if (browse.due > now) continue;
      this.#asked(browse, now);
      this.#questions.ask(browse.name, TYPE.PTR, now);
    }
    this.#cache.tick(now);
    for (const instance of this.#unresolved.take(now)) this.#retry(instance, now);
    this.#settle(now);
    this.#questions.tick(now);
  }

  #asked(browse: Browse, now: number): void {
    browse.due = now + browse.gap * (1 + this.#parts.random() * GAP_JITTER);
    browse.gap = Math.min(browse.gap * 2, LONGEST_GAP);
  }

  /** Only what somebody asked for is remembered: instances of browsed types, then what they need. */
  #take(answers: readonly DnsRecord[], additionals: readonly DnsRecord[], now: number): void {
    const each = (take: (record: DnsRecord) => void): void => {
      for (const record of answers) take(record);
      for (const record of additionals) take(record);
    };
    each((record) => {
      if (record.type === TYPE.PTR) this.#pointer(record, now);
    });
    each((record) => {
      if (record.type !== TYPE.SRV && record.type !== TYPE.TXT) return;
      const key = nameKey(record.name);
      if (this.#instances.has(key)) this.#put(record, key, now);
    });
    each((record) => {
      if (record.type !== TYPE.A && record.type !== TYPE.AAAA) return;
      const key = nameKey(record.name);
      if (this.#hosts.has(key)) this.#put(record, key, now);
    });
  }

  #put(record: DnsRecord, key: string, now: number): boolean {
    if (this.#cache.put(record, key, now)) return true;
    this.#parts.output({ type: 'full', what: 'records' });
    return false;
  }

  #pointer(record: DnsRecord, now: number): void {
    const owner = nameKey(record.name);
    const browse = this.#browses.get(owner);
    if (!browse || record.data.kind !== 'name') return;
    const { target } = record.data;
    const key = nameKey(target);
    if (!this.#instances.has(key)) {
      const { label, rest } = firstLabel(target);
      // RFC 6763 §4.1: one label of UTF-8 in front of the type.
      if (record.ttl === 0 || label === undefined || nameKey(rest) !== owner) return;
      if (this.#instances.size >= this.#parts.limit && !this.#makeRoom(now)) {
        this.#parts.output({ type: 'full', what: 'instances' });
        return;
      }
      const instance: Instance = { key, name: target, type: browse.name, tries: 0, due: Infinity, queued: Infinity };
      this.#instances.set(key, instance);
      if (!this.#put(record, owner, now)) this.#instances.delete(key);
      return;
    }
    this.#put(record, owner, now);
  }

  /** Names that nobody stands behind give way to new ones. */
  #makeRoom(now: number): boolean {
    for (const instance of this.#instances.values()) {
      if (instance.shown !== undefined || instance.tries === 0) continue;
      this.#drop(instance, now);
      return true;
    }
    return false;
  }

  #changed(entry: Entry, now: number): void {
    const { record } = entry;
    if (record.data.kind === 'name') {
      const instance = this.#instances.get(nameKey(record.data.target));
      if (!instance) return;
      if (entry.state === 'gone') this.#remove(instance, now);
      else this.#dirty.add(instance);
      return;
    }
    if (record.data.kind === 'address') {
      for (const instance of this.#hosts.get(entry.owner) ?? []) this.#dirty.add(instance);
      return;
    }
    const instance = this.#instances.get(entry.owner);
    if (!instance) return;
    if (record.type === TYPE.SRV) {
      this.#locate(instance, now);
      // Nobody confirmed where it is: is it there at all? Ask, and believe only an answer (§10.4).
      if (entry.state === 'gone' && instance.host === undefined) {
        const leaving = this.#pointerTo(instance)?.state === 'leaving';
        this.#drop(instance, now);
        if (!leaving) this.#questions.ask(instance.type, TYPE.PTR, now + this.#wait());
        return;
      }
    }
    this.#dirty.add(instance);
  }

  #locate(instance: Instance, now: number): void {
    const [service] = this.#cache.find(instance.key, TYPE.SRV);
    const host = service?.record.data.kind === 'service' ? nameKey(service.record.data.target) : undefined;
    if (host === instance.host) return;
    this.#leaveHost(instance, now);
    if (host === undefined) return;
    instance.host = host;
    const there = this.#hosts.get(host) ?? new Set<Instance>();
    this.#hosts.set(host, there.add(instance));
  }

  #leaveHost(instance: Instance, now: number): void {
    const { host } = instance;
    if (host === undefined) return;
    delete instance.host;
    const there = this.#hosts.get(host);
    there?.delete(instance);
    if (there?.size !== 0) return;
    this.#hosts.delete(host);
    for (const entry of this.#cache.set(host)) this.#cache.forget(entry, now);
  }

  #drop(instance: Instance, now: number): void {
    const entry = this.#pointerTo(instance);
    if (entry) this.#cache.forget(entry, now);
    else this.#remove(instance, now);
  }

  #pointerTo(instance: Instance): Entry | undefined {
    return this.#cache.pointer(nameKey(instance.type), instance.key);
  }

  #remove(instance: Instance, now: number): void {
    if (!this.#instances.delete(instance.key)) return;
    this.#dirty.delete(instance);
    this.#unresolved.remove(instance);
    for (const type of [TYPE.SRV, TYPE.TXT]) this.#questions.cancel(instance.name, type);
    for (const entry of this.#cache.set(instance.key)) this.#cache.forget(entry, now);
    this.#leaveHost(instance, now);
    if (instance.shown !== undefined) this.#parts.output({ type: 'lost', browse: instance.type, name: instance.name });
  }

  #settle(now: number): void {
    for (const instance of this.#dirty) this.#evaluate(instance, now);
    this.#dirty.clear();
  }

  #evaluate(instance: Instance, now: number): void {
    const { service, text, addresses } = this.#facts(instance);
    const whole = service !== undefined && addresses.length > 0;
    if ((!whole || !text) && instance.due === Infinity && instance.tries < MAX_TRIES) {
      // Not at once: the rest often follows in the next packet.
      instance.due = now + this.#wait();
      this.#unresolved.add(instance);
    }
    if (!whole) {
      if (instance.shown !== undefined) this.#parts.output({ type: 'lost', browse: instance.type, name: instance.name });
      delete instance.shown;
      return;
    }
    if (!text && instance.shown === undefined && instance.tries < TRIES_FOR_TEXT) return;
    const resolved: Resolved = {
      name: instance.name, type: instance.type, host: service.target, port: service.port, text: text ?? new Uint8Array(), addresses,
    };
    const shown = `${service.target} ${service.port} ${addresses.join(' ')} ${asBuffer(resolved.text).toString('latin1')}`;
    if (shown === instance.shown) return;
    instance.shown = shown;
    this.#parts.output({ type: 'found', service: resolved });
  }

  #facts(instance: Instance): { service?: { port: number; target: string }; text?: Uint8Array; addresses: string[] } {
    const service = this.#cache.find(instance.key, TYPE.SRV)[0]?.record.data;
    const text = this.#cache.find(instance.key, TYPE.TXT)[0]?.record.data;
    const addresses: string[] = [];
    for (const entry of instance.host === undefined ? [] : this.#cache.set(instance.host)) {
      if (entry.record.data.kind === 'address') addresses.push(entry.record.data.address);
    }
    return {
      ...(service?.kind === 'service' ? { service } : {}),
      ...(text?.kind === 'bytes' ? { text: text.bytes } : {}),
      addresses: addresses.toSorted(),
    };
  }

  #retry(instance: Instance, now: number): void {
    instance.due = Infinity;
    const { service, text, addresses } = this.#facts(instance);
    if (service && text && addresses.length > 0) {
      instance.tries = 0;
      return;
    }
    if (instance.tries >= MAX_TRIES) {
      if (!service || addresses.length === 0) this.#drop(instance, now);
      return;
    }
    if (!service) this.#questions.ask(instance.name, TYPE.SRV, now);
    if (!text) this.#questions.ask(instance.name, TYPE.TXT, now);
    if (service && addresses.length === 0) {
      this.#questions.ask(service.target, TYPE.A, now);
      this.#questions.ask(service.target, TYPE.AAAA, now);
    }
    instance.due = now + FIRST_GAP * 2 ** instance.tries;
    instance.tries++;
    this.#unresolved.add(instance);
    this.#dirty.add(instance);
  }

  #unanswered(key: string, now: number): void {
    if (!this.#instances.has(key)) return;
    for (const entry of this.#cache.find(key, TYPE.SRV)) {
      if (entry.unanswered++ === 0) entry.unansweredSince = now;
      else if (now - entry.unansweredSince > UNANSWERED_TIME) this.#cache.doubt(entry, now);
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
    if (data.kind !== 'name' || this.#instances.has(nameKey(data.target))) return true;
    return !this.#browses.has(nameKey(name)) || this.#parts.isOwn(record);
  }

  #wait(): number {
    return FIRST_DELAY[0] + this.#parts.random() * FIRST_DELAY[1];
  }
}
