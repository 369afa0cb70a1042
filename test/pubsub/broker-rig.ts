import { afterEach } from 'vitest';
import type { Delivery, Item, Subscription, Trouble } from '../../src/api.ts';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { Broker } from '../../src/pubsub/broker.ts';

/** A broker over a log in memory, which can be restarted, or crash. */
export interface BrokerRig {
  readonly broker: Broker;
  readonly log: Log;
  readonly clock: TestClock;
  readonly database: MemoryDatabase;
  readonly troubles: Trouble[];
  /** Who was dropped because nobody read it. */
  readonly expired: string[];
  publish(topic: string, ...values: readonly unknown[]): Promise<void>;
  /** Another process on what a power cut leaves now. */
  crash(): Promise<BrokerRig>;
  /** Another process after a clean end of this one. */
  restart(): Promise<BrokerRig>;
}

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

export async function brokerRig(database = new MemoryDatabase(), clock = createTestClock()): Promise<BrokerRig> {
  const troubles: Trouble[] = [];
  const expired: string[] = [];
  const log = await openLog({ database, clock, boxId: 'aaaaaaaaaaaaaaaa', trouble: (trouble) => void troubles.push(trouble) });
  const broker = new Broker({
    log, clock, trouble: (trouble) => void troubles.push(trouble), may: () => false,
    limits: { itemBytes: 1000, topics: 20_000, subscriptions: 20_000 },
    expired: async (name) => void expired.push(name),
  });
  const close = async (): Promise<void> => {
    broker.readers.close();
    await log.close();
  };
  closing.push(close);
  return {
    broker, log, clock, database, troubles, expired,
    async publish(topic, ...values) { await Promise.all(values.map((value) => broker.publish(OWNER, topic, toPayload(value as never)))); },
    crash: () => brokerRig(database.fork(), clock),
    async restart() {
      await close();
      return brokerRig(database, clock);
    },
  };
}

export async function take(subscription: Subscription, count: number): Promise<Item[]> {
  const taken: Item[] = [];
  while (taken.length < count) {
    const step = await subscription.next();
    if (step.done) throw new Error(`ended after ${taken.length}`);
    if (step.value.kind === 'item') taken.push(step.value);
  }
  return taken;
}

export async function one(subscription: Subscription): Promise<Item> {
  const [item] = await take(subscription, 1);
  if (!item) throw new Error('nothing came');
  return item;
}

/** Values, with a star at what came again. */
export const marked = (deliveries: readonly Delivery[]): string[] =>
  deliveries.map((delivery) => `${delivery.kind === 'item' ? JSON.stringify(delivery.value) : delivery.kind}${delivery.redelivered ? '*' : ''}`);
