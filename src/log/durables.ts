import { isDeepStrictEqual } from 'node:util';
import { LanpostError } from '../errors.ts';
import { isWanted } from './asides.ts';
import { Backlog } from './backlog.ts';
import { CursorInfo } from './cursor-info.ts';
import type { Committer } from './commit.ts';
import { encodeGiven } from './cbor.ts';
import type { Cursors } from './cursors.ts';
import type { Durable, MaxBacklog } from './durable.ts';
import type { LogRecord } from './record.ts';
import type { ProgressRow } from './progress-row.ts';
import type { Reading } from './reading.ts';
import type { CursorFrom, Start } from './start.ts';
import type { LogState } from './state.ts';

/** A record that a reader would not take, and what it noted then. */
export interface Aside {
  readonly record: LogRecord;
  readonly note: unknown;
}

/** What is done to durable cursors from outside, whether or not somebody has them open. */
export class Durables {
  readonly #state: LogState;
  readonly #cursors: Cursors;
  readonly #committer: Committer;
  readonly #reading: Reading;
  readonly #start: Start;
  readonly #dropping = new Map<string, Promise<void>>();

  constructor(o: { state: LogState; cursors: Cursors; committer: Committer; reading: Reading; start: Start }) {
    this.#state = o.state;
    this.#cursors = o.cursors;
    this.#committer = o.committer;
    this.#reading = o.reading;
    this.#start = o.start;
  }

  *infos(): IterableIterator<CursorInfo> {
    const { asides } = this.#state;
    const backlog = new Backlog(this.#state, this.#reading, this.#cursors.durable);
    for (const durable of this.#cursors.durable.values()) yield new CursorInfo(durable, asides, backlog);
  }

  /** It is there until the batch that drops it is on disk; who asks for it meanwhile wants another. */
  async dropped(name: string): Promise<void> {
    await this.#dropping.get(name)?.catch(() => undefined); // whoever dropped it sees that it could not be
  }

  async drop(name: string): Promise<void> {
    const dropping = this.#dropping.get(name) ?? this.#drop(this.#cursors.get(name)).finally(() => this.#dropping.delete(name));
    this.#dropping.set(name, dropping);
    await dropping;
  }

  async annotate(name: string, extra: unknown, sync: boolean): Promise<void> {
    const durable = this.#cursors.get(name);
    encodeGiven(extra);
    await this.#committer.task((tx) => { if (!durable.leaving) durable.annotate(tx, extra); }, sync);
  }

  async bound(name: string, maxBacklog: MaxBacklog): Promise<void> {
    const durable = this.#cursors.get(name);
    const bound = Object.keys(maxBacklog).length === 0 ? undefined : maxBacklog;
    if (isDeepStrictEqual(durable.maxBacklog, bound)) return;
    durable.maxBacklog = bound;
    await this.#committer.task((tx) => { if (!durable.leaving) durable.describe(tx); });
  }

  /** Goes on from there, whatever it had done, but not through what it has put aside. */
  async seek(name: string, from: CursorFrom): Promise<void> {
    const durable = this.#cursors.get(name);
    if (durable.held.size > 0) throw new LanpostError('unsupported', `${name} holds topics back: it cannot be sent elsewhere.`);
    const at = await this.#start.at(durable.filter, from);
    let there = false;
    await this.#committer.task((tx) => {
      // Dropped meanwhile. Said below: what throws here takes all of the batch for failed.
      there = this.#cursors.has(durable) && !durable.leaving;
      if (!there) return;
      const { holder } = durable;
      // One that was tried again and confirmed is put aside only until the next batch.
      const aside = this.#state.asides.of(name).filter(([seq, note]) => !isWanted(note) || holder?.isRetried(seq) !== false).map(([seq]): [number, number] => [seq, seq]);
      // What had been handed out by now is known for a repeat, also after a restart.
      const handed = Math.max(durable.row.handed, durable.holder?.handed ?? 0);
      const row: ProgressRow = { position: at.position, handed, done: joined([...at.done, ...aside], at.position), above: at.done.length > 0 ? 0 : aside.filter(([seq]) => seq > at.position).length };
      durable.move(tx, row, this.#state.head);
      tx.onCommit(() => {
        this.#state.outcomes.untaken(name, () => true);
        this.#state.outcomes.lost(name, 'dropped', (_, seq) => seq <= row.position);
        this.#state.outcomes.sent(name);
      });
      this.#state.deliveries.forget(tx, name);
    }).catch((error: unknown) => {
      durable.moving = false;
      throw error;
    });
    if (!there) throw new LanpostError('not-found', `There is no durable reader ${name}.`);
  }

  async asides(name: string): Promise<Aside[]> {
    const notes = new Map(this.#state.asides.of(name));
    const records = await this.#reading.bySeqs([...notes.keys()]);
    return records.map((record) => ({ record, note: notes.get(record.seq) }));
  }

  /** Its reader gets them once more; gives how many there were. */
  retry(name: string, seqs?: readonly number[]): Promise<number> {
    const durable = this.#cursors.get(name);
    return this.#each(durable, seqs, (tx, found) => {
      for (const seq of found) this.#state.asides.want(tx, name, seq);
      this.#state.deliveries.forget(tx, name, found);
      tx.onCommit(() => durable.holder?.retry(found));
    });
  }

  /** Nobody gets them any more; gives how many there were. */
  async dropAsides(name: string, seqs?: readonly number[]): Promise<number> {
    const durable = this.#cursors.get(name);
    const topics = new Map((await this.asides(name)).map(({ record: { seq, topic } }) => [seq, topic]));
    return this.#each(durable, seqs, (tx, found) => {
      for (const seq of found) {
        const topic = topics.get(seq) ?? durable.filter;
        if (topic !== this.#state.ledger?.topic) tx.lose({ reader: name, topic, from: seq, to: seq, count: 1, reason: 'dropped' });
      }
      this.#state.asides.forget(tx, name, found);
      this.#state.deliveries.forget(tx, name, found);
    });
  }

  /** Those that are put aside, and not with its reader once more. */
  async #each(durable: Durable, seqs: readonly number[] | undefined, change: (tx: Parameters<Parameters<Committer['task']>[0]>[0], found: number[]) => void): Promise<number> {
    const asked = seqs && new Set(seqs);
    let count = 0;
    await this.#committer.task((tx) => {
      if (durable.leaving) return;
      const wanted = new Set(this.#state.asides.wanted(durable.name));
      const found = this.#state.asides.of(durable.name).map(([seq]) => seq).filter((seq) => !wanted.has(seq) && (asked?.has(seq) ?? true));
      count = found.length;
      change(tx, found);
    });
    return count;
  }

  async #drop(durable: Durable): Promise<void> {
    // From now on, not only within the batch that drops it: what else waits for that batch would leave rows behind.
    durable.leaving = true;
    await this.#committer.task((tx) => {
      this.#cursors.forget(durable);
      durable.remove(tx);
      this.#state.asides.forget(tx, durable.name);
      this.#state.deliveries.forget(tx, durable.name);
      tx.onCommit(() => this.#cursors.remove(durable));
    }).catch((error: unknown) => {
      // It is still there.
      for (const one of [durable, ...durable.held.values()]) one.leaving = false;
      throw error;
    });
  }
}

/** Ranges above `position`, in order and apart. */
function joined(ranges: readonly (readonly [number, number])[], position: number): [number, number][] {
  const done: [number, number][] = [];
  for (const [from, to] of ranges.toSorted(([a], [b]) => a - b)) {
    const last = done.at(-1);
    if (to <= position) continue;
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else done.push([Math.max(from, position + 1), to]);
  }
  return done;
}
