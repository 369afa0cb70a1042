import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Delivery, Subscription } from '../../src/api.ts';
import { createTestClock } from '../../src/clock.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { type Element, parseElement } from '../../src/xmpp/element.ts';
import type { Notice } from '../../src/pubsub/notice.ts';
import { eventMessage, eventText } from '../../src/xep/pubsub/event.ts';
import { quiet } from '../support/quiet.ts';
import { confirmed, seen, SimulatedLan } from './fixtures.ts';
import { serviceBox, type ServiceBox } from './service-box.ts';

const PUBSUB = 'http://jabber.org/protocol/pubsub';
const request = (type: string, inner: string): Element => parseElement(`<iq type='${type}'><pubsub xmlns='${PUBSUB}'>${inner}</pubsub></iq>`);

let lan: SimulatedLan;
let a: ServiceBox;
let b: ServiceBox;

const publish = (topic: string, value: unknown, id?: string) => a.broker.publish(OWNER, topic, toPayload(value as never), id === undefined ? {} : { id });
const take = async (subscription: Subscription, count: number): Promise<Delivery[]> => {
  const taken: Delivery[] = [];
  for (let i = 0; i < count; i++) taken.push((await subscription.next()).value as Delivery);
  return taken;
};
const values = (deliveries: Delivery[]): unknown[] => deliveries.map((delivery) => (delivery.kind === 'item' ? delivery.value : delivery.kind));
const known = (box: ServiceBox, other: ServiceBox): Promise<void> => seen(box, other.link.name);

beforeEach(async () => {
  lan = new SimulatedLan();
  a = await serviceBox(lan, 1, 'a');
  b = await serviceBox(lan, 2, 'b');
  await Promise.all([known(a, b), known(b, a)]);
});
afterEach(() => lan.close());

