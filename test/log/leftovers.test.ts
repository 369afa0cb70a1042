import { afterEach, describe, expect, it } from 'vitest';
import type { RangeOptions, Row } from '../../src/log/database.ts';
import { PREFIX } from '../../src/log/keys.ts';
import { type Found, Leftovers } from '../../src/log/leftovers.ts';
import type { Log } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { Topic } from '../../src/log/topics.ts';
import { closeAll, item, openMemory, texts } from './log-fixture.ts';

afterEach(closeAll);

class Counting extends MemoryDatabase {
  indexes = 0;

  override async range(options: RangeOptions): Promise<Row[]> {
    if (options.gte?.[0] === PREFIX.index) this.indexes++;
    return super.range(options);
  }
}

const TOPICS = 100;

/** A hundred topics in turns, and beside them as much that is not read. */
async function fill(log: Log, rounds: number): Promise<string[]> {
  const wanted: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const drafts = Array.from({ length: TOPICS }, (_, i) => [item(`few/${i}`, `${round} ${i}`), item(`many/${i}`, 'x'), item(`many/${i}`, 'y'), item(`many/${i}`, 'z')]).flat();
    await Promise.all(drafts.map((draft) => log.append(draft)));
    wanted.push(...Array.from({ length: TOPICS }, (_, i) => `${round} ${i}`));
  }
  return wanted;
}

describe('a reader of a hundred topics among others', () => {
  it('reads all in order, and asks the index of each topic less than once a page', async () => {
    const database = new Counting();
    const { log } = await openMemory({ database, limits: { ringBytes: 1 } });
    const wanted = await fill(log, 20);
    const cursor = await log.cursor({ name: 'few', filter: 'few/#', from: 'start', durable: false });
    database.indexes = 0;
    expect(await texts(cursor, wanted.length)).toEqual(wanted);
    const pages = wanted.length / 256;
    expect(database.indexes).toBeLessThan(TOPICS * pages / 2);
  });

  it('gets what was there of a topic that is deleted meanwhile, and then that it was', async () => {
    const { log, troubles } = await openMemory({ limits: { ringBytes: 1 } });
    const wanted = await fill(log, 8);
    const cursor = await log.cursor({ name: 'few', filter: 'few/#', from: 'start', durable: false });
    const first = await texts(cursor, 200);
    await log.append({ topic: 'few/7', kind: 'delete' });
    expect([...first, ...await texts(cursor, wanted.length - 200 + 1)]).toEqual([...wanted, 'delete']);
    expect(troubles).toEqual([]);
  });
});

describe('what was left of a page', () => {
  const topics = [1, 2, 3].map((no) => Object.assign(new Topic(no, `t/${no}`), { stored: true, first: 1, last: 90 }));
  const [one, two] = topics as [Topic, Topic];
  const found: Found[] = [{ seq: 11, size: 5, topic: one }, { seq: 12, size: 5, topic: two }, { seq: 13, size: 0 }, { seq: 20, size: 5, topic: one }];
  const kept = (): Leftovers => {
    const leftovers = new Leftovers();
    leftovers.keep(10, topics, 'epoch', { found, bound: 30 });
    return leftovers;
  };
  const seqs = (of: { found: readonly Found[] } | undefined): number[] | undefined => of?.found.map(({ seq }) => seq);

  it('is taken once, from where it begins', () => {
    const leftovers = kept();
    expect(leftovers.take(11, 90, topics, 'epoch')).toBeUndefined();
    expect(leftovers.take(10, 90, topics, 'epoch')).toEqual({ found, bound: 30 });
    expect(leftovers.take(10, 90, topics, 'epoch')).toBeUndefined();
  });

  it('is nothing for a database that was opened again, or where another topic is wanted', () => {
    expect(kept().take(10, 90, topics, 'another')).toBeUndefined();
    expect(kept().take(10, 90, [...topics, new Topic(4, 't/4')], 'epoch')).toBeUndefined();
  });

  it('leaves out topics that are not wanted any more, and what a topic has given up since', () => {
    expect(seqs(kept().take(10, 90, [two], 'epoch'))).toEqual([12, 13]);
    expect(seqs(kept().take(10, 90, [Object.assign(one, { first: 15 }), two], 'epoch'))).toEqual([12, 13, 20]);
    one.first = 1;
  });

  it('ends where the page is to end', () => {
    expect(kept().take(10, 12, topics, 'epoch')).toEqual({ found: found.slice(0, 2), bound: 12 });
  });

  it('is not remembered of the lane latest, before and after it was set', () => {
    const leftovers = kept();
    one.settings = { lane: 'latest' };
    expect(leftovers.take(10, 90, topics, 'epoch')).toBeUndefined();
    leftovers.keep(10, topics, 'epoch', { found, bound: 30 });
    one.settings = {};
    expect(leftovers.take(10, 90, topics, 'epoch')).toBeUndefined();
  });

  it('is that of the last eight pages', () => {
    const leftovers = new Leftovers();
    for (let from = 1; from <= 9; from++) leftovers.keep(from, topics, 'epoch', { found, bound: 30 });
    expect(leftovers.take(1, 90, topics, 'epoch')).toBeUndefined();
    expect(leftovers.take(2, 90, topics, 'epoch')).toBeDefined();
  });
});
