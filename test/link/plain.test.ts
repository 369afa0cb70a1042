// Peers as libpurple 2.14 and others are: no version, no TLS, habits of their own (facts in the comments of src/link).
import { createTestClock } from '../../src/clock.ts';
import type { LanpostError } from '../../src/errors.ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { buildPing } from '../../src/xep/ping.ts';
import { buildMessage } from '../../src/xmpp/stanza.ts';
import type { Element } from '../../src/xmpp/element.ts';
import { acquainted, seen, SimulatedLan, type TestBox } from './fixtures.ts';
import { plainPeer, type PlainPeer, type PlainStream, purpleHeader } from './plain-peer.ts';
import { secureCaller } from './secure-caller.ts';

const say = (body: string): Element => buildMessage({ type: 'chat', id: '1', body });
const fromPurple = (body: string): string => `<message to='a@h1' from='alice@h2' type='chat'><body>${body}</body><html xmlns='http://www.w3.org/1999/xhtml'><body/></html><x xmlns='jabber:x:event'><composing/></x></message>`;

describe('with a peer without TLS', () => {
  let lan: SimulatedLan;
  let a: TestBox;
  let alice: PlainPeer;
  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await lan.box(1, 'a');
    alice = await plainPeer(lan, 2, 'alice@h2');
    await seen(a, alice.name);
  });
  afterEach(() => lan.close());
  const port = (): number => a.link.status().port ?? 0;
  const call = (): Promise<PlainStream> => alice.dial('10.77.0.1', port());
  async function answered(): Promise<PlainStream> {
    const stream = await alice.incoming();
    await stream.reads('>');
    stream.write(purpleHeader('alice@h2', 'a@h1'));
    return stream;
  }

  test('we say which XMPP we speak, send the message after its header, and never wait for features when it says none', async () => {
    const sending = a.link.send(alice.name, say('hello'));
    const stream = await alice.incoming();
    const header = await stream.reads(/<stream:stream[^>]*>/);
    expect(header).toContain("from='a@h1'");
    expect(header).toContain("to='alice@h2'");
    expect(header).toMatch(/<stream:stream[^>]* version='1\.0'/);
    stream.write(purpleHeader('alice@h2', 'a@h1'));
    expect(await stream.reads('</message>')).toContain("<body>hello</body>");
    expect(await sending).not.toHaveProperty('delivered');
    expect(a.link.peers.describe(alice.name)).toMatchObject({ box: false, trust: 'none', connected: true });
  });

  test('markup is sent so that it is shown as it was written', async () => {
    const sending = a.link.send(alice.name, say('<b>&amp;'));
    const stream = await answered();
    expect(await stream.reads('</message>')).toContain("<body>&lt;b&gt;&amp;amp;</body><html xmlns='http://www.w3.org/1999/xhtml'><body><font>&lt;b&gt;&amp;amp;</font></body></html>");
    await sending;
  });

  test('its messages are taken from their body, and are from the stream, whatever they say', async () => {
    const stream = await call();
    stream.write(purpleHeader('alice@h2', 'a@h1'));
    await stream.reads(/<stream:stream[^>]*>/);
    stream.write(fromPurple('one &amp; &lt;two&gt; ünï 😀'));
    stream.write("<message from='mallory@h9' type='chat'><body>me too</body></message>");
    stream.write(`<message><body>${'z'.repeat(100_000)}</body></message>`);
    await lan.until(() => a.messages.length === 3);
    expect(a.messages.map(({ body }) => body.slice(0, 40))).toEqual(['one & <two> ünï 😀', 'me too', 'z'.repeat(40)]);
    expect(a.messages.map(({ from, context }) => [from, context.tls, context.trust])).toEqual(Array.from({ length: 3 }, () => ['alice@h2', false, 'none']));
  });

  test('events, chat states and presence say nothing; HTML alone does', async () => {
    const stream = await call();
    stream.write(purpleHeader('alice@h2', 'a@h1'));
    stream.write("<message><x xmlns='jabber:x:event'><composing/><id>1</id></x></message><message><composing xmlns='http://jabber.org/protocol/chatstates'/></message><presence/>\n<!-- -->");
    stream.write("<message><html xmlns='http://www.w3.org/1999/xhtml'><body>only <b>html</b></body></html></message>");
    await lan.until(() => a.messages.length === 1);
    expect(a.messages[0]?.body).toBe('only html');
  });

  test('it may ask what we are, and nothing more', async () => {
    const stream = await call();
    stream.write(purpleHeader('alice@h2', 'a@h1'));
    stream.write("<iq type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    expect(await stream.reads('</iq>')).toContain("type='result'");
    stream.write("<iq type='set' id='2'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='x'/></pubsub></iq>");
    expect(await stream.reads('</iq>')).toMatch(/type='error' id='2'[^]*forbidden/);
    stream.write("<message type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'/></message>");
    stream.write(fromPurple('still here'));
    await lan.until(() => a.messages.length === 1);
  });

  test('an answer to the stream it opened goes back over it', async () => {
    const stream = await call();
    stream.write(purpleHeader('alice@h2', 'a@h1'));
    stream.write(fromPurple('hi'));
    await lan.until(() => a.messages.length === 1);
    await a.link.send(alice.name, say('hi yourself'));
    expect(await stream.reads('</message>')).toContain('hi yourself');
    expect(alice.streams).toEqual([]);
  });

  test('while it is calling we do not call', async () => {
    const stream = await call();
    await lan.until(() => lan.sockets.size === 2);
    const sending = a.link.send(alice.name, say('hi'));
    stream.write(purpleHeader('alice@h2', 'a@h1'));
    expect(await stream.reads('</message>')).toContain('hi');
    await sending;
    expect(alice.streams).toEqual([]);
  });

  test('when it drops our call for its own, the message goes over that one', async () => {
    const sending = a.link.send(alice.name, say('not lost'));
    const ours = await alice.incoming();
    await ours.reads(/<stream:stream[^>]*>/);
    const its = await call();
    its.write(purpleHeader('alice@h2', 'a@h1'));
    await its.reads(/<stream:stream[^>]*>/);
    ours.end();
    expect(await its.reads('</message>')).toContain('not lost');
    await sending;
  });

  test('when it drops its own call for ours, ours is spoken on', async () => {
    const sending = a.link.send(alice.name, say('one'));
    const ours = await alice.incoming();
    await ours.reads(/<stream:stream[^>]*>/);
    const its = await call();
    its.write(purpleHeader('alice@h2', 'a@h1'));
    await its.reads(/<stream:stream[^>]*>/);
    ours.write(purpleHeader('alice@h2', 'a@h1'));
    expect(await ours.reads('</message>')).toContain('one');
    await sending;
    its.destroy();
    await a.link.send(alice.name, say('two'));
    expect(await ours.reads('</message>')).toContain('two');
  });

  test('of two streams it keeps the newest: what we say next goes over that one', async () => {
    const older = await call();
    older.write(purpleHeader('alice@h2', 'a@h1'));
    await older.reads(/<stream:stream[^>]*>/);
    await a.link.send(alice.name, say('over the older'));
    await older.reads('over the older');
    const newer = await call();
    newer.write(purpleHeader('alice@h2', 'a@h1'));
    await newer.reads(/<stream:stream[^>]*>/);
    older.write('</stream:stream>');
    older.end();
    await older.reads('</stream:stream>');
    await a.link.send(alice.name, say('over the newer'));
    expect(await newer.reads('</message>')).toContain('over the newer');
    expect(alice.streams).toEqual([]);
  });

  test('nothing of ours has an event with an id, for which it would discard the message', async () => {
    const sending = a.link.send(alice.name, say('plain'));
    const stream = await answered();
    expect(await stream.reads('</message>')).not.toContain('jabber:x:event');
    await sending;
  });

  test('turned away because it does not know us yet, we try again', async () => {
    const sending = a.link.send(alice.name, say('again'));
    const first = await alice.incoming();
    await first.reads(/<stream:stream[^>]*>/);
    first.write(`${purpleHeader('alice@h2', 'a@h1')}</stream:stream>`);
    const second = await answered();
    expect(await second.reads('</message>')).toContain('again');
    await sending;
  });

  test('what it said at once and then hung up is not lost', async () => {
    const stream = await call();
    stream.write(`${purpleHeader('alice@h2', 'a@h1')}${fromPurple('in passing')}</stream:stream>`);
    await lan.until(() => a.messages.length === 1);
    expect(a.messages[0]?.body).toBe('in passing');
  });

  test('hanging up abruptly after its closing tag is no trouble', async () => {
    const stream = await call();
    stream.write(purpleHeader('alice@h2', 'a@h1'));
    await stream.reads(/<stream:stream[^>]*>/);
    stream.write(`${fromPurple('bye')}</stream:stream>`);
    stream.destroy();
    await lan.until(() => a.messages.length === 1 && lan.sockets.size === 0);
    expect(a.troubles).toEqual([]);
  });

  test('a request it never answers times out', async () => {
    await Promise.all([
      expect(a.link.request(alice.name, buildPing(), { timeout: 50 })).rejects.toMatchObject({ code: 'timeout' }),
      answered(),
    ]);
  });

  test('a name it does not escape in its header does no harm', async () => {
    const odd = await plainPeer(lan, 3, 'q"uo&te<d>@h3');
    await seen(a, odd.name);
    const sending = a.link.send(odd.name, say('hi'));
    const stream = await odd.incoming();
    await stream.reads(/<stream:stream[^>]*>/);
    stream.write(purpleHeader('q"uo&te<d>@h3', 'a@h1'));
    expect(await stream.reads('</message>')).toContain('hi');
    await sending;
  });
});

