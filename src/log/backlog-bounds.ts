import type { Ages } from './ages.ts';
import { between, settled } from './backlog.ts';
import { Durable, HeldTopic, type MaxBacklog } from './durable.ts';
import { hasWildcard } from './filter.ts';
import { recordKey } from './keys.ts';
import type { Found } from './leftovers.ts';
import { lossesOf } from './loss.ts';
import { joined, lostRow, type LostRange } from './lost-range.ts';
import { LostTally } from './lost-topics.ts';
import type { Reading } from './reading.ts';
import { Selection } from './selection.ts';
import type { LogState } from './state.ts';
import type { Topic } from './topics.ts';
import type { Transaction } from './transaction.ts';

/** Index rows that are walked over at a time. */
const PAGE = 1000;
/** Of what is dropped with one batch. */
const MOST = 10_000;

/** Matching records after `after`, up to `upTo`, which it has not been handed: how many, and how large. */
interface Measure {
  readonly selection: Selection;
  /** What lies there and was confirmed although one before it was not: it does not wait. In order. */
  readonly done: readonly (readonly [from: number, to: number])[];
  /** Where it was sent last. */
  readonly since: number;
  /** Topics that it held back then. */
  readonly held: number;
  /** Whether something has been counted off. */
  counted: boolean;
  after: number;
  upTo: number;
  records: number;
  bytes: number;
  /** Before this, by the monotonic clock, nothing in it is too old. */
  young: number;
}

/**
 * Keeps what waits for a subscription within its own `maxBacklog`: the oldest is dropped for it alone, and
 * it gets a gap in their place. What it has been handed already is never taken back.
 */
export class BacklogBounds {
  readonly #state: LogState;
  readonly #reading: Reading;
  readonly #ages: Ages;
  readonly #measures = new WeakMap<Durable, Measure>();
  readonly #blocked = new Set<Durable>();

  constructor(state: LogState, reading: Reading, ages: Ages) {
    this.#state = state;
    this.#reading = reading;
    this.#ages = ages;
  }

  /** The subscriptions that may have more waiting than they want. */
  *due(): IterableIterator<Durable> {
    const { head, bytes, clock } = this.#state;
    for (const reader of this.#state.readers.all()) {
      if (!(reader instanceof Durable) || reader instanceof HeldTopic || !reader.maxBacklog || reader.leaving) continue;
      const { records = Infinity, bytes: most = Infinity, age } = reader.maxBacklog;
      const behind = head - reader.base;
      const old = age !== undefined && behind > 0 && (this.#measures.get(reader)?.young ?? 0) <= clock.mono();
      if (behind > records || bytes > most || old) yield reader;
    }
  }

  /** The database was reopened: nothing that was being dropped has been. */
  reset(): void {
    for (const durable of this.#blocked) durable.blocked = Infinity;
    this.#blocked.clear();
  }

  /** Drops what is too much for it, as far as one batch should. */
  async page(tx: Transaction, durable: Durable): Promise<{ used: number; more: boolean }> {
    const limit = durable.maxBacklog;
    // One drop in a batch: the next is counted from where this one ends.
    if (!limit || durable.leaving || this.#blocked.has(durable)) return { used: 0, more: false };
    const { head } = this.#state;
    let measure = await this.#measure(durable, head, false);
    const handed = await this.#handed(durable, measure);
    // What was passed may have been trimmed before it was counted off.
    if (measure.counted && isOver(measure, handed, limit)) measure = await this.#measure(durable, head, true);
    const from = durable.unread;
    if (from > head) return { used: 1, more: false };
    const before = durable.lost.at(-1);
    const neighbour = before && before.to + 1 === from && !durable.wasTold(before) ? before : undefined;
    this.#block(durable, neighbour?.from ?? from);
    const tally = hasWildcard(durable.filter) ? tallyAfter(neighbour) : undefined;
    const dropped = await this.#oldest(measure, handed, from, head, limit, tally);
    const { to, count } = dropped;
    if (count > 0) this.#drop(tx, durable, measure.selection, neighbour, { from, to, count, reason: isOver(measure, handed, limit) ? 'overflow' : 'expired' }, tally);
    else this.#release(durable);
    return { used: dropped.more ? PAGE : dropped.count + 1, more: dropped.more && dropped.count > 0 };
  }

  /** How much waits. Walks over each record twice in all: when it comes in, and when it has been done. */
  async #measure(durable: Durable, head: number, anew: boolean): Promise<Measure> {
    const start = durable.unread - 1;
    const held = durable.held.size;
    let measure = this.#measures.get(durable);
    // In the lane `latest` what was counted may have been replaced since; what was handed out to one that left waits again, but for what it confirmed.
    if (!measure || anew || start < measure.after || start >= measure.upTo || durable.since !== measure.since || (!durable.holder && durable.done !== measure.done) || held + measure.held > 0 || measure.selection.topics.some(({ settings }) => settings.lane === 'latest')) {
      measure = { selection: new Selection(durable.filter, this.#state, durable), done: durable.done, since: durable.since, held, after: start, upTo: start, records: 0, bytes: 0, counted: false, young: measure?.young ?? 0 };
      this.#measures.set(durable, measure);
    }
    while (measure.after < start) {
      const { records, bytes, next } = await this.#walk(measure, measure.after + 1, start);
      measure.records -= records;
      measure.bytes -= bytes;
      measure.after = next - 1;
      measure.counted = true;
    }
    while (measure.upTo < head) {
      const { records, bytes, next } = await this.#walk(measure, measure.upTo + 1, head);
      measure.records += records;
      measure.bytes += bytes;
      measure.upTo = next - 1;
    }
    return measure;
  }

  /** What it was handed and has not confirmed. Of one that left, that waits again, also before what it has lost since. */
  async #handed(durable: Durable, measure: Measure): Promise<number> {
    if (durable.holder) return durable.holder.progress.pending;
    let sum = 0;
    for (const [from, to] of between(durable.position + 1, durable.unread - 1, settled(durable, durable.done))) {
      for (let next = from; next <= to;) {
        const page = await this.#walk(measure, next, to);
        sum += page.records;
        next = page.next;
      }
    }
    return sum;
  }

  async #walk(measure: Measure, from: number, to: number): Promise<{ records: number; bytes: number; next: number }> {
    const { waiting, next } = await this.#page(measure, from, to);
    return { records: waiting.length, bytes: waiting.reduce((sum, { size }) => sum + size, 0), next };
  }

  async #page({ selection, done }: Measure, from: number, to: number): Promise<{ waiting: readonly Found[]; walked: number; next: number }> {
    const { found, next } = await this.#reading.walk(selection.topics, from, to, PAGE);
    return { waiting: apart(found, done), walked: found.length, next };
  }

  /** Of what it has not been handed, the oldest that has to go, into the `tally`: up to where, and whether that is not all yet. */
  async #oldest(measure: Measure, handed: number, from: number, head: number, limit: MaxBacklog, tally: LostTally | undefined): Promise<{ to: number; count: number; more: boolean }> {
    let records = measure.records + handed - (limit.records ?? Infinity);
    let bytes = measure.bytes - (limit.bytes ?? Infinity);
    let [to, count, walked, next] = [0, 0, 0, from];
    while (next <= head) {
      const page = await this.#page(measure, next, head);
      const old = limit.age === undefined ? 0 : await this.#tooOld(measure, page.waiting.map(({ seq }) => seq), limit.age);
      for (const [i, { seq, size, topic }] of page.waiting.entries()) {
        if (records <= 0 && bytes <= 0 && i >= old) return { to, count, more: false };
        records--;
        bytes -= size;
        to = seq;
        count++;
        tally?.add(topic?.name, seq, seq, 1);
      }
      walked += page.walked;
      if (walked >= MOST) return { to, count, more: true };
      next = page.next;
    }
    return { to, count, more: false };
  }