describe('a peer is fed', () => {
  test('an item that no stanza can hold costs the reader that item, and it is told', async () => {
    await a.trust.allow(b.identity.fingerprint, 'read', 't');
    const subscription = b.service.subscribe(a.link.name, 't', { durable: 'r', from: 'start' });
    await subscription.ready;
    await publish('t', 1);
    await publish('t', '&'.repeat(100_000)); // 500 kB as XML
    await publish('t', 2);
    const taken = await take(subscription, 3);
    expect(values(taken)).toEqual([1, 'gap', 2]);
    expect(taken[1]).toMatchObject({ topic: 't', from: 2, to: 2, count: 1, reason: 'unfit' });
    expect(await a.broker.items(OWNER, '$ledger')).toMatchObject([{ value: { subscription: expect.stringContaining('r'), topic: 't', from: 2, to: 2, count: 1, reason: 'unfit' } }]);
    expect(b.troubles.map(({ kind }) => kind)).toContain('link.gap');
    expect(a.troubles.map(({ kind }) => kind)).toContain('link.feed');
    await subscription.close();
  });

  test('also under another name, while it is still thought that it may be back under the one before', async () => {
    const clock = createTestClock();
    const feeder = await serviceBox(lan, 3, 'feeder', { clock });
    await known(b, feeder);
    await feeder.trust.allow(b.identity.fingerprint, 'read', 't');
    const subscription = b.service.subscribe(feeder.link.name, 't', { durable: 'r', from: 'start' });
    await subscription.ready;
    await lan.until(() => feeder.link.peers.describe(b.link.name)?.connected === true);
    for (const socket of lan.sockets) socket.destroy();
    await lan.until(() => feeder.link.peers.describe(b.link.name)?.connected === false);
    await b.close();
    const database = new MemoryDatabase();
    const anew = await serviceBox(lan, 4, 'anew', { identity: b.identity, database });
    await known(anew, feeder);
    const again = anew.service.subscribe(feeder.link.name, 't', { durable: 'r', from: 'start' });
    await again.ready;
    await feeder.broker.publish(OWNER, 't', toPayload(1), {});
    expect(values(await take(again, 1))).toEqual([1]);
    clock.advance(60_000);
    await quiet();
    await feeder.broker.publish(OWNER, 't', toPayload(2), {});
    expect(values(await take(again, 1))).toEqual([2]);
    await again.close();
  });

  test('a feeder that takes back all it had granted is told of once, however much was wanted of it', async () => {
    const database = new MemoryDatabase();
    const reader = await serviceBox(lan, 5, 'reader', { database });
    await known(reader, a);
    await a.trust.allow(reader.identity.fingerprint, 'read', '#');
    for (let i = 0; i < 20; i += 1) {
      const subscription = reader.service.subscribe(a.link.name, `t/${i}`, { durable: `r${i}` });
      await subscription.ready;
      await subscription.close();
    }
    await reader.close();
    await a.service.rules.revoke(reader.identity.fingerprint);
    const again = await serviceBox(lan, 5, 'reader', { database, identity: reader.identity });
    await lan.until(() => again.troubles.length > 0);
    await quiet();
    expect(again.troubles.filter(({ kind }) => kind === 'link.intake')).toHaveLength(1);
  });

  test('what its feeder lost of every topic is told once, in a topic that it reads', async () => {
    await a.trust.allow(b.identity.fingerprint, 'read', 'p/#');
    const subscription = b.service.subscribe(a.link.name, 'p/#', { durable: 'r', from: 'start' });
    await publish('p/a', 1);
    await publish('p/b', 2);
    expect(values(await take(subscription, 2))).toEqual([1, 2]);
    const gap: Notice = { kind: 'gap', recordId: `${a.identity.boxId}-${a.log.epoch}-9`, time: 7, gap: { from: 9, to: 11, count: 3, reason: 'corrupt' } };
    for (let twice = 0; twice < 2; twice++) await a.link.send(b.link.name, eventMessage('r', eventText('', [gap])));
    await publish('p/b', 3);
    const taken = await take(subscription, 2);
    expect(values(taken)).toEqual(['gap', 3]);
    expect(taken[0]).toMatchObject({ topic: 'p/a', from: 9, to: 11, count: 3, reason: 'corrupt' });
    const topics = [{ topic: 'p/a', from: 12, to: 14, count: 2 }, { topic: 'p/b', from: 13, to: 13, count: 1 }];
    await a.link.send(b.link.name, eventMessage('r', eventText('', [{ ...gap, recordId: `${a.identity.boxId}-${a.log.epoch}-10`, gap: { from: 12, to: 15, count: 4, reason: 'overflow', topics, others: { from: 15, to: 15, count: 1 } } }])));
    const [ofSeveral] = await take(subscription, 1);
    expect(ofSeveral).toMatchObject({ kind: 'gap', topic: '', count: 4, topics, others: { from: 15, to: 15, count: 1 } });
    await subscription.close();
  });

  test('a peer that tells gaps without end costs their reader no more than as many items, and their owner one line', async () => {
    await a.trust.allow(b.identity.fingerprint, 'read', '#');
    const subscription = b.service.subscribe(a.link.name, '#', { durable: 'r', from: 'start' });
    await Promise.all(Array.from({ length: 1000 }, (_, i) => publish(`t/${i}`, i)));
    await take(subscription, 1000);
    const gaps = (from: number): Notice[] => Array.from({ length: 1000 }, (_, i) => (
      { kind: 'gap', recordId: `${a.identity.boxId}-${a.log.epoch}-${from + i}`, time: 7, gap: { from: 9, to: 11, count: 3, reason: 'corrupt' } }
    ));
    await confirmed(['', 't/5'].map((topic, part) => a.link.send(b.link.name, eventMessage('r', eventText(topic, gaps(10_000 + 1000 * part))))));
    const taken = await take(subscription, 2000);
    expect(new Set(taken.map(({ kind }) => kind))).toEqual(new Set(['gap']));
    expect(new Set(taken.map(({ topic }) => topic)).size).toBe(2);
    expect(b.troubles.filter(({ kind }) => kind === 'link.gap')).toHaveLength(1);
    await subscription.close();
  });

  test('what one reader misses costs another nothing that it has yet to be given', async () => {
    await a.trust.allow(b.identity.fingerprint, 'read', 't');
    await publish('t', 1);
    await publish('t', 2);
    const late = b.service.subscribe(a.link.name, 't', { durable: 'late', from: 'new' });
    await late.ready;
    await publish('t', '&'.repeat(100_000));
    expect(values(await take(late, 1))).toEqual(['gap']);
    const early = b.service.subscribe(a.link.name, 't', { durable: 'early', from: 'start' });
    expect(values(await take(early, 3))).toEqual(['gap', 1, 2]);
    await publish('t', 3);
    expect(values(await take(early, 1))).toEqual([3]);
    expect(values(await take(late, 3))).toEqual([1, 2, 3]);
    await Promise.all([late.close(), early.close()]);
  });

  test('many items that are too large only together all arrive', async () => {
    await a.trust.allow(b.identity.fingerprint, 'read', 't');
    for (let i = 0; i < 40; i++) await publish('t', i, `${'"<&'.repeat(150)}${i}`);
    for (let i = 0; i < 4; i++) await publish('t', '&'.repeat(12_000));
    const subscription = b.service.subscribe(a.link.name, 't', { durable: 'r', from: 'start' });
    expect(await take(subscription, 44)).toHaveLength(44);
    await subscription.close();
  });

  test('no longer than the topic is open to it', async () => {
    await a.broker.create(OWNER, 't', { accessModel: 'open' });
    const subscription = b.service.subscribe(a.link.name, 't', { durable: 'r', from: 'start' });
    await publish('t', 'for all');
    expect(values(await take(subscription, 2))).toEqual(['configure', 'for all']);
    const { head } = b.log;
    await a.broker.configure(OWNER, 't', { accessModel: 'whitelist' });
    await publish('t', 'secret');
    await lan.until(() => a.troubles.some(({ kind }) => kind === 'link.feed'));
    expect(b.log.head).toBe(head);
    await subscription.close();
  });

  test('again when it may read again', async () => {
    await a.trust.allow(b.identity.fingerprint, 'read', 't');
    const subscription = b.service.subscribe(a.link.name, 't', { durable: 'r', from: 'start' });
    await publish('t', 1);
    expect(values(await take(subscription, 1))).toEqual([1]);
    await a.service.rules.revoke(b.link.name);
    await publish('t', 2);
    await a.service.rules.allow(b.identity.fingerprint, 'read', 't');
    expect(values(await take(subscription, 1))).toEqual([2]);
    await subscription.close();
  });

  test('of a filter that is wider than its rights, what it may read of each topic, as rights come and go', async () => {
    await a.service.rules.allow(b.identity.fingerprint, 'read', 'plant/a/#');
    const subscription = b.service.subscribe(a.link.name, 'plant/#', { durable: 'r', from: 'start' });
    await subscription.ready;
    await publish('plant/a', 1);
    await publish('plant/b', 'not for it');
    await publish('plant/a/x', 2);
    expect(values(await take(subscription, 2))).toEqual([1, 2]);
    await a.broker.create(OWNER, 'plant/c', { accessModel: 'open' });
    await publish('plant/c', 3);
    await a.service.rules.deny(b.identity.fingerprint, 'read', 'plant/a/x');
    await publish('plant/a/x', 'not any more');
    await publish('plant/a', 4);
    expect(values(await take(subscription, 3))).toEqual(['configure', 3, 4]);
    await a.broker.configure(OWNER, 'plant/c', { accessModel: 'whitelist' });
    await publish('plant/c', 'nor this');
    await publish('plant/a', 5);
    expect(values(await take(subscription, 1))).toEqual([5]);
    await subscription.close();
  });

  test('not at all, of a filter that holds nothing that it may read', async () => {
    await publish('plant/a', 1);
    const ask = b.link.request(a.link.name, request('set', `<subscribe node='plant/#' jid='${b.link.name}'/><reader xmlns='urn:lanpost:0' name='r'/>`));
    await expect(ask).rejects.toMatchObject({ condition: 'forbidden' });
  });

  test('once an owner has said that it may be, where that has to be asked', async () => {
    await a.broker.create(OWNER, 't', { accessModel: 'authorize' });
    const subscription = b.service.subscribe(a.link.name, 't', { durable: 'r', from: 'start' });
    await subscription.ready;
    await publish('t', 1);
    expect(b.log.topic(`$at/${a.identity.boxId}/t`)).toBeUndefined();
    const rows = () => [...a.service.subscriptions.of(b.identity.fingerprint)];
    expect(rows()).toMatchObject([{ node: 't', state: 'pending' }]);
    // Both sides say what it waits for.
    expect(b.troubles).toContainEqual({ kind: 'link.waits', message: expect.stringContaining(`the owner of ${a.link.name} to let this box read t`) as string });
    expect(a.troubles).toContainEqual({ kind: 'link.request', message: expect.stringContaining(`lanpost access approve t ${b.link.name}`) as string });
    const approval = () => Array.from(b.service.readers(), ({ source }) => source.approval);
    expect(approval()).toEqual(['pending']);
    await a.service.rules.decide('t', b.link.name, true);
    expect(values(await take(subscription, 2))).toEqual(['configure', 1]);
    expect(approval()).toEqual([undefined]);
    await publish('t', 2);
    expect(values(await take(subscription, 1))).toEqual([2]);
    // One subscription, one place.
    const cursors = () => Array.from(a.log.cursors(), ({ name }) => name).filter((name) => name.includes(b.identity.fingerprint));
    expect(cursors()).toEqual([`peer:${b.identity.fingerprint}:r`]);
    const listed = await b.link.request(a.link.name, request('get', '<subscriptions/>'));
    expect(listed.getChild('pubsub')?.getChild('subscriptions')?.children).toMatchObject([{ attrs: { node: 't', subid: 'r', subscription: 'subscribed' } }]);
    await subscription.close();
    await b.service.dropped(`r at ${a.identity.fingerprint.slice(0, 16)}`);
    expect(rows()).toEqual([]);
    expect(cursors()).toEqual([]);
  });

  test('with as many readers as it has, by one word of the owner; the word goes with the last of them', async () => {
    await a.broker.create(OWNER, 't', { accessModel: 'authorize' });
    const all = ['r1', 'r2'].map((durable) => b.service.subscribe(a.link.name, 't', { durable }));
    for (const one of all) await one.ready;
    expect(await a.service.rules.requests()).toHaveLength(1);
    await a.service.rules.decide('t', b.link.name, true);
    await lan.until(() => [...a.log.cursors()].filter(({ name }) => name.startsWith('peer:')).length === 2);
    await publish('t', 1);
    for (const one of all) expect(values(await take(one, 1))).toEqual([1]);
    for (const one of all) await one.close();
    const consent = () => a.service.subscriptions.consent(b.identity.fingerprint, 't');
    for (const [name, left] of [['r1', true], ['r2', false]] as const) {
      await b.service.dropped(`${name} at ${a.identity.fingerprint.slice(0, 16)}`);
      expect(consent() !== undefined).toBe(left);
    }
  });

  test('with what is published between the owner\'s word and its asking again, also when it was away for both', async () => {
    const database = new MemoryDatabase();
    b = await serviceBox(lan, 4, 'waits', { database });
    await Promise.all([known(a, b), known(b, a)]);
    await a.broker.create(OWNER, 't', { accessModel: 'authorize' });
    const all = ['r1', 'r2'].map((durable) => b.service.subscribe(a.link.name, 't', { durable }));
    for (const one of all) await one.ready;
    await publish('t', 'before');
    expect(a.service.subscriptions.consent(b.identity.fingerprint, 't')?.waiting?.toSorted((x, y) => (x.reader < y.reader ? -1 : 1))).toEqual([{ reader: 'r1', from: 'new' }, { reader: 'r2', from: 'new' }]);
    for (const one of all) await one.close();
    await b.close();
    await lan.until(() => a.link.peers.get(b.link.name) === undefined);
    await a.service.rules.decide('t', b.identity.fingerprint, true);
    await publish('t', 'between');
    const again = await serviceBox(lan, 5, 'waits', { identity: b.identity, database });
    await Promise.all([known(a, again), known(again, a)]);
    for (const durable of ['r1', 'r2']) {
      const reader = again.service.subscribe(a.link.name, 't', { durable });
      await publish('t', durable);
      expect(values(await take(reader, 1))).toEqual(['between']);
      await reader.close();
    }
  });

  test('and told when the owner does not let it', async () => {
    await a.broker.create(OWNER, 't', { accessModel: 'authorize' });
    const subscription = b.service.subscribe(a.link.name, 't', { durable: 'r' });
    await subscription.ready;
    await a.service.rules.decide('t', b.link.name, false);
    await lan.until(() => b.troubles.some(({ kind }) => kind === 'link.denied'));
    expect(Array.from(b.service.readers(), ({ source }) => source.approval)).toEqual(['none']);
    expect(a.log.hasCursor(`peer:${b.identity.fingerprint}:r`)).toBe(false);
    await subscription.close();
  });

  test('and a live reader is listed, with what it waits for, as long as it reads', async () => {
    await a.broker.create(OWNER, 't', { accessModel: 'authorize' });
    const listed = () => Array.from(b.service.readers(), ({ mirror, live, source }) => ({ mirror, live, approval: source.approval }));
    const line = { mirror: `$at/${a.identity.boxId}/t`, live: true };
    const refused = b.service.subscribe(a.link.name, 't', {});
    await refused.ready;
    expect(listed()).toEqual([{ ...line, approval: 'pending' }]);
    await a.service.rules.decide('t', b.link.name, false);
    await lan.until(() => listed()[0]?.approval === 'none');
    await refused.close();
    expect(listed()).toEqual([]);
    const allowed = b.service.subscribe(a.link.name, 't', {});
    await allowed.ready;
    await a.service.rules.decide('t', b.link.name, true);
    await lan.until(() => listed()[0]?.approval === undefined);
    await publish('t', 1);
    expect(values(await take(allowed, 1))).toEqual([1]);
    expect(listed()).toEqual([{ ...line, approval: undefined }]);
    await allowed.close();
  });

  test('and not asked about any more when it gives up waiting, or when the topic is another of that name', async () => {
    await a.broker.create(OWNER, 't', { accessModel: 'authorize' });
    const first = b.service.subscribe(a.link.name, 't', { durable: 'r' });
    await first.ready;
    await first.close();
    await b.service.dropped(`r at ${a.identity.fingerprint.slice(0, 16)}`);
    expect(await a.service.rules.requests()).toEqual([]);
    const second = b.service.subscribe(a.link.name, 't', { durable: 'r' });
    await second.ready;
    await a.service.rules.decide('t', b.link.name, true);
    await lan.until(() => a.log.hasCursor(`peer:${b.identity.fingerprint}:r`));
    await publish('t', 1);
    expect(values(await take(second, 1))).toEqual([1]);
    await second.close();
    await a.broker.delete(OWNER, 't');
    await a.broker.create(OWNER, 't', { accessModel: 'authorize' });
    expect(a.broker.mayRead({ kind: 'peer', name: b.link.name, fingerprint: b.identity.fingerprint }, 't')).toBe(false);
  });

  test.each(['open', 'granted'] as const)('what is left of a deleted topic that is %s, when it is back: nothing is lost without a word, and nothing is kept for nobody', async (how) => {
    await a.broker.create(OWNER, 't', how === 'open' ? { accessModel: 'open' } : {});
    if (how === 'granted') await a.trust.allow(b.identity.fingerprint, 'read', 't');
    const first = b.service.subscribe(a.link.name, 't', { durable: 'r', from: 'start' });
    await first.ready;
    expect(values(await take(first, 1))).toEqual(['configure']);
    await first.close();
    const name = `peer:${b.identity.fingerprint}:r`;
    await b.close();
    await lan.until(() => a.link.peers.get(b.link.name) === undefined);
    await quiet();
    await publish('t', 1);
    await a.broker.delete(OWNER, 't');
    expect([...a.log.cursors()].map((cursor) => cursor.name)).toEqual(how === 'open' ? [] : [name]);
    expect(a.log.topic('$ledger')?.count ?? 0).toBe(how === 'open' ? 1 : 0);
  });

  test('from no more subscriptions than a peer may have, lasting or not', async () => {
    await a.broker.create(OWNER, 't', { accessModel: 'open' });
    const ask = (name: string, more = ''): Promise<Element> => b.link.request(a.link.name,
      request('set', `<subscribe node='t' jid='${b.link.name}'/><reader xmlns='urn:lanpost:0' name='${name}' ${more}/>`));
    const some = (from: number) => Promise.allSettled(Array.from({ length: 150 }, (_, i) => ask(`r${from + i}`, i % 2 ? "durable='false'" : '')));
    const asked = [...await some(0), ...await some(150)];
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(256);
    await ask('r0'); // what it has it keeps
    await expect(ask('another')).rejects.toMatchObject({ condition: 'resource-constraint' });
  });

  test('by the subscription it has, when it asks for another filter under the same name', async () => {
    await a.trust.allow(b.identity.fingerprint, 'read', '#');
    const subscription = b.service.subscribe(a.link.name, 't', { durable: 'r', from: 'start' });
    await subscription.ready;
    await expect(b.link.request(a.link.name, request('set', `<subscribe node='u' jid='${b.link.name}'/><reader xmlns='urn:lanpost:0' name='r'/>`)))
      .rejects.toMatchObject({ condition: 'conflict' });
    await publish('t', 1);
    expect(values(await take(subscription, 1))).toEqual([1]);
    await subscription.close();
  });

  test('a subscription that its owner dropped is not taken for one that runs', async () => {
    await a.trust.allow(b.identity.fingerprint, 'read', '#');
    const ask = (): Promise<Element> => b.link.request(a.link.name,
      request('set', `<subscribe node='t' jid='${b.link.name}'/><reader xmlns='urn:lanpost:0' name='r' from='start'/>`));
    await ask();
    const [{ name } = { name: '' }] = await a.broker.subscriptions();
    await a.broker.drop(name);
    await lan.until(() => a.troubles.some(({ kind }) => kind === 'link.feed'));
    await ask();
    expect(await a.broker.subscriptions()).toMatchObject([{ name }]);
  });
});

