import { afterEach, describe, expect, it } from 'vitest';
import { PREFIX, prefixRange } from '../../src/log/keys.ts';
import { HANDED_STEP } from '../../src/log/durable.ts';
import type { RangeOptions, Row } from '../../src/log/database.ts';
import type { Log } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { quiet } from '../support/quiet.ts';
import { closeAll, item, openMemory, texts } from './log-fixture.ts';

afterEach(closeAll);

async function fill(log: Log, topic: string, from: number, to: number): Promise<void> {
  const drafts = Array.from({ length: to - from + 1 }, (_, i) => item(topic, `${from + i}`));
  await Promise.all(drafts.map((draft) => log.append(draft)));
}

const durable = (filter: string, from: Parameters<Log['cursor']>[0]['from'] = 'new') => ({ name: 'c', filter, from, durable: true });

describe('redelivered', () => {
  it('marks everything handed out before a crash, even if nothing of the position was written', async () => {
    const { log, database } = await openMemory();
    const cursor = await log.cursor(durable('t'));
    await fill(log, 't', 1, 5);
    expect(await texts(cursor, 3)).toEqual(['1', '2', '3']);
    // No close: what a power cut would leave.
    const after = await openMemory({ database: database.fork() });
    const again = await after.log.cursor(durable('t'));
    const found = await texts(again, 5);
    expect(found.slice(0, 3)).toEqual(['1*', '2*', '3*']);
  });

  it('does not mark what was appended after the crash', async () => {
    const { log, database } = await openMemory();
    const cursor = await log.cursor(durable('t'));
    await fill(log, 't', 1, 2);
    await texts(cursor, 2);
    const after = await openMemory({ database: database.fork() });
    const again = await after.log.cursor(durable('t'));
    await fill(after.log, 't', 3, 4);
    expect((await texts(again, 4)).slice(2)).toEqual(['3', '4']);
  });

  it('is exact after a clean close', async () => {
    const { log, database } = await openMemory();
    const cursor = await log.cursor(durable('t'));
    await fill(log, 't', 1, 6);
    await texts(cursor, 3, false);
    cursor.done(2);
    await log.close();
    const after = await openMemory({ database });
    expect(await texts(await after.log.cursor(durable('t')), 5)).toEqual(['1*', '3*', '4', '5', '6']);
  });

  it('never hands out a record above the bound on disk', async () => {
    const { log, database } = await openMemory({ limits: { ringBytes: 1 } });
    const many = HANDED_STEP * 6;
    await fill(log, 't', 1, many);
    const cursor = await log.cursor(durable('t', 'start'));
    const handed = new Set<number>();
    while (handed.size < HANDED_STEP * 5) {
      for (const { record, redelivered } of await cursor.next(100)) {
        expect(redelivered).toBe(false);
        handed.add(record.seq);
      }
    }
    const after = await openMemory({ database: database.fork() });
    const again = await after.log.cursor(durable('t', 'start'));
    let marked = 0;
    for (let read = 0; read < many;) {
      for (const { record, redelivered } of await again.next(100)) {
        read++;
        if (redelivered) marked++;
        expect(redelivered || !handed.has(record.seq)).toBe(true);
      }
    }
    expect(marked).toBeLessThan(handed.size + HANDED_STEP * 6);
  });

  it('marks what is given back or rewound', async () => {
    const { log, clock } = await openMemory();
    const cursor = await log.cursor(durable('t'));
    await fill(log, 't', 1, 3);
    await texts(cursor, 3, false);
    cursor.again(2);
    expect(await texts(cursor, 1, false)).toEqual(['2*']);
    cursor.again(3, 500);
    expect(await cursor.next(9)).toEqual([]);
    const waited = cursor.wait();
    clock.advance(500);
    await waited;
    expect(await texts(cursor, 1, false)).toEqual(['3*']);
    cursor.rewind();
    expect(await texts(cursor, 3)).toEqual(['1*', '2*', '3*']);
    expect(cursor.unconfirmed).toBe(0);
  });
});

