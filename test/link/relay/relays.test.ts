// A box that cannot reach a server, its neighbour that can, and the server: bytes through the stream between the two boxes.
import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSystemClock, createTestClock } from '../../../src/clock.ts';
import type { Door } from '../../../src/link/tcp.ts';
import type { PeerContext } from '../../../src/link/context.ts';
import type { ProvenPeer } from '../../../src/link/streams-port.ts';
import { PEER_RELAYS, RELAY_RATE, Relays } from '../../../src/link/relay/relays.ts';
import { buildConnect, buildRelayData, NS_RELAY } from '../../../src/xep/relay.ts';
import { type Element, xml } from '../../../src/xmpp/element.ts';
import { quiet } from '../../support/quiet.ts';
import { acquainted, SimulatedLan } from '../fixtures.ts';
import { type ServiceBox, serviceBox } from '../service-box.ts';

const SID = '0123456789abcdef'.repeat(2);

let lan: SimulatedLan;
let a: ServiceBox;
let b: ServiceBox;
let server: Door;
let to: string;
/** Connections at the server. */
let callers: Socket[];
const signal = new AbortController().signal;

const dial = (destination = to): Promise<Duplex> => a.service.relays.dial({ name: 'b@h2', fingerprint: b.identity.fingerprint }, destination, signal);
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
/** So many bytes, or what there is until the end. */
function read(stream: Duplex, count: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('data', take).pause();
      resolve(Buffer.concat(parts));
    };
    const take = (part: Buffer): void => {
      parts.push(part);
      length += part.length;
      if (length >= count) done();
    };
    stream.on('data', take).once('end', done);
  });
}
const closed = (stream: Duplex): Promise<void> => new Promise((resolve) => { stream.on('error', () => undefined).once('end', () => stream.end()).once('close', resolve).resume(); });
const caller = async (n = 0): Promise<Socket> => {
  await lan.until(() => callers.length > n);
  const [socket] = callers.slice(n);
  if (!socket) throw new Error('nobody has called');
  return socket;
};

beforeEach(async () => {
  lan = new SimulatedLan();
  callers = [];
  server = await lan.tcp(5).listen('10.77.0.5', 0, (socket) => { callers.push(socket); });
  to = `10.77.0.5:${server.port}`;
  [a, b] = await Promise.all([serviceBox(lan, 1, 'a'), serviceBox(lan, 2, 'b')]);
  await acquainted(a, b);
  await a.service.rules.allow('b@h2', 'chat');
  await b.service.rules.allow('a@h1', 'relay', to);
});
afterEach(async () => {
  await lan.close();
  await server.close();
});

