import type { Trouble } from '../api.ts';
import type { Clock, Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { Asides } from './asides.ts';
import type { Appended } from './appended.ts';
import { Committer } from './commit.ts';
import type { Cursor } from './cursor.ts';
import type { CursorInfo } from './cursor-info.ts';
import { LogCursor } from './log-cursor.ts';
import { Cursors } from './cursors.ts';
import type { Database } from './database.ts';
import { Deliveries } from './deliveries.ts';
import { DiskGuard } from './disk-guard.ts';
import { Durable, type MaxBacklog } from './durable.ts';
import { type Aside, Durables } from './durables.ts';
import { Epochs, type Epoch, type MachineStart } from './epochs.ts';
import { Growth } from './growth.ts';
import { matcher, validFilter, validTopic } from './filter.ts';
import type { ItemsQuery } from './items-query.ts';
import { View } from './view.ts';
import { LOG_LIMITS, type LogLimits, MAX_ID_BYTES } from './limits.ts';
import { lostKey } from './keys.ts';
import { type Loss, type LossLedger, lossesOf } from './loss.ts';
import { decodeLost } from './lost-range.ts';
import { isInMemory } from './memory-seq.ts';
import { MemoryTopics } from './memory-topics.ts';
import { MemoryWriter } from './memory-writer.ts';
import { isDamage, openDatabase, openingFailed, repairDatabase } from './open-database.ts';
import { isTaken, Origins, originName } from './origins.ts';
import { type Outcome, Outcomes, type Standing } from './outcomes.ts';
import { Progress } from './progress.ts';
import type { ProgressRow } from './progress-row.ts';
import { Readers } from './readers.ts';
import { Reading } from './reading.ts';
import type { Draft, GapInfo, LogRecord, Origin } from './record.ts';
import { Recovery } from './recovery.ts';
import { mend } from './mend.ts';
import { LogRegistry, type Registry } from './registry.ts';
import { entryRecord, Ring } from './ring.ts';
import { Space } from './space.ts';
import { type CursorFrom, Start } from './start.ts';
import type { LogState } from './state.ts';
import { type Topic, type TopicState, Topics } from './topics.ts';
import { Transaction } from './transaction.ts';
import { TrustedTime } from './trusted-time.ts';
import { CommitWindow } from './window.ts';

export type { CursorInfo, CursorProgress } from './cursor-info.ts';
export type { Aside } from './durables.ts';
export type { CursorFrom } from './start.ts';

export interface CursorOptions {
  /** Identifies a durable cursor; any text for others. */
  readonly name: string;
  readonly filter: string;
  /** Where a new cursor begins. */
  readonly from: CursorFrom;
  readonly durable: boolean;
  /** Of one that is not durable: beside one that is, it reads what that one cannot. */
  readonly only?: 'memory';
  /** Kept with a durable cursor; anything CBOR can hold. */
  readonly extra?: unknown;
  /** How much may wait for a durable cursor; of one that is there already, instead of what it had. */
  readonly maxBacklog?: MaxBacklog;
}

export interface Log {
  readonly epoch: string;
  readonly boxId: string;
  readonly head: number;
  readonly state: 'open' | 'refusing' | 'closed';
  readonly reason: string | undefined;
  readonly registry: Registry;
  /** Every opening whose records may still be here, oldest first. */
  readonly epochs: readonly Epoch[];
  /** Wall time that no jump of the clock moves, and that goes on over restarts; undefined while it is not known. */
  trustedNow(): number | undefined;
  /** Wall time at which the record had been accepted in any case: later than its stamp says where the clock was set forward after that. */
  acceptedBy(record: Pick<LogRecord, 'seq' | 'stamp'>): number;
  /** Resolves when the record is fsynced; of a topic in memory, when it is there. */
  append(draft: Draft): Promise<Appended>;
  /** Whether a durable cursor of that name reads the topic. */
  reads(name: string, topic: string): boolean;
  /** Where a record of that topic is for the durable cursor of that name. */
  standing(name: string, topic: string, seq: number): Standing;
  /** How a record that was appended with `follow` ended for its reader: told once. */
  outcome(seq: number, as: string, signal?: AbortSignal): Promise<Outcome>;
  /** What is followed to one reader is so to others from now on, which go on with what it has done: `to` says which has a topic. */
  followOn(reader: string, to: (topic: string) => string | undefined): void;
  /**
   * Undefined while not too much waits for the disk; else it resolves when that is so again. Whoever can make its
   * source wait, as a socket does that is not read, does so meanwhile; `append` itself refuses only far beyond it.
   */
  roomy(): Promise<void> | undefined;
  topic(name: string): TopicState | undefined;
  topics(): IterableIterator<TopicState>;
  /** How many there are. */
  readonly topicCount: number;
  /** What can be queried of a topic, oldest first. */
  items(topic: string, query?: ItemsQuery): Promise<LogRecord[]>;
  /** How many items of a topic's view lie below that position; undefined when there are more than `most`. */
  place(topic: string, seq: number, most: number): Promise<number | undefined>;
  /** Whether a newer record of its item has taken its place, or has taken it away, as far as that is still known. */
  isReplaced(record: LogRecord): Promise<boolean>;
  cursor(options: CursorOptions): Promise<Cursor>;
  /** The durable ones. */
  cursors(): IterableIterator<CursorInfo>;
  readonly cursorCount: number;
  hasCursor(name: string): boolean;
  /** What is kept with a durable cursor. */
  extra(name: string): unknown;
  dropCursor(name: string): Promise<void>;
  /** What is kept with a durable cursor from now on; resolves when it is written, without `sync` before a power cut could not take it back. */
  annotate(name: string, extra: unknown, sync?: boolean): Promise<void>;
  /** How much may wait for a durable cursor from now on, open or not; `{}`: all there is. At once; on disk when this resolves. */
  bound(name: string, maxBacklog: MaxBacklog): Promise<void>;
  /** A durable cursor, open or not, goes on from there, whatever it had done. */
  seek(name: string, from: CursorFrom): Promise<void>;
  /** What a subscription put aside, oldest first. */
  asides(name: string): Promise<Aside[]>;
  /** It gets these of them, or all, once more; they stay put aside until they are confirmed. Resolves to how many there were. */
  retryAsides(name: string, seqs?: readonly number[]): Promise<number>;
  /** Lets go of these of them, or of all. Resolves to how many there were. */
  dropAsides(name: string, seqs?: readonly number[]): Promise<number>;
  /** Highest seq taken from another box's epoch and topic, of one chain; 0 for none. */
  originMark(box: string, epoch: string, topic: string, chain?: string): number;
  /** Whether that record of another box was taken into the topic. */
  hasOrigin(origin: Origin, topic: string): boolean;
  /** What of it was damaged and lost. */
  gaps(): Promise<GapInfo[]>;
  /** Something was lost to a reader elsewhere than in the log: it goes into the ledger, on disk when this resolves. */
  noteLoss(...losses: readonly Loss[]): Promise<void>;
  /** Makes what room it can now, instead of within a second. */
  trim(): Promise<void>;
  /** The seq of the topic's previous record, when it was accepted in the same epoch: what proves that none is missing between. */
  predecessor(record: LogRecord): number | undefined;
  /** Bytes of all records held. */
  bytes(): number;
  /** Bytes free on the disk. */
  free(): Promise<number>;
  /** Milliseconds until the disk is at its floor, if what is held grows as it has lately; undefined while that cannot be told, or it does not grow. */
  timeLeft(): Promise<number | undefined>;
  close(): Promise<void>;
}

export interface LogOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly boxId: string;
  readonly trouble: (trouble: Trouble) => void;
  /** Tells a copied store from a moved one. */
  readonly machine?: string;
  /** Tells restarts of the box from restarts of the machine, so that what is learnt of the time holds for earlier ones. */
  readonly machineStart?: MachineStart;
  /** Where it is written down that readers lost something; nowhere without. */
  readonly ledger?: LossLedger;
  readonly limits?: Partial<LogLimits>;
  /** Compares every row with those it belongs to, and puts right what does not fit. Else that is done only when damage is met. */
  readonly mend?: boolean;
  /** Opening the database has repaired it. */
  readonly damaged?: boolean;
}

