import type { Cache, Entry } from './cache.ts';
import { Hosts } from './hosts.ts';
import { TYPE, type DnsRecord } from './message.ts';
import type { Missed } from './missed.ts';
import { firstLabel, nameKey } from './name.ts';
import type { Output, Resolved } from './output.ts';
import { ENUMERATION } from './own-records.ts';
import type { Instance, Resolver } from './resolver.ts';

/** RFC 6762 §10.5: others' questions unanswered for this long make us doubt. */
const UNANSWERED_TIME = 1000;

export interface InstancesParts {
  readonly cache: Cache;
  readonly resolver: () => Resolver;
  readonly missed: Missed;
  readonly output: (output: Output) => void;
  /** Asks who there is of a type. */
  readonly askFor: (type: string, now: number) => void;
  /** Remembered at once. */
  readonly limit: number;
  /** Whether one of that label has a place, even if another must give way to it. */
  readonly keeps: (label: string) => boolean;
}

/** RFC 6763 §4: the instances that browsed names lead to, and what becomes of them as records come and go. */
export class Instances {
  readonly #parts: InstancesParts;
  readonly #instances = new Map<string, Instance>();
  readonly #hosts = new Hosts();

  constructor(parts: InstancesParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#instances.size;
  }

  has(key: string): boolean {
    return this.#instances.has(key);
  }

  /** Whether there is room for one more. */
  get isRoomy(): boolean {
    return this.#instances.size < this.#parts.limit;
  }

  /** It was told of before its records were remembered. Whether that is so of it now. */
  told(resolved: Resolved): boolean {
    const instance = this.#instances.get(resolved.key);
    if (!instance) return false;
    instance.shown = resolved;
    instance.at = resolved.addresses;
    return true;
  }

  /** Whether an instance is at that host. */
  isAt(host: string): boolean {
    return this.#hosts.has(host);
  }

