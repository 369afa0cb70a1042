/* oxlint-disable vitest/no-standalone-expect, vitest/no-conditional-expect -- the model checks as it goes */
// Lanes, views and bounds against a model of them: random work, crashes, restarts and repairs. What each topic shows is
// exactly what its settings let in; a reader gets everything, or a gap for what its own bound dropped; what it put aside
// comes back when it is wanted; and a store that is whole has nothing to be repaired.
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import type { Cursor } from '../../src/log/cursor.ts';
import { matches } from '../../src/log/filter.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { PREFIX, prefixRange } from '../../src/log/keys.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { encodeBody } from '../../src/log/body.ts';
import { HEADER_BYTES, type TopicSettings } from '../../src/log/record.ts';
import { lossLedger } from '../../src/pubsub/ledger.ts';
import { audit } from '../support/log-audit.ts';
import { quiet } from '../support/quiet.ts';
import { BOX, item } from './log-fixture.ts';

const AGE = 5000;
const YEARS = 50 * 365 * 86_400_000;
const BOUND = 4;
const SETTINGS: Readonly<Record<string, TopicSettings>> = {
  'x/few': { maxItems: 3 },
  'x/bytes': { maxItems: 9, maxBytes: 200 },
  'x/reject': { maxItems: 3, full: 'reject' },
  'x/age': { maxItems: 9, maxAge: AGE },
  latest: { maxItems: 4, lane: 'latest' },
};
const TOPICS = Object.keys(SETTINGS);
const READERS = [{ name: 'all', filter: '#' }, { name: 'bounded', filter: 'x/#', maxBacklog: { records: BOUND } }, { name: 'one', filter: 'x/few' }] as const;

type Step =
  | { readonly do: 'publish'; readonly topic: number; readonly id: number; readonly key: number; readonly copies: number }
  | { readonly do: 'retract' | 'purge'; readonly topic: number; readonly id: number }
  | { readonly do: 'read'; readonly reader: number; readonly max: number; readonly leave: boolean }
  | { readonly do: 'away' | 'back' | 'rewind' | 'aside' | 'retry' | 'start' | 'half'; readonly reader: number }
  | { readonly do: 'trim' | 'crash' | 'restart' | 'second' | 'jump' | 'full' | 'mend' };

const nat = (max: number): fc.Arbitrary<number> => fc.nat({ max });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('publish' as const), topic: nat(4), id: nat(5), key: nat(3), copies: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('retract' as const, 'purge' as const), topic: nat(4), id: nat(2) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('read' as const), reader: nat(2), max: fc.integer({ min: 1, max: 9 }), leave: fc.boolean() }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('away' as const, 'back' as const, 'rewind' as const, 'aside' as const, 'retry' as const, 'start' as const, 'half' as const), reader: nat(2) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('trim' as const, 'crash' as const, 'restart' as const, 'second' as const, 'jump' as const, 'full' as const, 'mend' as const) }) },
);

interface Known { readonly seq: number; readonly id: string | undefined; readonly key: string | undefined; readonly size: number; readonly at: number }

class Topic {
  readonly settings: TopicSettings;
  readonly records: number[] = [];
  readonly takenBack = new Set<number>();
  view: Known[] = [];

  constructor(settings: TopicSettings) {
    this.settings = settings;
  }

  /** What is left of the view for an item with these names. */
  beside({ id, key }: Pick<Known, 'id' | 'key'>): Known[] {
    const latest = this.settings.lane === 'latest';
    return this.view.filter((one) => (id === undefined || one.id !== id) && (!latest || one.key !== key));
  }

  refuses(known: Pick<Known, 'id' | 'key'>): boolean {
    return this.settings.full === 'reject' && this.beside(known).length >= (this.settings.maxItems ?? Infinity);
  }

