import { beforeEach, describe, expect, test } from 'vitest';
import { MEMORY_FROM } from '../../src/log/memory-seq.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { quiet } from '../support/quiet.ts';
import { brokerRig, type BrokerRig, marked, one, take } from './broker-rig.ts';

let rig: BrokerRig;
beforeEach(async () => {
  rig = await brokerRig();
  await rig.broker.create(OWNER, 'm', { storage: 'memory' });
});

const values = async (topic = 'm', options = {}): Promise<unknown[]> => (await rig.broker.items(OWNER, topic, options)).map((item) => (item.kind === 'item' ? item.value : item.kind));

describe('a topic in memory', () => {
  test('is on disk unless its owner says otherwise, when it is made and never later', async () => {
    await rig.publish('made', 1);
    expect(rig.broker.topic('made')).toMatchObject({ storage: 'disk' });
    await expect(rig.broker.configure(OWNER, 'made', { storage: 'memory' })).rejects.toMatchObject({ code: 'invalid-value', message: expect.stringMatching(/decided when a topic is made, and made is on disk/) });
    await expect(rig.broker.configure(OWNER, 'm', { storage: 'disk' })).rejects.toMatchObject({ code: 'invalid-value', message: expect.stringMatching(/m is in memory/) });
    await expect(rig.broker.configure(OWNER, 'm', { storage: null })).rejects.toMatchObject({ code: 'invalid-value' });
    await expect(rig.broker.create(OWNER, 'x', { storage: 'tape' as 'disk' })).rejects.toMatchObject({ code: 'invalid-value' });
    await rig.broker.configure(OWNER, 'm', { storage: 'memory', title: 'raw' });
    expect(rig.broker.topic('m')).toMatchObject({ storage: 'memory', title: 'raw' });
    await rig.broker.delete(OWNER, 'm');
    await rig.publish('m', 1);
    expect(rig.broker.topic('m')).toMatchObject({ storage: 'disk', items: 1 });
  });

  test('gives its readers what is published, and its view to whoever asks, until the box ends', async () => {
    const reader = rig.broker.subscribe('m', { ack: 'manual' });
    await reader.ready;
    await rig.publish('m', 1, 2);
    const [first, second] = await take(reader, 2);
    first?.nack();
    second?.ack();
    expect(marked([await one(reader)])).toEqual(['1*']);
    expect(first?.seq).toBeGreaterThanOrEqual(MEMORY_FROM);
    await reader.close();
    expect(await values()).toEqual([1, 2]);
    expect(rig.broker.topic('m')).toMatchObject({ items: 2, lastSeq: second?.seq });
    expect(await rig.broker.find.list(OWNER)).toMatchObject([{ name: 'm', items: 2 }]);
    rig = await rig.crash();
    expect(await rig.broker.find.list(OWNER)).toMatchObject([{ name: 'm', items: 0, storage: 'memory' }]);
    expect(await values()).toEqual([]);
    await rig.publish('m', 3);
    expect(await values()).toEqual([3]);
  });

  test('is read by no durable reader: just that is refused, and a wider filter has nothing of it', async () => {
    await expect(rig.broker.subscribe('m', { durable: 'd' }).ready).rejects.toMatchObject({ code: 'unsupported', message: expect.stringContaining('in memory only') });
    await expect(rig.broker.feed(OWNER, { name: 'f', filter: 'm', from: 'new', durable: true })).rejects.toMatchObject({ code: 'unsupported' });
    const wide = rig.broker.subscribe('#', { durable: 'd', from: 'start' });
    await rig.publish('m', 1);
    await rig.publish('t', 2);
    expect((await one(wide)).value).toBe(2);
    await wide.close();
    expect((await rig.broker.subscriptions()).map(({ pending }) => pending)).toEqual([1]);
  });

  test('is not made where a durable reader waits for just that', async () => {
    const reader = rig.broker.subscribe('later', { durable: 'patient' });
    await reader.ready;
    await reader.close();
    await expect(rig.broker.create(OWNER, 'later', { storage: 'memory' })).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('"patient"') });
    expect(rig.broker.topic('later')).toBeUndefined();
    await rig.broker.drop('patient');
    await rig.broker.create(OWNER, 'later', { storage: 'memory' });
  });

  test('is retracted from, purged and kept to its schema, key and size like any other', async () => {
    await rig.broker.create(OWNER, 'k', { storage: 'memory', lane: 'latest', key: '/id', maxPayload: 50 });
    await rig.publish('k', { id: 'a', v: 1 }, { id: 'b', v: 1 }, { id: 'a', v: 2 });
    expect(await values('k')).toEqual([{ id: 'b', v: 1 }, { id: 'a', v: 2 }]);
    await expect(rig.publish('k', 7)).rejects.toMatchObject({ code: 'invalid-value' });
    await expect(rig.publish('k', { id: 'x'.repeat(60) })).rejects.toMatchObject({ code: 'too-large' });
    const [item] = await rig.broker.items(OWNER, 'k', { last: 2 });
    await rig.broker.retract(OWNER, 'k', item?.kind === 'item' ? item.id : '');
    expect(await values('k')).toEqual([{ id: 'a', v: 2 }]);
    await rig.broker.purge(OWNER, 'k');
    expect(await values('k')).toEqual([]);
  });

  test('tells what changed since a version, and that nobody knows of a version of an earlier run', async () => {
    await rig.publish('m', 1);
    const version = rig.broker.version('m');
    await rig.publish('m', 2, 3);
    expect(await rig.broker.changes(OWNER, 'm', version)).toHaveLength(2);
    expect(await rig.broker.page(OWNER, 'm', { max: 2, before: '' })).toMatchObject({ count: 3, index: 1 });
    rig = await rig.restart();
    await rig.publish('m', 4, 5, 6, 7);
    await expect(rig.broker.changes(OWNER, 'm', version)).rejects.toMatchObject({ code: 'not-found' });
  });

  test('lets a reader that is not durable know what it missed, and the ledger has no line', async () => {
    const reader = rig.broker.subscribe('m', { inFlight: 1 });
    await reader.ready;
    const text = 'x'.repeat(900);
    for (let i = 0; i < 4_000; i++) await rig.publish('m', [i, text]);
    const first = await reader.next();
    const next = await one(reader);
    const lost = Array.isArray(next.value) ? Number(next.value[0]) : 0;
    expect(lost).toBeGreaterThan(500);
    expect(first.value).toMatchObject({ kind: 'gap', count: lost, reason: 'overflow' });
    expect(await rig.broker.items(OWNER, '$ledger')).toEqual([]);
    await quiet();
    await reader.close();
  });
});
