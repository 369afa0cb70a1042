import { MAX_MESSAGE_BYTES } from './decode.ts';
import { DueQueue, type Due } from './due-queue.ts';
import { sameData, TYPE, type DnsRecord } from './message.ts';
import { nameKey } from './name.ts';

/** RFC 6762 §5.2: asked for again at these parts of its life, plus up to 2 %. */
const REFRESH_AT = [0.8, 0.85, 0.9, 0.95];
const REFRESH_JITTER = 0.02;
/** SRV is asked for first: its answer brings the addresses along, and their turn never comes. */
const ADDRESS_LATER = 0.025;
/** RFC 6762 §10.1, §10.2: a goodbye, or a successor, leaves a record one more second. */
const LAST_SECOND = 1000;
/** RFC 6762 §10.4: a doubted record is asked for at once, after 1 s, 3 s, and so on, for as long as it has to be confirmed. */
const DOUBT_GAP = 1000;
const DOUBT_TIME = 5000;
/** Nobody remembers us for longer; a longer TTL is cut to this. Seconds. */
const MAX_TTL = 4500;
/** Records of one name and type, shared ones apart: addresses of one host, say. */
const MAX_SET = 16;
/** Of where an instance is, and of what it says: one is enough, and the next may come before the last has gone (§10.2). */
const MAX_OWN = 2;
/** RFC 6763 §6.2: hardly any TXT is longer. What is shorter has room wherever its record has. */
const USUAL_BYTES = 1024;

/** Records in one packet: the shortest has a name of one byte or two and ten more. */
const MAX_RECORDS = Math.floor(MAX_MESSAGE_BYTES / 11);

const NONE: readonly Entry[] = [];

export interface Entry extends Due {
  readonly record: DnsRecord;
  readonly owner: string;
  /** Key of the name that it leads to, if it is a pointer. */
  readonly target: string | undefined;
  received: number;
  /** When it was last said. */
  heard: number;
  /** Grows with each renewal: the newest of a set has the largest. */
  turn: number;
  /** Milliseconds. */
  lifetime: number;
  expires: number;
  /** How often it was asked for again. */
  stage: number;
  state: 'good' | 'doubted' | 'leaving' | 'gone';
  /** Its owner took it back (§10.1). */
  farewell: boolean;
  /** Questions by others that were heard but not answered (§10.5), and since when. */
  unanswered: number;
  unansweredSince: number;
}

export interface CacheParts {
  readonly random: () => number;
  /** Records in all. */
  readonly limit: number;
  /** Seconds that a record is believed at least. */
  readonly least?: number;
  /** Bytes of their data beyond what is usual: one TXT record may be as long as a packet. */
  readonly bytes: number;
  /** It is new, or gone, or the newest of its set again. */
  readonly changed: (entry: Entry, now: number) => void;
  readonly refresh: (entry: Entry, now: number) => void;
  readonly goodbye: (entry: Entry, now: number) => void;
}

/** RFC 6762 §10: records others told, until their time is over. */
export class Cache {
  readonly #parts: CacheParts;
  /** PTR records: many to a name, found by what they point at. */
  readonly #pointers = new Map<string, Map<string, Entry>>();
  /** All others: few to a name. */
  readonly #sets = new Map<string, Entry[]>();
  readonly #queue = new DueQueue<Entry>();
  #size = 0;
  #bytes = 0;
  #turn = 0;
  #version = 0;

  constructor(parts: CacheParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#size;
  }

  /** Whether whatever one packet may hold can be taken. */
  get isRoomy(): boolean {
    return this.#size + MAX_RECORDS <= this.#parts.limit && this.#bytes + MAX_MESSAGE_BYTES <= this.#parts.bytes;
  }

  /** Another one whenever a record has come or gone, or is not as good as it was. */
  get version(): number {
    return this.#version;
  }

  /** Places in the queue of what is to be done; see `DueQueue`. */
  get places(): number {
    return this.#queue.places;
  }

