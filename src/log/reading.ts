import { decodeBody } from './body.ts';
import type { RangeOptions, Row } from './database.ts';
import { decodeIndex } from './index-row.ts';
import { getSeq, indexKey, recordKey } from './keys.ts';
import { type Found, Leftovers, type Merged } from './leftovers.ts';
import { PAGE_BYTES, PAGE_RECORDS } from './limits.ts';
import { type GapInfo, type Header, type LogRecord, decodeHeader, recordBody, recordIntact, recordTopic } from './record.ts';
import type { LogState } from './state.ts';
import type { Topic } from './topics.ts';

/** Up to so many topics are read by their index; more by scanning the records. */
const MAX_MERGED = 256;
const AT_ONCE = 32;
/** Index rows looked through for one count, a page at a time; what there is beyond them is counted by ordinals. */
const COUNTED_PAGES = 16;
const COUNTED_ROWS = 1000;

export interface Page {
  readonly records: LogRecord[];
  /** Where the next page begins. */
  readonly next: number;
}

/** Reads records from disk, in pages, always seeking to where the reader is. */
export class Reading {
  readonly #state: LogState;
  readonly #leftovers = new Leftovers();

  constructor(state: LogState) {
    this.#state = state;
  }

  /** Records of these topics from `from` up to `to`, at most `max`. */
  async page(topics: readonly Topic[], from: number, to: number, max: number): Promise<Page> {
    const wanted = topics.filter((topic) => topic.stored && topic.last >= from);
    if (wanted.length === 0 && !this.#state.gaps.some((gap) => gap >= from)) return { records: [], next: to + 1 };
    const limit = Math.min(max, PAGE_RECORDS);
    return this.#retry(async () => {
      if (this.#wide(wanted)) return this.#scan(new Set(wanted.map((topic) => topic.no)), from, to, limit);
      const epoch = this.#state.epochs.current?.name ?? '';
      const merged = this.#leftovers.take(from, to, wanted, epoch) ?? await this.#merge(wanted, from, to, limit);
      const { found, next } = cut(merged, limit, PAGE_BYTES);
      this.#leftovers.keep(next, wanted, epoch, { found: merged.found.slice(found.length), bound: merged.bound });
      return { records: await this.#indexed(found), next };
    });
  }

  /** Positions and sizes of the records of these topics from `from` up to `to`, without reading them: at most `max`. */
  async walk(topics: readonly Topic[], from: number, to: number, max: number): Promise<{ found: readonly Found[]; next: number }> {
    const wanted = topics.filter((topic) => topic.stored && topic.last >= from);
    if (wanted.length === 0) return { found: [], next: to + 1 };
    return this.#retry(async () => {
      if (wanted.length > MAX_MERGED) return this.#sizes(new Map(wanted.map((topic) => [topic.no, topic])), from, to, max);
      return cut(await this.#merge(wanted, from, to, max), max, Infinity);
    });
  }

