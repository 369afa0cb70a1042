import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import type { Subscription } from '../../src/api.ts';
import { createSystemClock } from '../../src/clock.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { openLog } from '../../src/log/log.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { Broker } from '../../src/pubsub/broker.ts';
import { one, take } from './broker-rig.ts';

const ITEMS = 10_000;
const TEXT = 'x'.repeat(8192);

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test('readers that have stopped reading slow neither the publisher nor the others, and take no memory', async () => {
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