describe('where a cursor begins', () => {
  it.each([
    ['new', []], ['start', ['1', '2', 'x1', '3', 'x2']], [{ seq: 3 }, ['x1', '3', 'x2']], ['last', ['3', 'x2']],
  ] as const)('%j', async (from, expected) => {
    const { log } = await openMemory();
    await fill(log, 't/a', 1, 2);
    await log.append(item('t/b', 'x1'));
    await log.append(item('t/a', '3'));
    await log.append(item('t/b', 'x2'));
    const cursor = await log.cursor(durable('t/+', from));
    await log.append(item('t/a', 'later'));
    expect(await texts(cursor, expected.length + 1)).toEqual([...expected, 'later']);
    expect(cursor.position).toBe(log.head);
  });

  it('a time', async () => {
    const { log, clock } = await openMemory();
    await fill(log, 't', 1, 3);
    clock.advance(1000);
    const time = clock.wall();
    await fill(log, 't', 4, 6);
    const cursor = await log.cursor(durable('t', { time }));
    expect(await texts(cursor, 3)).toEqual(['4', '5', '6']);
  });
});

describe('reading from disk', () => {
  it.each([['t/+', 3], ['t/1', 1], ['#', 4], ['+/+', 4]])('gives every match of %s in order', async (filter, matching) => {
    const { log } = await openMemory({ limits: { ringBytes: 1 } });
    const expected: number[] = [];
    for (let n = 0; n < 600; n++) {
      const topic = ['t/0', 't/1', 't/2', 'u/0'][n % 4] ?? '';
      const { seq } = await log.append(item(topic, `${n}`));
      if ((filter === 't/1' && n % 4 === 1) || (filter === 't/+' && n % 4 < 3) || matching === 4) expected.push(seq);
    }
    const cursor = await log.cursor({ name: 'n', filter, from: 'start', durable: false });
    const seqs: number[] = [];
    while (seqs.length < expected.length) for (const { record } of await cursor.next(70)) seqs.push(record.seq);
    expect(seqs).toEqual(expected);
    expect(await cursor.next(10)).toEqual([]);
  });

  it('merges many topics', async () => {
    const { log } = await openMemory({ limits: { ringBytes: 1 } });
    await Promise.all(Array.from({ length: 2000 }, (_, n) => log.append(item(n % 2 ? `t/${n % 98}` : `u/${n % 300}`, `${n}`))));
    const cursor = await log.cursor({ name: 'n', filter: 't/#', from: 'start', durable: false });
    const found = await texts(cursor, 1000);
    expect(found).toEqual(Array.from({ length: 1000 }, (_, i) => `${2 * i + 1}`));
  });
});

