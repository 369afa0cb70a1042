// Topics in memory, told to peers: live only, and in memory where they arrive.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Delivery, Subscription } from '../../src/api.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { MEMORY_FROM } from '../../src/log/memory-seq.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { mirrorName } from '../../src/pubsub/mirror.ts';
import type { Notice } from '../../src/pubsub/notice.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { eventMessage, eventText } from '../../src/xep/pubsub/event.ts';
import { parseElement } from '../../src/xmpp/element.ts';
import { pubsubClient, said } from '../conformance/xep-0060/client.ts';
import { quiet } from '../support/quiet.ts';
import { confirmed, seen, SimulatedLan } from './fixtures.ts';
import { serviceBox, type ServiceBox } from './service-box.ts';

let lan: SimulatedLan;
let a: ServiceBox;
let b: ServiceBox;
let database: MemoryDatabase;
let mirror: string;

const publish = (topic: string, value: unknown, id?: string) => a.broker.publish(OWNER, topic, toPayload(value as never), id === undefined ? {} : { id });
const take = async (subscription: Subscription, count: number): Promise<unknown[]> => {
  const taken: Delivery[] = [];
  for (let i = 0; i < count; i++) taken.push((await subscription.next()).value as Delivery);
  return taken.map((delivery) => (delivery.kind === 'item' ? delivery.value : delivery.kind));
};

beforeEach(async () => {
  lan = new SimulatedLan();
  database = new MemoryDatabase();
  a = await serviceBox(lan, 1, 'a');
  b = await serviceBox(lan, 2, 'b', { database });
  await Promise.all([seen(a, b.link.name), seen(b, a.link.name)]);
  await a.broker.create(OWNER, 'm', { storage: 'memory' });
  await a.trust.allow(b.identity.fingerprint, 'read', '#');
  mirror = mirrorName(a.identity.boxId, 'm');
});
afterEach(() => lan.close());

describe('another box', () => {
  test('gets it live, into its own memory: its disk has the name of the mirror and no record', async () => {
    const reader = b.service.subscribe(a.link.name, 'm', {});
    await reader.ready;
    await publish('m', 1);
    await publish('m', 2, 'two');
    expect(await take(reader, 2)).toEqual([1, 2]);
    const { head } = b.log;
    for (let i = 3; i <= 50; i++) await publish('m', i);
    expect(await take(reader, 48)).toEqual(Array.from({ length: 48 }, (_, i) => i + 3));
    expect(b.log.head).toBe(head);
    expect(b.log.topic(mirror)).toMatchObject({ count: 50, bytes: expect.any(Number) });
    expect((await b.log.items(mirror, { last: 1 }))[0]?.seq).toBeGreaterThanOrEqual(MEMORY_FROM);
    await reader.close();
    await b.close();
    const again = await serviceBox(lan, 2, 'b', { identity: b.identity, database });
    expect(again.log.topic(mirror)).toMatchObject({ count: 0, last: 0, bytes: 0 });
  });

  test('is refused a durable subscription to it, and a durable one to more has nothing of it', async () => {
    const durable = b.service.subscribe(a.link.name, 'm', { durable: 'd' });
    await expect(durable.ready).rejects.toMatchObject({ code: 'unsupported', message: expect.stringContaining('in memory only') });
    const wide = b.service.subscribe(a.link.name, '#', { durable: 'w' });
    await wide.ready;
    await publish('m', 1);
    await publish('t', 2);
    expect(await take(wide, 1)).toEqual([2]);
    await wide.close();
  });

  test('gets items in memory and on disk in order, each once to each reader, whichever subscription brings it', async () => {
    const wide = b.service.subscribe(a.link.name, '#', {});
    const narrow = b.service.subscribe(a.link.name, 'm', {});
    await Promise.all([wide.ready, narrow.ready]);
    await publish('m', 1);
    await publish('t', 'disk');
    const second = await publish('m', 2);
    await a.broker.retract(OWNER, 'm', second.id);
    await publish('m', 3);
    expect(await take(narrow, 4)).toEqual([1, 2, 'retract', 3]);
    // Of several topics their own order is what is promised.
    const all = await take(wide, 5);
    expect(all.filter((one) => one !== 'disk')).toEqual([1, 2, 'retract', 3]);
    await quiet();
    expect(b.log.topic(mirror)).toMatchObject({ count: 2 });
    await Promise.all([wide.close(), narrow.close()]);
  });

  test('begins with what there is, if it asks for that, also when it has some of it', async () => {
    await publish('m', 1);
    await publish('m', 2);
    const last = b.service.subscribe(a.link.name, 'm', { from: 'last' });
    expect(await take(last, 1)).toEqual([2]);
    const start = b.service.subscribe(a.link.name, 'm', { from: 'start' });
    const got = await take(start, 3);
    // It has that one already, and those before it come once they are sent.
    expect(new Set(got)).toEqual(new Set([1, 2, 'configure']));
    await Promise.all([last.close(), start.close()]);
  });

  test('has the topic on disk when its owner has put it there, and loses no item of that', async () => {
    const live = b.service.subscribe(a.link.name, 'm', {});
    await live.ready;
    await publish('m', 1);
    expect(await take(live, 1)).toEqual([1]);
    await live.close();
    await quiet();
    await a.broker.delete(OWNER, 'm');
    await publish('m', 'kept');
    const durable = b.service.subscribe(a.link.name, 'm', { durable: 'd', from: 'start' });
    const got = await take(durable, 3);
    expect(got.at(-1)).toBe('kept');
    expect(b.log.topic(mirror)).toMatchObject({ count: 1 });
    expect((await b.log.items(mirror)).map(({ seq }) => seq < MEMORY_FROM)).toEqual([true]);
    await durable.close();
  });

  test('that says it remembers what cannot be harms neither its marks nor its reader', async () => {
    const reader = b.service.subscribe(a.link.name, '#', { durable: 'r' });
    await reader.ready;
    await publish('t', 1);
    expect(await take(reader, 1)).toEqual([1]);
    const far: Notice = { kind: 'publish', id: 'x', recordId: `${a.identity.boxId}-${a.log.epoch}-${Number.MAX_SAFE_INTEGER}`, time: 7, payload: toPayload('forged') };
    const gap: Notice = { kind: 'gap', recordId: `${a.identity.boxId}-${a.log.epoch}-${MEMORY_FROM + 5}`, time: 7, gap: { from: 1, to: 2, reason: 'overflow' } };
    await confirmed([a.link.send(b.link.name, eventMessage('r', eventText('t', [far, gap])))]);
    expect(b.log.originMark(a.identity.boxId, a.log.epoch, mirrorName(a.identity.boxId, 't'))).toBeLessThan(MEMORY_FROM);
    await publish('t', 2);
    expect(await take(reader, 1)).toEqual([2]);
    await reader.close();
  });
});