const TIME_INTERVAL = 10_000;
/** Holes told of at one opening; any others at the next. */
const MAX_TOLD = 1000;

/** Opens the store and checks it. Throws `locked`, `format-too-new` or `corrupt`. */
export async function openLog(options: LogOptions): Promise<Log> {
  const log = new DiskLog(options);
  try {
    await log.open();
  } catch (error) {
    await log.abandon();
    throw openingFailed(error, options.database.location);
  }
  return log;
}

class DiskLog implements Log {
  readonly #state: LogState;
  readonly #cursors: Cursors;
  readonly #reading: Reading;
  readonly #guard: DiskGuard;
  readonly #space: Space;
  readonly #committer: Committer;
  readonly #registry: LogRegistry;
  readonly #recovery: Recovery;
  readonly #view: View;
  readonly #start: Start;
  /** Lets reads go on after a reopening. */
  #readable: () => void = () => {};
  #timeTimer: Timer | undefined;
  readonly #growth: Growth;
  readonly #options: Pick<LogOptions, 'mend' | 'damaged'>;
  #closing: Promise<void> | undefined;
  readonly #durables: Durables;
  readonly #memory: MemoryWriter;

  constructor(o: LogOptions) {
    this.#options = o;
    this.#growth = new Growth(o.clock);
    const limits = { ...LOG_LIMITS, ...o.limits };
    const topics = new Topics();
    const epochs = new Epochs();
    const time = new TrustedTime(o.clock);
    const asides = new Asides();
    const memory = new MemoryTopics({ clock: o.clock, limits, time, epochs, arrived: (topic, seq) => this.#cursors.arrived(topic, seq) });
    const state: LogState = {
      database: o.database, clock: o.clock, limits, trouble: o.trouble, boxId: o.boxId, machine: o.machine, machineStart: o.machineStart,
      epochs, topics, origins: new Origins(), readers: new Readers(), asides, deliveries: new Deliveries(),
      outcomes: new Outcomes({ clock: o.clock, standing: (...of) => this.#cursors.standing(...of), isAside: (...of) => asides.has(...of), lost: (...of) => this.#cursors.lost(...of), isLatest: (topic) => topics.byName.get(topic)?.settings.lane === 'latest' }),
      ring: new Ring(limits.ringBytes), memory, window: new CommitWindow(limits.windowBytes), time, ledger: o.ledger,
      head: 0, begun: 0, bytes: 0, gaps: [], reopening: undefined,
    };
    this.#state = state;
    this.#cursors = new Cursors(state, () => this.#committer.nudge());
    this.#reading = new Reading(state);
    this.#guard = new DiskGuard(state, () => this.#reopen());
    this.#space = new Space(state, this.#reading, () => this.#committer.nudge());
    this.#committer = new Committer({ state, cursors: this.#cursors, guard: this.#guard, space: this.#space });
    this.#registry = new LogRegistry((build) => this.#committer.task(build));
    this.#recovery = new Recovery({ state, cursors: this.#cursors, registry: this.#registry });
    this.#view = new View(state, this.#reading, this.#space.ages, (topic) => this.#settle(topic));
    this.#start = new Start(state, this.#reading, this.#view);
    this.#memory = new MemoryWriter(state, this.#committer);
    this.#durables = new Durables({ state, cursors: this.#cursors, committer: this.#committer, reading: this.#reading, start: this.#start });
  }

  async open(): Promise<void> {
    const { database, trouble } = this.#state;
    try {
      const damaged = await openDatabase(database, trouble) || this.#options.damaged === true;
      const mended = damaged || this.#options.mend === true;
      if (mended) await this.#mend(damaged);
      await this.#recovery.run(0, mended);
    } catch (error) {
      if (!isDamage(error)) throw error;
      await this.#repair(error);
      await this.#recovery.run(0, true);
    }
    await this.#guard.check();
    await this.#tellLost();
    this.#awaitTime();
  }

  /** Records say when they were accepted as soon as that is known, also those before. */
  #awaitTime(): void {
    const { clock, epochs } = this.#state;
    const look = (): void => {
      this.#growth.note(this.bytes());
      if (!clock.isSet() || !epochs.learns(clock.wall() - clock.mono()) || this.#guard.broken) return;
      this.#committer.task((tx) => this.#learn(tx)).catch(() => undefined); // a log that cannot write learns it when it can
    };
    this.#timeTimer = clock.every(TIME_INTERVAL, look);
    look();
  }

  #learn(tx: Transaction): void {
    const { clock, epochs, memory, ring } = this.#state;
    const { ops, committed } = epochs.learn(clock.wall() - clock.mono());
    tx.apply(ops);
    tx.onCommit(() => {
      committed();
      ring.restamp(({ seq, stamp }) => ({ ...stamp, ...epochs.timeOf(seq, stamp) }));
      memory.restamp();
    });
  }

  /** What was found to be lost goes into the ledger, once. */
  async #tellLost(): Promise<void> {
    const { database } = this.#state;
    const rows = await database.range({ gte: lostKey('', 0), lt: lostKey('', Number.MAX_SAFE_INTEGER), limit: MAX_TOLD });
    if (rows.length === 0) return;
    await this.#committer.task((tx) => {
      for (const row of rows) {
        tx.del(row[0]);
        const { lost } = decodeLost(row);
        // What is of no known topic may be of any: of those that have lines, too.
        for (const loss of lossesOf(lost.topics ? lost : { others: lost }, '#', 0, { reason: lost.reason })) tx.lose(loss);
      }
    });
  }