describe('who is calling', () => {
  let lan: SimulatedLan;
  let a: TestBox;
  beforeEach(async () => { lan = new SimulatedLan(); a = await lan.box(1, 'a'); });
  afterEach(() => lan.close());
  const port = (): number => a.link.status().port ?? 0;

  test('without a name it is whoever has announced that address', async () => {
    const alice = await plainPeer(lan, 2, 'alice@h2');
    await seen(a, alice.name);
    const stream = await alice.dial('10.77.0.1', port());
    stream.write("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><message><body>x</body></message>");
    await lan.until(() => a.messages.length === 1);
    expect(a.messages[0]?.from).toBe('alice@h2');
  });

  test('of two at one address the first stanza says which', async () => {
    const [alice, bob] = [await plainPeer(lan, 2, 'alice@h2'), await plainPeer(lan, 2, 'bob@h2')];
    await seen(a, alice.name);
    await seen(a, bob.name);
    const stream = await bob.dial('10.77.0.1', port());
    stream.write("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><message from='bob@h2'><body>x</body></message>");
    await lan.until(() => a.messages.length === 1);
    expect(a.messages[0]?.from).toBe('bob@h2');
    const stranger = await bob.dial('10.77.0.1', port());
    stranger.write("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><message from='carol@h2'><body>x</body></message>");
    await stranger.closes();
    expect(a.messages).toHaveLength(1);
  });

  test('a name announced at another address is turned away, politely', async () => {
    const alice = await plainPeer(lan, 2, 'alice@h2');
    const mallory = await plainPeer(lan, 3, 'mallory@h3');
    await seen(a, alice.name);
    const stream = await mallory.dial('10.77.0.1', port());
    stream.write(`${purpleHeader('alice@h2', 'a@h1')}${fromPurple('it is me')}`);
    expect(await stream.closes()).toMatch(/<stream:stream [^>]*from='a@h1'[^>]*><\/stream:stream>$/);
    expect(a.messages).toEqual([]);
    await lan.until(() => a.troubles.length > 0);
    expect(a.troubles.map(({ kind }) => kind)).toEqual(['link.unknown']);
  });

  test('somebody whose announcement comes a moment later is let in', async () => {
    const door = lan.tcp(2);
    const socket = await door.connect('10.77.0.1', port(), 1_000);
    socket.write(purpleHeader('late@h2', 'a@h1') + fromPurple('early'));
    await lan.until(() => lan.sockets.size === 2);
    lan.announce({ instance: 'late@h2', host: 'h2.local', port: 1, text: '', addresses: [{ address: '10.77.0.2', family: 4, interface: 'eth0' }] });
    await lan.until(() => a.messages.length === 1);
    expect(a.messages[0]?.from).toBe('late@h2');
  });

  test('a box that speaks only in the clear is not listened to', async () => {
    const fake = await plainPeer(lan, 2, 'box@h2', { lanpost: '1' });
    await seen(a, fake.name);
    const stream = await fake.dial('10.77.0.1', port());
    stream.write(purpleHeader('box@h2', 'a@h1') + fromPurple('trust me'));
    await stream.closes();
    const sending = a.link.send(fake.name, say('secret'));
    const ours = await fake.incoming();
    expect(await ours.reads(/<stream:stream[^>]*>/)).toContain("version='1.0'");
    ours.write(purpleHeader('box@h2', 'a@h1'));
    await expect(sending).rejects.toMatchObject({ code: 'unreachable' });
    expect(await ours.closes()).not.toContain('secret');
    expect(a.messages).toEqual([]);
    expect(a.troubles.map(({ kind }) => kind)).toEqual(['link.downgrade']);
  });

  test('a name that has shown a key is not spoken to in the clear, also when its record no longer says it is a box', async () => {
    const b = await lan.box(2, 'b');
    await acquainted(a, b);
    await a.link.prove(b.name);
    await b.close();
    const fake = await plainPeer(lan, 2, 'b@h2');
    await seen(a, fake.name);
    // The older stream may end only now, and takes what waits with it.
    const refusal = a.link.send(fake.name, say('secret')).then(() => 'sent', (error: LanpostError) => error.code);
    const ours = await fake.incoming();
    ours.write(purpleHeader('b@h2', 'a@h1'));
    expect(['unreachable', 'disconnected']).toContain(await refusal);
    expect(await ours.closes()).not.toContain('secret');
  });

  test('somebody with a key of his own who uses the name of a plain client once does not lock the client out', async () => {
    for (const txt of [undefined, { lanpost: '1' }]) {
      const thief = await secureCaller(lan, a, { host: 3, name: 'alice@h2', ...(txt ? { txt } : {}) });
      await lan.until(() => a.link.peers.describe('alice@h2')?.trust === 'seen');
      thief.destroy();
      await lan.until(() => a.link.peers.describe('alice@h2')?.connected === false);
      const alice = await plainPeer(lan, 2, 'alice@h2');
      const sending = a.link.send(alice.name, say('hello'));
      const ours = await alice.incoming();
      ours.write(purpleHeader('alice@h2', 'a@h1'));
      await sending;
      await ours.reads('hello');
      ours.write(fromPurple('hello to you'));
      await lan.until(() => a.messages.some(({ body }) => body === 'hello to you'));
      expect(a.link.peers.describe('alice@h2')).toMatchObject({ trust: 'none' });
      ours.destroy();
      await lan.until(() => a.link.peers.describe('alice@h2')?.connected === false);
      a.messages.length = 0;
    }
    expect(a.troubles.map(({ kind }) => kind)).toContain('link.renamed');
  });

  test('a box that has been seen for a day is not spoken to in the clear, wherever somebody announces it without its mark', async () => {
    const clock = createTestClock();
    const z = await lan.box(9, 'z', { clock });
    const b = await lan.box(2, 'b');
    await acquainted(z, b);
    await z.link.prove(b.name);
    // A day later its stream has long been closed, and it shows its key again.
    clock.advance(24 * 3_600_000);
    await lan.until(() => z.link.peers.describe(b.name)?.connected === false);
    await z.link.prove(b.name);
    await b.close();
    const fake = await plainPeer(lan, 3, b.name);
    await lan.until(() => z.link.peers.get(b.name)?.claims.box === false && z.link.peers.describe(b.name)?.connected === false);
    const refusal = z.link.send(fake.name, say('secret')).then(() => 'sent', (error: LanpostError) => error.code);
    const ours = await fake.incoming();
    ours.write(purpleHeader(b.name, z.name));
    // The older stream may end only now, and takes what waits with it.
    expect(['unreachable', 'disconnected']).toContain(await refusal);
    expect(await ours.closes()).not.toContain('secret');
    const calling = await fake.dial('10.77.0.9', z.link.status().port ?? 0);
    calling.write(purpleHeader(b.name, z.name) + fromPurple('trust me'));
    await calling.closes();
    expect(z.messages).toEqual([]);
    clock.advance(10_000); // the connection is not held open for its closing tag any longer
    await lan.until(() => z.troubles.some(({ kind }) => kind === 'link.downgrade'));
  });

  // What the bounds on a key that was only seen leave open, and docs/LINK.md says so: nobody is locked out of a name by one.
  test.each([
    ['in its first day', 'at another address', 3, 0],
    ['a month after it was last shown', 'where it was shown', 2, 30 * 24 * 3_600_000],
  ] as const)('of a key that was only seen, %s, the name is spoken with in the clear %s, and the owner is told', async (_, __, host, later) => {
    const clock = createTestClock();
    const z = await lan.box(9, 'z', { clock });
    const b = await lan.box(2, 'b');
    await acquainted(z, b);
    await z.link.prove(b.name);
    expect(z.trust.insists(b.name, ['10.77.0.2'])).toBe(true);
    // Its stream has long been closed then.
    clock.jump(later);
    clock.advance(3_600_000);
    await lan.until(() => z.link.peers.describe(b.name)?.connected === false);
    await b.close();
    const other = await plainPeer(lan, host, b.name);
    await lan.until(() => z.link.peers.get(b.name)?.claims.box === false && z.link.peers.describe(b.name)?.connected === false);
    const sending = z.link.send(other.name, say('hello'));
    const ours = await other.incoming();
    ours.write(purpleHeader(b.name, z.name));
    await sending;
    await ours.reads('hello');
    expect(z.troubles.map(({ kind }) => kind)).toContain('link.renamed');
    expect(z.link.peers.describe(b.name)).toMatchObject({ trust: 'none' });
    // The key is known as before, and has the name no more.
    expect(z.trust.list()).toMatchObject([{ fingerprint: b.identity.fingerprint, level: 'seen' }]);
    expect(z.trust.insists(b.name, ['10.77.0.2'])).toBe(false);
  });

  test('an address that calls too often is refused for a while', async () => {
    const alice = await plainPeer(lan, 2, 'alice@h2');
    const streams = await Promise.all(Array.from({ length: 40 }, () => alice.dial('10.77.0.1', port())));
    const admitted = () => streams.filter(({ ended }) => !ended).length;
    await lan.until(() => admitted() <= 24);
    expect(admitted()).toBeGreaterThan(0);
  });
});

