import { LanpostError } from '../errors.ts';
import type { Timer } from '../clock.ts';
import { Durable, HANDED_STEP, HeldTopic, loadDurable, loadHeld } from './durable.ts';
import type { Row } from './database.ts';
import { decodeLost } from './lost-range.ts';
import { keyText } from './keys.ts';
import type { Reader } from './reader.ts';
import type { LogState } from './state.ts';
import type { Topic } from './topics.ts';
import type { Transaction } from './transaction.ts';

const IDLE = 1000;
/** So long after a batch that could take it along, so that it is on disk within a second all the same. */
const AFTER_RIDE = 750;

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
  #timer: Timer | undefined;
  /** When the last batch went that took along whatever was due. */
  #rode = -Infinity;
  /** All dirty rows go with the next batch. */
  #all = false;
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
    for (const { name, lost } of losses.map(decodeLost)) this.durable.get(name)?.lose(lost, undefined);
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
    for (const one of [durable, ...durable.held.values()]) this.#retire(one);
  }

  #retire(durable: Durable): void {
    this.#waking.get(durable)?.end();
    this.#waking.delete(durable);
    this.#state.readers.remove(durable);
    this.#dirty.delete(durable);
    this.#bounds.delete(durable);
  }

  /** Whether it is still there. */
  has(durable: Durable): boolean {
    if (durable instanceof HeldTopic) return this.has(durable.parent) && durable.parent.held.get(durable.filter) === durable && durable.until === Infinity;
    return this.durable.get(durable.name) === durable;
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
  }

  unwatch(reader: Reader): void {
    this.#waking.delete(reader);
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
    return this.#bounds.size > 0 || (this.#all && this.#dirty.size > 0);
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
    for (const durable of this.#dirty) if (this.#all || durable.due(now)) this.#put(tx, durable, now, durable.row.handed);
    this.#all = false;
  }

  /** Records of these topics are on disk, from that seq on. */
  committed(topics: ReadonlyMap<Topic, number>): void {
    for (const [topic, seq] of topics) {
      for (const reader of this.#state.readers.of(topic)) this.#waking.get(reader)?.committed(seq);
    }
  }

  /** A record of a topic in memory is there. */
  arrived(topic: Topic, seq: number): void {
    for (const reader of this.#state.readers.of(topic)) if (!reader.durable) this.#waking.get(reader)?.arrived(seq);
  }

  /** After a reopening there are records from that seq on that nobody was told of. */
  found(seq: number): void {
    for (const reader of this.#waking.values()) reader.committed(seq);
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
    for (const reader of this.#state.readers.of(topic)) {
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
    this.#all = true;
    this.#nudge();
  }
}
