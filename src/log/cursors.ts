import { LanpostError } from '../errors.ts';
import type { Timer } from '../clock.ts';
import { Durable, HANDED_STEP, HeldTopic, loadDurable, loadHeld } from './durable.ts';
import type { Row } from './database.ts';
import { decodeLost } from './lost-range.ts';
import { keyText } from './keys.ts';
import type { Outcome, Standing } from './outcomes.ts';
import type { Reader } from './reader.ts';
import type { LogState } from './state.ts';
import type { Topic } from './topics.ts';
import type { Transaction } from './transaction.ts';

const IDLE = 1000;
/** So long after a batch that could take it along, so that it is on disk within a second all the same. */
const AFTER_RIDE = 750;

/** Readers of one topic that are told at once of what was committed; the others in turns, so that nobody who publishes waits for all of them. */
const TOLD_AT_ONCE = 100;
/** Rows of cursors, besides bounds, that go with one batch. */
const ROWS_AT_ONCE = 256;

/** Readers of one topic that have yet to be told, from one of them on. */
interface Untold {
  readonly readers: readonly Reader[];
  readonly seq: number;
  at: number;
}

/** A reader that is woken when a record it matches has been committed. */
export interface Wakeable {
  /** The log is closing. */
  end(): void;
  committed(seq: number): void;
  /** A record of a topic in memory is there. */
  arrived(seq: number): void;
}

/** All cursors: the durable ones by name, and what each batch has to write of them. */
export class Cursors {
  readonly durable: Map<string, Durable> = new Map();
  readonly #state: LogState;
  readonly #nudge: () => void;
  readonly #dirty = new Set<Durable>();
  /** Their bound has to be on disk before they can go on. */
  readonly #bounds = new Map<Durable, number>();
  readonly #waking = new Map<Reader, Wakeable>();
  /** Changes whenever a reader is opened or closed. */
  #opened = 0;
  /** Of the many readers of a topic those that are open, as of then. */
  readonly #openOf = new WeakMap<Topic, { readonly all: readonly Reader[]; readonly opened: number; readonly open: readonly Reader[] }>();
  /** Oldest first. */
  readonly #untold: Untold[] = [];
  #timer: Timer | undefined;
  /** When the last batch went that took along whatever was due. */
  #rode = -Infinity;
  /** So many rows, whether due or not, go with the next batches. */
  #flushing = 0;
  #closed = false;
  /** Rows of topics held back that a failed batch left on disk. */
  #stale: Uint8Array[] = [];

  constructor(state: LogState, nudge: () => void) {
    this.#state = state;
    this.#nudge = nudge;
  }

  load(subscriptions: readonly Row[], positions: readonly Row[], losses: readonly Row[]): void {
    const rows = new Map<string, Uint8Array>();
    const held: { readonly name: string; readonly topic: string; readonly key: Uint8Array; readonly value: Uint8Array }[] = [];
    for (const [key, value] of positions) {
      const [name = '', topic] = keyText(key).split('\0');
      if (topic === undefined) rows.set(name, value);
      else held.push({ name, topic, key, value });
    }
    const before = new Set(this.durable.keys());
    for (const [key, value] of subscriptions) {
      const name = keyText(key);
      const durable = loadDurable(name, value, rows.get(name));
      const known = this.durable.get(name);
      // After a reopening the cursors in memory are ahead of the disk.
      if (known?.filter === durable.filter) known.row = durable.row;
      else this.add(durable);
    }
    // A batch that failed may be on disk all the same: then it is so.
    for (const durable of this.durable.values()) durable.lost = [];
    for (const { name, lost } of losses.map(decodeLost)) this.durable.get(name)?.lose({ count: 0, ...lost }, undefined);
    for (const { name, topic, key, value } of held) {
      const parent = this.durable.get(name);
      const known = parent?.held.get(topic);
      if (known) known.row = loadHeld(known.parent, topic, value).row;
      // One that memory does not know was never said to be there, or is said to be gone.
      else if (!parent || before.has(name)) this.#stale.push(key);
      else this.hold(loadHeld(parent, topic, value));
    }
  }

  /** Nothing above the head was ever handed out, whatever bound was put ahead of time. */
  clamp(head: number, suspect: boolean): void {
    for (const durable of this.#each()) {
      const { position, handed, done, above } = durable.row;
      durable.row = { above: above ?? 0, position: Math.min(position, head), handed: suspect ? head : Math.min(handed, head), done: done.filter(([from]) => from <= head) };
      if (durable.holder) this.#dirty.add(durable);
    }
  }

