import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { LanpostError } from '../errors.ts';
import { decodeBody } from './body.ts';
import type { Cursors } from './cursors.ts';
import { type Database, type Op, type Row, rowsOf, writeSynced } from './database.ts';
import { decodeIndex } from './index-row.ts';
import { META_KEY, PREFIX, getSeq, idKey, indexKey, prefixRange, putU32, recordKey } from './keys.ts';
import { WAL_BYTES } from './limits.ts';
import { type Hole, cleared, gapRows, withTopics } from './mend.ts';
import { namesOf } from './item-names.ts';
import { type GapInfo, recordBody, recordCrc, recordIntact, recordTopic } from './record.ts';
import { type Meta, FORMAT, decodeMeta, metaOp } from './meta.ts';
import { migrate } from './migration.ts';
import type { LogRegistry } from './registry.ts';
import type { LogState } from './state.ts';
import { type CommitRow, decodeCommit } from './window.ts';

/** Below every key: compacting here moves memory into a table file, and touches no other. */
const NO_KEY: Uint8Array = Uint8Array.of(0);

async function allRows(database: Database, prefix: number): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const page of rowsOf(database, prefixRange(prefix))) rows.push(...page);
  return rows;
}

/** The records, commit by commit, read in pages that know nothing of commits. */
class RecordRows {
  readonly #pages: AsyncIterator<Row[]>;
  #page: Row[] = [];
  #at = 0;

  constructor(database: Database, from: number) {
    this.#pages = rowsOf(database, { gte: recordKey(from), lt: Uint8Array.of(PREFIX.record + 1) });
  }

  async of({ first, count }: CommitRow): Promise<Row[]> {
    const rows: Row[] = [];
    for (;;) {
      const row = this.#page[this.#at];
      if (!row) {
        const next = await this.#pages.next();
        if (next.done) return rows;
        this.#page = next.value;
        this.#at = 0;
        continue;
      }
      const seq = getSeq(row[0], 1);
      if (seq >= first + count) return rows;
      if (seq >= first) rows.push(row);
      this.#at++;
    }
  }
}

/** Reads what is kept in memory, checks the newest commits, begins a new epoch. */
export class Recovery {
  readonly #state: LogState;
  readonly #cursors: Cursors;
  readonly #registry: LogRegistry;
  #suspect = false;

  constructor(o: { state: LogState; cursors: Cursors; registry: LogRegistry }) {
    this.#state = o.state;
    this.#cursors = o.cursors;
    this.#registry = o.registry;
  }

  /** The database is open; after this the log may be read and written. */
  async run(acknowledged: number, repaired: boolean = false): Promise<void> {
    const { database, epochs, topics, origins, window } = this.#state;
    const meta = await this.#meta();
    this.#state.time.resume(meta?.time);
    epochs.load(await allRows(database, PREFIX.epoch));
    topics.load(await allRows(database, PREFIX.topic), meta?.nextTopic);
    origins.load(await allRows(database, PREFIX.origin));
    this.#registry.load(await allRows(database, PREFIX.registry));
    const commits = (await allRows(database, PREFIX.commit)).map(decodeCommit);
    const unclean = repaired && meta ? { ...meta, clean: undefined } : meta;
    const { clean, holes } = await this.#verify(unclean, commits, Math.max(acknowledged, repaired ? await this.#newest() : 0));
    window.load(commits);
    this.#cursors.load(await allRows(database, PREFIX.subscription), await allRows(database, PREFIX.cursor), await allRows(database, PREFIX.lost));
    this.#state.asides.load(await allRows(database, PREFIX.aside));
    this.#state.deliveries.load(await allRows(database, PREFIX.delivery));
    this.#state.gaps = (await this.#seqsOf(0));
    if (holes.length > 0) await this.#mend(holes);
    this.#cursors.clamp(this.#state.head, this.#suspect || holes.length > 0);
    if (!clean && acknowledged === 0) this.#cursors.blame();
    this.#state.bytes = 0;
    for (const topic of topics.stored()) this.#state.bytes += topic.bytes;
    this.#state.ring.clear();
    await this.#begin();
  }

