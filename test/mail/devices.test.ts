import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Message } from '../../src/api.ts';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { DeviceRoad } from '../../src/mail/device-road.ts';
import { Devices } from '../../src/mail/devices.ts';
import type { Letter } from '../../src/mail/letter.ts';
import { Mail } from '../../src/mail/mail.ts';
import type { Road } from '../../src/mail/road.ts';
import { SelfRoad } from '../../src/mail/self-road.ts';

let kept: MemoryDatabase;
let log: Log;
let clock: TestClock;
let devices: Devices;
let mail: Mail;
let own: string | undefined;
/** What goes elsewhere. */
let carried: { readonly kind: string; readonly letter: Letter }[];

const open = async (): Promise<void> => {
  log = await openLog({ database: kept, clock, boxId: 'aaaaaaaaaaaaaaaa', trouble: () => undefined });
  devices = new Devices(log);
  const elsewhere: Road = {
    reaches: ({ kind }) => kind !== 'device' || true, holds: () => true,
    deliver: async (address, letter) => { carried.push({ kind: address.kind, letter }); return { delivered: Promise.resolve() }; },
  };
  const ownName = (): string => 'box';
  mail = new Mail({
    log, clock, isHomeDomain: () => false, trouble: () => undefined, limits: { stanzaBytes: 262_144 },
    roads: [new SelfRoad({ ownName, receive: (incoming) => mail.receive(incoming) }), new DeviceRoad({ devices, ownName }), { ...elsewhere, reaches: (address) => address.kind !== 'device' || address.at !== undefined, holds: (address) => address.kind !== 'device' }],
    devices: { all: devices, addressOf: () => own },
  });
  await mail.start();
};
const close = async (): Promise<void> => { await mail.close(); await log.close(); };
const read = async (name: string, count: number): Promise<Message[]> => {
  const stream = mail.messages({ device: name });
  const got: Message[] = [];
  while (got.length < count) {
    const { value } = await stream.next() as { value: Message };
    value.ack();
    got.push(value);
  }
  await stream.close();
  return got;
};
const from = 'link:b';
const incoming = (n: number, body = `${n}`) => ({ from, to: 'device:boiler', trust: 'paired' as const, body, id: `m${n}`, origin: { box: 'bbbbbbbbbbbbbbbb', epoch: '1.00000001', seq: n, chain: 'device:boiler@link:box' } });

beforeEach(async () => {
  [clock, kept, carried, own] = [createTestClock(), new MemoryDatabase(), [], undefined];
  await open();
});
afterEach(close);