describe('a client that is no box', () => {
  test('that subscribes to it is told while it is there, and nothing is kept for it', async () => {
    const c = await pubsubClient(lan, a, 3, 'c');
    await a.broker.configure(OWNER, 'm', { accessModel: 'open', publishModel: 'open', sendLast: 'on-sub' });
    await publish('m', 0, 'i0');
    await c.ask('set', `<subscribe node='m' jid='${c.name}'/>`);
    expect(said(await c.next())).toBe('item m i0 0');
    await publish('m', 1, 'i1');
    expect(said(await c.next())).toBe('item m i1 1');
    expect(a.log.cursorCount).toBe(0);
    const { head } = a.log;
    const answer = await c.ask('set', `<publish node='m'><item id='i2'><json xmlns='urn:xmpp:json:0'>2</json></item></publish>`);
    expect(answer.toString()).toContain('<item id="i2"/>');
    expect(said(await c.next())).toBe('item m i2 2');
    expect((await c.ask('get', `<items node='m'/>`)).toString()).toMatch(/i0.*i1.*i2/);
    expect(a.log.head).toBe(head);
  });

  test('makes one by its own wish, and cannot change where it is', async () => {
    const c = await pubsubClient(lan, a, 3, 'c');
    await a.trust.allow(c.fingerprint, 'write', 'own/#');
    const form = (storage: string): string => `<configure><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#node_config</value></field><field var='{urn:lanpost:0}storage'><value>${storage}</value></field></x></configure>`;
    await c.ask('set', `<create node='own/raw'/>${form('memory')}`);
    expect(a.broker.topic('own/raw')).toMatchObject({ storage: 'memory' });
    const owner = 'http://jabber.org/protocol/pubsub#owner';
    expect(await c.refused('set', form('disk').replace('<configure>', "<configure node='own/raw'>"), owner)).toBe('modify not-acceptable');
    expect(parseElement(String(await c.ask('get', "<configure node='own/raw'/>", owner))).toString()).toContain('memory');
  });
});