  add(known: Known): void {
    this.records.push(known.seq);
    this.view = [...this.beside(known), known].slice(-(this.settings.maxItems ?? Infinity));
    const { maxBytes = Infinity } = this.settings;
    while (this.view.length > 1 && this.view.reduce((sum, { size }) => sum + size, 0) > maxBytes) this.view.shift();
  }

  takeBack(gone: (known: Known) => boolean): void {
    for (const known of this.view.filter(gone)) this.takenBack.add(known.seq);
    this.view = this.view.filter((known) => !gone(known));
  }

  age(now: number): void {
    if (this.settings.maxAge !== undefined) this.view = this.view.filter(({ at }) => now - at < AGE);
  }
}

class Reader {
  readonly name: string;
  readonly filter: string;
  readonly seen = new Set<number>();
  readonly confirmed = new Set<number>();
  readonly spared = new Set<number>();
  readonly gaps: [from: number, to: number][] = [];
  /** Handed out and not confirmed; put aside; put aside and wanted once more. */
  readonly open = new Set<number>();
  readonly asides = new Set<number>();
  readonly wanted = new Set<number>();
  /** It was sent beyond this: nothing up to here is owed to it. */
  passed = 0;
  cursor: Cursor | undefined;

  constructor(name: string, filter: string) {
    this.name = name;
    this.filter = filter;
  }

  async read(max: number, leave: boolean): Promise<number> {
    const page = await this.cursor?.next(max) ?? [];
    for (const { record: { seq, gap }, redelivered } of page) {
      expect([seq, redelivered || !this.seen.has(seq)]).toEqual([seq, true]);
      this.seen.add(seq);
      if (leave && seq % 3 === 0) {
        if (!gap) this.open.add(seq);
        continue;
      }
      this.cursor?.done(seq);
      this.open.delete(seq);
      this.wanted.delete(seq);
      if (gap) this.gaps.push([gap.from, gap.to]);
      else this.confirmed.add(seq);
    }
    return page.length;
  }

  async putAside(log: Log): Promise<void> {
    const [seq] = this.open;
    if (seq === undefined || !this.cursor) return;
    this.open.delete(seq);
    await this.cursor.putAside(seq, 'no good');
    // Not when it has been given back meanwhile.
    const asides = await log.asides(this.name);
    if (!asides.some(({ record, note }) => record.seq === seq && note === 'no good')) return;
    this.asides.add(seq);
    this.wanted.delete(seq);
  }

  async retry(log: Log): Promise<void> {
    expect(await log.retryAsides(this.name)).toBe(this.asides.size);
    for (const seq of this.asides) this.wanted.add(seq);
    this.asides.clear();
  }

  /** Who goes back begins anew: what has been taken back by then need not come. */
  async seek(log: Log, half: boolean, topics: Iterable<Topic>): Promise<void> {
    const seq = half ? Math.floor(log.head / 2) : 0;
    await log.seek(this.name, { seq: seq + 1 });
    this.open.clear();
    this.passed = Math.max(this.passed, seq);
    for (const { takenBack } of topics) for (const gone of takenBack) this.spared.add(gone);
  }

  /** It is handed out once more, whoever had it. */
  rewind(): void {
    this.cursor?.rewind();
    this.open.clear();
  }

  /** Nobody has it open any more. */
  away(): void {
    this.cursor = undefined;
    this.open.clear();
  }

  isOwed(seq: number): boolean {
    return seq > this.passed && !this.confirmed.has(seq) && !this.asides.has(seq) && !this.spared.has(seq) && !this.lost(seq);
  }

  lost(seq: number): boolean {
    return this.gaps.some(([from, to]) => from <= seq && seq <= to);
  }
}