  async #sizes(topics: ReadonlyMap<number, Topic>, from: number, to: number, max: number): Promise<{ found: Found[]; next: number }> {
    const rows = await this.#state.database.range({ gte: recordKey(from), lte: recordKey(to), limit: max, bytes: PAGE_BYTES });
    const found = rows.flatMap(([key, row]): Found[] => {
      const topic = topics.get(recordTopic(row));
      return topic ? [{ seq: getSeq(key, 1), size: row.length, topic }] : [];
    });
    const last = rows.at(-1);
    return { found, next: last ? getSeq(last[0], 1) + 1 : to + 1 };
  }

  /** These records; what has been deleted is left out. */
  async bySeqs(seqs: readonly number[]): Promise<LogRecord[]> {
    return this.#retry(() => this.#records(seqs.map((seq) => ({ seq }))));
  }

  /** A page of index rows of one topic, as seq and row. */
  async index(topic: Topic, range: { from: number; to: number; limit: number; reverse?: boolean }): Promise<{ seq: number; row: ReturnType<typeof decodeIndex> }[]> {
    const { from, to, limit, reverse = false } = range;
    const rows = await this.range({ gte: indexKey(topic.no, from), lte: indexKey(topic.no, to), limit, reverse });
    return rows.map(([key, value]) => ({ seq: getSeq(key, 5), row: decodeIndex(value) }));
  }

  /** The topic's newest records within these ranges and below `before`, newest first. */
  async newest(topic: Topic, ranges: readonly (readonly [from: number, to: number])[], before: number, max: number): Promise<LogRecord[]> {
    const seqs: number[] = [];
    for (const [from, to] of ranges.toReversed()) {
      let end = Math.min(to, before - 1);
      while (seqs.length < max && from <= end) {
        const page = await this.index(topic, { from, to: end, limit: max - seqs.length, reverse: true });
        for (const { seq } of page) seqs.push(seq);
        end = (page.at(-1)?.seq ?? from) - 1;
      }
    }
    return this.bySeqs(seqs);
  }

  /** Records of the topic ever appended from `from` up to `to`. */
  async count(topic: Topic, from: number, to: number): Promise<number> {
    return await this.#ordinal(topic, to + 1) - await this.#ordinal(topic, from);
  }

  /** Of those, what readers still get: in the lane `latest` what has been replaced is nobody's any more. Of very many, at most so many. */
  async left(topic: Topic, from: number, to: number): Promise<number> {
    if (topic.settings.lane !== 'latest') return this.count(topic, from, to);
    let sum = 0;
    let next = from;
    for (let pages = 0; pages < COUNTED_PAGES; pages++) {
      const rows = await this.index(topic, { from: next, to: Math.min(to, topic.last), limit: COUNTED_ROWS });
      sum += rows.filter(({ row }) => row.state === 'live').length;
      if (rows.length < COUNTED_ROWS) return sum;
      next = rows.at(-1)!.seq + 1;
    }
    return sum + await this.count(topic, next, to);
  }

  /** Of the first record of the topic at or after `seq`; the next one to be had when there is none. */
  async #ordinal(topic: Topic, seq: number): Promise<number> {
    if (seq > topic.last) return topic.ordinal + 1;
    const [next] = await this.index(topic, { from: seq, to: topic.last, limit: 1 });
    return next?.row.ordinal ?? topic.ordinal + 1;
  }

  async range(options: RangeOptions): Promise<Row[]> {
    return this.#retry(() => this.#state.database.range(options));
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#retry(() => this.#state.database.get(key));
  }

  async getMany(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return this.#retry(() => this.#state.database.getMany(keys));
  }

  /**
   * First seq accepted at or after `time`; the head plus one when there is none. What was accepted when no time was known, and may have been at or after it, is included.
   */
  async seqAt(time: number): Promise<number> {
    const { epochs, head } = this.#state;
    let maybe: number | undefined;
    for (const [i, epoch] of epochs.all.entries()) {
      const end = (epochs.all[i + 1]?.from ?? head + 1);
      const [first] = await this.range({ gte: recordKey(epoch.from), lt: recordKey(end), limit: 1 });
      if (!first) continue;
      const header = decodeHeader(first[1]);
      const accepted = epochs.acceptedAt(epoch.from, header);
      if (accepted === undefined) {
        maybe ??= epoch.from;
        continue;
      }
      // Monotonic time alone grows from record to record.
      const found = await this.#firstWithin(epoch.from, end, ({ mono }) => accepted + mono - header.mono >= time);
      if (found < end) return maybe ?? found;
      maybe = undefined;
    }
    return maybe ?? head + 1;
  }

  /** First seq for which it holds, and then for all that follow; `end` when there is none. */
  async #firstWithin(from: number, end: number, holds: (header: Header) => boolean): Promise<number> {
    let low = from;
    let high = end;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const [row] = await this.range({ gte: recordKey(middle), lt: recordKey(high), limit: 1 });
      if (!row) high = middle;
      else if (holds(decodeHeader(row[1]))) high = middle;
      else low = getSeq(row[0], 1) + 1;
    }
    return low;
  }

  /** `found`: the topic whose index it is in, where that is known: a damaged row is not asked. */
  decode(seq: number, row: Uint8Array, found?: Topic): LogRecord {
    const { epochs, topics } = this.#state;
    const no = recordTopic(row);
    const name = no === 0 ? '' : topics.byNo.get(no)?.name;
    const epoch = epochs.at(seq);
    if (name === undefined || !recordIntact(row)) return this.#lost(seq, found);
    const header = decodeHeader(row);
    const { kind, previous, mono } = header;
    const body = decodeBody(recordBody(row));
    const { origin } = body;
    const recordId = origin ? `${origin.box}-${origin.epoch}-${origin.seq}` : epochs.recordId(seq);
    return { seq, topic: name, kind, previous, recordId, stamp: { ...epochs.timeOf(seq, header), mono, boot: epoch.name }, ...body };
  }

  /** What its reader gets in place of a damaged record. */
  #lost(seq: number, topic?: Topic): LogRecord {
    const { epochs, trouble } = this.#state;
    trouble({ kind: 'log.corrupt', message: `Record ${seq} is damaged.`, code: 'corrupt' });
    return {
      seq, topic: '', kind: 'gap', previous: 0, recordId: epochs.recordId(seq),
      stamp: { wall: 0, mono: 0, boot: epochs.at(seq).name, trusted: false }, gap: damagedAt(seq, topic),
    };
  }

  /** A scan of everything pays when most of it is wanted. */
  #wide(topics: readonly Topic[]): boolean {
    if (topics.length > MAX_MERGED) return true;
    let bytes = 0;
    for (const topic of topics) bytes += topic.bytes;
    return bytes * 2 >= this.#state.bytes && !topics.some((topic) => topic.settings.lane === 'latest');
  }

  async #scan(topics: ReadonlySet<number>, from: number, to: number, limit: number): Promise<Page> {
    const records: LogRecord[] = [];
    let next = from;
    let bytes = 0;
    // Where most is wanted, as many rows are enough; the rest of a page is read only when they were not.
    for (const rows of [limit, PAGE_RECORDS - limit]) {
      if (rows <= 0 || records.length >= limit || bytes >= PAGE_BYTES || next > to) break;
      const read = await this.#state.database.range({ gte: recordKey(next), lte: recordKey(to), limit: rows, bytes: PAGE_BYTES - bytes });
      if (read.length === 0) return { records, next: to + 1 };
      for (const [key, row] of read) {
        if (records.length >= limit) break;
        const seq = getSeq(key, 1);
        const no = recordTopic(row);
        // A number that no topic has is damaged.
        if (no === 0 || topics.has(no) || !this.#state.topics.byNo.has(no)) {
          const record = this.decode(seq, row);
          records.push(record.topic === '' && no !== 0 ? await this.#damaged(record, no) : record);
        }
        bytes += row.length;
        next = seq + 1;
      }
    }
    return { records, next };
  }

  /** A damaged row may say that it is of another topic: the index is asked. */
  async #damaged(record: LogRecord, no: number): Promise<LogRecord> {
    const { seq } = record;
    const topic = this.#state.topics.byNo.get(no);
    return topic && await this.#state.database.get(indexKey(no, seq)) ? { ...record, gap: damagedAt(seq, topic) } : record;
  }

  async #merge(topics: readonly Topic[], from: number, to: number, limit: number): Promise<Merged> {
    const each = topics.length === 1 ? limit : Math.max(8, Math.ceil((2 * limit) / topics.length));
    const found: Found[] = this.#state.gaps.filter((gap) => gap >= from && gap <= to).map((seq) => ({ seq, size: 0 }));
    let bound = to;
    for (let i = 0; i < topics.length; i += AT_ONCE) {
      await Promise.all(topics.slice(i, i + AT_ONCE).map(async (topic) => {
        const gte = indexKey(topic.no, Math.max(from, topic.first));
        const rows = await this.#state.database.range({ gte, lte: indexKey(topic.no, to), limit: each });
        for (const [key, value] of rows) {
          const index = decodeIndex(value);
          // The lane `latest` keeps only the newest per key, for slow readers too.
          if (topic.settings.lane === 'latest' && index.state !== 'live') continue;
          found.push({ seq: getSeq(key, 5), size: index.size, topic });
        }
        const last = rows.at(-1);
        if (last && rows.length === each) bound = Math.min(bound, getSeq(last[0], 5));
      }));
    }
    return { found: found.filter(({ seq }) => seq <= bound).toSorted((a, b) => a.seq - b.seq), bound };
  }

  /** What an index row lists and is not there was deleted meanwhile, and then so was the row; or it is damaged. */
  async #indexed(found: readonly Found[]): Promise<LogRecord[]> {
    const records = await this.#records(found);
    if (records.length === found.length) return records;
    const there = new Set(records.map(({ seq }) => seq));
    const absent = found.filter(({ seq, topic }) => topic && !there.has(seq));
    const rows = await this.#state.database.getMany(absent.map(({ seq, topic }) => indexKey(topic!.no, seq)));
    const lost = absent.filter((_, i) => rows[i]).map(({ seq, topic }) => this.#lost(seq, topic));
    return [...records, ...lost].toSorted((a, b) => a.seq - b.seq);
  }

  async #records(places: readonly Pick<Found, 'seq' | 'topic'>[]): Promise<LogRecord[]> {
    const rows = await this.#state.database.getMany(places.map(({ seq }) => recordKey(seq)));
    const records: LogRecord[] = [];
    for (const [i, row] of rows.entries()) if (row) records.push(this.decode(places[i]!.seq, row, places[i]!.topic));
    return records;
  }

  /** While the database is being reopened, reads wait. */
  async #retry<T>(read: () => Promise<T>): Promise<T> {
    for (;;) {
      await this.#state.reopening;
      try {
        return await read();
      } catch (error) {
        if (!this.#state.reopening) throw error;
      }
    }
  }
}

function damagedAt(seq: number, topic: Topic | undefined): GapInfo {
  const one = { from: seq, to: seq, count: 1 };
  return { ...one, reason: 'corrupt', ...(topic && { topics: [{ topic: topic.name, ...one }] }) };
}

/** So many of them, and of so many bytes, and where the next page begins. */
function cut({ found, bound }: Merged, limit: number, most: number): { found: readonly Found[]; next: number } {
  let bytes = 0;
  for (const [i, { size }] of found.entries()) {
    bytes += size;
    if (i >= limit || (i > 0 && bytes > most)) return { found: found.slice(0, i), next: found[i - 1]!.seq + 1 };
  }
  return { found, next: bound + 1 };
}
