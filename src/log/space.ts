import type { Timer } from '../clock.ts';
import { Ages } from './ages.ts';
import { BacklogBounds } from './backlog-bounds.ts';
import { Compaction } from './compaction.ts';
import type { Durable } from './durable.ts';
import { Expiry, topicNumber } from './expiry.ts';
import { GarbageSweep } from './garbage-sweep.ts';
import { Horizon } from './horizon.ts';
import { decodeIndex } from './index-row.ts';
import { expiryKey, garbageKey, getSeq, idKey, indexKey, recordKey } from './keys.ts';
import { metaOp } from './meta.ts';
import { namesOf } from './item-names.ts';
import { keptFrom, tellLost } from './reader.ts';
import type { Reading } from './reading.ts';
import type { RingEntry } from './ring.ts';
import { overfull } from './room.ts';
import type { LogState } from './state.ts';
import type { Topic } from './topics.ts';
import type { Transaction } from './transaction.ts';

const INTERVAL = 1000;
const EXPIRY_INTERVAL = 60_000;
/** Without a batch for so long, the log is at rest. */
const REST = 10_000;
/** Index rows looked at for one batch, so that a big trim never holds up appends for long. */
const PAGE = 1000;

type Job = { readonly kind: 'view' | 'sweep'; readonly topic: Topic } | { readonly kind: 'backlog'; readonly durable: Durable } | { readonly kind: 'expiry' | 'garbage' | 'epochs' };

/**
 * Makes room, a page in each batch. First a topic's view gives up its oldest items; then what is
 * out of the view is deleted, once every durable reader that matches is past it on disk and its
 * commit row has gone.
 */
export class Space {
  readonly #state: LogState;
  readonly #nudge: () => void;
  readonly #horizon: Horizon;
  readonly #garbage: GarbageSweep;
  readonly #compaction: Compaction;
  readonly #expiry: Expiry;
  readonly ages: Ages;
  readonly #bounds: BacklogBounds;
  /** Time passes for items also when nothing is written. */
  readonly #expiryTimer: Timer;
  readonly #restTimer: Timer;
  /** Something was written since it was last looked. */
  #busy = false;
  #jobs: Job[] = [];
  #timer: Timer | undefined;
  #stopped = false;
  /** Bytes appended since everything had been gone through. */
  #owed = 0;
  #waiting: (() => void)[] = [];

  constructor(state: LogState, reading: Reading, nudge: () => void) {
    this.#state = state;
    this.#nudge = nudge;
    this.#horizon = new Horizon(state.limits.lagBytes);
    this.#garbage = new GarbageSweep(state, this.#horizon);
    this.#compaction = new Compaction(state);
    this.#expiry = new Expiry(state);
    this.ages = new Ages(state);
    this.#bounds = new BacklogBounds(state, reading, this.ages);
    this.#restTimer = state.clock.every(REST, () => this.#rest());
    this.#expiryTimer = state.clock.every(EXPIRY_INTERVAL, () => { if (this.#expiry.due || this.#aged || !this.#bounds.due().next().done) this.#begin(); });
  }

  get due(): boolean {
    return this.#jobs.length > 0;
  }

