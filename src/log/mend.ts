// After a repair LevelDB has what it could still read, and nobody knows what that is. Every row is compared with those it
// belongs to: what is left fits together afterwards, and what is not there is told as gaps.
import type { Clock } from '../clock.ts';
import { decodeBody, encodeBody } from './body.ts';
import { decodeRow } from './cbor.ts';
import { type Database, type Op, type Row, rowsOf, writeSynced } from './database.ts';
import type { SubscriptionRow } from './durable.ts';
import { dueAt, topicNumber } from './expiry.ts';
import { matcher } from './filter.ts';
import { type IndexRow, decodeIndex, encodeIndex, isItem } from './index-row.ts';
import { PREFIX, commitKey, cursorKey, expiryKey, getSeq, getU32, idKey, indexKey, keyText, prefixRange, putSeq, readerSeqOf, recordKey, topicKey } from './keys.ts';
import { decodeLost, lostRow } from './lost-range.ts';
import { gapInAll, type LostTopics, LostTally } from './lost-topics.ts';
import { namesOf } from './item-names.ts';
import { decodeProgress } from './progress-row.ts';
import { type GapInfo, type Header, decodeHeader, encodeRecord, recordBody, recordIntact, recordTopic } from './record.ts';
import { type TopicChange, decodeTopic, encodeTopic } from './topics.ts';
import { type CommitRow, encodeCommit } from './window.ts';

export interface Hole extends LostTopics {
  readonly from: number;
  readonly to: number;
  /** Whether all of them are known to be lost; else some may have been deleted before. */
  readonly exact: boolean;
}

export interface Mended {
  readonly holes: readonly Hole[];
  /** Rows that were put right: indexes, ids, counters. */
  readonly changed: number;
  /** Topics whose names are lost, by the names they go by now. */
  readonly renamed: readonly string[];
}

/** Rows of a gap in place of those records, which are `cleared`; one `before` that ends where they begin goes on with them. */
export function gapRows(hole: Hole, clock: Clock, before?: GapInfo): Op[] {
  const { from, to, exact, topics, others } = hole;
  const at = before?.from ?? from;
  const lost: GapInfo = { from, to, reason: 'corrupt', ...(exact && { count: to - from + 1 }), ...(topics && { topics }), ...(others && { others }) };
  const gap: GapInfo = before ? { ...gapInAll(before, lost), reason: 'corrupt' } : lost;
  const header = { kind: 'gap' as const, topic: 0, previous: 0, wall: clock.wall(), mono: clock.mono(), trusted: clock.isSet() };
  const row = encodeRecord(header, encodeBody({ topic: '', kind: 'gap', gap }));
  const commit: CommitRow = { first: from, count: to - from + 1, crc: 0, bytes: before === undefined ? row.length : 0, hole: true, oldest: from };
  // Until it is in the ledger (log.ts), where nothing can be written yet.
  const [key, value] = lostRow('', lost);
  return [
    { key: recordKey(at), value: row },
    { key: indexKey(0, at), value: encodeIndex({ state: 'live', item: false, size: row.length, ordinal: 0 }) },
    { key: commitKey(from), value: encodeCommit(commit) },
    { key, value },
  ];
}

/** Deletes what there still is of those records: of millions that are lost in a row there may be none. */
export async function cleared(database: Database, { from, to }: Hole): Promise<void> {
  for await (const page of rowsOf(database, { gte: recordKey(from), lt: recordKey(to + 1) })) await writeSynced(database, page.map(([key]) => ({ key })));
}

/** The hole, with the topics of those records in it of which they are known; `known`: by their positions, in order. */
export function withTopics(hole: Hole, known: readonly (readonly [seq: number, topic: string])[]): Hole {
  const { from, to, exact } = hole;
  const tally = new LostTally();
  let left = to - from + 1;
  for (let i = firstAtOrAfter(known, from); i < known.length && known[i]![0] <= to; i++) {
    const [seq, topic] = known[i]!;
    // Where not all are known to be lost, more of the topic may be, before it.
    tally.add(topic, exact ? seq : from, seq, exact ? 1 : undefined);
    left--;
  }
  if (!tally.range) return hole;
  if (left > 0) tally.add(undefined, from, to, exact ? left : undefined);
  return { ...hole, ...tally.found };
}

