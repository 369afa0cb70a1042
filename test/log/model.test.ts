/* oxlint-disable vitest/no-standalone-expect, vitest/no-conditional-expect -- the model checks as it goes */
// The whole log against a model of it: random work, crashes and restarts; nothing a reader is
// owed may be missing, out of order, or come twice without a mark.
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import type { Cursor } from '../../src/log/cursor.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { PREFIX, prefixRange } from '../../src/log/keys.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { BOX, item } from './log-fixture.ts';
import { quiet } from '../support/quiet.ts';

const MAX_ITEMS = 4;
const TOPICS = ['a/x', 'a/y', 'b'];
const FILTERS = ['#', 'a/+', 'b'];

type Step =
  | { readonly do: 'publish'; readonly topic: number; readonly id: number; readonly copies: number }
  | { readonly do: 'retract' | 'purge'; readonly topic: number; readonly id: number }
  | { readonly do: 'read'; readonly cursor: number; readonly max: number; readonly keep: number; readonly take: boolean }
  | { readonly do: 'hold' | 'unhold' | 'aside' | 'settle' | 'resend'; readonly cursor: number; readonly topic: number }
  | { readonly do: 'trim' | 'crash' | 'restart' | 'second' | 'full' };

const nat = (max: number) => fc.nat({ max });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('publish' as const), topic: nat(2), id: nat(5), copies: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('retract' as const, 'purge' as const), topic: nat(2), id: nat(2) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('read' as const), cursor: nat(2), max: fc.integer({ min: 1, max: 9 }), keep: nat(7), take: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('hold' as const, 'unhold' as const, 'aside' as const, 'settle' as const, 'resend' as const), cursor: nat(2), topic: nat(2) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('trim' as const, 'crash' as const, 'restart' as const, 'second' as const, 'full' as const) }) },
);

interface Known { readonly seq: number; readonly topic: string; readonly id: string | undefined; readonly text: string }

class Model {
  /** Every record that was acknowledged, by topic. */
  readonly records: Known[] = [];
  readonly views: Map<string, Known[]> = new Map(TOPICS.map((topic) => [topic, []]));

  publish(known: Known): void {
    this.records.push(known);
    const view = (this.views.get(known.topic) ?? []).filter(({ id }) => id === undefined || id !== known.id);
    this.views.set(known.topic, [...view, known].slice(-MAX_ITEMS));
  }

  other(known: Known, left: (one: Known) => boolean): void {
    this.records.push(known);
    this.views.set(known.topic, (this.views.get(known.topic) ?? []).filter(left));
  }
}

/** One durable reader, the topics it holds back, and what it has been given and has confirmed. */
class Reader {
  readonly name: string;
  readonly filter: string;
  readonly seen: Set<number> = new Set();
  readonly confirmed: Set<number> = new Set();
  /** Confirmed when the log was closed, or put aside: not to come again, whatever happens. */
  readonly over: Set<number> = new Set();
  /** Confirmed since the log was opened. */
  readonly fresh: Set<number> = new Set();
  readonly aside: Set<number> = new Set();
  /** Taken and not settled, handed out and not confirmed: with the cursor that gave it. */
  readonly taken: Set<number> = new Set();
  readonly open: Map<number, string> = new Map();
  cursor!: Cursor;

  constructor(filter: string) {
    this.name = `reader of ${filter}`;
    this.filter = filter;
  }

  reads(topic: string): boolean {
    return this.filter === '#' || (this.filter === 'b') === (topic === 'b');
  }

  /** Whose business the topic is. */
  of(topic: string): Cursor {
    return this.cursor.held.get(topic) ?? this.cursor;
  }

  /** What was handed out before belongs to nobody now. */
  begun(): void {
    this.fresh.clear();
    this.open.clear();
    this.taken.clear();
  }