  /** Goes through everything once; resolves when that is on disk. */
  async run(): Promise<void> {
    this.#begin();
    if (this.due) await new Promise<void>((resolve) => { this.#waiting.push(resolve); });
  }

  /** Adds one page of work to a batch. What may wait yields to appends, until much has piled up. */
  async page(tx: Transaction, appends: boolean): Promise<void> {
    const yields = appends && this.#waiting.length === 0 && this.#owed < this.#state.limits.trimLagBytes;
    let budget = PAGE;
    while (budget > 0) {
      const job = this.#jobs[0];
      if (!job || (yields && job.kind !== 'expiry' && job.kind !== 'backlog')) break;
      const { used, more } = await this.#work(tx, job, budget);
      budget -= used;
      if (more) continue;
      this.#jobs.shift();
      if (this.#jobs.length === 0) this.#owed = 0;
    }
    // What is deleted may have been the highest seq, or topic number, that the rows told of.
    if (budget < PAGE) tx.apply([metaOp(this.#state)]);
    if (this.#jobs.length === 0 && this.#waiting.length > 0) {
      const waiting = [...this.#waiting];
      tx.onCommit(() => {
        this.#waiting = this.#waiting.filter((resolve) => !waiting.includes(resolve));
        for (const resolve of waiting) resolve();
      });
    }
  }

  /** The topic's view gives up at once what it would within a second, all in this batch. */
  async settle(tx: Transaction, topic: Topic): Promise<void> {
    while ((await this.#view(tx, topic, PAGE)).more);
  }

  /** A batch is on disk: soon there may be something to do. */
  committed(entries: readonly RingEntry[], topics: ReadonlyMap<Topic, number>): void {
    for (const topic of topics.keys()) this.ages.committed(topic);
    this.#busy = true;
    for (const { seq, bytes, draft } of entries) {
      this.#horizon.add(seq, bytes);
      this.#owed += bytes;
      if (draft.expires !== undefined) this.#expiry.added(draft.expires);
    }
    if (!this.#stopped && !this.due) this.#timer ??= this.#state.clock.after(INTERVAL, () => this.#begin());
  }

  /** The database was reopened: whatever was under way may not have happened. */
  reset(): void {
    this.#jobs = [];
    for (const topic of this.#state.topics.stored()) this.ages.forget(topic);
    this.#garbage.reset();
    this.#expiry.reset();
    this.#bounds.reset();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.stop();
    this.#expiryTimer.stop();
    this.#restTimer.stop();
    this.#jobs = [];
    for (const resolve of this.#waiting.splice(0)) resolve();
    await this.#compaction.stop();
  }

  #rest(): void {
    const busy = this.#busy || this.due;
    this.#busy = false;
    if (busy) return;
    this.#compaction.settle().catch(this.#unasked);
  }

  readonly #unasked = (error: unknown): void => {
    this.#state.trouble({ kind: 'log.compaction', message: `How much space there is could not be asked: ${error instanceof Error ? error.message : String(error)}` });
  };

  get #aged(): boolean {
    for (const topic of this.#state.topics.stored()) if (this.ages.due(topic)) return true;
    return false;
  }

  #begin(): void {
    this.#timer?.stop();
    this.#timer = undefined;
    if (this.#stopped || this.due) return;
    if (this.#expiry.due) this.#jobs.push({ kind: 'expiry' });
    for (const durable of this.#bounds.due()) this.#jobs.push({ kind: 'backlog', durable });
    for (const topic of this.#state.topics.stored()) {
      if (overfull(this.#state, topic) || this.ages.due(topic)) this.#jobs.push({ kind: 'view', topic }, { kind: 'sweep', topic });
      else if (topic.first < Math.min(topic.viewFrom, this.#state.window.start) && topic.first > 0) this.#jobs.push({ kind: 'sweep', topic });
    }
    if (this.#garbage.due) this.#jobs.push({ kind: 'garbage' });
    if (this.#jobs.length === 0) return;
    this.#jobs.push({ kind: 'epochs' });
    this.#nudge();
  }

  async #work(tx: Transaction, job: Job, budget: number): Promise<{ used: number; more: boolean }> {
    if (job.kind === 'view') return this.#view(tx, job.topic, budget);
    if (job.kind === 'sweep') return this.#sweep(tx, job.topic, budget);
    if (job.kind === 'expiry') return this.#expiry.page(tx);
    if (job.kind === 'backlog') return this.#bounds.page(tx, job.durable);
    if (job.kind === 'garbage') return this.#garbage.page(tx, budget, (seq, bytes) => this.#compaction.deleted(seq, bytes));
    return this.#epochs(tx);
  }

  /** The view gives up its oldest items. */
  async #view(tx: Transaction, topic: Topic, budget: number): Promise<{ used: number; more: boolean }> {
    const change = tx.topic(topic);
    const old = this.ages.due(topic) ? await this.ages.page(tx, topic, change) : { used: 0, more: false };
    if (old.more || !overfull(this.#state, change)) return old;
    const rows = await this.#state.database.range({ gte: indexKey(topic.no, change.viewFrom), lte: indexKey(topic.no, topic.last), limit: budget });
    for (const [key, value] of rows) {
      if (!overfull(this.#state, change)) break;
      const index = decodeIndex(value);
      const seq = getSeq(key, 5);
      if (index.item && index.state === 'live' && !tx.gone.has(seq)) {
        change.count--;
        change.viewBytes -= index.size;
      }
      change.viewFrom = seq + 1;
    }
    tx.touch(topic);
    return { used: old.used + rows.length + 1, more: rows.length === budget && overfull(this.#state, change) };
  }

  /** What lies before the view goes, as far as readers allow. */
  async #sweep(tx: Transaction, topic: Topic, budget: number): Promise<{ used: number; more: boolean }> {
    const { database, readers, window, asides } = this.#state;
    const change = tx.topic(topic);
    const kept = keptFrom(readers.of(topic), this.#horizon.seq);
    const end = Math.min(change.viewFrom, kept + 1, window.start);
    if (change.first >= end) return { used: 0, more: false };
    const rows = await database.range({ gte: indexKey(topic.no, change.first), lt: indexKey(topic.no, end), limit: budget });
    let deleted = 0;
    const gone: number[] = [];
    for (const [key, value] of rows) {
      const seq = getSeq(key, 5);
      const index = decodeIndex(value);
      if (tx.deleted.has(seq)) continue;
      if (index.item && index.state === 'live') {
        for (const name of namesOf(index)) {
          tx.del(idKey(topic.no, name));
          tx.gone.add(seq);
        }
      }
      if (asides.keeps(seq)) {
        // It stays, out of turn, until whoever put it aside lets it go.
        tx.put(garbageKey(seq), topicNumber(topic.no));
        tx.onCommit(() => this.#garbage.keep(seq));
        continue;
      }
      tx.deleted.add(seq);
      tx.del(recordKey(seq));
      tx.del(key);
      if (!index.item || index.state !== 'live') tx.del(garbageKey(seq));
      else if (index.expires !== undefined) tx.del(expiryKey(index.expires, seq));
      this.#compaction.deleted(seq, index.size);
      deleted += index.size;
      // In the lane `latest` what has been replaced is nobody's any more.
      if (index.state === 'live' || topic.settings.lane !== 'latest') gone.push(seq);
    }
    const more = rows.length === budget;
    const last = rows.at(-1);
    change.first = more && last ? getSeq(last[0], 5) + 1 : end;
    change.bytes -= deleted;
    tx.touch(topic);
    tx.drop(topic);
    tx.onCommit(() => tellLost(readers.of(topic), topic.name, gone));
    return { used: rows.length + 1, more };
  }

  /** Epochs whose records have all gone. */
  #epochs(tx: Transaction): { used: number; more: boolean } {
    let first = this.#state.head + 1;
    for (const topic of this.#state.topics.stored()) if (topic.first > 0 && topic.bytes > 0) first = Math.min(first, topic.first);
    tx.apply(this.#state.epochs.prune(Math.min(first, this.#state.gaps[0] ?? first, this.#state.asides.first)));
    this.#compaction.consider().catch(this.#unasked);
    return { used: 1, more: false };
  }
}
