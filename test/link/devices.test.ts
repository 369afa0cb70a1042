import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Message, MessageStream } from '../../src/api.ts';
import { seen, SimulatedLan } from './fixtures.ts';
import { plainPeer, purpleHeader } from './plain-peer.ts';
import { serviceBox, type ServiceBox } from './service-box.ts';

let lan: SimulatedLan;
let a: ServiceBox;
let b: ServiceBox;
let boiler: MessageStream;
beforeEach(async () => {
  lan = new SimulatedLan();
  [a, b] = [await serviceBox(lan, 1, 'a'), await serviceBox(lan, 2, 'b')];
  await Promise.all([seen(a, b.link.name), seen(b, a.link.name)]);
  await a.devices.add('boiler', 1);
  await b.devices.add('pump', 1);
  boiler = a.mail.messages({ device: 'boiler' });
});
afterEach(async () => {
  await boiler.close();
  await lan.close();
});
const next = async (stream: MessageStream): Promise<Message> => {
  const { value } = await stream.next() as { value: Message };
  value.ack();
  return value;
};
const at = (box: ServiceBox, name: string): string => `device:${name}@link:${box.link.name}`;

test('a peer writes to no device unless it is allowed, and is not told which there are', async () => {
  for (const name of ['boiler', 'door']) {
    const { delivered } = await b.mail.send(at(a, name), 'x');
    await expect(delivered).rejects.toMatchObject({ code: 'forbidden', message: expect.stringContaining('forbidden') });
  }
  await a.service.rules.allow(b.link.name, 'device', '+');
  await expect((await b.mail.send(at(a, 'door'), 'x')).delivered).rejects.toMatchObject({ code: 'forbidden', message: expect.stringContaining('item-not-found') });
  expect(await a.devices.list()).toMatchObject([{ unread: 0 }]);
});

test('who is allowed writes to it, from a device too, and is answered as its sender stands there', async () => {
  await a.service.rules.allow(b.link.name, 'device', 'boiler');
  await b.service.rules.allow(a.link.name, 'device', 'pump');
  await (await b.mail.send(at(a, 'boiler'), 'one')).delivered;
  await (await b.mail.send(at(a, 'boiler'), 'two', { device: 'pump', thread: 't' })).delivered;
  expect(await next(boiler)).toMatchObject({ body: 'one', from: `link:${b.link.name}`, to: 'device:boiler', trust: 'paired' });
  const two = await next(boiler);
  expect(two).toMatchObject({ body: 'two', from: at(b, 'pump'), thread: 't' });
  await (await a.mail.send(two.from, 'three', { device: 'boiler' })).delivered;
  const pump = b.mail.messages({ device: 'pump' });
  expect(await next(pump)).toMatchObject({ body: 'three', from: at(a, 'boiler') });
  await pump.close();
  // None of it is in an inbox.
  expect([a, b].map(({ log }) => log.topic('$inbox/paired'))).toEqual([undefined, undefined]);
});

test('what comes after a letter that was refused does not find it missing', async () => {
  await expect((await b.mail.send(at(a, 'boiler'), 'x')).delivered).rejects.toMatchObject({ code: 'forbidden' });
  await a.service.rules.allow(b.link.name, 'device', 'boiler');
  await (await b.mail.send(at(a, 'boiler'), 'y')).delivered;
  expect(await next(boiler)).toMatchObject({ body: 'y' });
});

test('what a box has numbered says itself whom it is for, whatever its thread', async () => {
  await a.service.rules.allow(b.link.name, 'device', 'boiler');
  await (await b.mail.send(`link:${a.link.name}`, 'for the box', { thread: 'device:boiler' })).delivered;
  const inbox = a.mail.messages({ name: 'r' });
  expect(await next(inbox)).toMatchObject({ body: 'for the box' });
  await inbox.close();
  expect(await a.devices.list()).toMatchObject([{ unread: 0 }]);
});

test('for a device that reads nothing no more is taken than it may hold; its sender is told, and nothing else of that peer waits', async () => {
  await a.service.rules.allow(b.link.name, 'device', 'boiler');
  for (let n = 0; n < 1000; n++) await a.mail.send('device:boiler', `${n}`);
  await lan.bell.until(async () => (await a.devices.list())[0]?.unread === 1000);
  await expect((await b.mail.send(at(a, 'boiler'), 'too many')).delivered).rejects.toMatchObject({ code: 'forbidden', message: expect.stringContaining('wait for boiler') });
  await (await b.mail.send(`link:${a.link.name}`, 'for the box')).delivered;
});

test('a person without a key is shown which device it is, and answers it in the same thread', async () => {
  const alice = await plainPeer(lan, 3, 'alice@h3');
  await seen(a, alice.name);
  const stream = await alice.dial('10.77.0.1', a.link.status().port ?? 0);
  stream.write(purpleHeader(alice.name, a.link.name));
  await stream.reads('<stream:stream');
  await a.mail.send(`link:${alice.name}`, 'hot', { device: 'boiler' });
  const shown = await stream.reads('</message>');
  expect(shown).toMatch(/<thread>device:boiler<\/thread>/);
  expect(shown).toMatch(/<nick xmlns='http:\/\/jabber.org\/protocol\/nick'>boiler<\/nick>/);
  stream.write("<message type='chat' id='m1'><body>to the box</body><thread>device:boiler</thread></message>");
  const inbox = a.mail.messages({ name: 'r' });
  expect(await next(inbox)).toMatchObject({ body: 'to the box' });
  await inbox.close();
  await a.service.rules.allow('class:plain', 'device', 'boiler');
  stream.write("<message type='chat' id='m2'><body>off</body><thread>device:boiler</thread></message>");
  expect(await next(boiler)).toMatchObject({ body: 'off', from: `link:${alice.name}`, trust: 'none' });
});
