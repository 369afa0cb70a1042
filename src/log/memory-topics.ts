import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { appended, type Appended, notFound, samePayload } from './appended.ts';
import type { Epoch, Epochs } from './epochs.ts';
import { Evicted } from './evicted.ts';
import { isItem } from './index-row.ts';
import { ItemLine } from './item-line.ts';
import type { LogLimits } from './limits.ts';
import type { MemoryEntry } from './memory-entry.ts';
import { firstInMemory, isInMemory } from './memory-seq.ts';
import { type HeldItem, MemoryTopic } from './memory-topic.ts';
import { originName, Origins, take } from './origins.ts';
import { replaces } from './item-names.ts';
import { type Accepted, acceptedOf, isOlder } from './precedence.ts';
import { formatRecordId } from './record-id.ts';
import { type Draft, HEADER_BYTES, type Stamp } from './record.ts';
import { entryBytes, Ring, type RingEntry } from './ring.ts';
import { maxAge, noRoom, overfull } from './room.ts';
import type { Topic } from './topics.ts';
import type { TrustedTime } from './trusted-time.ts';

export interface MemoryParts {
  readonly clock: Clock;
  readonly limits: LogLimits;
  readonly time: TrustedTime;
  readonly epochs: Epochs;
  /** A record of the topic is there to be read. */
  readonly arrived: (topic: Topic, seq: number) => void;
}

const NOTHING: readonly HeldItem[] = [];

/**
 * Topics whose records never touch the disk: they stand in a ring of their own, from which readers that are not durable take them,
 * and the items of each in its view. What is said of the topic itself (its settings, its end) is on disk like that of any other.
 */
export class MemoryTopics {
  readonly ring: Ring<MemoryEntry>;
  readonly evicted: Evicted = new Evicted();
  readonly #parts: MemoryParts;
  readonly #byName = new Map<string, MemoryTopic>();
  /** The items of all views. */
  readonly #all: ItemLine<MemoryTopic> = new ItemLine();
  #bytes = 0;
  /** What was taken of other boxes' memory. */
  readonly #origins = new Origins();
  #next = firstInMemory();
  /** Where those of this opening of the store begin, and what their ids begin with. */
  #opened = this.#next;
  #boot = '';
  #idPrefix = '';

  constructor(parts: MemoryParts) {
    this.#parts = parts;
    this.ring = new Ring(parts.limits.memoryRingBytes, ({ seq, topic }) => this.evicted.push(seq, topic));
  }

  get(name: string): MemoryTopic | undefined {
    return this.#byName.size === 0 ? undefined : this.#byName.get(name);
  }

  topics(): IterableIterator<MemoryTopic> {
    return this.#byName.values();
  }

  /** Whether it is for here: an item of such a topic, or what another box has in its memory. */
  takes({ kind, topic, origin }: Draft): boolean {
    if (origin) return isInMemory(origin.seq);
    return kind !== 'configure' && kind !== 'delete' && this.get(topic) !== undefined;
  }

