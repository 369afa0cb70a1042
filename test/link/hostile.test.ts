import { connect as secure, type TLSSocket } from 'node:tls';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { array, assert, asyncProperty, boolean, constantFrom } from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import { selfSigned } from '../../src/trust/certificate.ts';
import { xml } from '../../src/xmpp/element.ts';
import { buildMessage } from '../../src/xmpp/stanza.ts';
import type { Identity } from '../../src/trust/identity.ts';
import { quiet } from '../support/quiet.ts';
import { acquainted, SimulatedLan, seen, type TestBox } from './fixtures.ts';
import { plainPeer, purpleHeader, type PlainStream } from './plain-peer.ts';
import { secureCaller } from './secure-caller.ts';

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

function heap(): number {
  if (typeof collect === 'function') collect();
  return process.memoryUsage().heapUsed;
}

const header10 = (from: string, to: string): string =>
  `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='${from}' to='${to}' version='1.0'>`;

describe('a stranger at the door', () => {
  let lan: SimulatedLan;
  let a: TestBox;
  let clock: TestClock;
  let own: Identity | undefined;

  beforeEach(async () => {
    lan = new SimulatedLan();
    clock = createTestClock();
    own = undefined;
    a = await lan.box(1, 'a', { clock });
  });
  afterEach(() => lan.close());

  const call = async (name = 'mallory@h2', host = 2): Promise<PlainStream> => {
    const mallory = await plainPeer(lan, host, name);
    await seen(a, name);
    return mallory.dial('10.77.0.1', a.link.status().port ?? 0);
  };

  test('cannot fill the memory while it is being found out who calls', async () => {
    // What speaks on streams is loaded with the first one.
    const first = await call();
    first.write(purpleHeader('mallory@h2', 'a@h1'));
    await first.reads('<stream:stream');
    const stream = await call('eve@h3', 3);
    const before = heap();
    // Nobody of that name is announced, so the box waits a while for the announcement.
    stream.write(header10('nobody@h2', 'a@h1'));
    const flood = Buffer.from('<message/>'.repeat(100_000));
    for (let i = 0; i < 20; i += 1) stream.write(flood);
    await quiet();
    expect(heap() - before).toBeLessThan(25 << 20); // 20 MB of them are the test's own
    clock.advance(3_000);
    await stream.closes();
  });

  const FLOOD = '<message><body>x</body></message>';
  /** Bytes that count for one of them, without a key and with one. */
  const KEYLESS = FLOOD.length + 2 * 192 + 4_096;
  const KEYED = FLOOD.length + 2 * 192 + 2_048;
  /** How many may come at once, and how many in a second. */
  const atOnce = (bytes: number): number => (4 << 20) / bytes;
  const perSecond = (bytes: number): number => (512 << 10) / bytes;
  /** How far, within a minute, it was ever beyond what may come. */
  const excess = async (bytes: number): Promise<number> => {
    let most = 0;
    await lan.until(() => a.messages.length >= atOnce(bytes));
    for (let seconds = 0; seconds <= 60; seconds += 1) {
      await quiet();
      most = Math.max(most, a.messages.length - atOnce(bytes) - perSecond(bytes) * seconds);
      for (let part = 0; part < 10; part += 1) {
        clock.advance(100);
        await quiet();
      }
    }
    return most;
  };
  /** What is dealt with before it is looked whether more should be read. */
  const ONE_LOOK = 4_096 / FLOOD.length;

  test('is read at the rate it was promised, however it packs its stanzas', async () => {
    let handled = 0;
    a.dispatcher.message('urn:test', 'x', () => { handled += 1; return Promise.resolve(); });
    const stream = await call();
    stream.write(purpleHeader('mallory@h2', 'a@h1'));
    await stream.reads('<stream:stream');
    const flood = Buffer.from(FLOOD.repeat(20_000));
    for (let i = 0; i < 5; i += 1) stream.write(flood);
    expect(await excess(KEYLESS)).toBeLessThan(ONE_LOOK + 2);
    expect(a.messages.length).toBeGreaterThan(atOnce(KEYLESS) + perSecond(KEYLESS) * 50);
    expect(handled).toBe(0);
  });

  /** A stream under TLS, with a key that nobody has to vouch for, or with none; `paired`: what is not paced has the other bounds to itself. */
  const callSecurely = async (keyed: boolean, paired = false): Promise<TLSSocket> => {
    const stream = await call();
    stream.write(header10('mallory@h2', 'a@h1'));
    await stream.reads('</stream:features>');
    stream.write("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    await stream.reads('<proceed');
    const { key, fingerprint } = keyed ? own ??= await lan.identity() : {};
    if (paired && fingerprint !== undefined) await a.trust.pair(fingerprint);
    const tls = secure({ socket: stream.release(), rejectUnauthorized: false, ...(key === undefined ? {} : { key, cert: await selfSigned(key) }) });
    tls.on('error', () => undefined); // how it ends is looked at
    lan.onClose(() => { tls.destroy(); return Promise.resolve(); });
    tls.write(header10('mallory@h2', 'a@h1'));
    await new Promise<void>((resolve) => { tls.on('data', (bytes: Buffer) => { if (bytes.includes('</stream:features>')) resolve(); }); });
    return tls;
  };

  test('has the same rate with TLS and no key', async () => {
    const tls = await callSecurely(false);
    for (let i = 0; i < 5; i += 1) tls.write(FLOOD.repeat(20_000));
    expect(await excess(KEYLESS)).toBeLessThan(ONE_LOOK + 2);
    expect(a.messages.length).toBeGreaterThan(atOnce(KEYLESS) + perSecond(KEYLESS) * 50);
  });

  test('has a rate with a key, too, while nobody has vouched for it', async () => {
    const tls = await callSecurely(true);
    for (let i = 0; i < 5; i += 1) tls.write(FLOOD.repeat(20_000));
    expect(await excess(KEYED)).toBeLessThan(ONE_LOOK + 2);
    expect(a.messages.length).toBeGreaterThan(atOnce(KEYED) + perSecond(KEYED) * 50);
  });

  test('has none the sooner with another stream, or another key', async () => {
    for (let round = 0; round < 4; round += 1) {
      if (round === 2) own = undefined;
      const tls = await callSecurely(true);
      tls.write("<enable xmlns='urn:xmpp:sm:3'/>");
      await new Promise<void>((resolve) => { tls.on('data', (bytes: Buffer) => { if (bytes.includes('<enabled')) resolve(); }); });
      for (let i = 0; i < 5; i += 1) tls.write(FLOOD.repeat(20_000));
      await lan.until(() => a.messages.length >= atOnce(KEYED));
      await quiet();
      tls.destroy();
      await quiet();
      expect(a.messages.length).toBeLessThan(atOnce(KEYED) + ONE_LOOK + 2);
    }
  });

  test('whose stream asks how far this box is, over and over, is read no faster', async () => {
    const tls = await callSecurely(true);
    const answers: number[] = [0];
    tls.on('data', (bytes: Buffer) => { answers.push((answers.at(-1) ?? 0) + bytes.toString('latin1').split('<a ').length - 1); });
    tls.write("<enable xmlns='urn:xmpp:sm:3'/>");
    for (let i = 0; i < 5; i += 1) tls.write("<r xmlns='urn:xmpp:sm:3'/>".repeat(40_000));
    for (let before: number | undefined; before !== answers.at(-1) || before === 0;) {
      before = answers.at(-1);
      await quiet();
    }
    expect(answers.at(-1)).toBeLessThan(1.05 * (4 << 20) / (26 + 192 + 128));
  });

  test('does not slow down who is paired', async () => {
    const tls = await callSecurely(true, true);
    for (let i = 0; i < 5; i += 1) tls.write(FLOOD.repeat(2_000));
    await lan.until(() => a.messages.length === 10_000);
    expect(a.messages).toHaveLength(10_000);
  });

  test('leaves nothing but its name and its key, whatever it said around them', async () => {
    const padding = ' '.repeat(60_000);
    const meet = async (host: number): Promise<void> => {
      const name = `mallory-with-a-long-name@h${host}`;
      const mallory = await plainPeer(lan, host, name);
      await seen(a, name);
      const stream = await mallory.dial('10.77.0.1', a.link.status().port ?? 0);
      const key = (await lan.identity()).key;
      stream.write(`${header10(name, 'a@h1')}${padding}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`);
      await stream.reads('<proceed');
      const tls = secure({ socket: stream.release(), rejectUnauthorized: false, key, cert: await selfSigned(key) });
      tls.on('error', () => undefined); // how it ends is not looked at
      tls.write(header10(name, 'a@h1'));
      await new Promise<void>((resolve) => { tls.on('data', (bytes: Buffer) => { if (bytes.includes('</stream:features>')) resolve(); }); });
      expect(a.trust.find(`link:${name}`)).toBeDefined();
      tls.destroy();
    };
    await meet(10);
    const before = heap();
    for (let host = 11; host < 91; host += 1) await meet(host);
    // Half of it is the test's own.
    expect(heap() - before).toBeLessThan(80 * 50_000);
  });

  const REQUESTS = "<iq type='get' id='x'><query xmlns='urn:test'/></iq>".repeat(1_000);
  const answering = (payload: string): { asked: number } => {
    const count = { asked: 0 };
    a.dispatcher.iq('get', 'urn:test', 'query', () => {
      count.asked += 1;
      lan.bell.ring();
      return Promise.resolve(xml('query', { xmlns: 'urn:test' }, payload));
    });
    return count;
  };

  test('who asks and takes no answers is no longer read', async () => {
    const count = answering('x'.repeat(2_000));
    const tls = await callSecurely(true, true);
    tls.pause();
    for (let i = 0; i < 60; i += 1) tls.write(REQUESTS);
    await lan.until(() => count.asked > 100);
    await quiet();
    const { asked } = count;
    expect(asked).toBeLessThan(20_000);
    expect(a.link.peers.describe('mallory@h2')?.connected).toBe(true);
    tls.resume();
    await lan.until(() => count.asked > asked + 10_000);
  });

  test('who asks and hangs up at once does no harm', async () => {
    const count = answering('x'.repeat(2_000));
    const stranger = (reason: unknown): void => void rejected.push(reason);
    const rejected: unknown[] = [];
    process.on('unhandledRejection', stranger);
    for (let round = 1; round <= 5; round += 1) {
      const tls = await callSecurely(true, true);
      tls.write(REQUESTS);
      await lan.until(() => count.asked >= round * 10);
      tls.destroy();
      await lan.until(() => a.link.peers.describe('mallory@h2')?.connected === false);
    }
    await a.close();
    await nextTurn();
    process.off('unhandledRejection', stranger);
    expect(rejected).toEqual([]);
  });

  test('who confirms none of the answers is given up', async () => {
    const count = answering('');
    const tls = await callSecurely(true, true);
    tls.write("<enable xmlns='urn:xmpp:sm:3'/>");
    for (let i = 0; i < 30; i += 1) tls.write(REQUESTS);
    await new Promise((resolve) => { tls.once('close', resolve); });
    expect(count.asked).toBeGreaterThan(16_000);
    expect(count.asked).toBeLessThan(18_000);
  });
});

describe('a stranger with a key and a session', () => {
  let lan: SimulatedLan;
  let a: TestBox;
  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await lan.box(1, 'a');
  });
  afterEach(() => lan.close());

  test('who confirms none of the answers has none of them kept beyond a bound', async () => {
    const stream = await secureCaller(lan, a);
    stream.write("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    await stream.reads(/<enabled[^>]*>/);
    const ask = async (times: number): Promise<void> => {
      for (let i = 0; i < times; i += 1) {
        stream.write(`<iq type='get' id='${'x'.repeat(100_000)}${i}'><ping xmlns='urn:xmpp:ping'/></iq>`);
        await stream.reads(`x${i}`);
      }
    };
    await ask(10);
    const before = heap();
    await ask(300);
    expect(heap() - before).toBeLessThan(5 << 20);
  });
});

