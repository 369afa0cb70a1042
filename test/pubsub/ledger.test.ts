import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import type { Delivery } from '../../src/api.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { indexKey, recordKey } from '../../src/log/keys.ts';
import { writeSynced } from '../../src/log/database.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { Broker } from '../../src/pubsub/broker.ts';
import { LEDGER, lossesIn, lossLedger } from '../../src/pubsub/ledger.ts';

let clock: TestClock;
let database: MemoryDatabase;
let log: Log;
let broker: Broker;

async function open(): Promise<void> {
  log = await openLog({ database, clock, boxId: 'aaaaaaaaaaaaaaaa', trouble: () => undefined, ledger: lossLedger(), limits: { windowBytes: 1e6 } });
  broker = new Broker({ log, clock, trouble: () => undefined, may: () => false, limits: { itemBytes: 1e5, topics: 100, subscriptions: 100 } });
}

beforeEach(async () => {
  clock = createTestClock();
  database = new MemoryDatabase();
  await open();
});
afterEach(() => log.close());

const lines = async (): Promise<unknown[]> => (await broker.items(OWNER, LEDGER, { last: 100 })).map((line) => line.kind === 'item' && line.value);

describe('the ledger', () => {
  it('is empty as long as nothing was lost', async () => {
    expect([await lines(), lossesIn(log)]).toEqual([[], 0]);
  });

  it('says whose what was lost, how much and why, and whoever follows it is told', async () => {
    const followed = broker.subscribe(LEDGER);
    await followed.ready;
    const reader = broker.subscribe('t/#', { durable: 'shed', maxBacklog: { records: 3 } });
    await reader.ready;
    await reader.close();
    for (let n = 0; n < 10; n++) await broker.publish(OWNER, 't/a', toPayload(n));
    await log.trim();
    await log.trim();
    const line = { subscription: 'shed', topic: 't/a', from: 1, to: 7, count: 7, reason: 'overflow' };
    expect([await lines(), lossesIn(log)]).toEqual([[line], 1]);
    const told: Delivery[] = [];
    for await (const delivery of followed) {
      told.push(delivery);
      if (delivery.kind === 'item') break;
    }
    expect(told.at(-1)).toMatchObject({ kind: 'item', value: line });
    const again = broker.subscribe('t/#', { durable: 'shed' });
    const first = await again.next();
    expect(first.value).toMatchObject({ kind: 'gap', topic: 't/a', from: 1, to: 7, count: 7, reason: 'overflow', topics: [{ topic: 't/a', from: 1, to: 7, count: 7 }] });
    await again.close();
  });

  it('has a line for each topic of a loss, with what of it was lost, and they grow', async () => {
    const reader = broker.subscribe('t/#', { durable: 'shed', maxBacklog: { records: 2 } });
    await reader.ready;
    await reader.close();
    for (const topic of ['t/a', 't/b', 'u', 't/a', 't/b', 't/c', 't/a', 't/c']) await broker.publish(OWNER, topic, toPayload('x'));
    for (let i = 0; i < 3; i++) await log.trim();
    const a = { subscription: 'shed', topic: 't/a', from: 1, to: 4, count: 2, reason: 'overflow' };
    const b = { subscription: 'shed', topic: 't/b', from: 2, to: 5, count: 2, reason: 'overflow' };
    const c = { subscription: 'shed', topic: 't/c', from: 6, to: 6, count: 1, reason: 'overflow' };
    expect(await lines()).toEqual([a, b, c]);
    await broker.publish(OWNER, 't/c', toPayload('x'));
    const { seq } = await broker.publish(OWNER, 't/c', toPayload('x'));
    for (let i = 0; i < 3; i++) await log.trim();
    // What did not go on is where it was.
    expect(await lines()).toEqual([b, { ...a, to: 7, count: 3 }, { ...c, to: 8, count: 2 }]);
    const again = broker.subscribe('t/#', { durable: 'shed' });
    const { value: gap } = await again.next();
    expect(gap).toMatchObject({ kind: 'gap', topic: '', from: 1, to: 8, count: 7, topics: [{ topic: 't/a', from: 1, to: 7, count: 3 }, { topic: 't/b', from: 2, to: 5, count: 2 }, { topic: 't/c', from: 6, to: 8, count: 2 }] });
    expect(gap).not.toHaveProperty('others');
    await again.next();
    expect((await again.next()).value).toMatchObject({ kind: 'item', seq });
    await again.close();
  });

  it('names 32 topics of a loss, and says of one line more that it has the others', async () => {
    const reader = broker.subscribe('t/#', { durable: 'shed', maxBacklog: { records: 1 } });
    await reader.ready;
    await reader.close();
    for (let round = 0; round < 2; round++) for (let n = 0; n < 40; n++) await broker.publish(OWNER, `t/${n}`, toPayload(n));
    for (let i = 0; i < 3; i++) await log.trim();
    const all = await lines();
    expect(all).toHaveLength(33);
    expect(all).toContainEqual({ subscription: 'shed', topic: 't/31', from: 32, to: 72, count: 2, reason: 'overflow' });
    expect(all).toContainEqual({ subscription: 'shed', topic: 't/#', besides: 32, from: 33, to: 79, count: 15, reason: 'overflow' });
    expect(all).not.toContainEqual(expect.objectContaining({ topic: 't/32' }));
    const again = broker.subscribe('t/#', { durable: 'shed' });
    const { value: gap } = await again.next();
    expect(gap).toMatchObject({ kind: 'gap', count: 79, others: { from: 33, to: 79, count: 15 } });
    expect(gap).toMatchObject({ topics: Array.from({ length: 32 }, (_, n) => ({ topic: `t/${n}`, count: 2 })) });
    await again.close();
  });

  it('has one line for each topic of all peers that nobody vouched for together, and it grows', async () => {
    for (const digit of ['a', 'b', 'c']) {
      const fingerprint = digit.repeat(64);
      const cursor = await log.cursor({ name: `peer:${fingerprint}:r`, filter: 't', from: 'start', durable: true, maxBacklog: { records: 2 } });
      await cursor.close();
    }
    for (let n = 0; n < 5; n++) await broker.publish(OWNER, 't', toPayload(n));
    for (let i = 0; i < 3; i++) await log.trim();
    expect(await lines()).toEqual([{ subscription: 'peers that are not paired', topic: 't', from: 1, to: 3, count: 9, reason: 'overflow' }]);
    await broker.publish(OWNER, 't', toPayload(5));
    for (let i = 0; i < 3; i++) await log.trim();
    expect(await lines()).toMatchObject([{ subscription: 'peers that are not paired', count: 12 }]);
  });

  it('has the holes that were found when the log was opened', async () => {
    for (let n = 0; n < 3; n++) await broker.publish(OWNER, 't', toPayload(n));
    const crashed = database.fork();
    await crashed.open();
    await writeSynced(crashed, [{ key: recordKey(2) }]);
    await crashed.close();
    await log.close();
    database = crashed;
    await open();
    expect(await lines()).toEqual([{ topic: 't', from: 2, to: 2, count: 1, reason: 'corrupt' }]);
    await log.close();
    await open();
    expect(await lines()).toHaveLength(1);
  });

  it('has what a reader put aside', async () => {
    const cursor = await log.cursor({ name: 'home:a@b #', filter: '#', from: 'new', durable: true });
    await broker.publish(OWNER, 't', toPayload('odd'));
    const [one] = await cursor.next(1);
    await cursor.putAside(one?.record.seq ?? 0, 'why');
    expect(await lines()).toEqual([{ subscription: 'home:a@b #', topic: 't', from: 1, to: 1, count: 1, reason: 'poison' }]);
    expect(await log.dropAsides('home:a@b #')).toBe(1);
    expect(await lines()).toEqual([{ subscription: 'home:a@b #', topic: 't', from: 1, to: 1, count: 1, reason: 'dropped' }]);
  });

  it('has what a reader had not read that nobody came back for', async () => {
    const reader = broker.subscribe('t', { durable: 'gone', expires: 1000 });
    await reader.ready;
    await reader.close();
    for (let n = 0; n < 3; n++) await broker.publish(OWNER, 't', toPayload(n));
    clock.advance(1000);
    const told = broker.subscribe('$ledger', { from: 'start' });
    for (let step = await told.next(); step.value?.kind !== 'item'; step = await told.next());
    await told.close();
    expect(await lines()).toEqual([{ subscription: 'gone', topic: 't', from: 1, to: 3, count: 3, reason: 'expired' }]);
  });

  it('has of which topics that was', async () => {
    const reader = broker.subscribe('t/#', { durable: 'gone', expires: 1000, ack: 'manual' });
    await reader.ready;
    for (const topic of ['t/a', 't/b', 'u', 't/b', 't/a', 't/c']) await broker.publish(OWNER, topic, toPayload('x'));
    const [first, second, third] = [await reader.next(), await reader.next(), await reader.next()];
    for (const { value } of [second, third]) value?.ack();
    expect(first.value?.topic).toBe('t/a');
    await reader.close();
    clock.advance(1000);
    const told = broker.subscribe('$ledger', { from: 'start' });
    for (let step = await told.next(); step.value?.kind !== 'item'; step = await told.next());
    await told.close();
    expect(await lines()).toEqual([
      { subscription: 'gone', topic: 't/a', from: 1, to: 5, count: 2, reason: 'expired' },
      { subscription: 'gone', topic: 't/c', from: 6, to: 6, count: 1, reason: 'expired' },
    ]);
  });

  it('says of damage which topics it knows it was in, and tells nobody of what it did not read', async () => {
    const [reader, other] = [broker.subscribe('t', { durable: 'shed' }), broker.subscribe('u/#', { durable: 'attic' })];
    await Promise.all([reader.ready, other.ready]);
    await Promise.all([reader.close(), other.close()]);
    for (const topic of ['t', 'u/a', 't', 'u/b', 'u/b']) await broker.publish(OWNER, topic, toPayload('x'));
    const [t, b] = [log.topic('t')?.no ?? 0, log.topic('u/b')?.no ?? 0];
    const crashed = database.fork();
    await crashed.open();
    // Of what is lost at 2 nothing is left, of 3 and 4 the index.
    await writeSynced(crashed, [{ key: indexKey(log.topic('u/a')?.no ?? 0, 2) }, ...[2, 3, 4].map((seq) => ({ key: recordKey(seq) }))]);
    expect(await crashed.getMany([indexKey(t, 3), indexKey(b, 4)])).not.toContain(undefined);
    await crashed.close();
    await log.close();
    database = crashed;
    await open();
    expect(await lines()).toEqual([
      { topic: 't', from: 3, to: 3, count: 1, reason: 'corrupt' }, { topic: 'u/b', from: 4, to: 4, count: 1, reason: 'corrupt' }, { topic: '#', from: 2, to: 4, count: 1, reason: 'corrupt' },
    ]);
    const again = broker.subscribe('u/#', { durable: 'attic' });
    expect((await again.next()).value).toMatchObject({ kind: 'gap', topic: '', from: 2, to: 4, count: 2, topics: [{ topic: 'u/b', from: 4, to: 4, count: 1 }], others: { from: 2, to: 4, count: 1 } });
    expect((await again.next()).value).toMatchObject({ topic: 'u/b', seq: 5 });
    await again.close();
  });

  it('has what is found to be damaged when it is read, once', async () => {
    for (const name of ['shed', 'attic']) {
      const reader = broker.subscribe('#', { durable: name });
      await reader.ready;
      await reader.close();
    }
    for (const topic of ['t', 'u', 't']) await broker.publish(OWNER, topic, toPayload('x'));
    await log.close();
    await database.open();
    const row = Buffer.from(await database.get(recordKey(2)) ?? []);
    row[row.length - 1] = (row.at(-1) ?? 0) ^ 1;
    await writeSynced(database, [{ key: recordKey(2), value: row }]);
    await database.close();
    await open();
    for (const name of ['shed', 'attic']) {
      const reader = broker.subscribe('#', { durable: name });
      const told = [(await reader.next()).value, (await reader.next()).value, (await reader.next()).value];
      expect(told.map((one) => one?.kind)).toEqual(['item', 'gap', 'item']);
      await reader.close();
    }
    expect(await lines()).toEqual([{ topic: 'u', from: 2, to: 2, count: 1, reason: 'corrupt' }]);
  });

  it('is neither changed nor emptied by anybody, and counts losses alone', async () => {
    const cursor = await log.cursor({ name: 'home:a@b #', filter: '#', from: 'new', durable: true });
    await broker.publish(OWNER, 't', toPayload('odd'));
    const [one] = await cursor.next(1);
    await cursor.putAside(one?.record.seq ?? 0, 'why');
    const [line] = await broker.items(OWNER, LEDGER);
    const id = line?.kind === 'item' ? line.id : '';
    for (const change of [broker.configure(OWNER, LEDGER, { lane: 'history' }), broker.retract(OWNER, LEDGER, id), broker.purge(OWNER, LEDGER), broker.delete(OWNER, LEDGER)]) {
      await expect(change).rejects.toMatchObject({ code: 'invalid-topic' });
    }
    expect([(await lines()).length, lossesIn(log)]).toEqual([1, 1]);
  });
});