  /** The last run ended in a crash: what had been handed out then may have caused it. */
  blame(): void {
    for (const durable of this.#each()) durable.suspect = durable.row.handed;
  }

  add(durable: Durable): void {
    this.durable.set(durable.name, durable);
    this.#state.readers.add(durable);
  }

  /** A topic is held back, from now on or since before. */
  hold(held: HeldTopic): void {
    held.parent.held.set(held.filter, held);
    if (held.until === Infinity) this.#state.readers.add(held);
  }

  /** It is no reader any more: the subscription has its topic back above `until`. */
  unhold(held: HeldTopic, until: number): void {
    held.until = until;
    this.#retire(held);
  }

  /** Its rows go with the batch being built: nothing of it may be written after that. */
  forget(durable: Durable): void {
    for (const one of [durable, ...durable.held.values()]) {
      this.#dirty.delete(one);
      this.#bounds.delete(one);
    }
  }

  /** It is dropped; whoever has it open reads no more. */
  remove(durable: Durable): void {
    this.durable.delete(durable.name);
    this.#state.outcomes.lost(durable.name, 'dropped');
    this.#state.outcomes.sent(durable.name);
    for (const one of [durable, ...durable.held.values()]) this.#retire(one);
  }

  #retire(durable: Durable): void {
    this.#waking.get(durable)?.end();
    this.unwatch(durable);
    this.#state.readers.remove(durable);
    this.#dirty.delete(durable);
    this.#bounds.delete(durable);
  }

  /** Whether it is still there. */
  has(durable: Durable): boolean {
    if (durable instanceof HeldTopic) return this.has(durable.parent) && durable.parent.held.get(durable.filter) === durable && durable.until === Infinity;
    return this.durable.get(durable.name) === durable;
  }

  /** Where a record of that topic is for that reader. */
  standing(name: string, topic: string, seq: number): Standing {
    const main = this.durable.get(name);
    if (!main) return 'gone';
    const held = main.held.get(topic);
    const { holder, row } = held && seq <= held.until ? held : main;
    if (holder) return holder.progress.standing(seq);
    return seq <= row.position || row.done.some(([from, to]) => from <= seq && seq <= to) ? 'past' : 'ahead';
  }

  /** How a record was taken from a reader that has yet to come to it. */
  lost(name: string, topic: string, seq: number): Outcome | undefined {
    const main = this.durable.get(name);
    const lost = main?.held.has(topic) ? undefined : main?.lostAt(seq);
    return lost && (lost.reason === 'expired' ? 'expired' : 'overflow');
  }

  /** Whether nobody has got so far. */
  allBelow(seq: number): boolean {
    for (const { position, row } of this.#each()) if (position >= seq || row.done.some(([from]) => from >= seq)) return false;
    return true;
  }

  *#each(): IterableIterator<Durable> {
    for (const durable of this.durable.values()) {
      yield durable;
      for (const held of durable.held.values()) if (held.until === Infinity) yield held;
    }
  }

  /** Wakes `cursor` for what matches `reader`. */
  watch(reader: Reader, cursor: Wakeable): void {
    this.#waking.set(reader, cursor);
    this.#opened++;
  }

  unwatch(reader: Reader): void {
    this.#waking.delete(reader);
    this.#opened++;
  }