async function run(steps: readonly Step[]): Promise<void> {
  const clock = createTestClock();
  const topics = new Map(TOPICS.map((name) => [name, new Topic(SETTINGS[name] ?? {})]));
  const readers = new Map(READERS.map(({ name, filter }) => [name, new Reader(name, filter)]));
  let database = new MemoryDatabase();
  let log!: Log;
  let count = 0;
  const back = async (which: number): Promise<void> => {
    const wanted = READERS[which] ?? READERS[0];
    const reader = readers.get(wanted.name);
    if (reader) reader.cursor ??= await log.cursor({ from: 'start', durable: true, ...wanted });
  };
  const open = async (mend = false): Promise<void> => {
    const found: string[] = [];
    log = await openLog({ database, clock, boxId: BOX, mend, trouble: ({ kind }) => void found.push(kind), ledger: lossLedger(), limits: { windowBytes: 200, ringBytes: 2000 } });
    expect(found).toEqual([]);
    for (const reader of readers.values()) reader.away();
    for (const i of READERS.keys()) await back(i);
  };
  const check = async (): Promise<void> => {
    for (const [name, topic] of topics) {
      topic.age(clock.mono());
      const wanted = topic.view.map(({ seq }) => seq);
      expect([name, (await log.items(name, { after: 0 })).map(({ seq }) => seq)]).toEqual([name, wanted]);
      expect([name, (await log.items(name, { last: 9 })).map(({ seq }) => seq)]).toEqual([name, wanted]);
    }
  };
  await open();
  for (const [topic, config] of Object.entries(SETTINGS)) topics.get(topic)?.records.push((await log.append({ topic, kind: 'configure', config })).seq);
  for (const one of steps) {
    const name = 'topic' in one ? TOPICS[one.topic] ?? '' : '';
    const topic = topics.get(name);
    topic?.age(clock.mono());
    if (one.do === 'publish') {
      // An update that is smaller makes room by itself, if it comes before the view is looked at.
      const id = one.id < 3 && name !== 'x/bytes' ? `id${one.id}` : undefined;
      const key = name === 'latest' ? `k${one.key}` : undefined;
      await Promise.all(Array.from({ length: one.copies }, async () => {
        const draft = item(name, `${++count}`.padEnd(1 + count % 40), { ...(id !== undefined && { id }), ...(key !== undefined && { key }) });
        const done = await log.append(draft).catch((error: unknown) => error);
        const refused = topic?.refuses({ id, key }) ?? false;
        expect(done instanceof Error).toBe(refused);
        if (!(done instanceof Error) && typeof done === 'object' && done && 'seq' in done && typeof done.seq === 'number') {
          topic?.add({ seq: done.seq, id, key, size: HEADER_BYTES + encodeBody(draft).length, at: clock.mono() });
        }
      }));
    } else if (one.do === 'purge') {
      topic?.records.push((await log.append({ topic: name, kind: 'purge' })).seq);
      topic?.takeBack(() => true);
    } else if (one.do === 'retract') {
      const id = `id${one.id}`;
      const there = topic?.view.some((known) => known.id === id) ?? false;
      const done = await log.append({ topic: name, kind: 'retract', id }).catch((error: unknown) => error);
      expect(done instanceof Error).toBe(!there);
      if (there && typeof done === 'object' && done && 'seq' in done && typeof done.seq === 'number') topic?.records.push(done.seq);
      topic?.takeBack((known) => known.id === id);
    } else if ('reader' in one) {
      const reader = [...readers.values()][one.reader];
      if (one.do === 'read') await reader?.read(one.max, one.leave);
      else if (one.do === 'aside') await reader?.putAside(log);
      else if (one.do === 'retry') await reader?.retry(log);
      else if (one.do === 'back') await back(one.reader);
      else if (one.do === 'rewind') reader?.rewind();
      else if (one.do === 'away') {
        await reader?.cursor?.close();
        reader?.away();
      } else await reader?.seek(log, one.do === 'half', topics.values());
    } else if (one.do === 'trim') {
      await log.trim();
      await log.trim();
      const bounded = [...log.cursors()].find((cursor) => cursor.name === 'bounded');
      if (bounded && !bounded.open) expect(await bounded.pending()).toBeLessThanOrEqual(BOUND);
    } else if (one.do === 'second') clock.advance(1000);
    else if (one.do === 'jump') {
      for (const years of [YEARS, -2 * YEARS, YEARS]) {
        clock.jump(years);
        await check();
        await log.close();
        await open();
        await check();
      }
    } else if (one.do === 'restart' || one.do === 'mend') {
      await log.close();
      await open(one.do === 'mend');
    } else if (one.do === 'crash') {
      database = database.fork();
      await open();
    } else {
      database.failure = new Error('No space left on device');
      await log.append(item('b', 'never')).catch(() => undefined);
      database.failure = undefined;
      clock.advance(1000);
      await quiet();
      expect(log.state).toBe('open');
    }
    await check();
  }
  for (const i of READERS.keys()) await back(i);
  for (const [name, reader] of readers) {
    reader.rewind();
    for (let idle = 0; idle < 3;) {
      if (await reader.read(7, false) > 0) idle = 0;
      else {
        idle++;
        await quiet();
      }
    }
    expect([name, ...reader.wanted]).toEqual([name]);
    if (name !== 'bounded') expect(reader.gaps).toEqual([]);
    for (const [topic, { records, settings, view }] of topics) {
      if (!matches(reader.filter, topic)) continue;
      // Of the lane latest the newest of each key is owed, and whatever else there is besides may come.
      const owed = settings.lane === 'latest' ? view.map(({ seq }) => seq) : records;
      expect([topic, owed.filter((seq) => reader.isOwed(seq))]).toEqual([topic, []]);
    }
  }
  for (const { name, cursor } of readers.values()) {
    await log.dropAsides(name);
    await cursor?.close();
  }
  await log.append(item('b', 'last'));
  await log.trim();
  await log.trim();
  await check();
  await log.close();
  await database.open();
  expect(await database.range({ ...prefixRange(PREFIX.lost), limit: 9 })).toEqual([]);
  await database.close();
  expect(await audit(database)).toEqual([]);
}