  /** How many of these, the oldest first, are too old. */
  async #tooOld(measure: Measure, seqs: readonly number[], age: number): Promise<number> {
    const { database, clock } = this.#state;
    for (let i = 0; i < seqs.length; i += 64) {
      const some = seqs.slice(i, i + 64);
      const rows = await database.getMany(some.map((seq) => recordKey(seq)));
      for (const [j, row] of rows.entries()) {
        const rest = row ? age - this.#ages.of(some[j]!, row) : 0;
        if (rest <= 0) continue;
        measure.young = clock.mono() + rest;
        return i + j;
      }
    }
    return seqs.length;
  }

  #drop(tx: Transaction, durable: Durable, selection: Selection, neighbour: LostRange | undefined, dropped: LostRange, tally: LostTally | undefined): void {
    const { ledger } = this.#state;
    const { from, to, reason } = dropped;
    const lost = joined(neighbour, { ...dropped, ...tally?.found });
    const concerns = (topic: Topic | undefined, seq: number): boolean => topic !== undefined && selection.matches(topic, seq);
    const [key, value] = lostRow(durable.name, lost);
    tx.put(key, value);
    // A line about lines that were lost would be lost next.
    if (ledger && !selection.names(ledger.topic)) for (const loss of lossesOf(tally?.grown ?? { others: lost }, durable.filter, lost.topics?.length ?? 0, { reader: durable.name, reason })) tx.lose(loss);
    tx.onCommit(() => {
      durable.lose(lost, neighbour);
      this.#state.outcomes.lost(durable.name, reason === 'expired' ? 'expired' : 'overflow', (topic, seq) => seq >= from && seq <= to && concerns(this.#state.topics.byName.get(topic), seq));
      this.#release(durable);
    });
  }

  /** From now on the reader waits before what may go: it would be handed what it is told it lost, or told of half of it. */
  #block(durable: Durable, from: number): void {
    durable.blocked = from;
    this.#blocked.add(durable);
    durable.holder?.reread();
  }

  #release(durable: Durable): void {
    this.#blocked.delete(durable);
    durable.blocked = Infinity;
    durable.holder?.reread();
  }
}

/** One that a store of an earlier version has does not say which topics it is of. */
function tallyAfter(gap: LostRange | undefined): LostTally {
  return new LostTally(gap?.topics ? gap : gap && { others: gap });
}

/** Those that lie in none of the ranges; both in order. */
function apart(places: readonly Found[], ranges: readonly (readonly [from: number, to: number])[]): readonly Found[] {
  if (ranges.length === 0) return places;
  let at = 0;
  return places.filter(({ seq }) => {
    while (at < ranges.length && ranges[at]![1] < seq) at++;
    return at === ranges.length || seq < ranges[at]![0];
  });
}

function isOver({ records, bytes }: Measure, handed: number, limit: MaxBacklog): boolean {
  return records + handed > (limit.records ?? Infinity) || bytes > (limit.bytes ?? Infinity);
}
