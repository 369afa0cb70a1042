import { afterEach, describe, expect, it } from 'vitest';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { prefixRange, PREFIX } from '../../src/log/keys.ts';
import type { Log } from '../../src/log/log.ts';
import { lossLedger } from '../../src/pubsub/ledger.ts';
import { type Bench, closeAll, item, openMemory, texts } from './log-fixture.ts';

afterEach(closeAll);

async function rows(database: MemoryDatabase, prefix: number): Promise<number> {
  return (await database.range({ ...prefixRange(prefix), limit: Infinity })).length;
}

/** A window of nothing, so that what may go goes at once. */
async function small(): Promise<Bench> {
  return openMemory({ limits: { windowBytes: 0, maxItems: 3 } });
}

async function fill(log: Log, topic: string, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) await log.append(item(topic, `${n}`));
}

describe('trimming', () => {
  it('keeps the newest maxItems and deletes the rest', async () => {
    const { log, database } = await small();
    await fill(log, 't', 1, 10);
    await log.trim();
    expect(log.topic('t')).toMatchObject({ count: 3, first: 8, viewFrom: 8 });
    expect((await log.items('t', { after: 0 })).map(({ seq }) => seq)).toEqual([8, 9, 10]);
    expect(await rows(database, PREFIX.record)).toBe(3);
    expect(await rows(database, PREFIX.index)).toBe(3);
  });

  it('that cannot be written ends all the same for who waits for it', async () => {
    const { log, database, clock } = await small();
    await fill(log, 't', 1, 10);
    database.failure = new Error('No space left on device');
    const trimmed = log.trim();
    await expect.poll(() => log.state, { interval: 1 }).toBe('refusing');
    database.failure = undefined;
    clock.advance(1000);
    await trimmed;
    await expect.poll(() => log.state, { interval: 1 }).toBe('open');
  });

  it('deletes nothing a durable reader has not passed on disk', async () => {
    const { log, database } = await small();
    const cursor = await log.cursor({ name: 'c', filter: 't', from: 'new', durable: true });
    await fill(log, 't', 1, 10);
    await log.trim();
    expect(log.topic('t')).toMatchObject({ count: 3, viewFrom: 8, first: 1 });
    expect(await texts(cursor, 5)).toEqual(['1', '2', '3', '4', '5']);
    await log.trim();
    expect(await rows(database, PREFIX.record)).toBe(10);
    await cursor.flush();
    await log.trim();
    expect(await rows(database, PREFIX.record)).toBe(5);
    expect(await texts(cursor, 5)).toEqual(['6', '7', '8', '9', '10']);
    await cursor.flush();
    await log.dropCursor('c');
    await log.trim();
    expect(await rows(database, PREFIX.record)).toBe(3);
  });

  it('keeps replaced items in the lane history until read, and forgets them after', async () => {
    const { log, database } = await small();
    const cursor = await log.cursor({ name: 'c', filter: '#', from: 'new', durable: true });
    for (const n of ['1', '2', '3']) await log.append(item('t', n, { id: 'x' }));
    await log.trim();
    expect(await rows(database, PREFIX.record)).toBe(3);
    expect(await texts(cursor, 3)).toEqual(['1', '2', '3']);
    await cursor.flush();
    await log.append(item('u', 'other'));
    await log.trim();
    expect(await rows(database, PREFIX.garbage)).toBe(0);
    expect(log.topic('t')).toMatchObject({ count: 1 });
    expect(await rows(database, PREFIX.record)).toBe(2);
  });

  it('keeps only the newest per key in the lane latest', async () => {
    const { log, database } = await small();
    const cursor = await log.cursor({ name: 'c', filter: 't', from: 'new', durable: true });
    await log.append({ topic: 't', kind: 'configure', config: { lane: 'latest' } });
    for (const n of ['1', '2', '3']) await log.append(item('t', n));
    for (const n of ['4', '5']) await log.append(item('t', n, { id: 'k' }));
    await log.append(item('u', 'other'));
    await log.trim();
    expect(await rows(database, PREFIX.record)).toBe(4);
    expect((await log.items('t')).map(({ seq }) => seq)).toEqual([4, 6]);
    expect(log.topic('t')?.replaced).toBe(3);
    await log.close();
    const again = await openMemory({ database });
    expect(again.log.topic('t')?.replaced).toBe(3);
    const next = await again.log.cursor({ name: 'c', filter: 't', from: 'new', durable: true });
    expect(await texts(next, 3)).toEqual(['configure', '3', '5']);
    expect(cursor.name).toBe('c');
  });

  it('forgets a deleted topic once everybody has seen that', async () => {
    const { log, database } = await small();
    await fill(log, 't', 1, 4);
    await log.append({ topic: 't', kind: 'delete' });
    await log.append(item('u', 'other'));
    expect(log.topic('t')).toMatchObject({ deleted: true, count: 0 });
    expect(log.topicCount).toBe(2);
    await log.trim();
    await log.trim();
    expect(await rows(database, PREFIX.record)).toBe(1);
    expect(log.topicCount).toBe(1);
  });

  it('leaves the ids of newer items alone', async () => {
    const { log } = await small();
    await log.append(item('t', '1', { id: 'x' }));
    await log.append({ topic: 't', kind: 'purge' });
    await log.append(item('t', '2', { id: 'x' }));
    await log.append(item('u', 'other'));
    await log.trim();
    expect((await log.items('t', { ids: ['x'] })).map(({ seq }) => seq)).toEqual([3]);
    expect(await log.append(item('t', '2', { id: 'x' }))).toMatchObject({ seq: 3, repeated: true });
  });

  it('tells a slow reader that is not durable what it missed', async () => {
    const { log } = await openMemory({ limits: { windowBytes: 0, ringBytes: 0, maxItems: 3, lagBytes: 64 } });
    const cursor = await log.cursor({ name: 'slow', filter: 't', from: 'new', durable: false });
    await fill(log, 't', 1, 100);
    await log.trim();
    const [gap] = await cursor.next(1);
    expect(gap?.record).toMatchObject({ kind: 'gap', gap: { from: 1, reason: 'overflow' } });
    const lost = gap?.record.gap?.to ?? 0;
    const [next] = await cursor.next(1);
    expect(next?.record.seq).toBe(lost + 1);
  });

  it('tells one of several topics which those were', async () => {
    const { log } = await openMemory({ ledger: lossLedger(), limits: { windowBytes: 0, ringBytes: 0, maxItems: 3, lagBytes: 64 } });
    const cursor = await log.cursor({ name: 'slow', filter: 't/#', from: 'new', durable: false });
    for (let n = 0; n < 40; n++) for (const topic of ['t/a', 'u', 't/b']) await log.append(item(topic, `${topic}${n}`));
    await log.trim();
    const [gap] = await cursor.next(1);
    const { topics = [], count = 0 } = gap?.record.gap ?? {};
    const came: number[] = [];
    while (came.at(-1) !== 120) for (const { record } of await cursor.next(100)) came.push(record.seq);
    const missed = Array.from({ length: 120 }, (_, i) => i + 1).filter((seq) => seq % 3 !== 2 && !came.includes(seq));
    expect(missed.length).toBeGreaterThan(0);
    expect(count).toBe(missed.length);
    for (const [topic, rest] of [['t/a', 1], ['t/b', 0]] as const) {
      const seqs = missed.filter((seq) => seq % 3 === rest);
      expect(topics.find((one) => one.topic === topic)).toEqual({ topic, from: seqs[0], to: seqs.at(-1), count: seqs.length });
    }
    await log.trim();
    const lines = (await log.items('$ledger', { after: 0 })).map(({ payload }) => JSON.parse(Buffer.from(payload?.bytes ?? []).toString()) as unknown);
    expect(lines).toEqual(topics.map((one) => ({ subscription: 'slow', ...one, reason: 'overflow' })));
  });

  it('and publishing an id again in the same batch leave nothing behind', async () => {
    const { log, database } = await small();
    await log.append(item('t', '1', { id: 'x' }));
    await log.append({ topic: 't', kind: 'purge' });
    await log.append(item('u', 'other'));
    await Promise.all([log.trim(), log.append(item('t', '1', { id: 'x' }))]);
    await log.append(item('u', 'more'));
    await log.trim();
    expect(log.topic('t')).toMatchObject({ count: 1 });
    expect(await rows(database, PREFIX.index)).toBe(await rows(database, PREFIX.record));
    expect((await log.items('t', { ids: ['x'] })).map(({ seq }) => seq)).toEqual([4]);
  });
});

it('what was replaced goes when the readers of its topic have it, although another of another topic never moves', async () => {
  const { log } = await openMemory({ limits: { windowBytes: 0 } });
  await log.append(item('x', '1'));
  await (await log.cursor({ name: 'away', filter: 'x', from: 'start', durable: true })).close();
  const reader = await log.cursor({ name: 'r', filter: 'y', from: 'new', durable: true });
  for (let n = 0; n < 20; n++) await log.append(item('y', `${n}`, { id: 'a' }));
  for (let n = 0; n < 3; n++) await log.trim();
  await texts(reader, 20);
  await reader.flush();
  for (let n = 0; n < 3; n++) {
    await log.append(item('x', '2'));
    await log.trim();
  }
  expect(log.topic('y')?.bytes).toBe(log.topic('y')?.viewBytes);
});