  /** Believes only what is said again (§10.4); it is being asked for. */
  doubt(now: number): void {
    const { cache } = this.#parts;
    for (const instance of this.#instances.values()) {
      // Doubted pointers are no known answers: the question brings everything of everybody.
      for (const entry of [...cache.find(instance.key, TYPE.SRV), ...this.#pointersTo(instance)]) cache.doubt(entry, now, true);
      // Not its text, nor its addresses, where those were said within the last second (§6). What it said before is better than nothing.
      const before = [...cache.find(instance.key, TYPE.TXT), ...cache.set(instance.host ?? '')];
      for (const entry of before) cache.doubt(entry, now, true, Infinity);
    }
  }

  /** Remembers it, if there is room. */
  put(record: DnsRecord, key: string, now: number): boolean {
    if (this.#parts.cache.put(record, key, now)) return true;
    if (this.#isKept(record, key)) for (const stranger of this.#strangers()) {
      this.drop(stranger, now);
      if (this.#parts.cache.put(record, key, now)) return true;
    }
    this.#parts.output({ type: 'full', what: 'records' });
    return false;
  }

  /** Whether it is about an instance that has a place. */
  #isKept({ data }: DnsRecord, owner: string): boolean {
    const key = data.kind === 'name' ? nameKey(data.target) : owner;
    const about = data.kind === 'address' ? [...this.#hosts.at(owner)] : [this.#instances.get(key)];
    return about.some((instance) => instance !== undefined && this.#parts.keeps(instance.label));
  }

  /** Those that give way, the newest first: who makes up names comes after those that were there. */
  *#strangers(): Iterable<Instance> {
    for (const instance of [...this.#instances.values()].toReversed()) if (!this.#parts.keeps(instance.label)) yield instance;
  }

  /** Somebody says that the browsed name leads to this target. */
  pointer(record: DnsRecord, owner: string, type: string, target: string, now: number): void {
    const key = nameKey(target);
    const known = this.#instances.get(key);
    if (owner === ENUMERATION || known?.types.includes(type)) return void this.put(record, owner, now);
    const { label, rest } = firstLabel(target);
    // RFC 6763 §4.1: one label of UTF-8 in front of the type; §7.1: also where a subtype leads to it.
    if (record.ttl === 0 || label === undefined || nameKey(rest) !== baseType(owner)) return;
    if (known) {
      const before = known.types;
      known.types = [...before, type];
      if (!this.put(record, owner, now)) known.types = before;
      return;
    }
    if (this.#instances.size >= this.#parts.limit && !this.#makeRoom(label, now)) {
      this.#parts.output({ type: 'full', what: 'instances' });
      return;
    }
    this.#instances.set(key, { key, name: target, label, types: [type], tries: 0, due: Infinity, queued: Infinity });
    this.#parts.missed.found(key);
    if (!this.put(record, owner, now)) this.#instances.delete(key);
  }

  /** Names that nobody stands behind give way to new ones, and any stranger's to one that has a place. */
  #makeRoom(label: string, now: number): boolean {
    const { keeps } = this.#parts;
    for (const instance of this.#instances.values()) {
      if (instance.shown !== undefined || instance.tries === 0 || keeps(instance.label)) continue;
      this.drop(instance, now);
      return true;
    }
    if (!keeps(label)) return false;
    for (const stranger of this.#strangers()) {
      this.drop(stranger, now);
      return true;
    }
    return false;
  }

  /** A record is new or gone: what is known of an instance is different. */
  changed(entry: Entry, now: number): void {
    const { record } = entry;
    if (record.data.kind === 'name') {
      if (entry.owner === ENUMERATION) return this.#parts.output({ type: 'service type', name: record.data.target, there: entry.state !== 'gone' });
      const instance = this.#instances.get(entry.target ?? '');
      if (!instance) return;
      this.#parts.resolver().touched(instance);
      if (entry.state !== 'gone') return;
      const rest = instance.types.filter((type) => nameKey(type) !== entry.owner);
      if (rest.length === 0) this.#remove(instance, now, entry.farewell);
      else instance.types = rest;
      return;
    }
    if (record.data.kind === 'address') {
      for (const instance of this.#hosts.at(entry.owner)) this.#parts.resolver().touched(instance);
      return;
    }
    const instance = this.#instances.get(entry.owner);
    if (!instance) return;
    if (record.type === TYPE.SRV) {
      this.#locate(instance, now);
      // Nobody confirmed where it is: is it there at all? Ask, and believe only an answer (§10.4).
      if (entry.state === 'gone' && instance.host === undefined) {
        const pointers = this.#pointersTo(instance);
        const asked = pointers.filter(({ state }) => state !== 'leaving').map((pointer) => pointer.record.name);
        if (entry.farewell) for (const pointer of pointers) pointer.farewell = true;
        this.drop(instance, now);
        for (const type of asked) this.#parts.askFor(type, now);
        return;
      }
    }
    this.#parts.resolver().touched(instance);
  }

  /** RFC 6762 §10.5: another asked where it is, and nobody answered. */
  unanswered(key: string, now: number): void {
    if (!this.#instances.has(key)) return;
    for (const entry of this.#parts.cache.find(key, TYPE.SRV)) if (isDoubtful(entry, now)) this.#parts.cache.doubt(entry, now);
  }

  /** §10.5: another asked who there is, and did not know of these, and they did not answer. It does not answer itself. */
  listed(type: string, known: readonly DnsRecord[], by: string, now: number): void {
    const { cache } = this.#parts;
    const named = new Set(known.map(({ data }) => (data.kind === 'name' ? nameKey(data.target) : '')));
    for (const pointer of cache.pointers(type)) {
      const key = pointer.target ?? '';
      if (named.has(key) || pointer.state !== 'good' || this.#isFrom(key, by) || !isDoubtful(pointer, now)) continue;
      pointer.unanswered = 0;
      for (const entry of cache.find(key, TYPE.SRV)) cache.doubt(entry, now);
    }
  }

  #isFrom(key: string, address: string): boolean {
    const host = this.#instances.get(key)?.host;
    return host !== undefined && this.#parts.cache.set(host).some(({ record: { data } }) => data.kind === 'address' && data.address === address);
  }

  #locate(instance: Instance, now: number): void {
    const service = this.#parts.cache.newest(instance.key, TYPE.SRV);
    this.#move(instance, service?.record.data.kind === 'service' ? nameKey(service.record.data.target) : undefined, now);
  }

  #move(instance: Instance, host: string | undefined, now: number): void {
    const deserted = this.#hosts.move(instance, host);
    if (deserted !== undefined) for (const entry of this.#parts.cache.set(deserted)) this.#parts.cache.forget(entry, now);
  }

  /** It tells nothing of itself. */
  drop(instance: Instance, now: number): void {
    for (const entry of this.#pointersTo(instance)) this.#parts.cache.forget(entry, now);
    this.#remove(instance, now, true);
  }

  #pointersTo({ types, key }: Instance): Entry[] {
    return types.flatMap((type) => this.#parts.cache.pointer(nameKey(type), key) ?? []);
  }

  #remove(instance: Instance, now: number, expected: boolean): void {
    if (!this.#instances.delete(instance.key)) return;
    const { key, name, types: [type], at } = instance;
    if (!expected && at && type !== undefined) this.#parts.missed.add({ key, name, type, addresses: at }, now);
    this.#parts.resolver().forget(instance);
    for (const entry of this.#parts.cache.set(instance.key)) this.#parts.cache.forget(entry, now);
    this.#move(instance, undefined, now);
  }
}

/** RFC 6763 §7.1: `_printer._sub._http._tcp.local` is about instances of `_http._tcp.local`. */
function baseType(key: string): string {
  const at = key.lastIndexOf('._sub.');
  return at < 0 ? key : key.slice(at + '._sub.'.length);
}

/** Whether that is at least the second question that it leaves unanswered. */
function isDoubtful(entry: Entry, now: number): boolean {
  if (entry.unanswered++ === 0) {
    entry.unansweredSince = now;
    return false;
  }
  return now - entry.unansweredSince > UNANSWERED_TIME;
}
