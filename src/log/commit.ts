import { crc32 } from 'node:zlib';
import { LanpostError } from '../errors.ts';
import type { Appended } from './appended.ts';
import { Assembly, type Pending } from './assemble.ts';
import { encodeBody, isPlain, isSound } from './body.ts';
import { Crowd } from './crowd.ts';
import type { Cursors } from './cursors.ts';
import type { DiskGuard } from './disk-guard.ts';
import { commitKey } from './keys.ts';
import { BATCH_BYTES, BATCH_RECORDS, ROOM_RECORD_BYTES } from './limits.ts';
import { Overlap } from './overlap.ts';
import { originName } from './origins.ts';
import { type Prior, readPriors, readView } from './prior.ts';
import type { Draft } from './record.ts';
import { type Content, contentBytes, RowWriter } from './row-writer.ts';
import type { Space } from './space.ts';
import type { LogState } from './state.ts';
import type { Topic } from './topics.ts';
import { Transaction } from './transaction.ts';
import { maxItems } from './room.ts';
import { encodeCommit } from './window.ts';

/** Something besides appends that wants to be in the next batch. */
interface Task {
  readonly build: (tx: Transaction) => void | Promise<void>;
  /** Whether it waits for the disk. */
  readonly sync: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

function closedError(): LanpostError {
  return new LanpostError('closed', 'The log has been closed.');
}

/** Tells everybody who waits for a batch what became of it; more than once is harmless. */
type Acknowledge = () => void;

/** Counted for what a queued draft costs besides its body. */
const OVERHEAD = 256;

/**
 * Group commit: one batch in flight. The next one starts with setImmediate after the first
 * append, so everything that was asked for meanwhile shares its fsync; there is no timer.
 */
export class Committer {
  readonly #state: LogState;
  readonly #cursors: Cursors;
  readonly #guard: DiskGuard;
  readonly #space: Space;
  readonly #rows = new RowWriter();
  readonly #overlap = new Overlap();
  #queue: Pending[] = [];
  #queuedBytes = 0;
  #tasks: Task[] = [];
  #scheduled = false;
  #running = false;
  /** No more appends; then, nothing more at all. */
  #closing = false;
  #closed = false;
  #idle: (() => void)[] = [];
  readonly #crowd: Crowd;

  constructor(o: { state: LogState; cursors: Cursors; guard: DiskGuard; space: Space }) {
    this.#state = o.state;
    this.#cursors = o.cursors;
    this.#guard = o.guard;
    this.#space = o.space;
    this.#crowd = new Crowd(o.state.limits.roomyBytes);
  }

  /** Undefined while not too much waits for the disk; else it resolves when that is so again. */
  roomy(): Promise<void> | undefined {
    return this.#crowd.roomy(this.#queuedBytes);
  }

