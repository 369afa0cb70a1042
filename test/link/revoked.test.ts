import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { quiet } from '../support/quiet.ts';
import { acquainted, SimulatedLan } from './fixtures.ts';
import type { PlainStream } from './plain-peer.ts';
import { secureCaller } from './secure-caller.ts';
import { serviceBox, type ServiceBox } from './service-box.ts';

const SM = "xmlns='urn:xmpp:sm:3'";
const PUBSUB = 'http://jabber.org/protocol/pubsub';
const info = (id: string): string => `<iq type='get' id='${id}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`;
/** Each in a message by itself, so that what the system holds is full long before too many are unconfirmed. */
const LARGE = 'x'.repeat(120_000);

let lan: SimulatedLan;
let a: ServiceBox;
beforeEach(async () => {
  lan = new SimulatedLan();
  a = await serviceBox(lan, 1, 'a', { home: { has: () => false, accountFor: () => 'a@home.test', reaches: () => false, send: () => Promise.reject(new Error('no home')) } });
  await a.broker.create(OWNER, 't/1');
});
afterEach(() => lan.close());

const STRANGERS_BOUND = { bytes: 16 * 1024 * 1024, age: 7 * 86_400_000 };

interface Deaf { readonly socket: Socket; readonly fingerprint: string }

/** A peer that may read, and from then on takes nothing of what is sent to it. */
async function deaf(host: number, subscribe: (name: string) => string, first?: (stream: PlainStream, name: string) => Promise<unknown>): Promise<Deaf> {
  const { key, fingerprint } = await lan.identity();
  await a.service.rules.allow(fingerprint, 'read', 't/#');
  const name = `mallory@h${host}`;
  const stream = await secureCaller(lan, a, { host, name, key });
  stream.write(`<enable ${SM}/>`);
  await stream.reads('<enabled');
  stream.write(`<iq type='set' id='s'><pubsub xmlns='${PUBSUB}'>${subscribe(name)}</pubsub></iq>`);
  expect(await stream.reads(/id='s'[^>]*>/)).not.toContain("type='error'");
  await first?.(stream, name);
  const socket = stream.release().pause().setEncoding('utf8');
  return { socket, fingerprint };
}

const asBox = (filter: string) => (name: string): string => `<subscribe node='${filter}' jid='${name}'/><reader xmlns='urn:lanpost:0' name='r' from='start'/>`;
const asClient = (name: string): string => `<subscribe node='t/1' jid='${name}'/>`;

/** Publishes until nothing more of it can be handed to anybody. */
async function fill(): Promise<void> {
  const handed = (): number => [...a.log.cursors()].reduce((sum, { unconfirmed }) => sum + unconfirmed, 0);
  for (let [before, still] = [-1, 0]; still < 3; still = handed() === before ? still + 1 : 0) {
    before = handed();
    for (let i = 0; i < 8; i += 1) await a.broker.publish(OWNER, 't/1', toPayload(LARGE));
    await quiet();
  }
}

/** Reads up to the answer to what is asked now, which comes behind all that it has been given by now; then what follows, until `last`. */
async function restOf({ socket }: Deaf, last: string): Promise<string> {
  const ask = (id: string): boolean => socket.write(info(id));
  ask('first');
  await quiet();
  let [before, text] = ['', ''];
  socket.on('data', (chunk: string) => {
    if (text) text += chunk;
    else {
      before = before.slice(-20) + chunk;
      const at = before.indexOf("id='first'");
      if (at >= 0) {
        text = before.slice(at);
        ask('second');
      }
    }
    lan.bell.ring();
  });
  socket.resume();
  await lan.until(() => text.includes("id='second'") && text.includes(last));
  return text;
}

const places = (): [string, number][] => Array.from(a.log.cursors(), ({ name, position }) => [name, position]);

test.each([
  ['a box', asBox('t/#')], ['a client', asClient],
])('%s that takes nothing does not hold up that its rights are taken, nor anybody else\'s, and gets nothing after that', async (_, subscribe) => {
  const [one, other] = [await deaf(2, subscribe), await deaf(3, subscribe)];
  await fill();
  const before = places();
  one.socket.write(' '); // a sign of life
  await a.service.rules.revoke(one.fingerprint);
  await a.service.rules.deny(other.fingerprint, 'read', 't/#');
  for (const peer of [one, other]) expect((await restOf(peer, '')).includes('xxx')).toBe(false);
  // Nothing was confirmed: all of it is there for when they may read again.
  expect(places()).toEqual(before);
});

test('what waits for room in a stream does not go out once its topic is denied, and the other topics go on', async () => {
  const one = await deaf(2, asBox('t/#'));
  await a.broker.create(OWNER, 't/2');
  await fill();
  await a.service.rules.deny(one.fingerprint, 'read', 't/1');
  await a.broker.publish(OWNER, 't/2', toPayload('goes on'));
  expect((await restOf(one, 'goes on')).includes('xxx')).toBe(false);
});