describe('the position on disk', () => {
  it('is written a second after the last confirmation', async () => {
    const { log, clock, database } = await openMemory();
    const cursor = await log.cursor(durable('t'));
    await fill(log, 't', 1, 3);
    clock.advance(5);
    await texts(cursor, 3);
    clock.advance(1000);
    await log.registry.set('after', 1);
    const after = await openMemory({ database: database.fork() });
    expect([...after.log.cursors()]).toMatchObject([{ name: 'c', position: 3, open: false }]);
  });

  it('is not written alone while there are batches of records that it can ride with', async () => {
    const { log, clock, database } = await openMemory();
    const cursor = await log.cursor(durable('t'));
    let alone = 0;
    const batch = database.batch.bind(database);
    database.batch = () => {
      const inner = batch();
      let [others, cursors] = [0, 0];
      return {
        ...inner,
        put(key, value) {
          if (key[0] === PREFIX.cursor) cursors++;
          else others++;
          inner.put(key, value);
        },
        async write(options) {
          if (cursors > 0 && others === 0) alone++;
          await inner.write(options);
        },
      };
    };
    for (let n = 0; n < 40; n++) {
      await log.append(item('t', `${n}`));
      await texts(cursor, 1);
      clock.advance(300);
      await quiet();
      // Until then it has not been at the tail, and the bound of what may be handed out has to be raised for it.
      if (n === 0) alone = 0;
    }
    expect(alone).toBe(0);
    clock.advance(1000);
    await quiet();
    expect(alone).toBe(1);
  });

  it('rides with a batch of records at most every 250 ms or 1,000 records', async () => {
    const { log, clock, database } = await openMemory();
    const cursor = await log.cursor(durable('t'));
    let written = 0;
    const batch = database.batch.bind(database);
    database.batch = () => {
      const inner = batch();
      return { ...inner, put: (key, value) => { if (key[0] === PREFIX.cursor) written++; inner.put(key, value); } };
    };
    const one = async (): Promise<number> => {
      const before = written;
      await fill(log, 't', 1, 1);
      await texts(cursor, 1);
      return written - before;
    };
    // The bound of what is handed out, and the first position.
    await one();
    await one();
    expect([await one(), await one(), await one()]).toEqual([0, 0, 0]);
    clock.advance(249);
    expect(await one()).toBe(0);
    clock.advance(1);
    expect([await one(), await one()]).toEqual([1, 0]);
    await fill(log, 't', 1, 900);
    await texts(cursor, 900);
    const before = written;
    await fill(log, 't', 1, 99);
    await texts(cursor, 99);
    expect(written).toBe(before);
    await one();
    await one();
    expect(written).toBe(before + 1);
  });

  it('does not pass what is committed while it closes', async () => {
    const { log, database } = await openMemory();
    const cursor = await log.cursor(durable('t'));
    expect(await cursor.next(1)).toEqual([]);
    await Promise.all([cursor.close(), fill(log, 't', 1, 1)]);
    const next = await log.cursor(durable('t'));
    expect(await texts(next, 1)).toEqual(['1']);
    expect(await next.next(1)).toEqual([]);
    await Promise.all([next.close(), fill(log, 't', 2, 2)]);
    await log.close();
    const after = await openMemory({ database });
    expect(await texts(await after.log.cursor(durable('t')), 1)).toEqual(['2']);
  });

  it('tells how much is pending, with and without an open cursor', async () => {
    const { log } = await openMemory();
    const cursor = await log.cursor(durable('t/#'));
    await fill(log, 't/a', 1, 10);
    await fill(log, 'u', 1, 10);
    await fill(log, 't/b', 1, 5);
    const pending = async () => [...log.cursors()][0]?.pending();
    expect(await pending()).toBe(15);
    await texts(cursor, 4, false);
    cursor.done(1);
    cursor.done(3);
    expect(await pending()).toBe(13);
    cursor.take(2, 1);
    expect([await pending(), await [...log.cursors()][0]?.left()]).toEqual([13, 12]);
    await cursor.close();
    expect(await pending()).toBe(13);
  });

  it.each(['t', 't/#'])('tells of the lane latest what it will still get, before what was replaced is swept and after: %s', async (filter) => {
    const { log, database } = await openMemory({ limits: { windowBytes: 0 } });
    await log.append({ topic: 't', kind: 'configure', config: { lane: 'latest' } });
    await log.append({ topic: 't/history', kind: 'configure', config: {} });
    const others = filter === 't' ? 0 : 2;
    await (await log.cursor(durable(filter))).close();
    const pending = async (): Promise<number | undefined> => [...log.cursors()][0]?.pending();
    const before = await pending();
    for (const id of ['a', 'b', 'b', 'b', 'c', 'b']) await log.append({ topic: 't', id, kind: 'publish', payload: { contentType: 'text/plain', bytes: Buffer.from(id) } });
    await fill(log, 't/history', 1, 2);
    expect([before, await pending()]).toEqual([0, 3 + others]);
    for (let i = 1; i < 5; i++) {
      await fill(log, 'u', i, i); // what is in the newest commits stays
      await log.trim();
    }
    expect(await database.range({ ...prefixRange(PREFIX.record), limit: 100 })).toHaveLength(3 + 2 + 4);
    expect(await pending()).toBe(3 + others);
    await log.close();
    const again = await openMemory({ database });
    const cursor = await again.log.cursor(durable(filter));
    const there = await cursor.next(10);
    expect(there).toHaveLength(3 + others);
    expect(await [...again.log.cursors()][0]?.pending()).toBe(3 + others);
    // Confirmed out of order: what is done above the position counts as done, what was replaced between as nothing.
    for (const { record } of [...there.slice(1, 2), ...there.slice(-1)]) cursor.done(record.seq);
    expect(await [...again.log.cursors()][0]?.pending()).toBe(1 + others);
    await cursor.close();
    expect(await [...again.log.cursors()][0]?.pending()).toBe(1 + others);
  });

  it.each([1, 2, 3, 4, 5, 6])('tells of topics of both lanes what it will still get, whatever was done out of order and replaced (%d)', async (seed) => {
    let state = seed * 7919;
    const below = (most: number): number => Math.floor(((state = (state * 1_103_515_245 + 12_345) & 0x7fffffff) / 0x80000000) * most);
    const { log } = await openMemory();
    for (const topic of ['t/a', 't/b']) await log.append({ topic, kind: 'configure', config: { lane: 'latest' } });
    let cursor = await log.cursor(durable('t/#'));
    let hand: number[] = [];
    for (let step = 0; step < 150; step++) {
      const what = below(20);
      if (what < 11) await log.append({ topic: `t/${'abc'.charAt(below(3))}`, id: `i${below(4)}`, kind: 'publish', payload: { contentType: 'text/plain', bytes: Buffer.from(`${step}`) } });
      else if (what < 16) hand.push(...(await cursor.next(1 + below(2))).map(({ record }) => record.seq));
      else if (what < 19) hand.splice(below(hand.length), 1).forEach((seq) => cursor.done(seq));
      else {
        await cursor.close();
        cursor = await log.cursor(durable('t/#'));
        hand = [];
      }
    }
    await cursor.close();
    const pending = await [...log.cursors()][0]?.pending();
    const again = await log.cursor(durable('t/#'));
    let come = 0;
    for (let page = await again.next(100); page.length > 0; page = await again.next(100)) come += page.length;
    expect(pending).toBe(come);
    await again.close();
  });
});

