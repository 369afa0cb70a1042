import { afterEach, expect, test } from 'vitest';
import type { TrustLevel } from '../../src/api.ts';
import type { Log } from '../../src/log/log.ts';
import { DEFAULT_LIMITS } from '../../src/options.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { Broker } from '../../src/pubsub/broker.ts';
import { LEDGER, lossLedger } from '../../src/pubsub/ledger.ts';
import { closeAll, openMemory } from '../log/log-fixture.ts';

afterEach(closeAll);

const WEEK = 7 * 86_400_000;
const BOUND = { bytes: 16 * 1024 * 1024, age: WEEK };
const KEY = 'a'.repeat(64);
const OTHER = 'b'.repeat(64);

type Clock = Awaited<ReturnType<typeof openMemory>>['clock'];

/** A broker with a topic that every key may read; `levels` says how keys stand. */
function brokerOn(log: Log, clock: Clock, levels: Map<string | undefined, TrustLevel>): Broker {
  return new Broker({ log, clock, trouble: () => undefined, limits: DEFAULT_LIMITS, level: (key) => levels.get(key) ?? 'seen', may: (_key, _right, _topic, open) => open });
}

async function place(broker: Broker, fingerprint: string, name = `peer:${fingerprint}:r`) {
  return broker.feed({ kind: 'peer', name: 'm', fingerprint }, { name, filter: 't', from: 'start', durable: true });
}

/** What is published waits for more than a week. */
async function weekPasses(broker: Broker, log: Log, clock: Clock): Promise<void> {
  await broker.publish(OWNER, 't', toPayload('old'));
  clock.advance(WEEK + 1);
  await broker.publish(OWNER, 't', toPayload('new'));
  for (let i = 0; i < 3; i += 1) await log.trim();
}

const bounds = async (broker: Broker) => Object.fromEntries((await broker.subscriptions()).map(({ name, maxBacklog }) => [name, maxBacklog]));

test.each([
  ['seen', ['seen'], 'gap'],
  ['paired', ['paired'], 'configure'],
  ['paired since', ['seen', 'paired'], 'configure'],
] as [string, TrustLevel[], string][])('what waits for a key that is %s, and stays away', async (_, levels, first) => {
  const { log, clock } = await openMemory({ limits: { windowBytes: 0 } });
  const standing = new Map<string | undefined, TrustLevel>();
  const broker = brokerOn(log, clock, standing);
  await broker.create(OWNER, 't', { accessModel: 'open' });
  for (const level of levels) {
    standing.set(KEY, level);
    await (await place(broker, KEY)).close();
  }
  await weekPasses(broker, log, clock);
  const cursor = await place(broker, KEY);
  expect((await cursor.next(10))[0]?.record.kind).toBe(first);
  await cursor.close();
});

test.each([
  ['revoked', ['paired', 'seen'], 'gap', BOUND],
  ['revoked, and vouched for again', ['paired', 'seen', 'paired'], 'configure', undefined],
  ['vouched for', ['seen', 'paired'], 'configure', undefined],
] as [string, [TrustLevel, ...TrustLevel[]], string, typeof BOUND | undefined][])('what waits for a key that is %s while it is away', async (_, [first, ...later], kind, bound) => {
  const { log, clock } = await openMemory({ limits: { windowBytes: 0 }, ledger: lossLedger() });
  const standing = new Map<string | undefined, TrustLevel>([[KEY, first], [OTHER, 'paired']]);
  const broker = brokerOn(log, clock, standing);
  await broker.create(OWNER, 't', { accessModel: 'open' });
  await (await place(broker, KEY)).close();
  await (await place(broker, KEY, `sub:${KEY}:t`)).close();
  await (await place(broker, OTHER)).close();
  for (const level of later) {
    standing.set(KEY, level);
    await broker.places.fit(KEY);
  }
  expect(await bounds(broker)).toEqual({ [`peer:${KEY}:r`]: bound, [`sub:${KEY}:t`]: bound, [`peer:${OTHER}:r`]: undefined });
  await weekPasses(broker, log, clock);
  const cursor = await place(broker, KEY);
  expect((await cursor.next(10))[0]?.record.kind).toBe(kind);
  await cursor.close();
  const lines = (await broker.items(OWNER, LEDGER)).map((line) => line.kind === 'item' && line.value);
  // Both places lost the item and what opened the topic.
  expect(lines).toMatchObject(bound ? [{ subscription: 'peers that are not paired', count: 4, reason: 'expired' }] : []);
});

test('a place that is open is bounded, and no more, as one that is not', async () => {
  const { log, clock } = await openMemory();
  const standing = new Map<string | undefined, TrustLevel>([[KEY, 'paired']]);
  const broker = brokerOn(log, clock, standing);
  await broker.create(OWNER, 't', { accessModel: 'open' });
  const cursor = await place(broker, KEY);
  standing.set(KEY, 'seen');
  await broker.places.fit(KEY);
  expect(await bounds(broker)).toEqual({ [`peer:${KEY}:r`]: BOUND });
  standing.set(KEY, 'paired');
  await broker.places.fit(KEY);
  expect(await bounds(broker)).toEqual({ [`peer:${KEY}:r`]: undefined });
  await cursor.close();
});

test('what was not written of that before a power cut is so once the box is back', async () => {
  const { log, clock, database } = await openMemory();
  const before = brokerOn(log, clock, new Map([[KEY, 'paired'], [OTHER, 'seen']]));
  await before.create(OWNER, 't', { accessModel: 'open' });
  for (const key of [KEY, OTHER]) await (await place(before, key)).close();
  await log.close();
  const again = await openMemory({ database });
  const after = brokerOn(again.log, again.clock, new Map([[KEY, 'seen'], [OTHER, 'paired']]));
  expect(await bounds(after)).toEqual({ [`peer:${KEY}:r`]: BOUND, [`peer:${OTHER}:r`]: undefined });
  await again.log.close();
  const third = await openMemory({ database });
  expect(Object.fromEntries(Array.from(third.log.cursors(), ({ name, maxBacklog }) => [name, maxBacklog]))).toEqual({ [`peer:${KEY}:r`]: BOUND, [`peer:${OTHER}:r`]: undefined });
});

test.each([
  ['revoked', 'paired', 'seen', BOUND],
  ['vouched for', 'seen', 'paired', undefined],
] as [string, TrustLevel, TrustLevel, typeof BOUND | undefined][])('a place that is just being opened when its key is %s', async (_, before, after, bound) => {
  for (let ticks = 0; ticks < 24; ticks += 1) {
    const { log, clock } = await openMemory();
    const standing = new Map<string | undefined, TrustLevel>([[KEY, before]]);
    const broker = brokerOn(log, clock, standing);
    await broker.create(OWNER, 't', { accessModel: 'open' });
    const opening = place(broker, KEY);
    for (let i = 0; i < ticks; i += 1) await Promise.resolve();
    standing.set(KEY, after);
    await broker.places.fit(KEY);
    await (await opening).close();
    expect(await bounds(broker), `after ${ticks} ticks`).toEqual({ [`peer:${KEY}:r`]: bound });
  }
});