describe('a paired neighbour', () => {
  test('passes on what is said, both ways, whole and in order', async () => {
    const relayed = await dial();
    const at = await caller();
    const [up, down] = [randomBytes(700_001), randomBytes(300_007)];
    relayed.write(up);
    at.write(down);
    expect(sha(await read(at, up.length))).toBe(sha(up));
    expect(sha(await read(relayed, down.length))).toBe(sha(down));
    expect(lan.dials.filter((one) => one.endsWith('10.77.0.5'))).toEqual(['2>10.77.0.5']);
    expect(b.service.status().relays).toEqual([{ peer: 'a@h1', to, direction: 'for', since: expect.any(Number), bytes: expect.any(Number) }]);
    expect(a.service.status().relays).toMatchObject([{ peer: 'b@h2', to, direction: 'by' }]);
  });

  test('says on when the server hangs up, behind its last byte, and when the box does', async () => {
    const relayed = await dial();
    const at = await caller();
    at.end(randomBytes(100_000));
    relayed.on('error', () => undefined);
    expect((await read(relayed, Infinity)).length).toBe(100_000);
    await lan.until(() => a.service.status().relays === undefined && b.service.status().relays === undefined);
    const again = await dial();
    const there = await caller(1);
    again.end(Buffer.from('bye'));
    expect((await read(there, Infinity)).toString()).toBe('bye');
    await lan.until(() => b.service.status().relays === undefined);
  });

  test('waits for who does not read: no more is on its way than a few blocks and what the system holds', async () => {
    const relayed = await dial();
    const at = await caller();
    at.pause();
    const much = randomBytes(32 << 20);
    let passed = false;
    relayed.write(much, () => { passed = true; });
    await quiet();
    // Both systems hold some; the boxes hold windows.
    await lan.until(() => (b.service.status().relays?.[0]?.bytes ?? 0) > 100_000);
    const [held] = b.service.status().relays ?? [];
    expect(held?.bytes).toBeLessThan(much.length / 2);
    // Mail does not wait for it.
    const receipt = await a.mail.send('link:b@h2', 'hello');
    await receipt.delivered;
    expect(passed).toBe(false);
    relayed.destroy();
    await lan.until(() => b.service.status().relays === undefined);
  });

  test.each(['10.77.0.6:5222', '10.77.0.5:1', 'xmpp:home.test'])('does not connect to %s, which nobody has allowed', async (elsewhere) => {
    await expect(dial(elsewhere)).rejects.toMatchObject({ code: 'forbidden' });
    expect(b.troubles.map(({ kind }) => kind)).toContain('link.relay');
    expect(lan.dials.filter((one) => one.startsWith('2>10.77.0.5') || one.startsWith('2>10.77.0.6'))).toEqual([]);
  });

  test.each(['127.0.0.1:5222', '[::1]:5222', '0.0.0.0:5222', '224.0.0.1:5222', '169.254.1.1:5222', '[fe80::1]:5222', '[::ffff:127.0.0.1]:80'])('does not connect to %s, even when it is allowed', async (where) => {
    await b.service.rules.allow('a@h1', 'relay', where);
    await expect(dial(where)).rejects.toMatchObject({ code: 'forbidden' });
    expect(callers).toEqual([]);
  });

  test('relays nobody who is not paired, and no key that is not the one asked for', async () => {
    const c = await serviceBox(lan, 3, 'c');
    await acquainted(b, c);
    await c.service.rules.allow('b@h2', 'chat');
    await expect(c.service.relays.dial({ name: 'b@h2', fingerprint: b.identity.fingerprint }, to, signal)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(b.service.rules.allow('class:seen', 'relay', to)).rejects.toMatchObject({ code: 'invalid-value' });
    await expect(a.service.relays.dial({ name: 'b@h2', fingerprint: 'f'.repeat(64) }, to, signal)).rejects.toMatchObject({ code: 'unreachable' });
    expect(callers).toEqual([]);
  });

  test('ends what the owner does not allow any more', async () => {
    const relayed = await dial();
    const at = await caller();
    const ended = [closed(relayed), closed(at)];
    await b.service.rules.deny('a@h1', 'relay', to);
    await Promise.all(ended);
    await expect(dial()).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('ends what leads to an address that the owner does not allow any more, by whatever name', async () => {
    await b.service.rules.allow('a@h1', 'relay', 'xmpp:home.test');
    const { fingerprint } = a.identity;
    const relays = new Relays({
      clock: createSystemClock(), trouble: (trouble) => b.troubles.push(trouble), link: () => b.link, level: (key) => b.service.trust.level(key), may: (key, target, otherwise) => b.service.trust.may(key, 'relay', target, otherwise),
      names: { addresses: async () => ['10.77.0.5'], servers: async () => [{ name: 'xmpp.home.test', port: server.port, priority: 1 }], own: () => ['10.77.0.2'] },
    });
    relays.asked({ type: 'set', iq: xml('iq', { id: '1' }), payload: xml('connect', { xmlns: NS_RELAY, sid: SID, to: 'xmpp:home.test' }), context: { name: 'a@h1', fingerprint, trust: 'paired' } as PeerContext });
    const ended = closed(await caller());
    expect(relays.list()).toMatchObject([{ to: 'xmpp:home.test' }]);
    await b.service.rules.deny('a@h1', 'relay', to);
    relays.recheck();
    await ended;
    expect(relays.list()).toEqual([]);
  });

  test.each([['xmpp-client', 'starttls.home.test'], ['xmpps-client', 'tls.home.test']] as const)('looks for the service that is asked for: %s', async (service, host) => {
    await b.service.rules.allow('a@h1', 'relay', 'xmpp:home.test');
    const resolved: string[] = [];
    const relays = new Relays({
      clock: createSystemClock(), trouble: (trouble) => b.troubles.push(trouble), link: () => b.link, level: (key) => b.service.trust.level(key), may: (key, target, otherwise) => b.service.trust.may(key, 'relay', target, otherwise),
      names: {
        addresses: async (name) => {
          resolved.push(name);
          return ['10.77.0.5'];
        },
        servers: async (_domain, asked) => [{ name: asked === 'xmpps-client' ? 'tls.home.test' : 'starttls.home.test', port: server.port, priority: 1 }],
        own: () => ['10.77.0.2'],
      },
    });
    const [payload] = buildConnect({ sid: SID, to: 'xmpp:home.test', service }).getChildElements();
    if (!payload) throw new Error('nothing is asked');
    relays.asked({ type: 'set', iq: xml('iq', { id: '1' }), payload, context: { name: 'a@h1', fingerprint: a.identity.fingerprint, trust: 'paired' } as PeerContext });
    await caller();
    expect(resolved).toEqual([host]);
    // What the owner allows is the domain, however it is spoken with.
    expect(relays.list()).toMatchObject([{ to: 'xmpp:home.test' }]);
    relays.close();
  });

  test('carries so many connections for one peer, and then says so', async () => {
    const all = await Promise.all(Array.from({ length: PEER_RELAYS }, () => dial()));
    await expect(dial()).rejects.toMatchObject({ code: 'unreachable', message: expect.stringContaining('too many') });
    all[0]?.destroy();
    await lan.until(() => b.service.status().relays?.length === PEER_RELAYS - 1);
    await dial();
  });

  test('that ends a relay and asks for the next is not given more by that: it waits until what came is paid for', async () => {
    const clock = createTestClock();
    const { fingerprint } = a.identity;
    const relays = new Relays({
      clock, trouble: (trouble) => b.troubles.push(trouble), link: () => b.link, level: (key) => b.service.trust.level(key), may: (key, target, otherwise) => b.service.trust.may(key, 'relay', target, otherwise),
    });
    const context = { name: 'a@h1', fingerprint, trust: 'paired' } as PeerContext;
    const request = (iq: Element): Parameters<Relays['data']>[0] => {
      const [payload] = iq.getChildElements();
      if (!payload) throw new Error('nothing is asked');
      return { type: 'set', iq: xml('iq', { id: '1' }), payload, context };
    };
    const [first, second] = [SID, SID.replaceAll('0', 'f')] as const;
    relays.asked(request(buildConnect({ sid: first, to })));
    const at = await caller();
    for (let seq = 0; seq < 8; seq += 1) relays.data(request(buildRelayData({ sid: first, seq, bytes: Buffer.alloc(8_192) })));
    expect((await read(at, 65_536)).length).toBe(65_536);
    relays.lost(context as ProvenPeer);
    await closed(at);
    expect(relays.list()).toEqual([]);
    relays.asked(request(buildConnect({ sid: second, to })));
    await quiet();
    expect(callers.length).toBe(1);
    clock.advance(Math.ceil(65_536 / RELAY_RATE * 1_000) - 1);
    await quiet();
    expect(callers.length).toBe(1);
    clock.advance(1);
    await caller(1);
    relays.close();
  });

  test('that is given up while it is opened is not kept by the neighbour', async () => {
    const stop = new AbortController();
    const dialing = a.service.relays.dial({ name: 'b@h2', fingerprint: b.identity.fingerprint }, to, stop.signal);
    const given = dialing.catch((error: unknown) => error);
    const socket = await caller();
    const reason = new Error('given up');
    stop.abort(reason);
    expect(await given).toBe(reason);
    await closed(socket);
    await lan.until(() => b.service.relays.list().length === 0);
    expect(a.service.relays.list()).toEqual([]);
  });

  test('says when nothing answers there', async () => {
    await b.service.rules.allow('a@h1', 'relay', '10.77.0.5:1');
    await expect(dial('10.77.0.5:1')).rejects.toMatchObject({ code: 'unreachable' });
  });

  test('that leaves takes its relays along', async () => {
    const relayed = await dial();
    const at = await caller();
    const ended = [closed(relayed), closed(at)];
    await b.close();
    await Promise.all(ended);
    expect(a.service.status().relays).toBeUndefined();
  });
});

describe('over the stream', () => {
  const ask = (...payload: Parameters<typeof xml>): Promise<unknown> => a.link.request('b@h2', xml('iq', { type: 'set' }, xml(...payload)));

  test('nothing is taken that belongs to no relay, or to another peer\'s', async () => {
    await expect(ask('data', { xmlns: NS_RELAY, sid: SID, seq: 0 }, 'AA==')).rejects.toMatchObject({ condition: 'item-not-found' });
    await dial();
    const c = await serviceBox(lan, 3, 'c');
    await acquainted(b, c);
    await b.service.rules.allow('c@h3', 'relay', to);
    await expect(c.link.request('b@h2', buildRelayData({ sid: SID, seq: 0, bytes: Uint8Array.of(1) }))).rejects.toMatchObject({ condition: 'item-not-found' });
  });

  test.each<[string, Record<string, string | number>, string, string]>([
    ['a block out of turn', { seq: 1 }, 'AA==', 'unexpected-request'],
    ['what is not base64', { seq: 0 }, 'A', 'bad-request'],
    ['a block of nothing', { seq: 0 }, '', 'bad-request'],
    ['a block that is too large', { seq: 0 }, Buffer.alloc(8_193).toString('base64'), 'bad-request'],
  ])('%s is refused', async (_, attrs, text, condition) => {
    await a.link.request('b@h2', buildConnect({ sid: SID, to }));
    const at = await caller();
    await expect(ask('data', { xmlns: NS_RELAY, sid: SID, ...attrs }, text)).rejects.toMatchObject({ condition });
    expect(at.readableLength).toBe(0);
  });

  test.each([{}, { to: '' }, { to: '10.77.0.5:1', service: 'xmpp-server' }, { to: 'x' }, { to: `${'x'.repeat(400)}:1` }])('a request that leads nowhere (%o) is refused', async (attrs) => {
    await expect(ask('connect', { xmlns: NS_RELAY, sid: SID, ...attrs })).rejects.toMatchObject({ condition: 'bad-request' });
  });

  test('a second relay of the same sid is refused', async () => {
    await a.link.request('b@h2', buildConnect({ sid: SID, to }));
    await expect(a.link.request('b@h2', buildConnect({ sid: SID, to }))).rejects.toMatchObject({ condition: 'conflict' });
  });

  test('that refused says so when its owner comes to let the box, once, and tells nobody else', async () => {
    const told: string[] = [];
    const [c, d] = await Promise.all([serviceBox(lan, 3, 'c', { relayAllowed: () => { told.push('c'); lan.bell.ring(); } }), serviceBox(lan, 4, 'd', { relayAllowed: () => { told.push('d'); lan.bell.ring(); } })]);
    await acquainted(b, c);
    await acquainted(b, d);
    await c.service.rules.allow('b@h2', 'chat');
    await d.service.rules.allow('b@h2', 'chat');
    await b.service.rules.allow('c@h3', 'chat');
    await b.service.rules.allow('d@h4', 'chat');
    const dialled = (): Promise<Duplex> => c.service.relays.dial({ name: 'b@h2', fingerprint: b.identity.fingerprint }, to, signal);
    await expect(dialled()).rejects.toMatchObject({ code: 'forbidden' });
    await b.service.rules.allow('c@h3', 'relay', '10.77.0.9:5222');
    await b.service.rules.allow('d@h4', 'relay', to);
    await quiet();
    expect(told).toEqual([]);
    await b.service.rules.allow('c@h3', 'relay', to);
    await lan.until(() => told.length > 0);
    (await dialled()).destroy();
    await b.service.rules.deny('c@h3', 'relay', to);
    await b.service.rules.allow('c@h3', 'relay', to);
    await quiet();
    expect(told).toEqual(['c']);
  });
});