const TAKEN_BACK: Step[] = [
  { do: 'publish', topic: 0, id: 2, key: 0, copies: 1 }, { do: 'away', reader: 0 }, { do: 'retract', topic: 0, id: 2 }, { do: 'start', reader: 0 },
  { do: 'publish', topic: 0, id: 0, key: 0, copies: 1 }, { do: 'publish', topic: 0, id: 0, key: 0, copies: 1 },
];
/** What one that left had in its hands counts among what waits. */
const LEFT_WITH_ONE: Step[] = [
  { do: 'read', reader: 1, max: 3, leave: true }, { do: 'publish', topic: 0, id: 0, key: 0, copies: 2 }, { do: 'trim' }, { do: 'away', reader: 1 },
  { do: 'publish', topic: 0, id: 0, key: 0, copies: 1 }, { do: 'trim' },
];
/** Also what lies before what it has lost. */
const LEFT_WITH_ONE_BEFORE_A_LOSS: Step[] = [
  { do: 'read', reader: 1, max: 3, leave: true }, { do: 'publish', topic: 0, id: 0, key: 0, copies: 3 }, { do: 'trim' },
  { do: 'publish', topic: 0, id: 0, key: 0, copies: 1 }, { do: 'away', reader: 1 }, { do: 'trim' },
];
/** What is wanted once more is so still when whoever was handed it goes. */
const RETRIED_AND_GONE: Step[] = [
  { do: 'read', reader: 1, max: 3, leave: true }, { do: 'aside', reader: 1 }, { do: 'retry', reader: 1 }, { do: 'read', reader: 1, max: 1, leave: true },
];

it('shows what its settings let in and gives readers what they are owed, through random work', { timeout: 60_000 }, async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), run), { numRuns: 50, examples: [[TAKEN_BACK], [LEFT_WITH_ONE], [LEFT_WITH_ONE_BEFORE_A_LOSS], [RETRIED_AND_GONE]] });
});