  async read(max: number, keep: number, take: boolean): Promise<number> {
    let count = 0;
    for (const cursor of [this.cursor, ...this.cursor.held.values()]) count += await this.#read(cursor, max, keep, take);
    return count;
  }

  async #read(cursor: Cursor, max: number, keep: number, take: boolean): Promise<number> {
    const page = await cursor.next(max);
    let last = 0;
    for (const { record, redelivered } of page) {
      const { seq, topic } = record;
      expect([seq, redelivered || !this.seen.has(seq)]).toEqual([seq, true]);
      expect([seq, this.over.has(seq)]).toEqual([seq, false]);
      if (!redelivered) expect(seq).toBeGreaterThan(last);
      last = seq;
      this.seen.add(seq);
      this.open.set(seq, topic);
      // Now and then one is left unconfirmed.
      if (keep !== 0 && seq % keep === 1) continue;
      if (take) {
        cursor.take(seq, 1);
        this.taken.add(seq);
      } else this.#confirm(cursor, seq);
    }
    return page.length;
  }

  #confirm(cursor: Cursor, seq: number): void {
    cursor.done(seq);
    this.#confirmed(seq);
  }

  #confirmed(seq: number): void {
    this.confirmed.add(seq);
    this.fresh.add(seq);
    this.open.delete(seq);
  }

  settle(): void {
    for (const cursor of [this.cursor, ...this.cursor.held.values()]) cursor.settle(1);
    for (const seq of this.taken) this.#confirmed(seq);
    this.taken.clear();
  }

  async putAside(topic: string): Promise<void> {
    for (const [seq, of] of this.open) {
      if (of !== topic || this.taken.has(seq)) continue;
      const cursor = this.of(topic);
      // One that is to come again cannot be put aside before it has.
      const failed = await cursor.putAside(seq, `note ${seq}`).then(() => false, () => true);
      if (failed) return;
      this.aside.add(seq);
      this.over.add(seq);
      this.#confirmed(seq);
      return;
    }
  }

  /** Everything of a held topic from its first unconfirmed record on comes again. */
  resend(topic: string): void {
    const cursor = this.cursor.held.get(topic);
    const first = Math.min(...[...this.open].filter(([, of]) => of === topic).map(([seq]) => seq));
    if (!cursor || first === Infinity) return;
    cursor.rewindTo(first);
    for (const [seq, of] of this.open) if (of === topic) this.taken.delete(seq);
  }
}