describe('hostile XML', () => {
  let lan: SimulatedLan;
  let a: TestBox;
  let mallory: PlainPeer;
  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await lan.box(1, 'a', { limits: { stanzaBytes: 10_000, xmlDepth: 8 } });
    mallory = await plainPeer(lan, 2, 'mallory@h2');
    await seen(a, mallory.name);
  });
  afterEach(() => lan.close());

  test.each([
    ['a stanza without end', `<message><body>${'x'.repeat(20_000)}`],
    ['elements without end', `<message>${'<a>'.repeat(20)}`],
    ['an attribute without end', `<message a='${'x'.repeat(20_000)}`],
    ['a document type', '<!DOCTYPE x [<!ENTITY a "b">]>'],
    ['an entity', '<message><body>&lol;</body></message>'],
    ['what is no XML', '<<<>>>'],
    ['what is no UTF-8', Buffer.from([0x3c, 0xff, 0xfe])],
  ])('%s ends the stream and nothing else', async (_, text) => {
    const stream = await mallory.dial('10.77.0.1', a.link.status().port ?? 0);
    stream.write(purpleHeader('mallory@h2', 'a@h1'));
    stream.write(text);
    await stream.closes();
    const again = await mallory.dial('10.77.0.1', a.link.status().port ?? 0);
    again.write(purpleHeader('mallory@h2', 'a@h1') + fromPurple('fine'));
    await lan.until(() => a.messages.length === 1);
    expect(a.messages[0]?.body).toBe('fine');
  });

  test('whoever stalls, in the clear or in the TLS handshake, is hung up on in time', async () => {
    // Long enough to get as far as where it stalls on a machine that is busy.
    const hasty = await lan.box(3, 'hasty', { timing: { negotiation: 1_500 } });
    await seen(hasty, mallory.name);
    const mute = await mallory.dial('10.77.0.3', hasty.link.status().port ?? 0);
    await mute.closes();
    const stalling = await mallory.dial('10.77.0.3', hasty.link.status().port ?? 0);
    stalling.write("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='mallory@h2' version='1.0'>");
    await stalling.reads('</stream:features>');
    stalling.write("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    await stalling.reads('<proceed');
    await stalling.closes();
    const box = await plainPeer(lan, 4, 'box@h4', { lanpost: '1' });
    await seen(hasty, box.name);
    const sending = hasty.link.send(box.name, say('x'));
    const dialled = await box.incoming();
    dialled.write("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='box@h4' version='1.0'><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>");
    await dialled.reads('<starttls');
    dialled.write("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    await dialled.closes();
    hasty.link.close().catch(() => undefined);
    await expect(sending).rejects.toMatchObject({ code: expect.stringMatching(/closed|unreachable/) as string });
  });

  test('what is said in the clear before TLS is never believed after it', async () => {
    const stream = await mallory.dial('10.77.0.1', a.link.status().port ?? 0);
    stream.write("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='mallory@h2' version='1.0'>");
    await stream.reads('</stream:features>');
    stream.write("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><message><body>injected</body></message>");
    await stream.closes();
    expect(a.messages).toEqual([]);
  });
});
