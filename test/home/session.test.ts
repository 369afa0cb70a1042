import { connect, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import { HomeSession, SESSION_TIMING } from '../../src/home/session.ts';
import { xml } from '../../src/xmpp/element.ts';
import { XmppSocket } from '../../src/xmpp/xmpp-socket.ts';
import { quiet } from '../support/quiet.ts';
import { createRig } from './rig.ts';

let clock: TestClock;
let far: Socket;
let wire: XmppSocket;
let closed: boolean;
let end: () => void;

beforeEach(async () => {
  clock = createTestClock();
  closed = false;
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const near = connect({ host: '127.0.0.1', port: typeof address === 'object' && address ? address.port : 0 });
  [far] = await once(server, 'connection') as [Socket];
  far.setNoDelay(true); // a second small write would wait for the system
  far.on('error', () => undefined); // that the near end has gone is read from `closed`
  wire = new XmppSocket({ socket: near, clock, on: { header: () => undefined, stanza: (element) => session?.receive(element), close: () => { closed = true; } } });
  end = () => { far.destroy(); near.destroy(); server.close(); };
});
afterEach(() => end());

let session: HomeSession | undefined;

test('a server that is not read while too much waits for the disk is not taken for a dead one', async () => {
  let room = (): void => undefined;
  const roomy = new Promise<void>((resolve) => { room = resolve; });
  let crowded = true;
  session = new HomeSession({
    clock, jid: 'me@home.test/x', managed: true, timing: SESSION_TIMING, trouble: () => undefined,
    receive: () => Promise.resolve(undefined), roomy: () => (crowded ? roomy : undefined),
  });
  session.attach(wire);
  far.write("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><message><body>x</body></message>");
  await quiet();
  far.resume();
  const answering = async (): Promise<void> => {
    for (let seconds = 0; seconds < 300; seconds += 10) {
      clock.advance(10_000);
      far.write("<a xmlns='urn:xmpp:sm:3' h='0'/>");
      await quiet();
    }
  };
  await answering();
  expect(closed).toBe(false);
  crowded = false;
  room();
  await quiet();
  await answering();
  expect(closed).toBe(false);
  // Now it is the server that says nothing.
  clock.advance(100_000);
  await quiet();
  expect(closed).toBe(true);
});

test('of a session that was taken up again the proof is not asked of answers that are not read, or still on their way', async () => {
  let room = (): void => undefined;
  const roomy = new Promise<void>((resolve) => { room = resolve; });
  let crowded = true;
  session = new HomeSession({
    clock, jid: 'me@home.test/x', managed: true, timing: SESSION_TIMING, trouble: () => undefined,
    receive: () => Promise.resolve(undefined), roomy: () => (crowded ? roomy : undefined),
  });
  session.attach(wire, 0);
  far.resume();
  far.write("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><message><body>x</body></message>");
  await quiet();
  far.write("<a xmlns='urn:xmpp:sm:3' h='0'/>");
  clock.advance(25_000);
  await quiet();
  expect([closed, session.broken]).toEqual([false, false]);
  crowded = false;
  room();
  await quiet();
  clock.advance(25_000);
  await quiet();
  expect([closed, session.broken]).toEqual([false, false]);

  const tenSeconds = async (times: number): Promise<void> => {
    for (let n = 0; n < times; n++) {
      clock.advance(1_000);
      far.write('<message><body>x</body></message>');
      await quiet();
      clock.advance(9_000);
      await quiet();
    }
  };
  // What the server had to say again comes first, slowly.
  session.detach();
  session.attach(wire, 0);
  await tenSeconds(3);
  expect(session.broken).toBe(false);
  // Whoever says much and hears nothing is found out all the same.
  await tenSeconds(8);
  expect(session.broken).toBe(true);
});

test('answers that the server does not take are bounded, and who asked for more is told so', async () => {
  session = new HomeSession({ clock, jid: 'me@home.test/x', managed: true, timing: SESSION_TIMING, trouble: () => undefined });
  session.attach(wire);
  let came = '';
  far.on('data', (bytes: Buffer) => { came += bytes.toString(); });
  far.write("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>");
  const answer = (id: string): void => session?.answer(xml('iq', { type: 'result', id, to: 'ann@home.test/phone' }, xml('x', { xmlns: 'urn:x' }, 'y'.repeat(150_000))));
  const told = (id: string): string => new RegExp(`<iq[^>]* id='${id}'[^>]*>`).exec(came)?.[0] ?? '';
  for (let n = 0; n < 100; n++) answer(`a${n}`);
  await expect.poll(() => told('a99'), { timeout: 20_000 }).toMatch(/type='error'/);
  expect(told('a0')).toMatch(/type='result'/);
  expect(came).toContain("<resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>");
  expect(came.length).toBeLessThan(1_300_000);
  far.write("<a xmlns='urn:xmpp:sm:3' h='100'/>");
  await quiet();
  answer('b');
  await expect.poll(() => told('b'), { timeout: 20_000 }).toMatch(/type='result'/);
});

test('a server without XEP-0198 is asked by pings: while it answers the session stays, and when it is silent there is a new one', async () => {
  await using rig = await createRig({ clock, random: () => 0 });
  const { home } = rig;
  home.set.sm = false;
  const pings = (): number => home.stanzas.filter((stanza) => stanza.getChild('ping', 'urn:xmpp:ping')).length;
  await rig.add();
  await rig.state('online');
  clock.advance(4_000);
  for (let minute = 1; minute <= 10; minute++) {
    clock.advance(56_000);
    await rig.until(() => pings() === minute);
    clock.advance(4_000);
    await expect.poll(async () => (await rig.status())?.unanswered, { timeout: 20_000 }).toBeUndefined();
  }
  expect([(await rig.status())?.state, home.sessions]).toEqual(['online', 1]);

  home.freeze();
  clock.advance(56_000);
  await quiet();
  expect((await rig.status())?.state).toBe('online');
  clock.advance(29_000);
  await quiet();
  expect(await rig.status()).toMatchObject({ state: 'online', unanswered: 29_000 });
  clock.advance(1_000);
  await rig.state('waiting');
  expect((await rig.status())?.reason).toBe('The server was silent for 30 s.');
  await rig.publish('t', 1);
  clock.advance(1_000);
  await rig.until(() => home.sessions === 2);
  await rig.until(() => rig.count('t') === 1);
});