async function run(steps: readonly Step[]): Promise<void> {
  const clock = createTestClock();
  const model = new Model();
  const readers = FILTERS.map((filter) => new Reader(filter));
  let database = new MemoryDatabase();
  let log: Log;
  let count = 0;
  const open = async () => {
    const opened = await openLog({ database, clock, boxId: BOX, trouble: () => {}, limits: { windowBytes: 200, ringBytes: 300, maxItems: MAX_ITEMS } });
    for (const reader of readers) {
      reader.cursor = await opened.cursor({ name: reader.name, filter: reader.filter, from: 'start', durable: true });
      reader.begun();
    }
    return opened;
  };
  const check = async () => {
    expect(log.topicCount).toBe([...log.topics()].length);
    expect(log.cursorCount).toBe([...log.cursors()].length);
    for (const [topic, view] of model.views) {
      if (!log.topic(topic)) continue;
      const items = await log.items(topic);
      expect(items.map(({ seq }) => seq)).toEqual(view.map(({ seq }) => seq));
      expect(await log.items(topic, { after: 0 })).toEqual(items);
      const ids = [...new Set(view.flatMap(({ id }) => id ?? []))];
      expect((await log.items(topic, { ids })).map(({ seq }) => seq)).toEqual(view.filter(({ id }) => id !== undefined).map(({ seq }) => seq));
    }
  };
  log = await open();
  for (const one of steps) {
    if (one.do === 'publish') {
      const topic = TOPICS[one.topic] ?? 'b';
      const id = one.id < 3 ? `id${one.id}` : undefined;
      await Promise.all(Array.from({ length: one.copies }, async () => {
        const text = `${++count}`;
        const { seq } = await log.append(item(topic, text, id === undefined ? {} : { id }));
        model.publish({ seq, topic, id, text });
      }));
    } else if (one.do === 'purge') {
      const topic = TOPICS[one.topic] ?? 'b';
      const { seq } = await log.append({ topic, kind: 'purge' });
      model.other({ seq, topic, id: undefined, text: 'purge' }, () => false);
    } else if (one.do === 'retract') {
      const topic = TOPICS[one.topic] ?? 'b';
      const id = `id${one.id}`;
      const there = model.views.get(topic)?.some((known) => known.id === id);
      const done = await log.append({ topic, kind: 'retract', id }).catch((error: unknown) => error);
      expect(done instanceof Error).toBe(!there);
      if (typeof done === 'object' && done && 'seq' in done && typeof done.seq === 'number') model.other({ seq: done.seq, topic, id, text: 'retract' }, (known) => known.id !== id);
    } else if (one.do === 'read') await readers[one.cursor]?.read(one.max, one.keep, one.take);
    else if (one.do === 'hold' || one.do === 'unhold' || one.do === 'aside' || one.do === 'settle' || one.do === 'resend') {
      const reader = readers[one.cursor];
      const topic = TOPICS[one.topic] ?? 'b';
      if (one.do === 'settle') reader?.settle();
      else if (one.do === 'resend') reader?.resend(topic);
      else if (one.do === 'aside') await reader?.putAside(topic);
      else if (one.do === 'unhold') await reader?.cursor.unhold(topic);
      else if (reader?.reads(topic) && log.topic(topic)) await reader.cursor.hold(topic);
    }
    else if (one.do === 'trim') await log.trim();
    else if (one.do === 'second') clock.advance(1000);
    else if (one.do === 'restart') {
      await log.close();
      for (const reader of readers) for (const seq of reader.fresh) reader.over.add(seq);
      log = await open();
    } else if (one.do === 'crash') {
      database = database.fork();
      log = await open();
    } else {
      database.failure = new Error('No space left on device');
      await log.append(item('b', 'never')).catch(() => {});
      database.failure = undefined;
      clock.advance(1000);
      await quiet();
      expect(log.state).toBe('open');
    }
    await check();
  }
  for (const reader of readers) {
    reader.settle();
    for (const cursor of [reader.cursor, ...reader.cursor.held.values()]) cursor.rewind();
    while (await reader.read(7, 0, false) > 0) { /* all of it */ }
    for (const topic of reader.cursor.held.keys()) expect(await reader.cursor.unhold(topic)).toBe(true);
    const owed = model.records.filter(({ topic }) => reader.reads(topic)).map(({ seq }) => seq);
    expect([...reader.confirmed].toSorted((a, b) => a - b)).toEqual(owed.toSorted((a, b) => a - b));
    expect(await [...log.cursors()].find(({ name }) => name === reader.name)?.pending()).toBe(0);
  }
  await log.trim();
  for (const reader of readers) {
    const kept = await log.asides(reader.name);
    expect(kept.map(({ record, note }) => [record.seq, note])).toEqual([...reader.aside].toSorted((a, b) => a - b).map((seq) => [seq, `note ${seq}`]));
  }
  await log.trim();
  await check();
  // Nothing is left of a subscription, nor of what it had kept.
  for (const reader of readers) await log.dropCursor(reader.name);
  await log.append(item('b', 'last'));
  await log.trim();
  await log.trim();
  await log.close();
  await database.open();
  for (const prefix of [PREFIX.subscription, PREFIX.cursor, PREFIX.aside]) expect(await database.range({ ...prefixRange(prefix), limit: 9 })).toEqual([]);
  await database.close();
}

it('keeps its promises through random work, crashes and restarts', { timeout: 60_000 }, async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), run), { numRuns: 60 });
});
