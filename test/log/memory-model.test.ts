/* oxlint-disable vitest/no-standalone-expect, vitest/no-conditional-expect -- the model checks as it goes */
// Topics in memory beside topics on disk, against a model of them: whoever is there gets all in the order it was accepted, but for
// what a gap stands for; whoever reads durably gets what is on disk and nothing else; and nothing of it is there after a restart.
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import type { Cursor } from '../../src/log/cursor.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { isInMemory } from '../../src/log/memory-seq.ts';
import { audit } from '../support/log-audit.ts';
import { quiet } from '../support/quiet.ts';
import { BOX, item } from './log-fixture.ts';

const MAX_ITEMS = 4;
const TOPICS = ['m/x', 'm/y', 'd'];
const FILTERS = ['#', 'm/+', 'm/x', 'd'];
const nameOf = (topic: number): string => TOPICS[topic] ?? 'd';
const IN_MEMORY = new Set(['m/x', 'm/y']);

type Step =
  | { readonly do: 'publish'; readonly topic: number; readonly id: number; readonly copies: number }
  | { readonly do: 'retract' | 'purge' | 'configure' | 'renew'; readonly topic: number; readonly id: number }
  | { readonly do: 'read'; readonly cursor: number; readonly max: number; readonly give: number }
  | { readonly do: 'restart' | 'crash' | 'second' };

const nat = (max: number) => fc.nat({ max });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 9, arbitrary: fc.record({ do: fc.constant('publish' as const), topic: nat(2), id: nat(5), copies: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('retract' as const, 'purge' as const, 'configure' as const, 'renew' as const), topic: nat(2), id: nat(2) }) },
  { weight: 7, arbitrary: fc.record({ do: fc.constant('read' as const), cursor: nat(4), max: fc.integer({ min: 1, max: 9 }), give: nat(5) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('restart' as const, 'crash' as const, 'second' as const) }) },
);

interface Known { readonly seq: number; readonly topic: string; readonly id: string | undefined; readonly text: string }

/** One open reader, and what it is still owed. */
class Reader {
  readonly cursor: Cursor;
  owed: number[] = [];
  readonly given = new Set<number>();

  constructor(cursor: Cursor) {
    this.cursor = cursor;
  }

  async read(max: number, give: number): Promise<void> {
    const page = await this.cursor.next(max);
    for (const [i, { record: { seq, kind, gap }, redelivered }] of page.entries()) {
      if (kind === 'gap') {
        expect(isInMemory(seq) && gap?.reason).toBe('overflow');
        const lost = this.owed.filter((one) => one >= gap!.from && one <= gap!.to);
        expect(lost.length).toBeGreaterThan(0);
        this.owed = this.owed.filter((one) => !lost.includes(one));
      } else if (!this.given.delete(seq)) {
        expect(redelivered).toBe(false);
        expect(seq).toBe(this.owed.shift());
      }
      if (i === give && kind !== 'gap') {
        this.given.add(seq);
        this.cursor.again(seq);
      } else this.cursor.done(seq);
    }
  }

  /** All there is. */
  async drain(): Promise<void> {
    for (let tries = 0; this.owed.length + this.given.size > 0; tries++) {
      if (tries > 500) expect([this.owed, [...this.given]]).toEqual([[], []]);
      await this.read(7, -1);
    }
    await quiet();
    expect(await this.cursor.next(9)).toEqual([]);
    expect(this.cursor.unconfirmed).toBe(0);
  }
}

class World {
  database = new MemoryDatabase();
  readonly clock = createTestClock();
  readonly views = new Map<string, Known[]>(TOPICS.map((topic) => [topic, []]));
  readers: Reader[] = [];
  log!: Log;
  #texts = 0;

  async open(): Promise<void> {
    this.log = await openLog({
      database: this.database, clock: this.clock, boxId: BOX, trouble: () => {}, limits: { maxItems: MAX_ITEMS, ringBytes: 5000, memoryRingBytes: 8000, windowBytes: 4000 },
    });
    for (const topic of IN_MEMORY) {
      const known = this.log.topic(topic);
      if (known) expect(known).toMatchObject({ count: 0, settings: { storage: 'memory' } });
      else await this.log.append({ topic, kind: 'configure', config: { storage: 'memory' } });
    }
    this.readers = [];
    for (const filter of FILTERS) this.readers.push(new Reader(await this.log.cursor({ name: 'live', filter, from: 'new', durable: false })));
    const durable = new Reader(await this.log.cursor({ name: 'durable', filter: '#', from: 'new', durable: true }));
    // Whatever it had before is not what this is about.
    await this.log.seek('durable', 'new');
    this.readers.push(durable);
  }