describe('a device of the box', () => {
  // Both came by way of a home before it was known of the first that there is no room for it.
  test('gets no letter before the one that it must have first, also when room is made for it between the two', async () => {
    await devices.add('boiler', 1);
    for (let n = 1; n <= 1000; n += 1) await devices.receive('boiler', incoming(n));
    const reader = mail.messages({ device: 'boiler' });
    const { value } = await reader.next() as { value: Message };
    const refused = devices.receive('boiler', incoming(1001)).catch((error: unknown) => { value.ack(); return error; });
    const next = devices.receive('boiler', { ...incoming(1002), after: { epoch: '1.00000001', seq: 1001 } }).catch((error: unknown) => error);
    expect(await refused).toMatchObject({ code: 'topic-full' });
    expect(await next).toMatchObject({ code: 'busy' });
    expect([devices.mark(incoming(1).origin, 'boiler'), (await devices.list())[0]?.unread]).toEqual([1000, 999]);
    await reader.close();
    await read('boiler', 2);
    await Promise.all([devices.receive('boiler', incoming(1001)), devices.receive('boiler', { ...incoming(1002), after: { epoch: '1.00000001', seq: 1001 } })]);
    expect((await read('boiler', 999)).slice(-2).map(({ body }) => body)).toEqual(['1001', '1002']);
  });

  test('has a name that every road can say', async () => {
    for (const name of ['', 'a b', 'a@b', 'a/b', 'a:b', '#', '$x', 'a\n', 'x'.repeat(65)]) await expect((async () => devices.add(name, 1))()).rejects.toMatchObject({ code: 'invalid-value' });
    // @ts-expect-error -- what JavaScript may pass
    expect(() => devices.add(7, 1)).toThrow(TypeError);
    expect(await devices.add('Boiler', 7)).toEqual({ name: 'boiler', address: 'device:boiler', since: 7, unread: 0, open: false });
    expect(await devices.add('boiler', 8)).toMatchObject({ since: 7 });
  });

  test('that there is not is not written to, nor spoken for', async () => {
    await expect(mail.send('device:boiler', 'x')).rejects.toMatchObject({ code: 'not-found' });
    await expect(mail.send('link:b', 'x', { device: 'boiler' })).rejects.toMatchObject({ code: 'not-found' });
    expect(() => mail.messages({ device: 'boiler' })).toThrow(expect.objectContaining({ code: 'not-found' }));
    await expect(devices.remove('boiler')).rejects.toMatchObject({ code: 'not-found' });
  });

  test('has what was sent to it before anybody read, also over a restart, in order; what was not confirmed comes again', async () => {
    await devices.add('boiler', 1);
    for (let n = 0; n < 3; n++) await (await mail.send('device:boiler', `${n}`, { subject: 's' })).delivered;
    await close();
    await open();
    expect(await devices.list()).toMatchObject([{ name: 'boiler', unread: 3 }]);
    const stream = mail.messages({ device: 'boiler' });
    expect((await stream.next()).value).toMatchObject({ body: '0', from: 'link:box', to: 'device:boiler', trust: 'paired', subject: 's', redelivered: false });
    expect(await devices.list()).toMatchObject([{ open: true }]);
    const another = mail.messages({ device: 'boiler' });
    await expect(another.next()).rejects.toMatchObject({ code: 'in-use' });
    await expect(devices.remove('boiler')).rejects.toMatchObject({ code: 'in-use' });
    await stream.close();
    expect((await read('boiler', 3)).map(({ body, redelivered }) => [body, redelivered])).toEqual([['0', true], ['1', false], ['2', false]]);
    expect(await devices.list()).toMatchObject([{ unread: 0, open: false }]);
    // None of it is the box's own.
    expect(() => mail.messages({ device: 'boiler', name: 'x' })).toThrow(TypeError);
  });

  test('is named as the sender, so that what is answered comes back to it', async () => {
    await devices.add('boiler', 1);
    await devices.add('door', 1);
    await mail.send('device:boiler', 'open?', { device: 'door' });
    const [question] = await read('boiler', 1);
    expect(question).toMatchObject({ from: 'device:door' });
    await mail.send(question?.from ?? '', 'yes', { device: 'boiler' });
    expect(await read('door', 1)).toMatchObject([{ body: 'yes', from: 'device:boiler' }]);
    const inbox = mail.messages({ name: 'r' });
    await mail.send('link:box', 'to the box', { device: 'door' });
    expect((await inbox.next()).value).toMatchObject({ from: 'device:door', to: 'link:box' });
    await inbox.close();
  });

  test('goes elsewhere under its name, and to accounts from its own address when it has one', async () => {
    await devices.add('boiler', 1);
    await (await mail.send('device:pump@link:b', 'a', { device: 'boiler' })).delivered;
    await (await mail.send('xmpp:a@b.test', 'b', { device: 'boiler' })).delivered;
    own = 'boiler@edge.test';
    const receipt = await mail.send('xmpp:a@b.test', 'c', { device: 'boiler' });
    await receipt.delivered;
    expect(receipt.to).toBe('xmpp:a@b.test');
    expect(await mail.state(receipt.id)).toBe('delivered');
    expect(carried.map(({ kind, letter }) => [kind, letter.body, letter.device])).toEqual([['device', 'a', 'boiler'], ['xmpp', 'b', 'boiler'], ['as', 'c', 'boiler']]);
    expect(carried[0]?.letter.chain).not.toBe(carried[1]?.letter.chain);
  });

  test('that is removed takes what it has not read with it; one of that name begins anew', async () => {
    await devices.add('boiler', 1);
    await (await mail.send('device:boiler', 'old')).delivered;
    await devices.remove('boiler');
    expect(await devices.list()).toEqual([]);
    await devices.add('boiler', 2);
    await (await mail.send('device:boiler', 'new')).delivered;
    expect((await read('boiler', 1)).map(({ body }) => body)).toEqual(['new']);
  });
});

describe('what comes for a device', () => {
  beforeEach(async () => { await devices.add('boiler', 1); });

  test('is kept once, by the number its box gave it', async () => {
    await Promise.all([1, 2, 3, 2, 3, 1].map((n) => devices.receive('boiler', incoming(n))));
    expect((await read('boiler', 3)).map(({ body }) => body)).toEqual(['1', '2', '3']);
    await devices.receive('boiler', incoming(3));
    expect(await devices.list()).toMatchObject([{ unread: 0 }]);
    expect(devices.mark(incoming(1).origin, 'boiler')).toBe(3);
  });

  test('has each message once, also of a burst before a power cut after which its box sends them again', async () => {
    await devices.add('boiler', 1);
    const receipts = await Promise.all(Array.from({ length: 480 }, (_, n) => mail.send('device:boiler', `${n}`)));
    await Promise.all(receipts.map(({ delivered }) => delivered));
    const cut = kept.fork();
    await close();
    kept = cut;
    await open();
    await mail.send('device:boiler', 'last');
    const got = (await read('boiler', 481)).map(({ body }) => body);
    expect(got).toEqual([...Array.from({ length: 480 }, (_, n) => `${n}`), 'last']);
  });

  test('is refused while 1000 messages wait, also when a later one is there already', async () => {
    for (let n = 1; n <= 999; n++) await devices.receive('boiler', incoming(n));
    const late = incoming(1002);
    await devices.receive('boiler', { ...late, origin: { ...late.origin, previous: 1001 } });
    await expect(devices.receive('boiler', incoming(1001))).rejects.toMatchObject({ code: 'topic-full' });
  });

  test('is refused while 1000 messages wait, and is taken, in order, when some are read; what is there already is no refusal', async () => {
    for (let n = 1; n <= 1000; n++) await devices.receive('boiler', incoming(n));
    await expect(devices.receive('boiler', incoming(1001))).rejects.toMatchObject({ code: 'topic-full' });
    await devices.receive('boiler', incoming(1000));
    const receipt = await mail.send('device:boiler', 'from here');
    expect(await mail.state(receipt.id)).not.toBe('refused');
    await read('boiler', 10);
    await Promise.all(Array.from({ length: 8 }, (_, n) => devices.receive('boiler', incoming(1001 + n))));
    mail.roadsChanged();
    await receipt.delivered;
    expect((await read('boiler', 999)).map(({ body }) => body)).toEqual([...Array.from({ length: 998 }, (_, n) => `${n + 11}`), 'from here']);
  });
});