describe('when all streams are taken', () => {
  let lan: SimulatedLan;
  let a: TestBox;
  let b: TestBox;
  const halfOpen: PlainStream[] = [];
  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await lan.box(1, 'a', { limits: { streams: 4 } });
    b = await lan.box(2, 'b');
    await acquainted(a, b);
  });
  afterEach(async () => {
    halfOpen.length = 0;
    await lan.close();
  });
  /** From addresses of their own, as many as one likes to have on a link. */
  const strangers = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) {
      const host = 100 + halfOpen.length;
      const peer = await plainPeer(lan, host, `s${host}@h${host}`);
      halfOpen.push(await peer.dial('10.77.0.1', a.link.status().port ?? 0));
    }
  };

  test('by callers who say nothing, a box can call and be called all the same', async () => {
    await strangers(4);
    await b.link.prove('a@h1');
    const c = await lan.box(3, 'c');
    await acquainted(a, c);
    await strangers(4);
    await a.link.prove('c@h3');
    expect(a.link.peers.describe('c@h3')?.connected).toBe(true);
  });

  test('also while what answers them is being loaded: the first of them give way', async () => {
    await a.close();
    const identity = await lan.identity();
    let there = (): void => undefined;
    const slow = new Promise<void>((resolve) => { there = resolve; });
    a = await lan.box(1, 'a', { identity, limits: { streams: 4 }, certificate: async () => { await slow; return selfSigned(identity.key); } });
    await strangers(12);
    await lan.until(() => halfOpen.slice(0, 8).every((stream) => stream.ended));
    expect(halfOpen.slice(8).map((stream) => stream.ended)).toEqual([false, false, false, false]);
    there();
    await b.link.prove('a@h1');
  });

  test('a key the owner vouched for keeps its stream', async () => {
    await b.link.prove('a@h1');
    await a.trust.allow(b.identity.fingerprint, 'read', 'x');
    await strangers(12);
    await lan.until(() => halfOpen.some((stream) => stream.ended));
    expect(a.link.peers.describe('b@h2')?.connected).toBe(true);
    expect(a.closed).toEqual([]);
  });
});

