import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { buildMessage } from '../../src/xmpp/stanza.ts';
import { buildPing } from '../../src/xep/ping.ts';
import { NS_DISCO_INFO } from '../../src/xep/disco.ts';
import { type Element, xml } from '../../src/xmpp/element.ts';
import { quiet } from '../support/quiet.ts';
import { memoryRegistry } from '../trust/fixtures.ts';
import { plainPeer } from './plain-peer.ts';
import { acquainted, confirmed, seen, SimulatedLan } from './fixtures.ts';

const say = (body: string): Element => buildMessage({ type: 'chat', id: body.slice(0, 20), body });

describe('between two boxes', () => {
  let lan: SimulatedLan;
  beforeEach(() => { lan = new SimulatedLan(); });
  afterEach(() => lan.close());

  test('a message arrives over TLS, from whom the key has proven, and is confirmed', async () => {
    const [a, b] = await Promise.all([lan.box(1, 'a'), lan.box(2, 'b')]);
    await acquainted(a, b);
    const { delivered } = await a.link.send(b.name, say('hello & <ünï> 😀'));
    await delivered;
    expect(b.messages).toMatchObject([{ body: 'hello & <ünï> 😀', from: 'a@h1', context: { name: 'a@h1', tls: true, trust: 'seen', fingerprint: a.identity.fingerprint } }]);
    // The HTML beside it is for those who would show a plain body as markup.
    expect(String(b.messages[0]?.stanza)).not.toContain('html');
    expect(b.opened).toEqual([{ name: 'a@h1', fingerprint: a.identity.fingerprint }]);
    expect(a.opened).toEqual([{ name: 'b@h2', fingerprint: b.identity.fingerprint }]);
    expect(a.link.peers.describe(b.name)).toMatchObject({ box: true, connected: true, trust: 'seen', fingerprint: b.identity.fingerprint });
  });

  test('both ways go over one stream, and 100 kB arrive whole', async () => {
    const [a, b] = await Promise.all([lan.box(1, 'a'), lan.box(2, 'b')]);
    await acquainted(a, b);
    await (await a.link.send(b.name, say('x'.repeat(100_000)))).delivered;
    await (await b.link.send(a.name, say('y'.repeat(100_000)))).delivered;
    expect(b.messages[0]?.body).toHaveLength(100_000);
    expect(a.messages[0]?.body).toHaveLength(100_000);
    expect(lan.dials).toEqual(['1>10.77.0.2']);
  });

  test('a thousand messages keep their order', async () => {
    const [a, b] = await Promise.all([lan.box(1, 'a'), lan.box(2, 'b')]);
    await acquainted(a, b);
    await confirmed(Array.from({ length: 1_000 }, (_, i) => a.link.send(b.name, say(String(i)))));
    expect(b.messages.map(({ body }) => Number(body))).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
  });

  test('is delivered only when what it caused is durable', async () => {
    let durable = (): void => undefined;
    const a = await lan.box(1, 'a');
    const b = await lan.box(2, 'b', { handle: () => new Promise(resolve => { durable = resolve; }) });
    await acquainted(a, b);
    const { delivered } = await a.link.send(b.name, say('one'));
    // A request goes through the same stream and back meanwhile.
    const first = await Promise.race([delivered?.then(() => 'confirmed'), a.link.request(b.name, buildPing()).then(() => 'answered')]);
    expect(first).toBe('answered');
    durable();
    await delivered;
  });

  test('nothing is read while too much waits for the disk, and nothing is lost by that', async () => {
    let crowded = true;
    let makeRoom = (): void => {};
    const room = new Promise<void>(resolve => { makeRoom = resolve; });
    const a = await lan.box(1, 'a');
    const clock = createTestClock();
    const b = await lan.box(2, 'b', { clock, roomy: () => (crowded && b.messages.length > 0 ? room : undefined) });
    await acquainted(a, b);
    const all = Array.from({ length: 60 }, (_, i) => a.link.send(b.name, say(`${i} ${'x'.repeat(60_000)}`)));
    await (await all[0])?.delivered;
    // Silence is the peer's fault only when it could be heard.
    for (let seconds = 0; seconds < 120; seconds += 2) {
      clock.advance(2_000);
      await quiet();
    }
    expect(b.messages.length).toBeLessThan(20);
    crowded = false;
    makeRoom();
    await confirmed(all);
    expect(b.messages.map(({ body }) => Number(body.split(' ')[0]))).toEqual(Array.from({ length: 60 }, (_, i) => i));
    expect(lan.dials).toHaveLength(1);
  });

  test('what could not be made durable is not confirmed', async () => {
    const a = await lan.box(1, 'a');
    const b = await lan.box(2, 'b', { handle: () => Promise.reject(new Error('disk full')) });
    await acquainted(a, b);
    const { delivered } = await a.link.send(b.name, say('one'));
    await expect(delivered).rejects.toMatchObject({ code: 'disconnected' });
    await lan.until(() => a.closed.length === 1);
  });

  test('requests are answered, unknown ones with an error', async () => {
    const [a, b] = await Promise.all([lan.box(1, 'a'), lan.box(2, 'b')]);
    await acquainted(a, b);
    const info = await a.link.request(b.name, xml('iq', { type: 'get' }, xml('query', { xmlns: NS_DISCO_INFO })));
    expect(info.getChild('query')?.getChild('identity')?.attrs['name']).toBe('lanpost');
    await expect(b.link.request(a.name, xml('iq', { type: 'get' }, xml('query', { xmlns: 'urn:x' })))).rejects.toMatchObject({ condition: 'service-unavailable' });
  });

  test('when both dial at once one stream stays, and nothing is lost', async () => {
    for (let round = 0; round < 5; round += 1) {
      const [a, b] = await Promise.all([lan.box(1, `a${round}`), lan.box(2, `b${round}`)]);
      await acquainted(a, b);
      await confirmed(Array.from({ length: 50 }, (_, i) => [a.link.send(b.name, say(`a${i}`)), b.link.send(a.name, say(`b${i}`))]).flat());
      expect(a.messages).toHaveLength(50);
      expect(b.messages).toHaveLength(50);
      await lan.until(() => lan.sockets.size === 2);
      await (await a.link.send(b.name, say('after'))).delivered;
      await Promise.all([a.close(), b.close()]);
    }
  });

  test('a stream that breaks is resumed: to who speaks on it, it was never gone', async () => {
    const [a, b] = await Promise.all([lan.box(1, 'a'), lan.box(2, 'b')]);
    await acquainted(a, b);
    await (await a.link.send(b.name, say('one'))).delivered;
    const question = a.link.request(b.name, xml('iq', { type: 'get' }, xml('slow', { xmlns: 'urn:test' })));
    let answer = (): void => undefined;
    b.dispatcher.iq('get', 'urn:test', 'slow', () => new Promise(resolve => { answer = () => resolve(xml('done', { xmlns: 'urn:test' })); lan.bell.ring(); }));
    const asked = answer;
    await lan.until(() => answer !== asked);
    for (const socket of lan.sockets) socket.destroy();
    await lan.until(() => lan.sockets.size === 0);
    answer();
    await (await b.link.send(a.name, say('two'))).delivered;
    expect((await question).getChild('done')).toBeDefined();
    expect([a.opened.length, a.closed.length, b.opened.length, b.closed.length]).toEqual([1, 0, 1, 0]);
    expect([...a.messages, ...b.messages].map(({ body }) => body)).toEqual(['two', 'one']);
  });

  test('a stream of a box that has started anew is replaced', async () => {
    const identity = await lan.identity();
    const a = await lan.box(1, 'a');
    const first = await lan.box(2, 'b', { identity });
    await acquainted(a, first);
    await (await a.link.send(first.name, say('one'))).delivered;
    for (const socket of lan.sockets) socket.destroy();
    await lan.until(() => lan.sockets.size === 0);
    await first.close();
    await lan.box(2, 'b', { identity });
    await lan.until(() => a.opened.length === 2);
    expect(a.closed).toHaveLength(1);
  });

  test('close says goodbye, and what was sent before it is confirmed', async () => {
    const [a, b] = await Promise.all([lan.box(1, 'a'), lan.box(2, 'b')]);
    await acquainted(a, b);
    const sent = await Promise.all(Array.from({ length: 100 }, (_, i) => a.link.send(b.name, say(String(i)))));
    await a.close();
    await confirmed(sent.map(one => Promise.resolve(one)));
    expect(b.messages).toHaveLength(100);
    await lan.until(() => b.closed.length === 1);
    expect(b.link.peers.get(a.name)).toBeUndefined();
    await expect(a.link.send(b.name, say('late'))).rejects.toMatchObject({ code: 'closed' });
  });

  test('a status that changes is seen', async () => {
    const [a, b] = await Promise.all([lan.box(1, 'a'), lan.box(2, 'b')]);
    await acquainted(a, b);
    await a.own.setStatus('dnd', 'lunch');
    await lan.until(() => b.link.peers.describe(a.name)?.status === 'dnd');
    expect(b.link.peers.describe(a.name)?.statusText).toBe('lunch');
  });

  test('a peer that is not there is unreachable', async () => {
    const a = await lan.box(1, 'a');
    await expect(a.link.send('nobody@h9', say('x'))).rejects.toMatchObject({ code: 'unreachable' });
    lan.announce({ instance: 'deaf@h9', host: 'h9.local', port: 9, text: '', addresses: [{ address: '10.77.0.9', family: 4, interface: 'eth0' }] });
    await seen(a, 'deaf@h9');
    await expect(a.link.send('deaf@h9', say('x'))).rejects.toMatchObject({ code: 'unreachable' });
  });

  test('an address that is not on the link is never dialled', async () => {
    const a = await lan.box(1, 'a');
    for (const [i, address] of ['127.0.0.1', '10.78.0.2', '224.0.0.1', '10.77.0.255', '::1'].entries()) {
      const name = `lure${i}@h9`;
      lan.announce({ instance: name, host: 'h9.local', port: 80, text: '', addresses: [{ address, family: address.includes(':') ? 6 : 4, interface: 'eth0' }] });
      await seen(a, name);
      await expect(a.link.send(name, say('x'))).rejects.toMatchObject({ code: 'unreachable' });
    }
    expect(lan.dials).toEqual([]);
  });

  test('a stanza over the limit, or not XML, is refused here and the stream lives on', async () => {
    const [a, b] = await Promise.all([lan.box(1, 'a'), lan.box(2, 'b')]);
    await acquainted(a, b);
    await expect(a.link.send(b.name, say('x'.repeat(300_000)))).rejects.toMatchObject({ code: 'too-large' });
    await expect(a.link.send(b.name, say('nul \0'))).rejects.toMatchObject({ code: 'invalid-value' });
    await (await a.link.send(b.name, say('fine'))).delivered;
  });

  test('an idle stream is closed, and opened again when there is something to say', async () => {
    const [a, b] = await Promise.all([lan.box(1, 'a', { timing: { idle: 50, look: 10 } }), lan.box(2, 'b')]);
    await acquainted(a, b);
    await (await a.link.send(b.name, say('one'))).delivered;
    await lan.until(() => a.closed.length === 1);
    await (await a.link.send(b.name, say('two'))).delivered;
    expect(lan.dials).toHaveLength(2);
  });

  test('a peer that stays silent is given up, and its records are doubted', async () => {
    const a = await lan.box(1, 'a', { timing: { silence: 20, answer: 60, look: 10 } });
    const b = await lan.box(2, 'b', { handle: () => new Promise(() => undefined) });
    await acquainted(a, b);
    const { delivered } = await a.link.send(b.name, say('are you there?'));
    await expect(delivered).rejects.toMatchObject({ code: 'disconnected' });
    expect(lan.doubted).toContain('b@h2');
  });

  test('a live peer is asked now and then whether it is there, and stays connected', async () => {
    const [a, b] = await Promise.all([lan.box(1, 'a', { timing: { silence: 5, answer: 2_000, look: 5 } }), lan.box(2, 'b')]);
    await acquainted(a, b);
    await a.link.prove(b.name);
    const [socket] = lan.sockets;
    const { bytesRead } = socket ?? { bytesRead: 0 };
    await lan.until(() => (socket?.bytesRead ?? 0) > bytesRead + 500);
    expect(a.closed).toEqual([]);
    expect(lan.dials).toHaveLength(1);
  });

  test('whoever proves many with one signal leaves nothing behind on it', async () => {
    const [a, b] = await Promise.all([lan.box(1, 'a'), lan.box(2, 'b')]);
    await acquainted(a, b);
    const { signal } = new AbortController();
    for (let i = 0; i < 3; i++) await a.link.prove(b.name, signal);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    const stop = new AbortController();
    const waiting = a.link.prove('nobody@h9', stop.signal);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  });

  test('a listener that throws costs nobody a stream', async () => {
    const [a, b] = await Promise.all([lan.box(1, 'a'), lan.box(2, 'b')]);
    await acquainted(a, b);
    a.link.peers.watch(() => { throw new Error('a bad listener'); });
    await (await a.link.send(b.name, say('one'))).delivered;
    expect(a.troubles.map(({ kind }) => kind)).toContain('link.listener');
  });

  test('what waits for a stream when the box closes is told so', async () => {
    const a = await lan.box(1, 'a');
    const slow = await plainPeer(lan, 2, 'slow@h2');
    await seen(a, slow.name);
    await Promise.all([
      expect(a.link.send(slow.name, say('x'))).rejects.toMatchObject({ code: 'closed' }),
      slow.incoming().then(() => a.close()),
    ]);
  });

  test('proves whose key a name has', async () => {
    const [a, b] = await Promise.all([lan.box(1, 'a'), lan.box(2, 'b')]);
    await acquainted(a, b);
    expect(await a.link.prove(b.name)).toEqual({ name: b.name, fingerprint: b.identity.fingerprint });
    expect(a.link.nameOf(b.identity.fingerprint)).toBe(b.name);
    await expect(a.link.prove(b.name, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  });

  test('a port that is taken is said at the start', async () => {
    const a = await lan.box(1, 'a');
    expect(a.link.status()).toMatchObject({ state: 'up', interfaces: ['eth0'], port: expect.any(Number) as number });
    await a.close();
    expect(a.link.status().state).toBe('off');
  });
});

describe('names and keys', () => {
  let lan: SimulatedLan;
  beforeEach(() => { lan = new SimulatedLan(); });
  afterEach(() => lan.close());

  test('a name of a paired key is closed to any other key: nothing is sent, nothing is taken', async () => {
    const a = await lan.box(1, 'a');
    const b = await lan.box(2, 'b');
    await acquainted(a, b);
    await a.link.prove(b.name);
    await a.trust.allow(b.identity.fingerprint, 'read', '#');
    await b.close();
    const impostor = await lan.box(2, 'b');
    await acquainted(a, impostor);
    await expect(a.link.send('b@h2', say('secret'))).rejects.toMatchObject({ code: 'impostor' });
    await expect(impostor.link.send(a.name, say('hi'))).rejects.toMatchObject({ code: 'unreachable' });
    expect(impostor.messages).toEqual([]);
    expect(a.messages).toEqual([]);
    expect(a.troubles).toEqual(expect.arrayContaining([expect.objectContaining({ kind: 'link.impostor', code: 'impostor' })]));
  });

  test('a name of a key that was only seen may change hands, and that is told', async () => {
    const a = await lan.box(1, 'a');
    const b = await lan.box(2, 'b');
    await acquainted(a, b);
    await a.link.prove(b.name);
    await b.close();
    const other = await lan.box(2, 'b');
    await acquainted(a, other);
    await (await a.link.send('b@h2', say('hi'))).delivered;
    expect(a.troubles.map(({ kind }) => kind)).toContain('link.renamed');
  });

  test('a box that is renamed ends its streams, and its key is known under the new name', async () => {
    const registry = memoryRegistry();
    const a = await lan.box(1, 'a', { registry });
    const b = await lan.box(2, 'b');
    await acquainted(a, b);
    await (await a.link.send(b.name, say('one'))).delivered;
    await b.trust.allow(a.identity.fingerprint, 'read', 'x');
    lan.rename('a@h1', 'a-1@h1');
    expect(a.troubles).toContainEqual({ kind: 'link.renamed-self', message: 'Another on this link has the name a@h1, so this box is called a-1@h1 now.' });
    expect(a.link.name).toBe('a-1@h1');
    await lan.until(() => a.closed.length === 1 && b.closed.length === 1);
    await (await a.link.send(b.name, say('two'))).delivered;
    expect(b.messages.map(({ from, context }) => [from, context.trust])).toEqual([['a@h1', 'seen'], ['a-1@h1', 'paired']]);
    expect(b.link.nameOf(a.identity.fingerprint)).toBe('a-1@h1');
    expect(registry.get('link/name')).toEqual({ user: 'a', numbers: { user: 1, host: 0 } });
  });

  test('two boxes with one key (a copied directory) can talk, also at once', async () => {
    const identity = await lan.identity();
    const [a, b] = await Promise.all([lan.box(1, 'a', { identity }), lan.box(2, 'b', { identity })]);
    await acquainted(a, b);
    await confirmed([a.link.send(b.name, say('1')), b.link.send(a.name, say('2'))]);
    expect(a.messages[0]?.from).toBe('b@h2');
    expect(b.messages[0]?.from).toBe('a@h1');
  });
});