it('a durable cursor cannot change its filter', async () => {
  const { log } = await openMemory();
  await (await log.cursor(durable('t'))).close();
  await expect(log.cursor(durable('u'))).rejects.toMatchObject({ code: 'conflict' });
  await log.dropCursor('c');
  await expect(log.dropCursor('c')).rejects.toMatchObject({ code: 'not-found' });
  expect(await log.cursor(durable('u'))).toBeDefined();
});

it('a dropped cursor reads no more and leaves nothing behind', async () => {
  const { log, database } = await openMemory();
  const cursor = await log.cursor(durable('t'));
  await cursor.next(1);
  const waited = cursor.wait();
  await log.dropCursor('c');
  await waited;
  expect(() => cursor.next(1)).toThrow(/closed/);
  cursor.done(1);
  await cursor.close();
  await log.close();
  await database.open();
  expect(await database.range({ ...prefixRange(PREFIX.cursor), limit: 9 })).toEqual([]);
});

it('what was given back comes again also when it leaves the memory while the rest is read from disk', async () => {
  const { log, database } = await openMemory({ limits: { ringBytes: 2000 } });
  const cursor = await log.cursor({ name: 'c', filter: 't', from: 'start', durable: true });
  for (let n = 1; n <= 4; n++) await log.append(item('t', `${n}`));
  await texts(cursor, 4, false);
  cursor.rewind();
  const getMany = database.getMany.bind(database);
  database.getMany = async (keys) => {
    database.getMany = getMany;
    await log.append(item('u', 'x'.repeat(3000)));
    return getMany(keys);
  };
  expect((await cursor.next(9)).map(({ record }) => record.seq)).toEqual([1, 2, 3, 4]);
});