describe('a paired box whose announcement is not heard', () => {
  let lan: SimulatedLan;
  let a: TestBox;
  let b: TestBox;
  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await lan.box(1, 'a');
    b = await lan.box(2, 'b');
    await acquainted(a, b);
    lan.withdraw('b@h2');
  });
  afterEach(() => lan.close());

  test('calls all the same, is seen, and is answered', async () => {
    a.trust.seen(b.identity.spki, 'b@h2');
    await a.trust.pair(b.identity.fingerprint);
    await (await b.link.send('a@h1', buildMessage({ type: 'chat', id: '1', body: 'here' }))).delivered;
    expect(a.link.peers.describe('b@h2')).toMatchObject({ via: 'caller', connected: true, trust: 'paired', addresses: ['10.77.0.2'] });
    await (await a.link.send('b@h2', buildMessage({ type: 'chat', id: '2', body: 'heard' }))).delivered;
    expect([a.messages, b.messages]).toMatchObject([[{ body: 'here', context: { tls: true } }], [{ body: 'heard' }]]);
    for (const socket of lan.sockets) socket.destroy();
    await lan.until(() => a.link.peers.get('b@h2') === undefined);
  });

  test('is not to be played by who has another key', async () => {
    const { spki, fingerprint } = await lan.identity();
    a.trust.seen(spki, 'b@h2');
    await a.trust.pair(fingerprint);
    await expect(b.link.prove('a@h1')).rejects.toMatchObject({ name: 'LanpostError' });
    expect(a.troubles.map(({ kind }) => kind)).toContain('link.impostor');
    expect(a.link.peers.list()).toEqual([]);
  });

  test('is not to be played by who has none', async () => {
    a.trust.seen(b.identity.spki, 'b@h2');
    await a.trust.pair(b.identity.fingerprint);
    const plain = await plainPeer(lan, 3, 'c@h3');
    const stream = await plain.dial('10.77.0.1', a.link.status().port ?? 0);
    stream.write(purpleHeader('b@h2', 'a@h1') + '<message><body>x</body></message>');
    await stream.closes();
    expect(a.messages).toEqual([]);
    expect(a.link.peers.get('b@h2')).toBeUndefined();
  });
});

