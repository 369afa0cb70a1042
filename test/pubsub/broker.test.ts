import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Delivery, Item, ItemsOptions, Subscription, Trouble } from '../../src/api.ts';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { type Actor, keyAddress, OWNER } from '../../src/pubsub/actor.ts';
import { Broker } from '../../src/pubsub/broker.ts';

const FRIEND: Actor = { kind: 'peer', name: 'friend@h2', fingerprint: 'f'.repeat(64) };
const STRANGER: Actor = { kind: 'peer', name: 'stranger@h3', fingerprint: '0'.repeat(64) };
const KEYLESS: Actor = { kind: 'peer', name: 'alice@h4' };

let log: Log;
let database: MemoryDatabase;
let clock: TestClock;
let broker: Broker;
const granted: string[] = [];
const troubles: Trouble[] = [];

beforeEach(async () => {
  clock = createTestClock();
  granted.length = 0;
  troubles.length = 0;
  database = new MemoryDatabase();
  log = await openLog({ database, clock, boxId: 'aaaaaaaaaaaaaaaa', trouble: () => undefined });
  broker = new Broker({
    log, clock, trouble: (trouble) => void troubles.push(trouble),
    may: (fingerprint, right, topic, open) => open || granted.includes(`${fingerprint?.[0]} ${right} ${topic}`),
    limits: { itemBytes: 1000, topics: 5, subscriptions: 3 },
  });
});
afterEach(() => log.close());

const publish = (topic: string, value: unknown, id?: string, actor: Actor = OWNER) =>
  broker.publish(actor, topic, toPayload(value as never), id === undefined ? {} : { id });

const take = async (subscription: Subscription, count: number): Promise<Delivery[]> => {
  const taken = [];
  for (let i = 0; i < count; i++) taken.push((await subscription.next()).value as Delivery);
  return taken;
};
const values = (deliveries: Delivery[]): unknown[] => deliveries.map((delivery) => (delivery.kind === 'item' ? delivery.value : delivery.kind));