  /** Whether it was taken; not when there is no room. */
  put(record: DnsRecord, owner: string, now: number): boolean {
    const known = this.said(record, owner);
    if (record.ttl === 0) {
      if (known && known.state !== 'leaving') {
        this.#leave(known, now);
        known.farewell = true;
        this.#parts.goodbye(known, now);
      }
      return true;
    }
    if (known) this.renew(known, record.ttl, now);
    else if (!this.#insert(record, owner, targetOf(record), now)) return false;
    // §10.2: what came before this set began is no longer true. Shared PTR sets are never whole.
    if (record.flush && record.type !== TYPE.PTR) this.#flush(owner, record.type, now);
    return true;
  }

  /** What is known in the same words. */
  said(record: DnsRecord, owner: string): Entry | undefined {
    const target = targetOf(record);
    return target === undefined ? this.#same(record, owner) : this.pointer(owner, target);
  }

  /** The PTR record from one key to another. */
  pointer(owner: string, target: string): Entry | undefined {
    return this.#pointers.get(owner)?.get(target);
  }

  pointers(owner: string): Iterable<Entry> {
    return this.#pointers.get(owner)?.values() ?? NONE;
  }

  /** Others than PTR, newest first. */
  find(owner: string, type: number): Entry[] {
    const found = this.set(owner).filter((entry) => entry.record.type === type);
    return found.length > 1 ? found.toSorted((a, b) => b.turn - a.turn) : found;
  }

  /** The newest of them. */
  newest(owner: string, type: number): Entry | undefined {
    let newest: Entry | undefined;
    for (const entry of this.set(owner)) if (entry.record.type === type && (!newest || entry.turn > newest.turn)) newest = entry;
    return newest;
  }

  /** All of a name but PTR. */
  set(owner: string): readonly Entry[] {
    return this.#sets.get(owner) ?? NONE;
  }

  forget(entry: Entry, now: number): void {
    if (entry.state === 'gone') return;
    entry.state = 'gone';
    this.#version++;
    this.#queue.remove(entry);
    this.#size--;
    this.#bytes -= bytesOf(entry.record);
    this.#remove(entry);
    this.#parts.changed(entry, now);
  }

  /** §10.4: asks for it, and lets it go if nobody says it again within `time`, ms. `asked`: it is being asked for already. */
  doubt(entry: Entry, now: number, asked = false, time: number = DOUBT_TIME): void {
    if (entry.state !== 'good') return;
    entry.state = 'doubted';
    this.#version++;
    entry.stage = asked ? 1 : 0;
    entry.received = now;
    entry.expires = Math.min(entry.expires, now + time);
    this.#plan(entry);
  }

  next(): number {
    return this.#queue.next();
  }

  tick(now: number): void {
    for (const entry of this.#queue.take(now)) {
      if (entry.state === 'gone') continue;
      if (now >= entry.expires) {
        this.forget(entry, now);
        continue;
      }
      entry.stage++;
      this.#plan(entry);
      this.#parts.refresh(entry, now);
    }
  }

  #same(record: DnsRecord, owner: string): Entry | undefined {
    for (const entry of this.set(owner)) if (entry.record === record || sameData(entry.record, record)) return entry;
    return undefined;
  }

  #insert(record: DnsRecord, owner: string, target: string | undefined, now: number): boolean {
    // Whoever is known may always say something else: strangers who fill all the room would else keep it from being heard.
    const replaced = this.#fits(record) ? this.#superfluous(owner, record.type) : this.#oldest(owner, record.type);
    if (!this.#fits(record, replaced?.record)) return false;
    const entry: Entry = {
      record, owner, target, received: now, heard: now, turn: 0, lifetime: 0, expires: 0, stage: 0, state: 'good', farewell: false,
      unanswered: 0, unansweredSince: 0, due: Infinity, queued: Infinity,
    };
    if (target === undefined) {
      const set = this.#sets.get(owner);
      if (set) set.push(entry);
      else this.#sets.set(owner, [entry]);
    } else {
      const named = this.#pointers.get(owner);
      if (named) named.set(target, entry);
      else this.#pointers.set(owner, new Map([[target, entry]]));
    }
    this.#size++;
    this.#version++;
    this.#bytes += bytesOf(record);
    this.renew(entry, record.ttl, now, true);
    // Not before: an instance is not lost because it says something else.
    if (replaced) this.forget(replaced, now);
    return true;
  }