  /** After the last batch: the next opening need not check anything. */
  async close(): Promise<void> {
    const { database, head } = this.#state;
    await database.compact(NO_KEY, NO_KEY);
    await writeSynced(database, [metaOp(this.#state, head)]);
  }

  /** The rows that tell of the head may be lost while records are not. */
  async #newest(): Promise<number> {
    const [row] = await this.#state.database.range({ ...prefixRange(PREFIX.record), reverse: true, limit: 1 });
    return row ? getSeq(row[0], 1) : 0;
  }

  async #meta(): Promise<Meta | undefined> {
    const { database, boxId, trouble } = this.#state;
    const row = await database.get(META_KEY);
    if (!row) return undefined;
    const meta = await this.#known(decodeMeta(row));
    if (meta.box !== boxId) {
      trouble({ kind: 'log.copied', message: `This store was written by box ${meta.box}; its records keep that name, new ones are box ${boxId}'s.` });
    }
    return meta;
  }

  /** Of today's format. */
  async #known(meta: Meta): Promise<Meta> {
    const { database } = this.#state;
    if (meta.format > FORMAT) {
      throw new LanpostError('format-too-new', `${database.location} has format ${meta.format}, newer than the ${FORMAT} this lanpost knows; use a newer lanpost.`);
    }
    return migrate(database, meta);
  }

  /** The newest commits must follow each other without a hole, each whole. Sets the head. */
  async #verify(meta: Meta | undefined, commits: CommitRow[], acknowledged: number): Promise<{ clean: boolean; holes: Hole[] }> {
    const { database, epochs } = this.#state;
    const begun = epochs.current?.from ?? 1;
    const last = commits.at(-1);
    const found = Math.max(meta?.head ?? 0, begun - 1, last ? last.first + last.count - 1 : 0);
    const witness = await database.witnessed();
    this.#suspect = witness.suspect;
    const witnessed = Math.max(witness.head, acknowledged);
    // A write that failed may have reached the disk all the same: whoever stands at the tail has not read it.
    if (found > this.#state.head) this.#cursors.found(this.#state.head + 1);
    this.#state.head = Math.max(found, witnessed);
    if (meta?.clean === found && witnessed <= found) return { clean: true, holes: [] };
    const holes: Hole[] = [];
    // Everything before the last opening was checked then, and lies in table files since.
    let expected = Math.max(begun, last?.oldest ?? begun);
    const unsettled = firstWithin(commits, meta ? Math.min(WAL_BYTES, database.replayed) : WAL_BYTES);
    const rows = new RecordRows(database, Math.max(expected, unsettled));
    for (const commit of commits) {
      if (commit.first + commit.count <= expected) continue;
      if (commit.first > expected) for (const hole of await this.#absent(expected, commit.first - 1)) holes.push(hole);
      if (!commit.hole && commit.first >= unsettled) holes.push(...damage(commit, await rows.of(commit)));
      expected = commit.first + commit.count;
    }
    if (expected <= this.#state.head) for (const hole of await this.#absent(expected, this.#state.head)) holes.push(hole);
    return { clean: false, holes: merge(holes) };
  }

  /** A commit whose row is missing: mostly its records went with it, as they came with it. */
  async #absent(from: number, to: number): Promise<Hole[]> {
    const holes: Hole[] = [];
    let expected = from;
    for await (const page of rowsOf(this.#state.database, { gte: recordKey(from), lt: recordKey(to + 1) })) {
      for (const [key, row] of page) {
        const seq = getSeq(key, 1);
        if (!recordIntact(row)) continue;
        if (seq > expected) holes.push({ from: expected, to: seq - 1, exact: true });
        // A gap that was told before stands for all that it names.
        expected = Math.max(seq, recordTopic(row) === 0 ? decodeBody(recordBody(row)).gap?.to ?? seq : seq) + 1;
      }
    }
    if (expected <= to) holes.push({ from: expected, to, exact: true });
    return holes;
  }

  /** Each hole becomes a gap record in place, and the topics are counted anew. */
  async #mend(holes: readonly Hole[]): Promise<void> {
    const { database, clock, gaps, trouble, window } = this.#state;
    const ops: Op[] = [];
    const { known, stale } = await this.#recount(holes);
    for (const hole of holes) {
      const { from, to } = hole;
      // One that an earlier opening left just before goes on, unless a reader has passed it already.
      const before = await this.#gapBefore(from);
      await cleared(database, hole);
      ops.push(...gapRows(withTopics(hole, known), clock, before));
      if (before === undefined) gaps.push(from);
      trouble({ kind: 'log.gap', message: `Records ${from} to ${to} are damaged and lost.`, code: 'corrupt' });
    }
    gaps.sort((a, b) => a - b);
    await writeSynced(database, ops);
    await writeSynced(database, stale);
    const rows = (await allRows(database, PREFIX.commit)).map(decodeCommit);
    window.load(rows);
  }

  /** The gap that ends just before that position, when every reader still has it before it. */
  async #gapBefore(from: number): Promise<GapInfo | undefined> {
    const at = this.#state.gaps.findLast((gap) => gap < from);
    const row = at === undefined ? undefined : await this.#state.database.get(recordKey(at));
    const gap = row && recordIntact(row) ? decodeBody(recordBody(row)).gap : undefined;
    return at !== undefined && gap?.to === from - 1 && this.#cursors.allBelow(at) ? gap : undefined;
  }