  noteLoss(...losses: readonly Loss[]): Promise<void> {
    return this.#committer.task((tx) => { for (const loss of losses) tx.lose(loss); });
  }

  async #repair(damage: LanpostError): Promise<void> {
    await repairDatabase(this.#state.database, damage, this.#state.trouble);
    await this.#mend(true);
  }

  async #mend(damaged: boolean): Promise<void> {
    const { database, clock, trouble } = this.#state;
    const { changed, renamed } = await mend(database, clock, damaged, ({ from, to, exact }) => {
      trouble({ kind: 'log.gap', message: `${exact ? 'Records' : 'Of the records'} ${from} to ${to}${exact ? ' are damaged and lost' : ' some are lost'}.`, code: 'corrupt' });
    });
    for (const name of renamed) trouble({ kind: 'log.nameless', message: `A topic has lost its name and settings; what it held is now in ${name}.`, code: 'corrupt' });
    if (changed > 0) trouble({ kind: 'log.mended', message: `${changed} rows did not fit the others and were put right.` });
  }

  /** It could not be opened: nothing of it may touch the store, which may soon be another's. */
  async abandon(): Promise<void> {
    this.#timeTimer?.stop();
    this.#cursors.stop();
    await Promise.all([this.#guard.stop(), this.#space.stop()]);
    await this.#state.database.close();
  }

  get epoch(): string {
    return this.#state.epochs.current?.name ?? '';
  }

  get boxId(): string {
    return this.#state.boxId;
  }

  get head(): number {
    return this.#state.head;
  }

  get state(): 'open' | 'refusing' | 'closed' {
    if (this.#closing) return 'closed';
    return this.#guard.reason === undefined ? 'open' : 'refusing';
  }

  get reason(): string | undefined {
    return this.#guard.reason;
  }

  get registry(): Registry {
    return this.#registry;
  }

  get epochs(): readonly Epoch[] {
    return this.#state.epochs.all;
  }

  trustedNow(): number | undefined {
    return this.#state.time.now();
  }

  acceptedBy({ seq, stamp }: Pick<LogRecord, 'seq' | 'stamp'>): number {
    return this.#state.epochs.latest(seq, stamp).wall;
  }

  append(draft: Draft): Promise<Appended> {
    const { topic, id } = draft;
    if (!this.#state.topics.byName.has(topic) && !validTopic(topic)) {
      return Promise.reject(new LanpostError('invalid-topic', `${JSON.stringify(topic)} is not a topic name.`));
    }
    if (id !== undefined && (id === '' || id.length > MAX_ID_BYTES || Buffer.byteLength(id) > MAX_ID_BYTES)) {
      return Promise.reject(new LanpostError('invalid-value', `An item id has 1 to ${MAX_ID_BYTES} bytes.`));
    }
    if (!this.#state.memory.takes(draft)) return this.#committer.append(draft);
    return this.#closing ? Promise.reject(closedError()) : this.#memory.append(draft);
  }

  roomy(): Promise<void> | undefined {
    return this.#committer.roomy();
  }

  topic(name: string): TopicState | undefined {
    const { memory, topics } = this.#state;
    const topic = topics.byName.get(name);
    if (!topic?.stored) return undefined;
    const inMemory = memory.get(name);
    if (!inMemory) return topic;
    memory.trim(inMemory);
    return inMemory;
  }

  *topics(): IterableIterator<TopicState> {
    for (const topic of this.#state.topics.stored()) yield this.#state.memory.get(topic.name) ?? topic;
  }

  get topicCount(): number {
    return this.#state.topics.count;
  }

  items(topic: string, query: ItemsQuery = {}): Promise<LogRecord[]> {
    const { memory } = this.#state;
    const inMemory = memory.get(topic);
    if (inMemory) {
      memory.trim(inMemory);
      return Promise.resolve(inMemory.items(query).map(entryRecord));
    }
    return this.#view.items(topic, query);
  }

  place(topic: string, seq: number, most: number): Promise<number | undefined> {
    const inMemory = this.#state.memory.get(topic);
    if (inMemory) return Promise.resolve(inMemory.place(seq, most));
    return this.#view.place(topic, seq, most);
  }

  reads(name: string, topic: string): boolean {
    const durable = this.#cursors.durable.get(name);
    return durable !== undefined && matcher(durable.filter)(topic);
  }

  standing(name: string, topic: string, seq: number): Standing {
    return this.#cursors.standing(name, topic, seq);
  }

  outcome(seq: number, as: string, signal?: AbortSignal): Promise<Outcome> {
    return this.#state.outcomes.of(seq, as, signal);
  }

  followOn(reader: string, to: (topic: string) => string | undefined): void {
    this.#state.outcomes.moved(reader, to);
  }

  isReplaced(record: LogRecord): Promise<boolean> {
    return this.#view.isReplaced(record);
  }

  async cursor(o: CursorOptions): Promise<Cursor> {
    this.#assertOpen();
    if (!validFilter(o.filter)) throw new LanpostError('invalid-topic', `${JSON.stringify(o.filter)} is not a filter.`);
    const parts = { state: this.#state, reading: this.#reading, cursors: this.#cursors, committer: this.#committer };
    if (o.name.includes('\0')) throw new LanpostError('invalid-value', 'The name of a reader has no NUL.');
    if (!o.durable) {
      const row = await this.#start.at(o.filter, o.from);
      const cursor = new LogCursor(parts, { name: o.name, filter: o.filter, progress: new Progress(row), handed: row.handed, only: o.only });
      this.#state.readers.add(cursor);
      this.#cursors.watch(cursor, cursor);
      cursor.begin(o.from);
      return cursor;
    }
    await this.#durables.dropped(o.name);
    const durable = this.#cursors.durable.get(o.name);
    return this.#hold(o, durable?.row ?? await this.#start.at(o.filter, o.from), parts);
  }

  get cursorCount(): number {
    return this.#cursors.durable.size;
  }

  hasCursor(name: string): boolean {
    return this.#cursors.durable.has(name);
  }

  extra(name: string): unknown {
    return this.#cursors.durable.get(name)?.extra;
  }

  cursors(): IterableIterator<CursorInfo> {
    return this.#durables.infos();
  }

  dropCursor(name: string): Promise<void> {
    return this.#durables.drop(name);
  }

  annotate(name: string, extra: unknown, sync: boolean = true): Promise<void> {
    return this.#durables.annotate(name, extra, sync);
  }

  bound(name: string, maxBacklog: MaxBacklog): Promise<void> {
    return this.#durables.bound(name, maxBacklog);
  }

  seek(name: string, from: CursorFrom): Promise<void> {
    return this.#durables.seek(name, from);
  }

  asides(name: string): Promise<Aside[]> {
    return this.#durables.asides(name);
  }

  retryAsides(name: string, seqs?: readonly number[]): Promise<number> {
    return this.#durables.retry(name, seqs);
  }

  dropAsides(name: string, seqs?: readonly number[]): Promise<number> {
    return this.#durables.dropAsides(name, seqs);
  }

  originMark(box: string, epoch: string, topic: string, chain?: string): number {
    return this.#state.origins.get(originName({ box, epoch, ...(chain === undefined ? {} : { chain }) }, topic))?.high ?? 0;
  }

  hasOrigin(origin: Origin, topic: string): boolean {
    return isTaken(this.#state.origins.get(originName(origin, topic)), origin.seq);
  }

  async gaps(): Promise<GapInfo[]> {
    const records = await this.#reading.bySeqs(this.#state.gaps);
    return records.flatMap(({ gap }) => (gap?.reason === 'corrupt' ? [gap] : []));
  }

  trim(): Promise<void> {
    return this.#guard.broken ? Promise.resolve() : this.#space.run();
  }

  predecessor({ seq, previous, origin }: LogRecord): number | undefined {
    const { epochs, memory } = this.#state;
    if (isInMemory(seq)) return origin === undefined && memory.isOfThisEpoch(previous) ? previous : undefined;
    return origin === undefined && previous > 0 && epochs.at(previous) === epochs.at(seq) ? previous : undefined;
  }

  bytes(): number {
    return this.#state.bytes;
  }

  free(): Promise<number> {
    return this.#state.database.free();
  }

  async timeLeft(): Promise<number | undefined> {
    const { rate } = this.#growth;
    return rate && Math.max(0, await this.free() - this.#state.limits.diskFloor) / rate;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Creates or takes over the durable cursor; two callers cannot both get it. */
  async #hold(o: CursorOptions, row: ProgressRow, parts: ConstructorParameters<typeof LogCursor>[0]): Promise<Cursor> {
    const known = this.#cursors.durable.get(o.name);
    if (known?.holder) throw new LanpostError('in-use', `The durable reader ${o.name} is open already.`);
    if (known && known.filter !== o.filter) throw new LanpostError('conflict', `The durable reader ${o.name} reads ${known.filter}; drop it first to read ${o.filter}.`);
    const durable = known ?? new Durable(o.name, o.filter, o.extra, row, o.maxBacklog, this.#state.head);
    const cursor = new LogCursor(parts, { name: o.name, filter: o.filter, progress: new Progress(durable.row), handed: durable.row.handed, durable });
    const { maxBacklog } = durable;
    durable.holder = cursor;
    if (!known) this.#cursors.add(durable);
    this.#cursors.watch(durable, cursor);
    try {
      if (!known) await this.#committer.task((tx) => durable.create(tx));
      else if (o.maxBacklog) await this.bound(o.name, o.maxBacklog);
    } catch (error) {
      this.#cursors.unwatch(durable);
      if (!known) this.#cursors.remove(durable);
      durable.holder = undefined;
      durable.maxBacklog = maxBacklog;
      throw error;
    }
    return cursor;
  }

  /** For a query; a log that cannot write answers from what it has. */
  async #settle(topic: Topic): Promise<void> {
    if (!this.#guard.broken) await this.#committer.task((tx) => this.#space.settle(tx, topic), false);
  }

  /** After a failed write: what is on disk is read anew, readers keep their places. */
  async #reopen(): Promise<void> {
    const { database } = this.#state;
    await this.#committer.settled();
    const acknowledged = this.#state.head;
    // If it fails the database stays closed, and reads wait for the next try.
    this.#state.reopening ??= new Promise((resolve) => { this.#readable = resolve; });
    await database.close();
    try {
      if (this.#guard.damaged) throw new LanpostError('corrupt');
      await database.open();
      await this.#recovery.run(acknowledged);
    } catch (error) {
      if (!isDamage(error)) throw error;
      await this.#repair(error);
      await this.#recovery.run(acknowledged, true);
    }
    this.#guard.damaged = false;
    this.#space.reset();
    const tx = new Transaction(this.#state);
    this.#cursors.flush(tx, false);
    await tx.write({ sync: true });
    tx.committed();
    database.witness(this.#state.head);
    this.#state.reopening = undefined;
    this.#readable();
  }

  async #close(): Promise<void> {
    this.#timeTimer?.stop();
    this.#cursors.stop();
    await Promise.all([this.#guard.stop(), this.#space.stop()]);
    try {
      const flushed = this.#guard.broken ? undefined : this.#committer.task((tx) => this.#cursors.flush(tx, true));
      await Promise.all([this.#committer.close(), flushed]);
      if (!this.#guard.broken) await this.#recovery.close();
    } catch (error) {
      // Nothing acknowledged depends on it: the next opening checks what this one could not vouch for.
      this.#state.trouble({ kind: 'log.close', message: `The log could not be closed cleanly: ${error instanceof Error ? error.message : String(error)}` });
    } finally {
      this.#state.reopening = undefined;
      this.#readable();
      this.#state.outcomes.close();
      await this.#state.database.close();
    }
  }

  #assertOpen(): void {
    if (this.#closing) throw closedError();
  }
}

function closedError(): LanpostError {
  return new LanpostError('closed', 'The log has been closed.');
}
