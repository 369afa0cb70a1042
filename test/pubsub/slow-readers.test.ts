import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import type { Subscription } from '../../src/api.ts';
import { createSystemClock, createTestClock } from '../../src/clock.ts';
import type { Batch, RangeOptions, Row } from '../../src/log/database.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { openLog } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { Broker } from '../../src/pubsub/broker.ts';
import { one, take } from './broker-rig.ts';

const ITEMS = 10_000;
const TEXT = 'x'.repeat(8192);

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test('readers that have stopped reading stop neither the publisher nor the others, and take no memory', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'lanpost-slow-'));
  const clock = createSystemClock();
  const log = await openLog({ database: new LevelDatabase(dir), clock, boxId: 'aaaaaaaaaaaaaaaa', trouble: () => undefined });
  const broker = new Broker({ log, clock, trouble: () => undefined, may: () => false, limits: { itemBytes: 10_000, topics: 10, subscriptions: 1000 } });
  const publish = async (from: number, count: number): Promise<void> => {
    await Promise.all(Array.from({ length: count }, (_, i) => broker.publish(OWNER, 'a', toPayload({ n: from + i, text: TEXT }))));
  };
  /** The numbers alone: the test itself keeps no item. */
  const numbersOf = async (reader: Subscription): Promise<number[]> => {
    const numbers: number[] = [];
    while (numbers.length < ITEMS) numbers.push(((await one(reader)).value as { readonly n: number }).n);
    return numbers;
  };
  const stalled: Subscription[] = [];
  for (let i = 0; i < 50; i++) {
    stalled.push(broker.subscribe('a', { ack: 'manual', inFlight: 1 }), broker.subscribe('#', { durable: `s${i}`, ack: 'manual', inFlight: 1 }));
  }
  const fast = [broker.subscribe('a'), broker.subscribe('#', { durable: 'f' })];
  await Promise.all([...stalled, ...fast].map((reader) => reader.ready));
  await publish(0, 1);
  // Each holds the first item and asks for another, which it will not get.
  await Promise.all(stalled.map((reader) => take(reader, 1)));
  const hanging = stalled.map((reader) => reader.next());
  const all = Promise.all(fast.map((reader) => numbersOf(reader)));
  // What the first rounds cost stays: buffers of the database, code.
  let next = 1;
  const rounds = async (until: number): Promise<void> => {
    while (next < until) {
      const count = Math.min(100, until - next);
      await publish(next, count);
      next += count;
    }
  };
  await rounds(2000);
  const used = (): number => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = used();
  await rounds(ITEMS);
  const found = await all;
  const after = used();
  for (const numbers of found) expect(numbers).toEqual(Array.from({ length: ITEMS }, (_, i) => i));
  // 66 MB were published since, which 100 readers have not read.
  expect(after - before).toBeLessThan(40 << 20);
  await Promise.all([...stalled, ...fast].map((reader) => reader.close()));
  await Promise.all(hanging);
  // And nothing is lost for those that are remembered.
  const woken = broker.subscribe('#', { durable: 's7' });
  expect(await numbersOf(woken)).toEqual(Array.from({ length: ITEMS }, (_, i) => i));
  await woken.close();
  broker.readers.close();
  await log.close();
  await rm(dir, { recursive: true, force: true });
});

/** Counts what the log asks of it. */
class Counted extends MemoryDatabase {
  reads = 0;
  batches = 0;
  rows = 0;

  override get(key: Uint8Array): Promise<Uint8Array | undefined> {
    this.reads++;
    return super.get(key);
  }

  override getMany(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    this.reads += keys.length;
    return super.getMany(keys);
  }

  override range(options: RangeOptions): Promise<Row[]> {
    this.reads++;
    return super.range(options);
  }

  override batch(): Batch {
    this.batches++;
    const batch = super.batch();
    return { ...batch, put: (key, value) => { this.rows++; batch.put(key, value); }, del: (key) => { this.rows++; batch.del(key); } };
  }
}

/** What publishing so many items one after the other takes, each handed to two readers that keep up before the next; beside so many that have stopped at the first. */
async function work(topic: 'on disk' | 'in memory', stalledReaders: number): Promise<Pick<Counted, 'reads' | 'batches' | 'rows'>> {
  const database = new Counted();
  // By a clock that stands still nothing happens but what publishing does.
  const clock = createTestClock();
  const log = await openLog({ database, clock, boxId: 'aaaaaaaaaaaaaaaa', trouble: () => undefined, limits: { ringBytes: 1 << 16, memoryRingBytes: 1 << 16 } });
  const broker = new Broker({ log, clock, trouble: () => undefined, may: () => false, limits: { itemBytes: 10_000, topics: 10, subscriptions: 1000 } });
  const publish = (n: number): Promise<unknown> => broker.publish(OWNER, 'a', toPayload(n));
  if (topic === 'in memory') await broker.create(OWNER, 'a', { storage: 'memory' });
  const durable = (name: string): object => (topic === 'on disk' ? { durable: name } : {});
  const stalled = Array.from({ length: stalledReaders }, (_, i) => broker.subscribe(i % 2 === 0 ? 'a' : '#', { ...(i % 2 === 0 ? {} : durable(`s${i}`)), ack: 'manual', inFlight: 1 }));
  const fast = [broker.subscribe('a'), broker.subscribe('#', durable('f'))];
  await Promise.all([...stalled, ...fast].map((reader) => reader.ready));
  await publish(0);
  await Promise.all([...stalled, ...fast].map((reader) => take(reader, 1)));
  const hanging = stalled.map((reader) => reader.next());
  for (let n = 1; n <= 100; n++) {
    await publish(n);
    await Promise.all(fast.map((reader) => take(reader, 1)));
  }
  Object.assign(database, { reads: 0, batches: 0, rows: 0 });
  for (let n = 101; n <= 600; n++) {
    await publish(n);
    const came = await Promise.all(fast.map(async (reader) => (await take(reader, 1)).map(({ value }) => value)));
    expect(came).toEqual([[n], [n]]);
  }
  const { reads, batches, rows } = database;
  await Promise.all([...stalled, ...fast].map((reader) => reader.close()));
  await Promise.all(hanging);
  broker.readers.close();
  await log.close();
  return { reads, batches, rows };
}

test.each(['on disk', 'in memory'] as const)('beside a hundred readers that have stopped an item %s is acknowledged and handed out at once, for the same work', async (topic) => {
  const alone = await work(topic, 0);
  expect(alone.batches).toBeLessThanOrEqual(501);
  expect(await work(topic, 100)).toEqual(alone);
});