  #remove(entry: Entry): void {
    const { owner, target } = entry;
    if (target !== undefined) {
      const named = this.#pointers.get(owner);
      named?.delete(target);
      if (named?.size === 0) this.#pointers.delete(owner);
      return;
    }
    const rest = this.set(owner).filter((other) => other !== entry);
    if (rest.length > 0) this.#sets.set(owner, rest);
    else this.#sets.delete(owner);
  }

  #flush(owner: string, type: number, now: number): void {
    for (const other of this.set(owner)) {
      if (other.record.type === type && now - other.received > LAST_SECOND && other.state !== 'leaving') this.#leave(other, now);
    }
  }

  /** Whether there is room, `instead` of another or beside all there are. */
  #fits(record: DnsRecord, instead?: DnsRecord): boolean {
    const { limit, bytes } = this.#parts;
    return this.#size - Number(instead !== undefined) < limit && this.#bytes - (instead ? bytesOf(instead) : 0) + bytesOf(record) <= bytes;
  }

  /** A set that grows without end is somebody's mistake or malice: its oldest goes. */
  #superfluous(owner: string, type: number): Entry | undefined {
    const most = type === TYPE.SRV || type === TYPE.TXT ? MAX_OWN : MAX_SET;
    const set = this.set(owner);
    if (set.length < most || set.filter((entry) => entry.record.type === type).length < most) return undefined;
    return this.#oldest(owner, type);
  }

  #oldest(owner: string, type: number): Entry | undefined {
    let oldest: Entry | undefined;
    for (const entry of this.set(owner)) if (entry.record.type === type && (!oldest || entry.turn < oldest.turn)) oldest = entry;
    return oldest;
  }

  /** It is said again, or for the first time; `ttl` in seconds. */
  renew(entry: Entry, ttl: number, now: number, isNew: boolean = false): void {
    const again = entry.state === 'leaving';
    entry.received = now;
    entry.heard = now;
    entry.turn = ++this.#turn;
    entry.lifetime = Math.max(Math.min(ttl, MAX_TTL), this.#parts.least ?? 0) * 1000;
    entry.expires = now + entry.lifetime;
    entry.stage = 0;
    entry.state = 'good';
    entry.farewell = false;
    entry.unanswered = 0;
    this.#plan(entry);
    if (isNew || again) this.#parts.changed(entry, now);
  }

  #leave(entry: Entry, now: number): void {
    entry.state = 'leaving';
    this.#version++;
    entry.expires = Math.min(entry.expires, now + LAST_SECOND);
    this.#plan(entry);
  }

  #plan(entry: Entry): void {
    entry.due = entry.expires;
    if (entry.state === 'good') {
      const part = REFRESH_AT[entry.stage];
      if (part !== undefined) {
        const later = entry.record.data.kind === 'address' ? ADDRESS_LATER : 0;
        entry.due = entry.received + entry.lifetime * (part + later + this.#parts.random() * REFRESH_JITTER);
      }
    } else if (entry.state === 'doubted') {
      entry.due = Math.min(entry.received + DOUBT_GAP * (2 ** entry.stage - 1), entry.expires);
    }
    this.#queue.add(entry);
  }
}

/** Key of what a pointer leads to. */
function targetOf({ data }: DnsRecord): string | undefined {
  return data.kind === 'name' ? nameKey(data.target) : undefined;
}

function bytesOf({ data }: DnsRecord): number {
  return data.kind === 'bytes' ? Math.max(0, data.bytes.length - USUAL_BYTES) : 0;
}