describe('stanzas that are begun and not ended', () => {
  let lan: SimulatedLan;
  let a: TestBox;
  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await lan.box(1, 'a');
  });
  afterEach(() => lan.close());

  test('of many strangers take no more memory than of a few, and a friend\'s is let through', async () => {
    const b = await lan.box(2, 'b');
    await acquainted(a, b);
    await b.link.prove('a@h1');
    await a.trust.pair(b.identity.fingerprint);
    const streams: PlainStream[] = [];
    const before = heap();
    // Elements cost most memory for their bytes: 2.5 MB each stream.
    const begun = `<message>${'<a/>'.repeat(14_000)}`;
    for (let i = 0; i < 40; i += 1) {
      const peer = await plainPeer(lan, 100 + i, `s${i}@h${100 + i}`);
      const stream = await peer.dial('10.77.0.1', a.link.status().port ?? 0);
      streams.push(stream);
      stream.write(purpleHeader(peer.name, 'a@h1') + begun);
      await quiet();
    }
    await lan.until(() => streams.filter(({ ended }) => ended).length >= 38);
    expect(heap() - before).toBeLessThan(16 << 20);
    expect(streams.find(({ ended }) => ended)?.text).toContain('resource-constraint');
    await (await b.link.send('a@h1', xml('message', {}, xml('body', {}, 'x'.repeat(200_000))))).delivered;
    expect(a.messages).toHaveLength(1);
    expect(a.troubles.map(({ kind }) => kind)).toContain('link.greedy');
  });

  test('nor do those that come before their stream is open', async () => {
    const clock = createTestClock();
    const c = await lan.box(3, 'c', { clock });
    const before = heap();
    const streams: PlainStream[] = [];
    for (let i = 0; i < 40; i += 1) {
      const peer = await plainPeer(lan, 100 + i, `s${i}@h${100 + i}`);
      const stream = await peer.dial('10.77.0.3', c.link.status().port ?? 0);
      streams.push(stream);
      // Nobody of that name is announced: the box waits for it, and holds what comes meanwhile.
      stream.write(purpleHeader(`nobody@h${i}`, 'c@h3') + `<message>${'<a/>'.repeat(14_000)}</message>`.repeat(7));
      await quiet();
    }
    await lan.until(() => streams.filter(({ ended }) => ended).length >= 38);
    expect(heap() - before).toBeLessThan(16 << 20);
    clock.advance(10_000);
  });
});