it('one that is opened while it is being dropped is another', async () => {
  const { log, database } = await openMemory();
  const options = { name: 'c', filter: 't', from: 'start', durable: true } as const;
  await log.append(item('t', '1'));
  await texts(await log.cursor(options), 1);
  const dropped = Promise.all([log.dropCursor('c'), log.dropCursor('c')]);
  const another = await log.cursor({ ...options, filter: '#' });
  await dropped;
  expect(await texts(another, 1)).toEqual(['1']);
  const after = await openMemory({ database: database.fork() });
  expect([...after.log.cursors()]).toMatchObject([{ name: 'c', filter: '#' }]);
});

it('one that could not be dropped is the same', async () => {
  const { log, database } = await openMemory();
  const options = { name: 'c', filter: 't', from: 'start', durable: true } as const;
  await log.append(item('t', '1'));
  await (await log.cursor(options)).close();
  database.failure = new Error('No space left on device');
  const dropped = Promise.allSettled([log.dropCursor('c')]);
  const same = await log.cursor(options);
  expect(await dropped).toMatchObject([{ reason: { code: 'disk-full' } }]);
  expect(await texts(same, 1)).toEqual(['1']);
});

it('one that is sent elsewhere while it is dropped is not found, and nothing else fails with it', async () => {
  const { log, troubles } = await openMemory();
  await log.append(item('t', '1'));
  await (await log.cursor({ name: 'c', filter: 't', from: 'start', durable: true })).close();
  const [dropped, sought, appended] = await Promise.allSettled([log.dropCursor('c'), log.seek('c', 'start'), log.append(item('t', '2'))]);
  expect([dropped.status, appended.status]).toEqual(['fulfilled', 'fulfilled']);
  expect(sought).toMatchObject({ reason: { code: 'not-found' } });
  expect([log.state, troubles]).toEqual(['open', []]);
});

it('who waits is woken by the signal he waits with, however often and beside whom', async () => {
  const { log } = await openMemory();
  const cursor = await log.cursor(durable('t'));
  const [first, second] = [new AbortController(), new AbortController()];
  for (let i = 0; i < 3; i++) {
    const waiting = cursor.wait(first.signal);
    await log.append(item('t', `${i}`));
    await waiting;
    expect(await texts(cursor, 1)).toEqual([`${i}`]);
  }
  const beside: string[] = [];
  const waits = [cursor.wait(second.signal).then(() => beside.push('second')), cursor.wait(first.signal).then(() => beside.push('first'))];
  first.abort();
  await waits[1];
  await cursor.wait(first.signal);
  second.abort();
  await Promise.all(waits);
  expect(beside.toSorted()).toEqual(['first', 'second']);
  const third = new AbortController();
  const last = cursor.wait(third.signal);
  third.abort();
  await last;
});

it('a closed cursor wakes who waits, and reads no more', async () => {
  const { log } = await openMemory();
  const cursor = await log.cursor(durable('t'));
  await cursor.next(1);
  const waited = cursor.wait();
  await cursor.close();
  await waited;
  expect(() => cursor.next(1)).toThrow(/closed/);
});

it('a topic that very many read costs none of them a record, whatever else they read', async () => {
  const { log } = await openMemory();
  const crowd = await Promise.all(Array.from({ length: 350 }, (_, n) => log.cursor({ name: `r${n}`, filter: n === 300 ? '+' : 'one', from: 'new', durable: n % 2 === 0 })));
  const told: (string | undefined)[][] = [];
  const reading = crowd.map(async (cursor, n) => {
    const ids: (string | undefined)[] = [];
    told[n] = ids;
    const wanted = n === 300 ? 40 : 20;
    while (ids.length < wanted) {
      const page = await cursor.next(3);
      if (page.length === 0) await cursor.wait();
      for (const { record } of page) {
        ids.push(record.id);
        cursor.done(record.seq);
      }
    }
  });
  for (let n = 0; n < 20; n++) {
    // The second is committed, and its one reader told, while the first is still being told to the crowd.
    await log.append(item('one', 'x', { id: `one ${n}` }));
    await log.append(item('two', 'x', { id: `two ${n}` }));
  }
  await Promise.all(reading);
  const ones = Array.from({ length: 20 }, (_, n) => `one ${n}`);
  expect(told.filter((_, n) => n !== 300).every((ids) => ids.join() === ones.join())).toBe(true);
  expect(told[300]).toEqual(ones.flatMap((one, n) => [one, `two ${n}`]));
});