test('what an owner of a topic is to be told of its subscribers does not go out once it is none', async () => {
  const one = await deaf(2, asBox('t/#'));
  const [asking, reading] = await Promise.all([lan.identity(), lan.identity()]);
  await a.broker.create(OWNER, 't/asked', { accessModel: 'authorize' });
  await a.broker.create(OWNER, 't/news', { notifySub: true });
  for (const topic of ['t/asked', 't/news']) await a.service.rules.setAffiliation(topic, one.fingerprint, 'owner');
  await a.service.rules.allow(reading.fingerprint, 'read', 't/news');
  await fill();
  for (const [host, name, { key }, topic] of [[3, 'asking@h3', asking, 't/asked'], [4, 'reading@h4', reading, 't/news']] as const) {
    const stream = await secureCaller(lan, a, { host, name, key });
    stream.write(`<iq type='set' id='s'><pubsub xmlns='${PUBSUB}'><subscribe node='${topic}' jid='${name}'/></pubsub></iq>`);
    expect(await stream.reads(/id='s'[^>]*>/)).not.toContain("type='error'");
  }
  await quiet();
  for (const topic of ['t/asked', 't/news']) await a.service.rules.setAffiliation(topic, one.fingerprint, 'none');
  await a.service.rules.allow(one.fingerprint, 'read', 't/1');
  await a.broker.publish(OWNER, 't/1', toPayload('goes on'));
  const rest = await restOf(one, 'goes on');
  for (const name of ['asking@h3', 'reading@h4', asking.fingerprint, reading.fingerprint]) expect(rest).not.toContain(name);
});

test('a letter to the account of a peer that is revoked while it waits for room is not handed to it; it waits for whoever has the account next', async () => {
  const jid = 'b@home.test';
  const one = await deaf(2, asBox('t/#'));
  const prove = async (): Promise<void> => {
    await a.claims.claim(jid, one.fingerprint);
    await a.claims.proven(jid, one.fingerprint);
  };
  await prove();
  await fill();
  const receipt = await a.mail.send(`xmpp:${jid}`, 'for b alone');
  await quiet();
  await a.service.rules.revoke(one.fingerprint);
  expect(await restOf(one, '')).not.toContain('for b alone');
  expect(await a.mail.state(receipt.id)).toBe('accepted');
  let text = '';
  one.socket.on('data', (chunk: string) => { text += chunk; });
  await a.service.rules.allow(one.fingerprint, 'chat');
  await prove();
  a.mail.roadsChanged();
  await lan.until(() => text.includes('for b alone'));
});

/** A command whose end the test decides; resolves when it runs. */
function secret(): { readonly runs: Promise<void>; end(): void } {
  let finish: (() => void) | undefined;
  a.offers.offer('slow', () => new Promise((resolve) => {
    finish = () => resolve('a secret');
    lan.bell.ring();
  }));
  return { runs: lan.bell.until(() => finish !== undefined), end: () => finish?.() };
}
const RUN_SLOW = "<iq type='set' id='c'><command xmlns='http://jabber.org/protocol/commands' node='slow' action='execute'/></iq>";

test('what a command gave does not go out once it is denied; whoever asked is told that it is', async () => {
  const one = await deaf(2, asBox('t/#'));
  const slow = secret();
  await a.service.rules.allow(one.fingerprint, 'command', 'slow');
  one.socket.write(RUN_SLOW);
  await slow.runs;
  await fill();
  slow.end();
  await quiet();
  await a.service.rules.deny(one.fingerprint, 'command', 'slow');
  const rest = await restOf(one, "id='c'");
  expect(rest).not.toContain('a secret');
  expect(rest).toMatch(/<iq[^>]*id='c'[^>]*><error[^>]*><forbidden/);
});

interface Setup { readonly key: string; readonly name: string }

/** A stream of that key's that may be resumed, and by which name. */
async function resumable(key: string) {
  const setup: Setup = { key, name: 'mallory@h2' };
  const stream = await secureCaller(lan, a, setup);
  stream.write(`<enable ${SM} resume='true'/>`);
  return { setup, stream, id: /id=["']([^"']+)/.exec(await stream.reads(/<enabled[^>]*>/))?.[1] ?? '' };
}

async function broken(name: string, stream: PlainStream): Promise<void> {
  stream.destroy();
  await lan.until(() => a.link.peers.describe(name)?.connected === false);
}

/** Goes on over another stream: what is read there up to the answer to what is asked, and what follows. */
async function resumed(setup: Setup, id: string, h: number): Promise<string> {
  const again = await secureCaller(lan, a, setup);
  again.write(`<resume ${SM} previd='${id}' h='${h}'/>`);
  await again.reads('<resumed');
  again.write(info('last'));
  const before = await again.reads("id='last'");
  await quiet();
  return before + again.text;
}

test('what a command gave over a stream that broke does not go again over the one that resumes it', async () => {
  const { key, fingerprint } = await lan.identity();
  await a.service.rules.allow(fingerprint, 'command', 'slow');
  const { setup, stream, id } = await resumable(key);
  const slow = secret();
  stream.write(RUN_SLOW);
  await slow.runs;
  slow.end();
  await stream.reads('a secret');
  await broken(setup.name, stream);
  await a.service.rules.revoke(fingerprint);
  expect(await resumed(setup, id, 0)).not.toContain('a secret');
});

test('blocks of a file that wait for room do not go out once its peer is revoked; that it is over does', async () => {
  let opened = '';
  const one = await deaf(2, asBox('t/#'), async (stream, name) => {
    a.service.files.box.send(name, { name: 'x', data: new Uint8Array(1_000_000) });
    const sid = /<si [^>]*id='([^']+)'/.exec(await stream.reads('</si>'))?.[1] ?? '';
    stream.write(`<iq type='result' id='${sid}'><si xmlns='http://jabber.org/protocol/si'><feature xmlns='http://jabber.org/protocol/feature-neg'><x xmlns='jabber:x:data' type='submit'>`
      + "<field var='stream-method'><value>http://jabber.org/protocol/ibb</value></field></x></feature></si></iq>");
    opened = /<iq [^>]*id='([^']+)'[^>]*><open /.exec(await stream.reads(/<open [^>]*>/))?.[1] ?? '';
  });
  await fill();
  one.socket.write(`<iq type='result' id='${opened}'/>`);
  await quiet();
  await a.service.rules.revoke(one.fingerprint);
  expect(await restOf(one, '<close ')).not.toContain('<data ');
});