  /** The readers of a topic, of many only those that are open: whoever is away is told nothing, and there is a batch each few hundred µs. */
  #open(topic: Topic): readonly Reader[] {
    const all = this.#state.readers.of(topic);
    if (all.length <= TOLD_AT_ONCE) return all;
    const known = this.#openOf.get(topic);
    if (known?.all === all && known.opened === this.#opened) return known.open;
    const open = all.filter((reader) => this.#waking.has(reader));
    this.#openOf.set(topic, { all, opened: this.#opened, open });
    return open;
  }

  get(name: string): Durable {
    const durable = this.durable.get(name);
    if (!durable) throw new LanpostError('not-found', `There is no durable reader ${name}.`);
    return durable;
  }

  /** Its position moved: it goes with some batch soon. */
  moved(durable: Durable): void {
    if (!this.has(durable)) return;
    this.#dirty.add(durable);
    if (!this.#closed) this.#timer ??= this.#state.clock.after(IDLE, () => this.#idle());
  }

  /** It wants to hand out records above the bound on disk. */
  raise(durable: Durable, bound: number): void {
    if (!this.has(durable)) return;
    this.#bounds.set(durable, Math.max(bound, this.#bounds.get(durable) ?? 0));
    this.#nudge();
  }

  get urgent(): boolean {
    return this.#bounds.size > 0 || (this.#flushing > 0 && this.#dirty.size > 0);
  }

  get sync(): boolean {
    return this.#bounds.size > 0;
  }

  /** What of the cursors goes with the batch that holds records of these topics, up to `last`. */
  write(tx: Transaction, topics: Iterable<Topic>, last: number): void {
    // Readers at the tail get their bound with the records themselves, so that nobody waits.
    for (const topic of topics) this.#lift(topic, last);
    const now = this.#state.clock.mono();
    if (last > 0) this.#rode = now;
    for (const [durable, bound] of this.#bounds) this.#put(tx, durable, now, bound);
    this.#bounds.clear();
    let rows = 0;
    for (const durable of this.#dirty) {
      if (rows === ROWS_AT_ONCE) break;
      if (this.#flushing <= rows && !durable.due(now)) continue;
      this.#put(tx, durable, now, durable.row.handed);
      rows++;
    }
    this.#flushing = this.#dirty.size === 0 ? 0 : Math.max(0, this.#flushing - rows);
  }

  /** Up to here every reader has been told of what there is: one that has read all it was told of has not read what comes after. */
  get told(): number {
    const [untold] = this.#untold;
    return untold ? untold.seq - 1 : this.#state.head;
  }

  /** Records of these topics are on disk, from that seq on. */
  committed(topics: ReadonlyMap<Topic, number>): void {
    for (const [topic, seq] of topics) {
      const readers = this.#open(topic);
      // Whoever is told now may not have been told yet of what came before.
      if (readers.length <= TOLD_AT_ONCE) this.#tell(readers, Math.min(seq, this.#untold[0]?.seq ?? seq));
      else if (!this.#untold.some((untold) => untold.readers === readers && untold.at === 0)) this.#gather({ readers, seq, at: 0 });
    }
  }

  /** A record of a topic in memory is there. */
  arrived(topic: Topic, seq: number): void {
    for (const reader of this.#open(topic)) if (!reader.durable) this.#waking.get(reader)?.arrived(seq);
  }

  #tell(readers: readonly Reader[], seq: number): void {
    for (const reader of readers) this.#waking.get(reader)?.committed(seq);
  }

  #gather(untold: Untold): void {
    if (this.#untold.push(untold) === 1) setImmediate(() => this.#turn());
  }

  /** Some of them are told; what others do comes between two turns. */
  #turn(): void {
    const [untold] = this.#untold;
    if (!untold || this.#closed) return;
    const from = untold.at;
    untold.at += TOLD_AT_ONCE;
    this.#tell(untold.readers.slice(from, untold.at), untold.seq);
    if (untold.at >= untold.readers.length) this.#untold.shift();
    if (this.#untold.length > 0) setImmediate(() => this.#turn());
  }

  /** After a reopening there are records from that seq on that nobody was told of. */
  found(seq: number): void {
    for (const reader of this.#waking.values()) reader.committed(Math.min(seq, this.#untold[0]?.seq ?? seq));
  }

  /** Every position that is not on disk goes into this batch. */
  flush(tx: Transaction, exact: boolean): void {
    const now = this.#state.clock.mono();
    for (const key of this.#stale.splice(0)) tx.del(key);
    for (const durable of exact ? this.#each() : this.#dirty) {
      if (durable.holder || this.#dirty.has(durable)) this.#put(tx, durable, now, exact ? 0 : durable.row.handed);
    }
  }

  stop(): void {
    this.#closed = true;
    this.#timer?.stop();
    this.#timer = undefined;
    for (const reader of this.#waking.values()) reader.end();
  }

  #lift(topic: Topic, last: number): void {
    for (const reader of this.#open(topic)) {
      // Not for one that is behind: after a crash its whole backlog would look like a repeat.
      if (reader instanceof Durable && reader.row.handed < last && reader.holder?.keepsUp) this.#bounds.set(reader, last + HANDED_STEP);
    }
  }

  #put(tx: Transaction, durable: Durable, now: number, handed: number): void {
    durable.write(tx, now, handed);
    this.#dirty.delete(durable);
  }

  #idle(): void {
    this.#timer = undefined;
    if (this.#dirty.size === 0) return;
    // Alone only where no records are written: else they ride with those, and cost no fsync of their own.
    const rest = this.#rode + AFTER_RIDE - this.#state.clock.mono();
    if (rest > 0) {
      this.#timer = this.#state.clock.after(rest, () => this.#idle());
      return;
    }
    this.#flushing = this.#dirty.size;
    this.#nudge();
  }
}