it('a reader that asks for few is read few, where most of the log is its own; and is given as many where little is', async () => {
  class Counting extends MemoryDatabase {
    records = 0;
    override async range(options: RangeOptions): Promise<Row[]> {
      const rows = await super.range(options);
      this.records += rows.filter(([key]) => key[0] === PREFIX.record).length;
      return rows;
    }
  }
  const database = new Counting();
  const { log } = await openMemory({ database });
  const most = await log.cursor({ name: 'most', filter: 'most', from: 'start', durable: true });
  const every = await log.cursor({ name: 'every', filter: 'few/#', from: 'start', durable: true });
  await fill(log, 'most', 1, 400);
  await Promise.all(Array.from({ length: 300 }, (_, i) => log.append(item(`few/${i}`, `${i}`))));
  await most.close();
  await every.close();
  await log.close();
  const { log: again } = await openMemory({ database });
  const reader = await again.cursor({ name: 'most', filter: 'most', from: 'start', durable: true });
  database.records = 0;
  expect(await texts(reader, 32)).toEqual(Array.from({ length: 32 }, (_, i) => `${i + 1}`));
  expect(database.records).toBeLessThanOrEqual(64);
  const rest = await again.cursor({ name: 'every', filter: 'few/#', from: 'start', durable: true });
  expect(await texts(rest, 300)).toEqual(Array.from({ length: 300 }, (_, i) => `${i}`));
});

it('of more readers than are told at once, none passes what it was not told of: not when it is closed then, nor on disk', async () => {
  const { log, database } = await openMemory();
  const crowd = await Promise.all(Array.from({ length: 300 }, (_, n) => log.cursor({ name: `r${n}`, filter: 't', from: 'start', durable: true })));
  await log.append(item('t', '1'));
  for (const cursor of crowd) {
    expect(await texts(cursor, 1)).toEqual(['1']);
    expect(await cursor.next(1)).toEqual([]);
  }
  await log.append(item('t', '2'));
  // The last of them has not been told yet.
  const last = crowd.at(-1);
  expect(last?.position).toBe(1);
  expect(last?.read).toBe(1);
  const [closed, next] = [last?.close(), log.append(item('t', '3'))];
  await Promise.all([closed, next]);
  const crashed = await openMemory({ database: database.fork() });
  for (const one of [log, crashed.log]) expect(await texts(await one.cursor({ name: 'r299', filter: 't', from: 'start', durable: true }), 2)).toEqual(['2', '3']);
  const [first] = crowd;
  expect(first && await texts(first, 2)).toEqual(['2', '3']);
});

describe('one of many readers of a topic, most of them away', () => {
  it('is told of what comes while it is open, and gets what came while it was not', async () => {
    const { log } = await openMemory();
    for (let n = 0; n < 150; n++) await (await log.cursor({ ...durable('t'), name: `away ${n}` })).close();
    await fill(log, 't', 1, 1);
    const first = await log.cursor({ ...durable('t'), name: 'away 7' });
    expect(await texts(first, 1)).toEqual(['1']);
    const waiting = texts(first, 2);
    await fill(log, 't', 2, 2);
    const second = await log.cursor({ ...durable('t'), name: 'away 9' });
    expect(await texts(second, 2)).toEqual(['1', '2']);
    await second.close();
    await fill(log, 't', 3, 3);
    expect(await waiting).toEqual(['2', '3']);
    expect(await texts(await log.cursor({ ...durable('t'), name: 'away 9' }), 1)).toEqual(['3']);
    expect(await texts(await log.cursor({ ...durable('t'), name: 'away 8' }), 3)).toEqual(['1', '2', '3']);
  });
});