  /** A new epoch has begun, with these topics. What is in memory outlives the reopening of the database. */
  begin(topics: Iterable<Topic>, { box, name }: Epoch): void {
    this.#opened = this.#next;
    this.#boot = name;
    this.#idPrefix = `${box}-${name}-`;
    const there = new Map<string, Topic>();
    for (const topic of topics) {
      there.set(topic.name, topic);
      this.settle(topic);
    }
    for (const { topic } of this.#byName.values()) if (there.get(topic.name) !== topic || topic.deleted) this.close(topic);
  }

  /** Its settings are on disk. */
  settle(topic: Topic): void {
    if (topic.settings['storage'] === 'memory' && !topic.deleted) this.open(topic);
  }

  open(topic: Topic): MemoryTopic {
    const known = this.#byName.get(topic.name);
    if (known?.topic === topic) return known;
    const opened = new MemoryTopic(topic, this.#next, (entry, time) => this.isSince(entry, time));
    this.#byName.set(topic.name, opened);
    return opened;
  }

  /** It is no topic in memory any more; what readers have yet to take stays for them. */
  close({ name }: Topic): void {
    const memory = this.get(name);
    if (!memory) return;
    this.#clear(memory);
    this.#byName.delete(name);
  }

  /** At once: there is nothing to wait for. `head`: the newest record on disk. */
  append(memory: MemoryTopic, draft: Draft, head: number): Appended | LanpostError {
    const { kind, origin } = draft;
    if (origin && !this.#takeOrigin(draft)) return appended(0, formatRecordId(origin), true, draft);
    this.trim(memory);
    const names = replaces(draft, memory.settings.lane);
    const priors = names.length === 0 ? NOTHING : priorsOf(memory, names);
    const bytes = sizeOf(draft);
    if (!origin) {
      const [first] = priors;
      if (first?.entry && kind === 'publish' && draft.id !== undefined && memory.find(draft.id) === first && samePayload(first.entry.draft.payload, draft.payload)) {
        this.#prolong(first, draft.expires);
        return appended(first.seq, first.entry.recordId, true, draft);
      }
      if (kind === 'retract' && (!first || (draft.meant ?? first.seq) !== first.seq)) return notFound(draft);
      const refusal = kind === 'publish' && memory.settings.full === 'reject' ? this.#noRoom(memory, priors, bytes) : undefined;
      if (refusal) return refusal;
    }
    // What its box accepted after it may be here already, by another road: that stays, and this has been replaced.
    const accepted = acceptedOf(draft, draft.stamp, true);
    const replaced = accepted ? priors.filter(({ entry }) => !entry || !isOlder(accepted, acceptedOf(entry.draft, entry.stamp))) : priors;
    const late = replaced.length < priors.length;
    if (late && origin && memory.settings.lane === 'latest') return appended(0, formatRecordId(origin), true, draft);
    for (const prior of replaced) this.#leave(prior);
    if (kind === 'purge' || kind === 'delete') this.#clear(memory, accepted);
    const seq = this.#next++;
    const recordId = origin ? formatRecordId(origin) : `${this.#idPrefix}${seq}`;
    memory.records++;
    const entry: MemoryEntry = {
      seq, topic: memory.topic, draft, previous: memory.last, recordId, stamp: this.#stamp(draft), bytes, ordinal: memory.ordinal, record: undefined, stale: false, after: head,
    };
    memory.newest = seq;
    this.ring.push(entry);
    if (isItem(kind) && !late) this.#hold(memory, entry, origin && draft.id === undefined ? [...names, recordId] : names);
    this.#parts.arrived(memory.topic, seq);
    return appended(seq, recordId, false, draft);
  }

  /** The view gives up what it holds beyond what it may, and what is too old. */
  trim(memory: MemoryTopic): void {
    const { clock, limits, time } = this.#parts;
    for (let { first } = memory.line; first && overfull({ limits }, memory); { first } = memory.line) this.#leave(first);
    const age = maxAge(memory.settings);
    if (age !== undefined) {
      const oldest = clock.mono() - age;
      for (let { first } = memory.line; first?.entry && first.entry.stamp.mono <= oldest; { first } = memory.line) this.#leave(first);
    }
    const now = memory.expires === Infinity ? undefined : time.now();
    if (now !== undefined && memory.expires <= now) this.#expire(memory, now);
  }

  /** When they were accepted has become known. */
  restamp(): void {
    const { epochs } = this.#parts;
    const stampOf = ({ seq, stamp }: RingEntry): Stamp => ({ ...stamp, ...epochs.timeOf(seq, stamp) });
    this.ring.restamp(stampOf);
    for (const entry of this.#all.from(0)) {
      if (entry.stamp.trusted) continue;
      entry.stamp = stampOf(entry);
      entry.record = undefined;
    }
  }

  /** Whether it was accepted then or later, or may have been. */
  isSince({ seq, stamp }: MemoryEntry, time: number): boolean {
    return (this.#parts.epochs.acceptedAt(seq, stamp) ?? Infinity) >= time;
  }

  /** The items of all views from `seq` on, oldest first. */
  items(seq: number): IterableIterator<MemoryEntry> {
    return this.#all.from(seq);
  }

  /** Whether it was accepted since the store was opened last. */
  isOfThisEpoch(seq: number): boolean {
    return seq >= this.#opened;
  }

  /** Of a record that is not kept. */
  recordId(seq: number): string {
    return `${this.#idPrefix}${seq}`;
  }

  #takeOrigin({ origin, topic }: Draft): boolean {
    if (!origin) return true;
    const name = originName(origin, topic);
    const mark = take(this.#origins.get(name), origin.seq, origin.previous);
    if (!mark) return false;
    for (const outdated of this.#origins.outdated([name])) this.#origins.delete(outdated);
    this.#origins.set(name, mark);
    return true;
  }

  #noRoom(memory: MemoryTopic, priors: readonly HeldItem[], size: number): LanpostError | undefined {
    const bytes = priors.reduce((sum, { entry }) => sum + (entry?.bytes ?? 0), 0);
    return noRoom(this.#parts, memory, memory.name, { count: priors.length, bytes }, () => size);
  }

  #stamp({ stamp: given }: Draft): Stamp {
    const { clock } = this.#parts;
    const stamp = { wall: clock.wall(), mono: clock.mono(), boot: this.#boot, trusted: clock.isSet() };
    return given ? { ...stamp, ...given, elsewhere: true } : stamp;
  }

  #hold(memory: MemoryTopic, entry: MemoryEntry, names: readonly string[]): void {
    const held: HeldItem = { seq: entry.seq, of: memory, names, entry };
    memory.line.push(held);
    this.#all.push(held);
    for (const name of names) memory.names.set(name, held);
    memory.viewBytes += entry.bytes;
    memory.expires = Math.min(memory.expires, entry.draft.expires ?? Infinity);
    this.#bytes += entryBytes(entry);
    this.trim(memory);
    for (let { first } = this.#all; first && this.#bytes > this.#parts.limits.memoryViewBytes; { first } = this.#all) this.#leave(first);
  }

  /** Who says the same again may say that it is good for longer. Undefined: for ever. */
  #prolong(held: HeldItem, expires: number | undefined): void {
    if (!held.entry || (expires ?? Infinity) <= until(held.entry)) return;
    const { expires: _, ...draft } = held.entry.draft;
    held.entry = { ...held.entry, draft: expires === undefined ? draft : { ...draft, expires }, record: undefined };
  }

  #leave(held: HeldItem | undefined): void {
    if (!held?.entry) return;
    const { entry, of: memory, names } = held;
    held.entry = undefined;
    memory.line.left();
    this.#all.left();
    for (const name of names) if (memory.names.get(name) === held) memory.names.delete(name);
    memory.viewBytes -= entry.bytes;
    this.#bytes -= entryBytes(entry);
  }

  /** But for what is newer than `before`. */
  #clear(memory: MemoryTopic, before?: Accepted): void {
    // The line closes up while they leave.
    const items = [...memory.line.from(0)];
    for (const { seq, draft, stamp } of items) if (!isOlder(before, acceptedOf(draft, stamp))) this.#leave(memory.line.at(seq));
    if (!memory.line.first) memory.expires = Infinity;
  }

  #expire(memory: MemoryTopic, now: number): void {
    const items = [...memory.line.from(0)];
    for (const { seq } of items.filter((entry) => until(entry) <= now)) this.#leave(memory.line.at(seq));
    memory.expires = items.reduce((next, entry) => (until(entry) <= now ? next : Math.min(next, until(entry))), Infinity);
  }
}

/** The items with these names, each once. */
function priorsOf(memory: MemoryTopic, names: readonly string[]): readonly HeldItem[] {
  const found: HeldItem[] = [];
  for (const name of names) {
    const prior = memory.find(name);
    if (prior && found[0] !== prior) found.push(prior);
  }
  return found;
}

/** About what the record would have on disk. */
function sizeOf({ payload, id, publisher }: Draft): number {
  return HEADER_BYTES + (payload ? payload.bytes.length + payload.contentType.length : 0) + (id?.length ?? 0) + (publisher?.length ?? 0);
}

/** Until when an item is good. */
function until({ draft: { expires = Infinity } }: RingEntry): number {
  return expires;
}