test('what waits for a stream that broke does not go out over the one that resumes it', async () => {
  const { key, fingerprint } = await lan.identity();
  await a.service.rules.allow(fingerprint, 'read', 't/#');
  const { setup, stream, id } = await resumable(key);
  stream.write(`<iq type='set' id='s'><pubsub xmlns='${PUBSUB}'>${asBox('t/#')(setup.name)}</pubsub></iq>`);
  await stream.reads("id='s'");
  await stream.reads('</message>'); // that the topic was opened
  stream.write(`<a ${SM} h='2'/>${info('i')}`);
  await stream.reads("id='i'");
  await broken(setup.name, stream);
  for (let i = 0; i < 100; i += 1) await a.broker.publish(OWNER, 't/1', toPayload('waits'));
  await quiet();
  await a.service.rules.revoke(fingerprint);
  expect(await resumed(setup, id, 3)).not.toContain('waits');
});

test('a key that is revoked on a disk that takes nothing may nothing any more of what owners had let it', async () => {
  const database = new MemoryDatabase();
  const clock = createTestClock();
  const b = await serviceBox(lan, 2, 'b', { database, clock });
  const { fingerprint } = await lan.identity();
  const actor = { kind: 'peer', name: 'mallory@h3', fingerprint } as const;
  await b.broker.create(OWNER, 't/own');
  await b.service.rules.setAffiliation('t/own', fingerprint, 'publisher');
  await b.service.rules.allow(fingerprint, 'chat');
  const before = b.broker.sayings.generation;
  await b.broker.publish(actor, 't/own', toPayload(1));
  database.failure = new Error('EIO');
  await expect(b.service.rules.revoke(fingerprint)).rejects.toMatchObject({ code: 'disk-full' });
  database.failure = undefined;
  expect(b.broker.sayings.generation).toBeGreaterThan(before ?? Infinity);
  await expect(b.broker.publish(actor, 't/own', toPayload(2))).rejects.toMatchObject({ code: 'forbidden' });
  expect(b.broker.mayRead(actor, 't/own')).toBe(false);
  for (const wait of [1000, 10_000]) {
    clock.advance(wait);
    await quiet();
  }
  expect(b.log.registry.entries('access/')).toEqual([]);
  expect(b.log.registry.get(`trust/${fingerprint}`)).toMatchObject({ level: 'seen', grants: [] });
});

describe('what is kept for a peer that is away', () => {
  let b: ServiceBox;
  const kept = async () => (await a.broker.subscriptions()).map(({ maxBacklog }) => maxBacklog);
  beforeEach(async () => {
    b = await serviceBox(lan, 2, 'b');
    await acquainted(a, b);
    await a.service.rules.allow(b.link.name, 'read', 't/#');
    const reading = b.service.subscribe(a.link.name, 't/#', { durable: 'r', from: 'start' });
    await reading.ready;
    await b.close();
    await lan.until(() => a.link.peers.get(b.link.name) === undefined);
  });

  test('has an end once it is revoked, and none when it is allowed something again', async () => {
    const { fingerprint } = b.identity;
    expect(await kept()).toEqual([undefined]);
    await a.service.rules.revoke(fingerprint);
    expect(await kept()).toEqual([STRANGERS_BOUND]);
    await a.service.rules.deny(fingerprint, 'write', '#');
    await a.service.rules.allow('class:seen', 'read', 't/#');
    expect(await kept()).toEqual([STRANGERS_BOUND]);
    await a.service.rules.allow(fingerprint, 'chat');
    expect(await kept()).toEqual([undefined]);
  });

  test('has no end when it is paired again', async () => {
    const { fingerprint } = b.identity;
    await a.service.rules.revoke(fingerprint);
    await a.service.rules.pair(fingerprint);
    expect(await kept()).toEqual([undefined]);
  });
});