  accepted(topic: string, seq: number): void {
    for (const { cursor, owed } of this.readers) {
      const reads = cursor.filter === '#' || cursor.filter === topic || (cursor.filter === 'm/+' && topic.startsWith('m/'));
      if (reads && !(cursor.durable && isInMemory(seq))) owed.push(seq);
    }
  }

  view(topic: string): Known[] {
    return this.views.get(topic) ?? [];
  }

  async publish(topic: string, id: string | undefined): Promise<void> {
    const text = `${this.#texts++}`;
    const { seq, recordId } = await this.log.append(item(topic, text, id === undefined ? {} : { id }));
    expect(isInMemory(seq)).toBe(IN_MEMORY.has(topic));
    this.accepted(topic, seq);
    const view = this.view(topic).filter((one) => id === undefined || one.id !== id);
    this.views.set(topic, [...view, { seq, topic, id: id ?? recordId, text }].slice(-MAX_ITEMS));
  }

  async step(what: Step): Promise<void> {
    switch (what.do) {
      case 'publish':
        for (let i = 0; i < what.copies; i++) await this.publish(nameOf(what.topic), what.id < 3 ? `id${what.id}` : undefined);
        break;
      case 'retract': await this.retract(nameOf(what.topic), what.id); break;
      case 'purge': await this.change(nameOf(what.topic), 'purge'); break;
      case 'configure': await this.configure(nameOf(what.topic)); break;
      case 'renew':
        await this.change(nameOf(what.topic), 'delete');
        await this.configure(nameOf(what.topic));
        break;
      case 'read': await this.readers[what.cursor]?.read(what.max, what.give); break;
      case 'second':
        this.clock.advance(1000);
        await quiet();
        break;
      default: await this.restart(what.do === 'crash');
    }
  }

  async retract(topic: string, at: number): Promise<void> {
    const one = this.view(topic)[at];
    if (!one?.id || this.log.topic(topic) === undefined) return;
    const { seq } = await this.log.append({ topic, kind: 'retract', id: one.id });
    this.accepted(topic, seq);
    this.views.set(topic, this.view(topic).filter((other) => other !== one));
  }

  async change(topic: string, kind: 'purge' | 'delete'): Promise<void> {
    if (this.log.topic(topic) === undefined) return;
    this.accepted(topic, (await this.log.append({ topic, kind })).seq);
    this.views.set(topic, []);
  }

  async configure(topic: string): Promise<void> {
    const { seq } = await this.log.append({ topic, kind: 'configure', config: IN_MEMORY.has(topic) ? { storage: 'memory' } : {} });
    expect(isInMemory(seq)).toBe(false);
    this.accepted(topic, seq);
  }

  async restart(crash: boolean): Promise<void> {
    const before = this.database;
    if (crash) this.database = before.fork();
    else await this.log.close();
    for (const topic of IN_MEMORY) this.views.set(topic, []);
    await this.open();
  }

  async check(): Promise<void> {
    for (const topic of TOPICS) {
      if (this.log.topic(topic) === undefined) continue;
      const items = await this.log.items(topic, { after: 0 });
      expect(items.map(({ payload }) => Buffer.from(payload?.bytes ?? []).toString())).toEqual(this.view(topic).map(({ text }) => text));
      expect(this.log.topic(topic)?.count).toBe(this.view(topic).length);
    }
    for (const reader of this.readers) await reader.drain();
  }
}

it('gives every reader what it is owed, in order, and keeps nothing of what is in memory', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
    const world = new World();
    await world.open();
    try {
      for (const what of steps) await world.step(what);
      await world.check();
    } finally {
      await world.log.close();
    }
    expect(await audit(world.database)).toEqual([]);
  }), { numRuns: 150 });
});
