import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import type { Delivery } from '../../src/api.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { recordKey } from '../../src/log/keys.ts';
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
    const line = { subscription: 'shed', topic: 't/#', from: 1, to: 7, count: 7, reason: 'overflow' };
    expect([await lines(), lossesIn(log)]).toEqual([[line], 1]);
    const told: Delivery[] = [];
    for await (const delivery of followed) {
      told.push(delivery);
      if (delivery.kind === 'item') break;
    }
    expect(told.at(-1)).toMatchObject({ kind: 'item', value: line });
    const again = broker.subscribe('t/#', { durable: 'shed' });
    const first = await again.next();
    expect(first.value).toMatchObject({ kind: 'gap', from: 1, to: 7, count: 7, reason: 'overflow' });
    await again.close();
  });

  it('has one line for all peers that nobody vouched for, and it grows', async () => {
    for (const digit of ['a', 'b', 'c']) {
      const fingerprint = digit.repeat(64);
      const cursor = await log.cursor({ name: `peer:${fingerprint}:r`, filter: 't', from: 'start', durable: true, maxBacklog: { records: 2 } });
      await cursor.close();
    }
    for (let n = 0; n < 5; n++) await broker.publish(OWNER, 't', toPayload(n));
    for (let i = 0; i < 3; i++) await log.trim();
    expect(await lines()).toEqual([{ subscription: 'peers that are not paired', topic: '#', from: 1, to: 3, count: 9, reason: 'overflow' }]);
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
    expect(await lines()).toEqual([{ topic: '#', from: 2, to: 2, count: 1, reason: 'corrupt' }]);
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
