import { expect, test } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { openLog } from '../../src/log/log.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { type Actor, keyAddress, OWNER } from '../../src/pubsub/actor.ts';
import { Broker } from '../../src/pubsub/broker.ts';

const FINGERPRINT = 'a'.repeat(64);
const PEER: Actor = { kind: 'peer', name: 'desk@pc', fingerprint: FINGERPRINT };

interface Trusting { granted: boolean; denied: boolean; generation: number }

/** A broker, and what its trust room says, which a test changes. */
async function trusting(): Promise<{ broker: Broker; trust: Trusting; subscribed: Set<string>; publish: (topic?: string) => Promise<unknown> }> {
  const clock = createTestClock();
  const log = await openLog({ database: new MemoryDatabase(), clock, boxId: 'aaaaaaaaaaaaaaaa', trouble: () => undefined });
  const trust: Trusting = { granted: true, denied: false, generation: 0 };
  const subscribed = new Set<string>();
  const broker = new Broker({
    log, clock, trouble: () => undefined, limits: { itemBytes: 1000, topics: 100, subscriptions: 100 },
    may: (_key, _right, _topic, open) => !trust.denied && (trust.granted || open), generation: () => trust.generation,
  });
  broker.use({ isSubscribed: (_key, topic) => subscribed.has(topic), isApproved: () => false, affiliated: () => Promise.resolve(), deleted: () => Promise.resolve(), ending: () => () => Promise.resolve() });
  await broker.create(OWNER, 't');
  return { broker, trust, subscribed, publish: (topic = 't') => broker.publish(PEER, topic, toPayload(1)) };
}

const FORBIDDEN = { code: 'forbidden' };

test('whoever was let publish is not let any more as soon as the owner of the box says so', async () => {
  const { trust, publish } = await trusting();
  await publish();
  Object.assign(trust, { granted: false, generation: 1 });
  await expect(publish()).rejects.toMatchObject(FORBIDDEN);
  Object.assign(trust, { granted: true, generation: 2 });
  await publish();
  Object.assign(trust, { denied: true, generation: 3 });
  await expect(publish()).rejects.toMatchObject(FORBIDDEN);
});

test('an outcast is one for the very next item, and so is who is a publisher no longer', async () => {
  const { broker, trust, publish } = await trusting();
  await publish();
  await broker.affiliate(OWNER, 't', new Map([[keyAddress(FINGERPRINT), 'outcast']]));
  await expect(publish()).rejects.toMatchObject(FORBIDDEN);
  Object.assign(trust, { granted: false, generation: 1 });
  await broker.affiliate(OWNER, 't', new Map([[keyAddress(FINGERPRINT), 'publisher']]));
  await publish();
  await broker.affiliate(OWNER, 't', new Map([[keyAddress(FINGERPRINT), 'none']]));
  await expect(publish()).rejects.toMatchObject(FORBIDDEN);
});

test('a topic that is closed, or made anew, is judged anew; what was let in one is not in another', async () => {
  const { broker, trust, publish } = await trusting();
  Object.assign(trust, { granted: false });
  await broker.configure(OWNER, 't', { publishModel: 'open' });
  await publish();
  await broker.create(OWNER, 'u');
  await expect(publish('u')).rejects.toMatchObject(FORBIDDEN);
  await publish();
  await broker.configure(OWNER, 't', { publishModel: 'publishers' });
  await expect(publish()).rejects.toMatchObject(FORBIDDEN);
  await broker.configure(OWNER, 't', { publishModel: 'open' });
  await publish();
  await broker.delete(OWNER, 't');
  await broker.create(OWNER, 't');
  await expect(publish()).rejects.toMatchObject(FORBIDDEN);
});

test('who may publish because it subscribes may not once it does not', async () => {
  const { broker, trust, subscribed, publish } = await trusting();
  Object.assign(trust, { granted: false });
  await broker.configure(OWNER, 't', { publishModel: 'subscribers', accessModel: 'open' });
  subscribed.add('t');
  await publish();
  subscribed.delete('t');
  await expect(publish()).rejects.toMatchObject(FORBIDDEN);
});