function firstAtOrAfter(known: readonly (readonly [seq: number, topic: string])[], seq: number): number {
  let [low, high] = [0, known.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (known[middle]![0] < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A durable reader: where it is, since when what it reads is kept for it, and what it has lost already. */
interface Awaiting { readonly position: number; readonly since: number; readonly lost: readonly GapInfo[]; readonly match: (topic: string) => boolean }

interface Known extends TopicChange { name: string; dirty: boolean; seen: number }

/** So many records in a row are not all deleted before their time; a table file that is lost takes as many and more. */
const MANY = 8;

/** The database is open and nobody else uses it. `damaged`: parts of it are known to be lost. `told` of each hole once it is a gap. */
export async function mend(database: Database, clock: Clock, damaged: boolean, told: (hole: Hole) => void = () => undefined): Promise<Mended> {
  const mending = new Mending(database, clock, damaged);
  await mending.load();
  await mending.records();
  await mending.indexes();
  await mending.ids();
  await mending.topics();
  return mending.end(told);
}

class Mending {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #topics = new Map<number, Known>();
  readonly #readers: Awaiting[] = [];
  readonly #asides = new Set<number>();
  readonly #holes: Hole[] = [];
  readonly #renamed: string[] = [];
  /** Positions whose index rows alone tell that they are lost. */
  readonly #traces = new Set<number>();
  /** Of what topic is what is lost, by position, as far as that is known. */
  readonly #topicOf = new Map<number, number>();
  #ops: Op[] = [];
  /** What takes the traces of a loss away: only once that is told. Cut off before, the next mending has to find it. */
  readonly #last: Op[] = [];
  #changed = 0;
  readonly #damaged: boolean;

  constructor(database: Database, clock: Clock, damaged: boolean) {
    this.#damaged = damaged;
    this.#database = database;
    this.#clock = clock;
  }

  async load(): Promise<void> {
    for await (const [key, value] of this.#rows(PREFIX.topic)) {
      const { name, ...topic } = decodeTopic(value);
      this.#topics.set(getU32(key, 1), { ...topic, name, dirty: false, seen: 0 });
    }
    for await (const [key] of this.#rows(PREFIX.aside)) this.#asides.add(readerSeqOf(key).seq);
    const lost = new Map<string, GapInfo[]>();
    for await (const row of this.#rows(PREFIX.lost)) {
      const { name, lost: range } = decodeLost(row);
      lost.set(name, [...lost.get(name) ?? [], range]);
    }
    for await (const [key, value] of this.#rows(PREFIX.subscription)) {
      const name = keyText(key);
      const place = await this.#database.get(cursorKey(name));
      const [filter, , , since = Infinity] = decodeRow<SubscriptionRow>(value);
      this.#readers.push({ position: place ? decodeProgress(place).position : 0, since, lost: lost.get(name) ?? [], match: matcher(filter) });
    }
  }

  /** Each record is whole, of a topic with a name, and has an index row; of what its topic had before it, nothing is missing that somebody waits for. */
  async records(): Promise<void> {
    let absent = { from: 1, to: 0 };
    const runs: { from: number; to: number }[] = [];
    for await (const page of pages(this.#database, PREFIX.record)) {
      const whole = page.filter(([, row]) => recordIntact(row));
      const found = await this.#database.getMany(whole.map(([key, row]) => indexKey(recordTopic(row), getSeq(key, 1))));
      const indexes = new Map(whole.map(([key], i) => [getSeq(key, 1), found[i]]));
      for (const [key, row] of page) {
        const seq = getSeq(key, 1);
        if (!indexes.has(seq)) {
          this.#ops.push({ key });
          continue;
        }
        if (seq > absent.from) runs.push({ from: absent.from, to: seq - 1 });
        absent = { from: seq + 1, to: 0 };
        const header = decodeHeader(row);
        if (header.topic === 0) {
          const { gap } = decodeBody(recordBody(row));
          if (gap) absent.from = Math.max(absent.from, gap.to + 1);
          if (!indexes.get(seq)) this.#index(0, seq, { state: 'live', item: false, size: row.length, ordinal: 0 });
          continue;
        }
        this.#chain(header, seq, runs);
        if (!indexes.get(seq)) this.#rebuild(header, seq, row);
      }
      await this.#flush();
    }
  }

  /** Each index row has its record; numbers rise; what a topic has is counted. */
  async indexes(): Promise<void> {
    for await (const page of pages(this.#database, PREFIX.index)) {
      const records = await this.#database.getMany(page.map(([key]) => recordKey(getSeq(key, 5))));
      for (const [i, [key, value]] of page.entries()) {
        const no = getU32(key, 1);
        const seq = getSeq(key, 5);
        const index = decodeIndex(value);
        const record = records[i];
        if (!record || recordTopic(record) !== no) {
          if (no === 0 || record) this.#ops.push({ key });
          else {
            this.#last.push({ key });
            this.#traces.add(seq);
          }
          if (no !== 0) this.#lose(seq, seq, true, seq, no);
          continue;
        }
        if (no !== 0) this.#count(no, seq, { ...index, size: record.length }, index);
      }
      await this.#flush();
    }
  }

  /** Each id names a live item that has it. */
  async ids(): Promise<void> {
    for await (const page of pages(this.#database, PREFIX.id)) {
      const rows = await this.#database.getMany(page.map(([key, value]) => indexKey(getU32(key, 1), getSeq(value, 0))));
      for (const [i, [key, value]] of page.entries()) {
        const row = rows[i];
        const index = row && !this.#traces.has(getSeq(value, 0)) ? decodeIndex(row) : undefined;
        if (index?.state !== 'live' || !namesOf(index).includes(Buffer.from(key.subarray(5)).toString())) this.#ops.push({ key });
      }
      await this.#flush();
    }
  }

  async topics(): Promise<void> {
    for (const [no, known] of this.#topics) {
      const { name, dirty, seen, ...topic } = known;
      const row = await this.#database.get(topicKey(no));
      const counted = this.#counted.get(no);
      // Its row was written with the newest of them. That may have been deleted since, and then its bytes were, too.
      const missing = topic.last > (counted?.last ?? seen) && (counted?.bytes ?? 0) < topic.bytes;
      if (missing) this.#lose(topic.last, topic.last, false, topic.last, no);
      const now = counted ? { ...topic, ...counted, first: Math.min(topic.first || counted.first, counted.first), last: Math.max(topic.last, counted.last), ordinal: Math.max(topic.ordinal, counted.ordinal) }
        : { ...topic, count: 0, viewBytes: 0, bytes: 0 };
      const value = encodeTopic(name, now);
      if (!dirty && row && Buffer.compare(row, value) === 0) continue;
      this.#last.push({ key: topicKey(no), value });
    }
  }

  async end(told: (hole: Hole) => void): Promise<Mended> {
    const holes = await this.#told();
    for (const hole of holes) {
      await cleared(this.#database, hole);
      await writeSynced(this.#database, gapRows(hole, this.#clock));
      told(hole);
    }
    this.#ops = this.#last;
    await this.#flush();
    return { holes, changed: this.#changed, renamed: this.#renamed };
  }

  readonly #counted = new Map<number, { first: number; last: number; count: number; viewBytes: number; bytes: number; ordinal: number }>();

  #count(no: number, seq: number, index: IndexRow, before: IndexRow): void {
    const topic = this.#topic(no);
    // What was put aside stays out of turn, before where its topic begins.
    const first = seq < topic.first && this.#asides.has(seq) ? Infinity : seq;
    const sum = this.#counted.get(no) ?? { first, last: seq, count: 0, viewBytes: 0, bytes: 0, ordinal: 0 };
    const ordinal = Math.max(index.ordinal, sum.ordinal + 1);
    if (ordinal !== before.ordinal || index.size !== before.size) this.#index(no, seq, { ...index, ordinal });
    const live = index.item && index.state === 'live' && seq >= topic.viewFrom;
    this.#counted.set(no, { first: Math.min(sum.first, first), last: seq, count: sum.count + (live ? 1 : 0), viewBytes: sum.viewBytes + (live ? index.size : 0), bytes: sum.bytes + index.size, ordinal });
  }

  #index(no: number, seq: number, index: IndexRow): void {
    this.#ops.push({ key: indexKey(no, seq), value: encodeIndex(index) });
  }

  /** An index row as it was written with the record, as far as the record tells; whether it has been replaced since, the id row does not say any more. */
  #rebuild({ kind, topic }: Header, seq: number, row: Uint8Array): void {
    const { lane, key } = this.#topic(topic).settings;
    // Where the topic has a key field, which value this one had is not known any more: it stays beside the others.
    const { id: own, expires: until } = decodeBody(recordBody(row));
    const id = own ?? (lane === 'latest' && key === undefined ? '' : undefined);
    const expires = until === undefined ? undefined : dueAt(until);
    this.#index(topic, seq, { state: 'live', item: isItem(kind), size: row.length, ordinal: 0, ...(isItem(kind) && { ...(id !== undefined && { id }), ...(expires !== undefined && { expires }) }) });
    if (expires !== undefined && isItem(kind)) this.#ops.push({ key: expiryKey(expires, seq), value: topicNumber(topic) });
    if (id !== undefined && isItem(kind)) this.#ops.push({ key: idKey(topic, id), value: u64(seq) });
  }

  #topic(no: number): Known {
    const known = this.#topics.get(no);
    if (known) return known;
    const name = `lost/${no}`;
    this.#renamed.push(name);
    const topic: Known = { name, settings: {}, viewFrom: 0, first: 0, last: 0, count: 0, viewBytes: 0, bytes: 0, ordinal: 0, deleted: false, ended: 0, replaced: 0, dirty: true, seen: 0 };
    this.#topics.set(no, topic);
    return topic;
  }

  /** Each record names the one before it in its topic. What is neither there nor deleted with leave of those who read it was lost. */
  #chain({ topic: no, previous }: Header, seq: number, runs: readonly { from: number; to: number }[]): void {
    const topic = this.#topic(no);
    const before = topic.seen;
    topic.seen = seq;
    if (previous <= before || previous < topic.first || topic.settings.lane === 'latest') return;
    // While a reader has a right to it, nothing deletes it.
    const awaited = this.#readers.some(({ position, since, lost, match }) => previous > Math.max(position, since) && !lost.some(({ from, to }) => from <= previous && previous <= to) && match(topic.name));
    for (let i = runs.length - 1; i >= 0; i--) {
      const { from, to } = runs[i]!;
      if (to <= before) break;
      if (from <= previous && (awaited || (this.#damaged && to - from + 1 >= MANY))) this.#lose(from, to, from === to, previous, no);
    }
  }

  /** That one of them was of the topic is known. */
  #lose(from: number, to: number, exact: boolean, seq: number, topic: number): void {
    this.#holes.push({ from, to, exact });
    this.#topicOf.set(seq, topic);
  }

  /** Holes without what is there after all, neighbours together. */
  async #told(): Promise<Hole[]> {
    const known = new Set(this.#holes.filter(({ exact }) => exact).map(({ from }) => from));
    const all = ({ from, to }: { from: number; to: number }): boolean => {
      for (let seq = from; seq <= to; seq++) if (!known.has(seq)) return false;
      return true;
    };
    const told: Hole[] = [];
    for (const hole of this.#holes.toSorted((a, b) => a.from - b.from || b.to - a.to)) {
      const last = told.at(-1);
      if (last && hole.to <= last.to) continue;
      if (hole.from === hole.to && await this.#database.get(recordKey(hole.from))) continue;
      const exact = hole.exact || all(hole);
      if (last && hole.from === last.to + 1) told[told.length - 1] = { from: last.from, to: hole.to, exact: last.exact && exact };
      else told.push({ from: hole.from, to: hole.to, exact });
    }
    const topics = Array.from(this.#topicOf, ([seq, no]) => [seq, this.#topic(no).name] as const).toSorted(([a], [b]) => a - b);
    return told.map((hole) => withTopics(hole, topics));
  }

  async *#rows(prefix: number): AsyncIterableIterator<Row> {
    for await (const page of rowsOf(this.#database, prefixRange(prefix))) yield* page;
  }

  async #flush(): Promise<void> {
    if (this.#ops.length === 0) return;
    this.#changed += this.#ops.length;
    await writeSynced(this.#database, this.#ops.splice(0));
  }
}

function pages(database: Database, prefix: number): AsyncIterableIterator<Row[]> {
  return rowsOf(database, prefixRange(prefix));
}

function u64(seq: number): Uint8Array {
  const bytes = new Uint8Array(8);
  putSeq(bytes, 0, seq);
  return bytes;
}
