import { afterEach, describe, expect, it } from 'vitest';
import type { Cursor } from '../../src/log/cursor.ts';
import type { Log } from '../../src/log/log.ts';
import type { RangeOptions, Row } from '../../src/log/database.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { closeAll, openMemory } from './log-fixture.ts';

afterEach(closeAll);

const publish = (log: Log, id: string, topic = 't'): Promise<unknown> => log.append({ topic, kind: 'publish', id, payload: toPayload(id) });
const all = async (cursor: Cursor): Promise<string[]> => {
  const found: string[] = [];
  for (let page = await cursor.next(100); page.length > 0; page = await cursor.next(100)) {
    for (const { record } of page) {
      found.push(`${record.kind} ${record.id ?? ''}`);
      cursor.done(record.seq);
    }
  }
  return found;
};

describe('a reader that begins', () => {
  it.each([1, 1 << 20])('gets nothing of an item that had been taken back, only that it was; who came before has a right to it (%i bytes in memory)', async (ringBytes) => {
    const { log } = await openMemory({ limits: { ringBytes } });
    const early = await log.cursor({ name: 'early', filter: 't', from: 'start', durable: true });
    for (const id of ['a', 'b', 'c', 'd']) await publish(log, id);
    await publish(log, 'b', 'other');
    for (const id of ['b', 'c']) await log.append({ topic: 't', kind: 'retract', id });
    await publish(log, 'b');
    const left = ['publish a', 'publish d', 'retract b', 'retract c', 'publish b'];
    const late = await log.cursor({ name: 'late', filter: 't', from: 'start', durable: true });
    expect(await [...log.cursors()].find(({ name }) => name === 'late')?.pending()).toBe(left.length);
    expect(await all(late)).toEqual(left);
    expect(await all(await log.cursor({ name: 'live', filter: '#', from: { seq: 2 }, durable: false }))).toEqual(['publish d', 'publish b', ...left.slice(2)]);
    expect(await all(await log.cursor({ name: 'timed', filter: '+', from: { time: 0 }, durable: false }))).toHaveLength(left.length + 1);
    expect(await all(early)).toEqual(['publish a', 'publish b', 'publish c', 'publish d', ...left.slice(2)]);
    await log.seek('late', 'start');
    expect(await all(late)).toEqual(left);
  });

  it.each([['live', false], ['durable', true]] as const)('with the newest of each topic gets it of each, of however many there are (%s)', async (name, durable) => {
    const { log } = await openMemory();
    const topics = Array.from({ length: 1500 }, (_, n) => `t/${n}`);
    await Promise.all(topics.flatMap((topic, n) => [publish(log, 'only', topic), publish(log, `${n}`, 'other')]));
    const found = await all(await log.cursor({ name, filter: 't/#', from: 'last', durable }));
    expect(found).toHaveLength(topics.length);
  });

  it('with the newest of more topics than it may have holes between them gets older ones too, before the newest', async () => {
    const { log } = await openMemory();
    await Promise.all(Array.from({ length: 1200 }, (_, n) => [publish(log, `old ${n}`, `t/${n}`), publish(log, `new ${n}`, `t/${n}`)]).flat());
    const found = await all(await log.cursor({ name: 'durable', filter: 't/#', from: 'last', durable: true }));
    for (let n = 0; n < 1200; n++) expect(found).toContain(`publish new ${n}`);
    // A hole after each but the last, and one before the first, which needs no remembering.
    expect(found).toHaveLength(1200 + 199);
    expect(new Set(found).size).toBe(found.length);
    const older = found.filter((one) => one.startsWith('publish old'));
    expect(older.map((one) => found[found.indexOf(one) + 1])).toEqual(older.map((one) => one.replace('old', 'new')));
  });

  it('with the newest of each topic misses nothing that is published while those are looked for', async () => {
    const database = new SlowDatabase();
    const { log } = await openMemory({ database });
    for (const topic of ['a', 'b', 'c']) await publish(log, 'old', topic);
    // Before c is looked at.
    database.slow(2, async () => { for (const topic of ['a', 'b', 'c']) await publish(log, 'new', topic); });
    const found = await all(await log.cursor({ name: 'live', filter: '+', from: 'last', durable: false }));
    expect(found).toEqual(['publish old', 'publish old', 'publish new', 'publish new', 'publish new']);
  });
});

/** Something happens while the newest are looked for. */
class SlowDatabase extends MemoryDatabase {
  #reads = 0;
  #meanwhile: (() => Promise<void>) | undefined;

  slow(reads: number, meanwhile: () => Promise<void>): void {
    this.#reads = reads;
    this.#meanwhile = meanwhile;
  }

  override async range(options: RangeOptions): Promise<Row[]> {
    if (this.#meanwhile && options.reverse && --this.#reads === 0) {
      const meanwhile = this.#meanwhile;
      this.#meanwhile = undefined;
      await meanwhile();
    }
    return super.range(options);
  }
}