  /** Counts every topic from its index. Gives which topics lost records were of, where their index rows are left, and what takes these away. */
  async #recount(holes: readonly Hole[]): Promise<{ known: (readonly [seq: number, topic: string])[]; stale: Op[] }> {
    const { topics, database } = this.#state;
    const lost = (seq: number) => holes.some(({ from, to }) => from <= seq && seq <= to);
    const known: (readonly [seq: number, topic: string])[] = [];
    const stale: Op[] = [];
    for (const topic of topics.stored()) {
      let first = 0;
      let last = 0;
      let count = 0;
      let viewBytes = 0;
      let bytes = 0;
      for await (const page of rowsOf(database, { gte: indexKey(topic.no, 0), lt: indexKey(topic.no + 1, 0) })) {
        for (const [key, value] of page) {
          const seq = getSeq(key, 5);
          const index = decodeIndex(value);
          if (lost(seq)) {
            stale.push({ key });
            known.push([seq, topic.name]);
            for (const name of namesOf(index)) {
              const id = idKey(topic.no, name);
              const newest = await database.get(id);
              if (newest && getSeq(newest, 0) === seq) stale.push({ key: id });
            }
            continue;
          }
          first ||= seq;
          last = seq;
          bytes += index.size;
          if (!index.item || index.state !== 'live' || seq < topic.viewFrom) continue;
          count++;
          viewBytes += index.size;
        }
      }
      Object.assign(topic, { first, last, count, viewBytes, bytes });
    }
    return { known: known.toSorted(([a], [b]) => a - b), stale };
  }

  async #seqsOf(topic: number): Promise<number[]> {
    const seqs: number[] = [];
    for await (const page of rowsOf(this.#state.database, { gte: indexKey(topic, 0), lt: indexKey(topic + 1, 0) })) {
      for (const [key] of page) seqs.push(getSeq(key, 5));
    }
    return seqs;
  }

  /** A new epoch, flushed out of the WAL so that damage there cannot take it along. */
  async #begin(): Promise<void> {
    const { database, clock, epochs, boxId, head, memory, topics } = this.#state;
    const { epoch, op } = epochs.next(boxId, head + 1, randomBytes(4).toString('hex'), this.#state.machineStart);
    epochs.add(epoch);
    this.#state.begun ||= epoch.from;
    const learnt = clock.isSet() ? epochs.learn(clock.wall() - clock.mono()) : { ops: [op], committed: () => undefined };
    await writeSynced(database, [...learnt.ops, metaOp(this.#state)]);
    learnt.committed();
    await database.compact(NO_KEY, NO_KEY);
    memory.begin(topics.stored(), epoch);
  }
}

/** What the WAL has of each record besides the record, at least: its key, the key of its index row, and what tells of each (doc/log_format.md of google/leveldb). */
const WAL_OVERHEAD = 28;

/** First seq of the newest commits that can be within so many bytes of the WAL. */
function firstWithin(commits: readonly CommitRow[], bytes: number): number {
  let held = 0;
  for (const { first, count, bytes: size, hole } of commits.toReversed()) {
    held += size + (hole ? 0 : count * WAL_OVERHEAD);
    if (held > bytes) return first;
  }
  return 0;
}

/** What of a commit is not as it was written. */
function damage({ first, count, crc }: CommitRow, rows: readonly Row[]): Hole[] {
  const crcs = Buffer.alloc(count * 4);
  const intact = new Set<number>();
  for (const [key, row] of rows) {
    if (!recordIntact(row)) continue;
    const seq = getSeq(key, 1);
    putU32(crcs, (seq - first) * 4, recordCrc(row));
    intact.add(seq);
  }
  if (intact.size === count) return crc32(crcs) === crc ? [] : [{ from: first, to: first + count - 1, exact: true }];
  const missing = Array.from({ length: count }, (_, i) => first + i).filter((seq) => !intact.has(seq));
  return missing.map((seq) => ({ from: seq, to: seq, exact: true }));
}

function merge(holes: readonly Hole[]): Hole[] {
  const merged: Hole[] = [];
  for (const hole of holes.toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last && hole.from <= last.to + 1) merged[merged.length - 1] = { from: last.from, to: Math.max(last.to, hole.to), exact: true };
    else merged.push(hole);
  }
  return merged;
}