describe('publishing', () => {
  test('the same id and value again is the record that is there; another value is an update', async () => {
    const first = await publish('a', 1, 'x');
    expect(await publish('a', 1, 'x')).toEqual({ ...first, repeated: true });
    const update = await publish('a', 2, 'x');
    expect(update.seq).toBeGreaterThan(first.seq);
    expect(values(await broker.items(OWNER, 'a'))).toEqual([2]);
  });

  test('a query names at most 1000 items, and its newest are as many as it says', async () => {
    for (let i = 0; i < 150; i++) await publish('a', i);
    expect(values(await broker.items(OWNER, 'a', { last: 150 }))).toHaveLength(150);
    expect(values(await broker.items(OWNER, 'a', { last: 150, limit: 2 }))).toEqual([148, 149]);
    expect(values(await broker.items(OWNER, 'a', { after: 0 }))).toHaveLength(100);
    expect(await broker.items(OWNER, 'a', { ids: [] })).toEqual([]);
    for (const options of [{ limit: 0 }, { limit: 1001 }, { last: -1 }, { last: 1.5 }, { last: 1001 }, { after: 0, limit: Infinity }, { ids: Array.from({ length: 1001 }, String) },
      { last: 1, after: 0 }, { ids: ['x'], from: 'start' }, { from: 'new' as 'start' }, { from: { time: Number.NaN } }, { from: {} as { seq: number } }] as const) {
      await expect(broker.items(OWNER, 'a', options)).rejects.toMatchObject({ code: 'invalid-value' });
    }
  });

  test('a query begins at the start, at a position or at a time', async () => {
    const times: number[] = [];
    const seqs: number[] = [];
    for (let i = 0; i < 5; i++) {
      times.push(clock.wall());
      seqs.push((await publish('a', i)).seq);
      await publish('b', i);
      clock.advance(1000);
    }
    const [first = 0, , , fourth = 0, last = 0] = times;
    const from = async (options: ItemsOptions): Promise<unknown[]> => values(await broker.items(OWNER, 'a', options));
    expect(await from({ from: 'start' })).toEqual([0, 1, 2, 3, 4]);
    expect(await from({ from: 'start', limit: 2 })).toEqual([0, 1]);
    expect(await from({ from: { seq: seqs[2] ?? 0 } })).toEqual([2, 3, 4]);
    expect(await from({ from: { seq: 0 } })).toEqual([0, 1, 2, 3, 4]);
    expect(await from({ from: { time: fourth } })).toEqual([3, 4]);
    expect(await from({ from: { time: fourth - 1 }, limit: 1 })).toEqual([3]);
    expect(await from({ from: { time: 0 } })).toHaveLength(5);
    expect(await from({ from: { time: last + 5000 } })).toEqual([]);
    await broker.configure(OWNER, 'a', { maxItems: 2 });
    expect(await from({ from: 'start' })).toEqual([3, 4]);
    expect(await from({ from: { time: first } })).toEqual([3, 4]);
  });

  test('settings that are said once more as they are write nothing', async () => {
    await broker.create(OWNER, 'a', { maxItems: 2, title: 'A' });
    const { head } = log;
    expect(await broker.configure(OWNER, 'a', { maxItems: 2 })).toMatchObject({ name: 'a', maxItems: 2, title: 'A' });
    await broker.configure(OWNER, 'a', {});
    expect(log.head).toBe(head);
    // Of two at once the second is judged by what the first has made of it.
    await Promise.all([broker.configure(OWNER, 'a', { maxItems: 3 }), broker.configure(OWNER, 'a', { maxItems: 2 }), broker.configure(OWNER, 'a', { maxItems: 2 })]);
    expect([log.head, (await broker.find.list(OWNER))[0]?.maxItems]).toEqual([head + 2, 2]);
  });

  test('an item without an id goes by its record id', async () => {
    const published = await publish('a', 1);
    expect(published.id).toBe(published.recordId);
    expect(published.recordId).toMatch(/^[a-z2-7]{16}-\d+\.[0-9a-f]{8}-\d+$/);
    expect(values(await broker.items(OWNER, 'a', { ids: [published.id] }))).toEqual([1]);
  });

  test.each(['$x', '$mail/link:b', '$inbox/seen', '$ledger'])('%s is the box\'s own: the owner reads it, and neither puts anything there nor takes it away', async (topic) => {
    const refused = { code: 'invalid-topic', message: expect.stringContaining('reserved') };
    await expect(publish(topic, 1)).rejects.toMatchObject(refused);
    await expect(broker.create(OWNER, topic)).rejects.toMatchObject(refused);
    await log.append({ topic, kind: 'publish', id: 'x', payload: toPayload(1) });
    await expect(publish(topic, 1)).rejects.toMatchObject(refused);
    for (const taken of [broker.retract(OWNER, topic, 'x'), broker.purge(OWNER, topic), broker.delete(OWNER, topic), broker.configure(OWNER, topic, { maxItems: 1 })]) {
      await expect(taken).rejects.toMatchObject(refused);
    }
    expect(values(await broker.items(OWNER, topic))).toEqual([1]);
    expect(log.topic(topic)).toMatchObject({ deleted: false, ordinal: 1, settings: {} });
  });

  test('of a copy of a peer\'s topic the owner says how much there is, and takes it away', async () => {
    const topic = '$at/bbbbbbbbbbbbbbbb/t';
    const come = (n: number) => log.append({ topic, kind: 'publish', id: `${n}`, payload: toPayload(n), origin: { box: 'bbbbbbbbbbbbbbbb', epoch: '1.00000000', seq: n, previous: n - 1 } });
    for (let n = 1; n <= 3; n++) await come(n);
    await expect(publish(topic, 1)).rejects.toMatchObject({ code: 'invalid-topic' });
    for (const settings of [{ lane: 'latest' }, { maxItems: 1, persist: false }, { accessModel: 'open' }] as const) {
      await expect(broker.configure(OWNER, topic, settings)).rejects.toMatchObject({ code: 'invalid-value', message: expect.stringContaining('maxItems') });
    }
    await broker.configure(OWNER, topic, { maxItems: 2, maxAge: 1e6 });
    expect(values(await broker.items(OWNER, topic))).toEqual([2, 3]);
    await broker.retract(OWNER, topic, '2');
    await broker.purge(OWNER, topic);
    expect(await broker.items(OWNER, topic)).toEqual([]);
    await broker.delete(OWNER, topic);
    expect(await come(3)).toMatchObject({ repeated: true });
    await come(4);
    expect(values(await broker.items(OWNER, topic))).toEqual([4]);
  });

  test('what comes while a topic is on its way out makes no new one, but from who may make one', async () => {
    for (const topic of ['a', 'b']) {
      await publish(topic, 1);
      await broker.affiliate(OWNER, topic, new Map([[keyAddress('0'.repeat(64)), 'publisher' as const]]));
      await publish(topic, 2, undefined, STRANGER);
    }
    const [gone, late, configured, purged] = await Promise.allSettled([
      broker.delete(OWNER, 'a'), publish('a', 3, undefined, STRANGER), broker.configure(OWNER, 'a', { accessModel: 'open' }), broker.purge(OWNER, 'a'),
    ]);
    expect(gone.status).toBe('fulfilled');
    expect([late, configured, purged]).toMatchObject([{ reason: { code: 'forbidden' } }, { reason: { code: 'not-found' } }, { reason: { code: 'not-found' } }]);
    expect(broker.topic('a')).toBeUndefined();
    await Promise.all([broker.delete(OWNER, 'b'), publish('b', 4)]);
    expect(values(await broker.items(OWNER, 'b'))).toEqual([4]);
    await expect(publish('b', 5, undefined, STRANGER)).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('for how long an item is good is a number of milliseconds that can be counted', () => {
    for (const expires of [Infinity, 2 ** 60, NaN, -1]) expect(() => broker.overAfter(expires)).toThrow(expect.objectContaining({ code: 'invalid-value' }));
    expect(broker.overAfter(0.5)).toBe(clock.wall() + 1);
  });

  test('a node of the account itself is the owner\'s', async () => {
    await publish('$pep/urn:x', 1, 'x');
    await broker.configure(OWNER, '$pep/urn:x', { maxItems: 5 });
    await broker.retract(OWNER, '$pep/urn:x', 'x');
    await broker.purge(OWNER, '$pep/urn:x');
    await broker.delete(OWNER, '$pep/urn:x');
    expect(broker.topic('$pep/urn:x')).toBeUndefined();
  });

  test('on a full disk the owner takes away what there is, and nobody else anything', async () => {
    await publish('a', 1, 'x');
    await publish('b', 1);
    await broker.create(OWNER, 'theirs', { publishModel: 'open' });
    await broker.affiliate(OWNER, 'theirs', new Map([[keyAddress('f'.repeat(64)), 'owner' as const]]));
    database.freeBytes = 63 << 20;
    clock.advance(1000);
    await expect(publish('a', 2)).rejects.toMatchObject({ code: 'disk-full', message: expect.stringContaining('lanpost subscriptions list') });
    await expect(broker.purge(FRIEND, 'theirs')).rejects.toMatchObject({ code: 'disk-full' });
    await expect(broker.create(OWNER, 'new')).rejects.toMatchObject({ code: 'disk-full' });
    await broker.retract(OWNER, 'a', 'x');
    await broker.configure(OWNER, 'a', { maxItems: 1 });
    await broker.purge(OWNER, 'theirs');
    await broker.delete(OWNER, 'b');
    expect((await broker.find.list(OWNER)).map(({ name, items }) => [name, items])).toEqual([['a', 0], ['theirs', 0]]);
  });

  test.each(['', '/a', 'a//b', 'a/+', '#', 'x'.repeat(513)])('the topic name %j is refused', async (topic) => {
    await expect(publish(topic, 1)).rejects.toMatchObject({ code: 'invalid-topic' });
  });

  test.each(['a\0b', 'a\u001bb', '\uffff'])('an item id that no XML can carry is refused: %j', async (id) => {
    await expect(publish('a', 1, id)).rejects.toMatchObject({ code: 'invalid-value' });
  });

  test('an item over its limit is refused before anything is stored', async () => {
    await expect(publish('a', 'x'.repeat(1001))).rejects.toMatchObject({ code: 'too-large' });
    expect(await broker.find.list(OWNER)).toEqual([]);
  });

  test('topics are bounded', async () => {
    for (let i = 0; i < 5; i++) await publish(`t${i}`, 1);
    await expect(publish('one-more', 1)).rejects.toMatchObject({ code: 'busy' });
    await publish('t0', 2);
  });
});

describe('access: least right by default', () => {
  test.each([STRANGER, KEYLESS])('$name may do nothing without a grant', async (actor) => {
    await publish('a', 1);
    await expect(publish('a', 2, undefined, actor)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(broker.items(actor, 'a')).rejects.toMatchObject({ code: 'forbidden' });
    await expect(broker.feed(actor, { name: 'p', filter: 'a', from: 'new', durable: true })).rejects.toMatchObject({ code: 'forbidden' });
    await expect(broker.retract(actor, 'a', 'x')).rejects.toMatchObject({ code: 'forbidden' });
    for (const managed of [broker.create(actor, 'b'), broker.configure(actor, 'a', {}), broker.purge(actor, 'a'), broker.delete(actor, 'a')]) {
      await expect(managed).rejects.toMatchObject({ code: 'forbidden' });
    }
  });

  test('a grant opens what it names, and nothing of the box itself', async () => {
    granted.push('f write a', 'f write $mail/x');
    await publish('a', 1, undefined, FRIEND);
    await expect(publish('b', 1, undefined, FRIEND)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(publish('$mail/x', 1, undefined, FRIEND)).rejects.toMatchObject({ code: 'forbidden' });
    expect((await broker.items(OWNER, 'a'))[0]).toMatchObject({ publisher: 'link:friend@h2' });
  });

  test('an open topic is open to keys, not to peers without one', async () => {
    await broker.create(OWNER, 'a', { accessModel: 'open', publishModel: 'open' });
    await publish('a', 1, undefined, STRANGER);
    expect(values(await broker.items(STRANGER, 'a'))).toContain(1);
    await expect(publish('a', 1, undefined, KEYLESS)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(broker.items(KEYLESS, 'a')).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('what a key published is not another key\'s to retract, whatever name that goes by', async () => {
    await broker.create(OWNER, 'wall', { publishModel: 'open' });
    await publish('wall', 1, 'x', STRANGER);
    const thief: Actor = { kind: 'peer', name: STRANGER.kind === 'peer' ? STRANGER.name : '', fingerprint: '1'.repeat(64) };
    await expect(broker.retract(thief, 'wall', 'x')).rejects.toMatchObject({ code: 'forbidden' });
    await broker.retract({ ...STRANGER, kind: 'peer', name: 'renamed@h3' }, 'wall', 'x');
  });

  test('a publisher retracts what it published, not what others did', async () => {
    granted.push('f write a');
    await publish('a', 1, 'mine', FRIEND);
    await publish('a', 2, 'theirs');
    await broker.retract(FRIEND, 'a', 'mine');
    await expect(broker.retract(FRIEND, 'a', 'theirs')).rejects.toMatchObject({ code: 'forbidden' });
    expect(values(await broker.items(OWNER, 'a'))).toEqual([2]);
  });
});

describe('readers', () => {
  test('a live reader gets what is published from then on, in order', async () => {
    await publish('plant/a', 0);
    const reader = broker.subscribe('plant/#');
    await reader.ready;
    for (let i = 1; i <= 100; i++) void publish(`plant/${i % 2 ? 'a' : 'b'}`, i);
    expect(values(await take(reader, 100))).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    await reader.close();
  });

  test('asking for the next confirms the previous; leaving the loop confirms nothing', async () => {
    for (let i = 0; i < 3; i++) await publish('a', i);
    for await (const item of broker.subscribe('a', { durable: 'd', from: 'start' })) {
      if ((item as Item).value === 1) break;
    }
    const again = broker.subscribe('a', { durable: 'd' });
    expect(values(await take(again, 2))).toEqual([1, 2]);
    await again.close();
  });

  test('with manual acknowledgement, what is not confirmed comes back to the next reader, marked', async () => {
    for (let i = 0; i < 4; i++) await publish('a', i);
    const reader = broker.subscribe('a', { durable: 'd', from: 'start', ack: 'manual' });
    const taken = await take(reader, 4);
    taken[1]?.ack();
    taken[3]?.ack();
    await reader.close();
    const again = broker.subscribe('a', { durable: 'd', ack: 'manual' });
    const back = await take(again, 2);
    expect(values(back)).toEqual([0, 2]);
    expect(back.map((delivery) => delivery.redelivered)).toEqual([true, true]);
    await again.close();
  });

  test('bytes that are not what they are said to be are handed on as they are', async () => {
    const reader = broker.subscribe('a', { durable: 'r', from: 'start' });
    for (const contentType of ['application/json', 'application/cbor', 'text/plain']) {
      await broker.publish(OWNER, 'a', { contentType, bytes: Uint8Array.of(0xff, 0x7b) });
    }
    await publish('a', 'fine');
    expect(values(await take(reader, 4))).toEqual([...Array.from({ length: 3 }, () => Uint8Array.of(0xff, 0x7b)), 'fine']);
    expect(values(await broker.items(OWNER, 'a'))).toHaveLength(4);
    await reader.close();
  });

  test('a delay longer than any timer is no delay of nothing', async () => {
    const reader = broker.subscribe('a', { from: 'start', ack: 'manual' });
    await publish('a', 1);
    const [item] = await take(reader, 1);
    item?.nack({ delay: Number.POSITIVE_INFINITY });
    expect(() => item?.nack({ delay: Number.NaN })).toThrow(TypeError);
    clock.advance(24 * 3_600_000);
    await publish('a', 2);
    expect(values(await take(reader, 1))).toEqual([2]);
    await reader.close();
  });

  test('nack delivers again after its delay', async () => {
    await publish('a', 1);
    const reader = broker.subscribe('a', { from: 'start', ack: 'manual' });
    const [first] = await take(reader, 1);
    first?.nack({ delay: 5000 });
    const next = reader.next();
    clock.advance(5000);
    expect((await next).value).toMatchObject({ kind: 'item', value: 1, redelivered: true });
    await reader.close();
  });

  test('a reader refused for its options holds no name', async () => {
    expect(() => broker.subscribe('a', { durable: 'd', inFlight: 0 })).toThrow(/inFlight/);
    const reader = broker.subscribe('a', { durable: 'd' });
    await reader.ready;
    await reader.close();
  });

  test('unconfirmed deliveries are bounded by inFlight', async () => {
    for (let i = 0; i < 3; i++) await publish('a', i);
    const reader = broker.subscribe('a', { from: 'start', ack: 'manual', inFlight: 2 });
    const [first] = await take(reader, 2);
    let third: unknown;
    const waiting = (async () => { third = (await reader.next()).value; })();
    await publish('b', 'something else happens');
    expect(third).toBeUndefined();
    first?.ack();
    await waiting;
    expect(third).toMatchObject({ value: 2 });
    await reader.close();
  });

  test('a durable name has one reader, unless both share it', async () => {
    const one = broker.subscribe('a', { durable: 'd' });
    await one.ready;
    await expect(broker.subscribe('a', { durable: 'd' }).next()).rejects.toMatchObject({ code: 'in-use' });
    await one.close();
    const two = broker.subscribe('a', { durable: 'd', group: true, ack: 'manual' });
    const three = broker.subscribe('a', { durable: 'd', group: true, ack: 'manual' });
    await Promise.all([two.ready, three.ready]);
    for (let i = 0; i < 2; i++) await publish('a', i);
    const [[a], [b]] = await Promise.all([take(two, 1), take(three, 1)]);
    expect(new Set(values([a, b].filter((delivery) => delivery !== undefined)))).toEqual(new Set([0, 1]));
    await Promise.all([two.close(), three.close()]);
  });

  test('a durable name keeps its filter', async () => {
    const one = broker.subscribe('a', { durable: 'd' });
    await one.ready;
    await one.close();
    await expect(broker.subscribe('b', { durable: 'd' }).next()).rejects.toMatchObject({ code: 'conflict' });
  });

  test('durable readers are bounded, listed with what they wait for, and dropped', async () => {
    for (const name of ['x', 'y', 'z']) {
      const reader = broker.subscribe('a', { durable: name });
      await reader.ready;
      await reader.close();
    }
    await expect(broker.subscribe('a', { durable: 'one-more' }).next()).rejects.toMatchObject({ code: 'busy' });
    await publish('a', 1);
    expect(await broker.subscriptions()).toContainEqual(expect.objectContaining({ name: 'x', filter: 'a', reader: 'local', pending: 1 }));
    await broker.drop('x');
    await expect(broker.drop('x')).rejects.toMatchObject({ code: 'not-found' });
  });

  test('abort ends the reader with the reason given', async () => {
    const abort = new AbortController();
    const reader = broker.subscribe('a', { signal: abort.signal });
    const waiting = reader.next();
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });

  test('retract, purge, delete and configure reach a reader in place', async () => {
    const reader = broker.subscribe('a', { from: 'start' });
    await reader.ready;
    await publish('a', 1, 'x');
    await broker.retract(OWNER, 'a', 'x');
    await broker.configure(OWNER, 'a', { title: 'A' });
    await publish('a', 2);
    await broker.purge(OWNER, 'a');
    await broker.delete(OWNER, 'a');
    expect(values(await take(reader, 6))).toEqual([1, 'retract', 'configure', 2, 'purge', 'delete']);
    await reader.close();
    expect(await broker.find.list(OWNER)).toEqual([]);
  });
});