describe('whatever is said at the door', () => {
  const said = constantFrom(
    header10('ME', 'a@h1'), header10('nobody@h9', 'a@h1'), purpleHeader('ME', 'a@h1'), purpleHeader('', ''), "<stream:stream>", '</stream:stream>', '<?xml version="1.0"?>', '\u0000',
    "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "<enable xmlns='urn:xmpp:sm:3' resume='true'/>", "<enabled xmlns='urn:xmpp:sm:3'/>", "<resume xmlns='urn:xmpp:sm:3' previd='x' h='1'/>", "<r xmlns='urn:xmpp:sm:3'/>",
    "<a xmlns='urn:xmpp:sm:3' h='0'/>", "<a xmlns='urn:xmpp:sm:3' h='4294967295'/>", "<a xmlns='urn:xmpp:sm:3' h='-1'/>", "<a xmlns='urn:xmpp:sm:3'/>",
    '<stream:features/>', '<stream:error/>', "<error xmlns='http://etherx.jabber.org/streams'/>", '<message/>', "<message><body>x</body></message>", "<message type='error'><body>x</body></message>",
    "<message from='b@h2' to='c@h3'><body>x</body></message>", "<message xmlns='evil'><body>x</body></message>", "<x:message xmlns:x='jabber:client'><x:body>x</x:body></x:message>",
    "<iq/>", "<iq type='get'/>", "<iq type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#info' node='__proto__'/></iq>", "<iq type='result' id='1'/>", "<iq type='error' id='1'/>",
    "<iq type='set' id='1'><constructor xmlns='__proto__'/></iq>", "<presence/>", "<a><b><c>", '&', '<![CDATA[', '\u0016\u0003\u0001\u0002\u0000\u0001',
  );

  test('the box lives, and answers the next', async () => {
    const lan = new SimulatedLan();
    const a = await lan.box(1, 'a', { timing: { negotiation: 200, settle: 50 }, limits: { peers: 1000 } });
    const rejected: unknown[] = [];
    const note = (reason: unknown): void => void rejected.push(reason);
    process.on('unhandledRejection', note);
    let host = 10;
    const ends: (() => void)[] = [];
    try {
      await assert(asyncProperty(array(said, { maxLength: 10 }), boolean(), constantFrom('end', 'reset', 'stay'), async (lines, together, then) => {
        // A caller's address may call so often only.
        host = host < 250 ? host + 1 : 10;
        const me = await plainPeer(lan, host, `me${host}@h${host}`);
        const stream = await me.dial('10.77.0.1', a.link.status().port ?? 0);
        const words = lines.map((line) => line.replaceAll('ME', me.name));
        for (const line of together ? [words.join('')] : words) {
          stream.write(line);
          await nextTurn();
        }
        if (then === 'end') stream.end();
        else if (then === 'reset') stream.destroy();
        else ends.push(() => stream.destroy());
      }), { numRuns: 200 });
      for (const end of ends) end();
      const b = await lan.box(2, 'b');
      await acquainted(a, b);
      await b.link.prove('a@h1');
      expect(rejected).toEqual([]);
    } finally {
      process.off('unhandledRejection', note);
      await lan.close();
    }
  });
});