describe('a subscription at a peer', () => {
  test('of a topic with the longest name there may be arrives', async () => {
    await a.trust.allow(b.identity.fingerprint, 'read', '#');
    const long = 'x'.repeat(480);
    const deep = Array.from({ length: 30 }, () => 'x').join('/');
    const subscription = b.service.subscribe(a.link.name, '#', { durable: 'r', from: 'start' });
    await subscription.ready;
    await publish(long, 1);
    await publish(deep, 2);
    expect(values(await take(subscription, 2))).toEqual([1, 2]);
    await expect(publish(`${long}x`, 3)).rejects.toMatchObject({ code: 'invalid-topic' });
    await expect(publish(`${deep}/x`, 3)).rejects.toMatchObject({ code: 'invalid-topic' });
    await subscription.close();
  });

  test('survives an event about a topic that cannot be kept here, on the same stream', async () => {
    await a.trust.allow(b.identity.fingerprint, 'read', '#');
    const subscription = b.service.subscribe(a.link.name, '#', { durable: 'r', from: 'start' });
    await subscription.ready;
    for (const topic of ['x'.repeat(512), 'a//b', 'a/+']) {
      const event = parseElement(`<message><event xmlns='${PUBSUB}#event'><purge node='${topic}'/></event>`
        + `<records xmlns='urn:lanpost:0' reader='r'><record id='${'a'.repeat(16)}-1.00000000-1' at='1'/></records></message>`);
      await (await a.link.send(b.link.name, event)).delivered;
    }
    await publish('t', 1);
    expect(values(await take(subscription, 1))).toEqual([1]);
    await subscription.close();
  });

  test('survives an item whose id nobody may choose, on the same stream', async () => {
    await a.trust.allow(b.identity.fingerprint, 'read', '#');
    const subscription = b.service.subscribe(a.link.name, '#', { durable: 'r', from: 'start' });
    await subscription.ready;
    for (const id of ['x'.repeat(100_000), 'é'.repeat(257), '&#x9b;2J', '&#10;']) {
      const event = parseElement(`<message><event xmlns='${PUBSUB}#event'><items node='t'><item id='${id}'/></items></event>`
        + `<records xmlns='urn:lanpost:0' reader='r'><record id='${'a'.repeat(16)}-1.00000000-1' at='1'/></records></message>`);
      await (await a.link.send(b.link.name, event)).delivered;
    }
    await publish('t', 1);
    expect(values(await take(subscription, 1))).toEqual([1]);
    await subscription.close();
  });

  test('fills no more topics here than the box may have', async () => {
    await b.close();
    const c = await serviceBox(lan, 3, 'c', { limits: { topics: 5 } });
    await known(c, a);
    await a.trust.allow(c.identity.fingerprint, 'read', '#');
    const subscription = c.service.subscribe(a.link.name, '#', { durable: 'r', from: 'start' });
    await subscription.ready;
    for (let i = 0; i < 5; i++) await publish(`t${i}`, i);
    expect(values(await take(subscription, 5))).toEqual([0, 1, 2, 3, 4]);
    for (let i = 5; i < 10; i++) await publish(`t${i}`, i);
    await publish('t0', 'last');
    expect(values(await take(subscription, 1))).toEqual(['last']);
    expect([...c.log.topics()]).toHaveLength(5);
    expect(c.troubles.map(({ kind }) => kind)).toContain('link.intake');
    await subscription.close();
  });

  test('is durable when it says so, whatever its name', async () => {
    await a.trust.allow(b.identity.fingerprint, 'read', '#');
    const subscription = b.service.subscribe(a.link.name, 't', { durable: 'live-data' });
    await subscription.ready;
    expect([...a.log.cursors()]).toHaveLength(1);
    await subscription.close();
  });

  test('is one at that peer, also when another has one of the same name', async () => {
    const c = await serviceBox(lan, 3, 'c');
    await known(b, c);
    for (const box of [a, c]) await box.trust.allow(b.identity.fingerprint, 'read', '#');
    const first = b.service.subscribe(a.link.name, 't', { durable: 'r', from: 'start' });
    await first.ready;
    const second = b.service.subscribe(c.link.name, 't', { durable: 'r', from: 'start' });
    await second.ready;
    await publish('t', 'of a');
    await c.broker.publish(OWNER, 't', toPayload('of c'));
    expect(values(await take(second, 1))).toEqual(['of c']);
    expect(values(await take(first, 1))).toEqual(['of a']);
    await Promise.all([first.close(), second.close()]);
  });

  test('is asked of the box that was named, also when a copy of it has the same key', async () => {
    const copy = await serviceBox(lan, 3, 'copy', { identity: a.identity });
    await known(b, copy);
    for (const box of [a, copy]) await box.trust.allow(b.identity.fingerprint, 'read', '#');
    for (const box of [a, copy]) {
      const subscription = b.service.subscribe(box.link.name, 't', { durable: box.link.name, from: 'start' });
      await subscription.ready;
      expect([...box.log.cursors()].map(({ name }) => name)).toContain(`peer:${b.identity.fingerprint}:${box.link.name}`);
      await subscription.close();
    }
  });

  test('asked for twice at once is one that works and one that is in use', async () => {
    await a.trust.allow(b.identity.fingerprint, 'read', '#');
    const both = [1, 2].map(() => b.service.subscribe(a.link.name, 't', { durable: 'r', from: 'start' }));
    const opened = await Promise.allSettled(both.map(({ ready }) => ready));
    expect(opened.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    await publish('t', 1);
    const winner = both[opened.findIndex(({ status }) => status === 'fulfilled')];
    expect(winner && values(await take(winner, 1))).toEqual([1]);
    await winner?.close();
  });

  test('goes on under its name while the peer is away', async () => {
    await a.trust.allow(b.identity.fingerprint, 'read', '#');
    const subscription = b.service.subscribe(a.link.name, 't', { durable: 'r', from: 'start' });
    await publish('t', 1);
    expect(values(await take(subscription, 1))).toEqual([1]);
    await subscription.close();
    const at = a.link.name;
    await a.close();
    await lan.until(() => b.link.peers.get(at) === undefined);
    const again = b.service.subscribe(at, 't', { durable: 'r' });
    expect(await take(again, 1)).toMatchObject([{ value: 1, redelivered: true }]);
    await again.close();
  });

  test('that is not durable ends at the peer too when its signal is aborted', async () => {
    await a.trust.allow(b.identity.fingerprint, 'read', '#');
    const stop = new AbortController();
    const subscription = b.service.subscribe(a.link.name, 't', { signal: stop.signal });
    await subscription.ready;
    stop.abort(new Error('enough'));
    await expect(subscription.next()).rejects.toThrow('enough');
    const gone = () => b.link.request(a.link.name, request('set', `<unsubscribe node='t' jid='${b.link.name}' subid='none'/>`)).catch(() => undefined);
    await gone();
    const { head } = b.log;
    await publish('t', 1);
    await gone();
    expect(b.log.head).toBe(head);
  });
});

describe('a question about items', () => {
  test('is answered with the newest that one stanza holds, and costs nobody the stream', async () => {
    await a.trust.allow(b.identity.fingerprint, 'read', '#');
    for (let i = 0; i < 10; i++) await publish('t', `${'&'.repeat(10_000)}${i}`);
    const ask = () => b.link.request(a.link.name, request('get', "<items node='t'/>"));
    const answers = await Promise.all(Array.from({ length: 10 }, ask));
    const texts = [...String(answers[9]).matchAll(/amp;(\d)</g)].map(([, digit]) => digit);
    expect(texts).toEqual(['7', '8', '9']);
    await publish('t', '&'.repeat(100_000));
    await expect(ask()).rejects.toMatchObject({ condition: 'resource-constraint' });
    expect(lan.dials).toHaveLength(1);
  });
});