  append(draft: Draft): Promise<Appended> {
    if (this.#closing) return Promise.reject(closedError());
    const refusal = this.#guard.refusal(draft.makesRoom);
    if (refusal) return Promise.reject(refusal);
    if (this.#queuedBytes > this.#state.limits.pendingBytes) return Promise.reject(new LanpostError('busy'));
    let content: Content;
    let bytes: number;
    try {
      if (!isSound(draft)) throw new TypeError('a field of the record has the wrong type');
      content = isPlain(draft) ? draft : encodeBody(draft);
      bytes = contentBytes(content);
    } catch (cause) {
      return Promise.reject(new LanpostError('invalid-value', 'The record holds something that cannot be stored.', { cause }));
    }
    if (draft.makesRoom === true && (draft.payload !== undefined || bytes > ROOM_RECORD_BYTES)) return this.append({ ...draft, makesRoom: false });
    this.#queuedBytes += bytes + OVERHEAD;
    return new Promise((resolve, reject) => {
      this.#queue.push({ draft, content, bytes, resolve, reject });
      if (!this.#scheduled) this.nudge();
    });
  }

  /** Runs `build` within the next batch; resolves when that is fsynced. */
  task(build: Task['build'], sync: boolean = true): Promise<void> {
    if (this.#closed) return Promise.reject(closedError());
    if (this.#guard.broken) return Promise.reject(this.#guard.refusal() ?? new LanpostError('disk-full'));
    return new Promise((resolve, reject) => {
      this.#tasks.push({ build, sync, resolve, reject });
      this.nudge();
    });
  }

  /** There is something for a batch: appends, tasks, cursors or space. */
  nudge(): void {
    if (this.#scheduled || this.#running) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#run();
    });
  }

  /** Nothing more is taken in; resolves when what was taken in is on disk or refused. */
  async close(): Promise<void> {
    this.#closing = true;
    while (this.#running || this.#scheduled || this.#queue.length > 0 || this.#tasks.length > 0) {
      await new Promise<void>((resolve) => {
        this.#idle.push(resolve);
        this.nudge();
      });
    }
    this.#closed = true;
  }

  /** Nothing can be written; readers are still served. */
  get broken(): boolean {
    return this.#guard.broken;
  }

  /** Waits until no batch is in flight. */
  async settled(): Promise<void> {
    if (this.#running) await new Promise<void>((resolve) => { this.#idle.push(resolve); });
  }

  /** Whatever waits is refused. */
  refuseAll(error: LanpostError): void {
    const queue = this.#queue.splice(0);
    const tasks = this.#tasks.splice(0);
    this.#queuedBytes = 0;
    this.#crowd.now(0);
    for (const { reject } of queue) reject(error);
    for (const { reject } of tasks) reject(error);
  }

  get #work(): boolean {
    return this.#queue.length > 0 || this.#tasks.length > 0 || this.#cursors.urgent || this.#space.due;
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    let acknowledge: Acknowledge | undefined;
    try {
      for (let first = true; !this.#guard.broken && (first || this.#goesOn); first = false) {
        acknowledge = await this.#batch(first, acknowledge);
      }
    } finally {
      acknowledge?.();
      this.#running = false;
      if (this.#work && !this.#guard.broken) this.nudge();
      else for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  /** Whether the next batch follows at once, before the callers of the last one are told and come with more. */
  get #goesOn(): boolean {
    const waiting = this.#queue.length;
    return waiting >= BATCH_RECORDS || (waiting > 0 && this.#overlap.pays(2 * waiting));
  }

  #takeQueue(first: boolean): Pending[] {
    const most = first ? this.#overlap.share(this.#queue.length) : BATCH_RECORDS;
    let bytes = 0;
    let count = 0;
    for (const one of this.#queue) {
      if (one.draft.kind === 'retract' && this.#overfull(one.draft.topic, count)) break;
      if (count > 0 && clears(one.draft)) break;
      if (count >= most || (count > 0 && bytes + one.bytes > BATCH_BYTES)) break;
      bytes += one.bytes;
      count++;
    }
    this.#queuedBytes -= bytes + count * OVERHEAD;
    this.#crowd.now(this.#queuedBytes);
    if (count < this.#queue.length) return this.#queue.splice(0, count);
    const all = this.#queue;
    this.#queue = [];
    return all;
  }

  /**
   * Whether the first `count` drafts may push items out of the topic's view. Those are gone for good,
   * so a retraction, which would make room for them, has to find the view settled: in the next batch.
   */
  #overfull(name: string, count: number): boolean {
    let before = 0;
    for (let i = 0; i < count; i++) if (this.#queue[i]?.draft.topic === name) before++;
    const topic = this.#state.topics.byName.get(name);
    const settings = topic?.settings ?? {};
    if (before === 0 || settings.full === 'reject') return false;
    return settings.maxBytes !== undefined || (topic?.count ?? 0) + before > maxItems(this.#state, { settings });
  }

  /** Writes one batch. `before` tells those of the batch before: as soon as this one is on its way. */
  async #batch(first: boolean, before: Acknowledge | undefined): Promise<Acknowledge | undefined> {
    await this.#checkRoom();
    const tasks = this.#tasks.splice(0);
    const pending = this.#takeQueue(first);
    const tx = new Transaction(this.#state);
    try {
      const assembly = await this.#build(tx, pending, tasks);
      const begun = this.#state.clock.mono();
      const written = tx.write({ sync: assembly.entries.length > 0 || assembly.prolonged || tasks.some(({ sync }) => sync) || this.#cursors.sync });
      before?.();
      await written;
      const { length } = assembly.entries;
      if (length > 0) this.#overlap.wrote(length, this.#state.clock.mono() - begun);
      return this.#committed(tx, assembly, pending, tasks);
    } catch (error) {
      before?.();
      await tx.discard();
      this.#guard.failed(error);
      const refusal = this.#guard.refusal() ?? new LanpostError('disk-full', undefined, { cause: error });
      for (const { reject } of pending) reject(refusal);
      for (const { reject } of tasks) reject(refusal);
      this.refuseAll(refusal);
      return undefined;
    }
  }

  async #checkRoom(): Promise<void> {
    const full = await this.#guard.check();
    if (!full) return;
    // Cursors and trims go on, and what else makes room.
    const queue = this.#queue;
    this.#queue = queue.filter(({ draft }) => this.#guard.refusal(draft.makesRoom) === undefined);
    this.#queuedBytes = this.#queue.reduce((sum, { bytes }) => sum + bytes + OVERHEAD, 0);
    this.#crowd.now(this.#queuedBytes);
    for (const { draft, reject } of queue) if (this.#guard.refusal(draft.makesRoom)) reject(full);
  }

  async #build(tx: Transaction, pending: Pending[], tasks: Task[]): Promise<Assembly> {
    const state = this.#state;
    const priors = await readPriors(state, pending.map(({ draft }) => draft));
    await this.#space.page(tx, pending.length > 0);
    for (const topic of this.#exact(pending)) await this.#space.settle(tx, topic);
    const assembly = new Assembly(state, tx, this.#rows, priors, pending.length);
    const view = pending[0] && await this.#cleared(pending[0].draft);
    for (const [i, one] of pending.entries()) assembly.add(one, i === 0 ? view : undefined);
    for (const task of tasks) await task.build(tx);
    const lines = this.#ledgerLines(tx);
    for (const [name, prior] of lines.length === 0 ? [] : await readPriors(state, lines)) priors.set(name, prior);
    for (const draft of lines) assembly.add({ draft, content: encodeBody(draft) });
    assembly.seal();
    const first = assembly.entries[0];
    this.#cursors.write(tx, assembly.topics.keys(), assembly.entries.at(-1)?.seq ?? 0);
    if (first) {
      const { bytes, entries } = assembly;
      const { dropped, oldest } = state.window.overflow(first.seq, bytes);
      tx.apply(dropped);
      tx.put(commitKey(first.seq), encodeCommit({ first: first.seq, count: entries.length, crc: crc32(assembly.crcs), bytes, hole: false, oldest }));
      tx.onCommit(() => state.window.add(first.seq, bytes, dropped.length));
    }
    tx.seal();
    return assembly;
  }

  /** What is in view where all of it is to go, when something newer of the same box may be among it. */
  async #cleared(draft: Draft): Promise<Prior[] | undefined> {
    const { origins, topics } = this.#state;
    const topic = topics.byName.get(draft.topic);
    if (!draft.origin || !clears(draft) || !topic?.stored) return undefined;
    return (origins.get(originName(draft.origin, draft.topic))?.high ?? 0) > draft.origin.seq ? readView(this.#state, topic) : undefined;
  }

  /** What this batch takes from readers, as records of its own. */
  #ledgerLines({ losses }: Transaction): Draft[] {
    const { ledger, topics } = this.#state;
    if (!ledger || losses.length === 0) return [];
    const { topic, settings } = ledger;
    const opened: Draft[] = topics.byName.get(topic)?.stored ? [] : [{ topic, kind: 'configure', config: settings }];
    return [...opened, ...ledger.drafts(losses)];
  }

  /** Topics of these drafts of which the view has to be what it may hold: what can be retracted, or has room, depends on it. */
  #exact(pending: readonly Pending[]): Set<Topic> {
    const exact = new Set<Topic>();
    let before: string | undefined;
    for (const { draft } of pending) {
      // Most often the same as of the one before.
      if (draft.topic === before && draft.kind !== 'retract') continue;
      before = draft.topic;
      const topic = this.#state.topics.byName.get(draft.topic);
      if (topic?.stored && (draft.kind === 'retract' || topic.settings.full === 'reject')) exact.add(topic);
    }
    return exact;
  }

  /** The batch is on disk: readers may have it, and those who wait for it may be told. */
  #committed(tx: Transaction, { entries, topics, results, bytes, replaced }: Assembly, pending: Pending[], tasks: Task[]): Acknowledge {
    const state = this.#state;
    tx.committed();
    for (const entry of entries) state.ring.push(entry);
    for (const seq of replaced) {
      const entry = state.ring.at(seq);
      if (entry) entry.stale = true;
    }
    const last = entries.at(-1);
    if (last) {
      state.head = last.seq;
      state.database.witness(last.seq);
      this.#guard.wrote(bytes);
    }
    // Before a reader can have any of them.
    for (const [i, { draft }] of pending.entries()) {
      const result = results[i];
      if (draft.follow !== undefined && result && !(result instanceof LanpostError)) state.outcomes.follow(draft.follow, result);
    }
    this.#cursors.committed(topics);
    this.#space.committed(entries, topics);
    return () => {
      for (let i = 0; i < pending.length; i++) {
        const result = results[i];
        if (result instanceof LanpostError) pending[i]?.reject(result);
        else if (result) pending[i]?.resolve(result);
      }
      for (const { resolve } of tasks) resolve();
    };
  }
}

/** Whether it takes away all that another box's topic held: what is in view then has to be on disk, so that it is the first of its batch. */
function clears({ kind, origin }: Draft): boolean {
  return origin !== undefined && (kind === 'purge' || kind === 'delete');
}
