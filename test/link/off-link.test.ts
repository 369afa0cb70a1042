import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { buildMessage } from '../../src/xmpp/stanza.ts';
import type { Element } from '../../src/xmpp/element.ts';
import { memoryRegistry } from '../trust/fixtures.ts';
import { acquainted, SimulatedLan, type BoxSetup, type TestBox } from './fixtures.ts';
import { plainPeer, purpleHeader } from './plain-peer.ts';

const say = (body: string): Element => buildMessage({ type: 'chat', id: body, body });
const portOf = (box: TestBox): number => box.link.status().port ?? 0;
const offLink = (more: Partial<NonNullable<BoxSetup['offLink']>>): { offLink: NonNullable<BoxSetup['offLink']> } => ({ offLink: { peers: [], accept: [], domains: [], dns: [], ...more } });

let lan: SimulatedLan;
beforeEach(() => { lan = new SimulatedLan(); });
afterEach(() => lan.close());

/** Two boxes on two links; `a` takes calls from the other one, `b` calls. */
async function apart(more: { a?: BoxSetup; b?: BoxSetup } = {}): Promise<{ a: TestBox; b: TestBox }> {
  const a = await lan.box(1, 'a', { ...offLink({ accept: ['10.79.0.0/16'] }), ...more.a });
  const b = await lan.box(1001, 'b', { ...offLink({ peers: [`10.77.0.1:${portOf(a)}`] }), ...more.b });
  return { a, b };
}

describe('where multicast does not reach', () => {
  test('a box that is named is called, and is a peer by the name that its key has proven', async () => {
    const { a, b } = await apart();
    await lan.until(() => a.link.peers.get('b@h1001') !== undefined && b.link.peers.get('a@h1') !== undefined);
    expect(b.link.peers.describe('a@h1')).toMatchObject({ via: 'static', box: true, connected: true, trust: 'seen', fingerprint: a.identity.fingerprint });
    expect(a.link.peers.describe('b@h1001')).toMatchObject({ via: 'caller', box: true, connected: true, trust: 'seen', fingerprint: b.identity.fingerprint });
    expect(b.link.status().offLink).toEqual([{ peer: `10.77.0.1:${portOf(a)}`, state: 'open', name: 'a@h1' }]);
    await (await b.link.send('a@h1', say('there'))).delivered;
    await (await a.link.send('b@h1001', say('and back'))).delivered;
    expect(a.messages).toMatchObject([{ body: 'there', context: { tls: true, name: 'b@h1001' } }]);
    expect(b.messages).toMatchObject([{ body: 'and back', context: { tls: true, name: 'a@h1' } }]);
  });

  test('a name is resolved at each call, all its addresses are tried, and the call is repeated', async () => {
    const answers = [[], ['10.77.0.9', '10.77.0.1']];
    const a = await lan.box(1, 'a', offLink({ accept: ['10.79.0.101', '10.79.0.1'] }));
    const asked: string[] = [];
    const b = await lan.box(1001, 'b', {
      ...offLink({ peers: [`a.example.org:${portOf(a)}`] }),
      resolve: (host) => { asked.push(host); return Promise.resolve(answers[asked.length - 1] ?? ['10.77.0.1']); },
    });
    await lan.until(() => b.link.peers.get('a@h1') !== undefined);
    expect(asked).toEqual(['a.example.org', 'a.example.org']);
    expect(lan.dials).toEqual(['1001>10.77.0.9', '1001>10.77.0.1']);
  });

  test('is down when its stream is lost, and up again when it is called again', async () => {
    const { a, b } = await apart();
    await lan.until(() => b.link.peers.get('a@h1') !== undefined);
    const events: string[] = [];
    b.link.peers.watch(({ type }) => events.push(type));
    for (const socket of lan.sockets) socket.destroy();
    await lan.until(() => events.filter((type) => type !== 'changed').join(' ') === 'down up');
    await (await a.link.send('b@h1001', say('again'))).delivered;
    expect(b.messages).toMatchObject([{ body: 'again' }]);
  });

  test('both may name each other: one stream remains, and nothing is lost', async () => {
    const registry = memoryRegistry();
    const b = await lan.box(1001, 'b', { registry });
    const a = await lan.box(1, 'a', offLink({ peers: [`10.79.0.1:${portOf(b)}`] }));
    await b.link.offLink.add(`10.77.0.1:${portOf(a)}`);
    await lan.until(() => a.link.peers.get('b@h1001') !== undefined && b.link.peers.get('a@h1') !== undefined);
    await Promise.all(Array.from({ length: 50 }, async (_, i) => {
      await (await a.link.send('b@h1001', say(`a${i}`))).delivered;
      await (await b.link.send('a@h1', say(`b${i}`))).delivered;
    }));
    expect([a.messages.length, b.messages.length]).toEqual([50, 50]);
    expect(registry.get('link/peers')).toEqual([`10.77.0.1:${portOf(a)}`]);
  });

  test('a peer that was added is called after a restart, until it is removed', async () => {
    const a = await lan.box(1, 'a', offLink({ accept: ['10.79.0.0/16'] }));
    const registry = memoryRegistry();
    const before = await lan.box(1001, 'b', { registry });
    await before.link.offLink.add(`10.77.0.1:${portOf(a)}`);
    await lan.until(() => before.link.peers.get('a@h1') !== undefined);
    await before.close();
    await lan.until(() => a.link.peers.get('b@h1001') === undefined);
    const after = await lan.box(1001, 'b', { registry, identity: before.identity });
    await lan.until(() => after.link.peers.get('a@h1') !== undefined);
    await after.link.offLink.remove(`10.77.0.1:${portOf(a)}`);
    await lan.until(() => after.link.peers.get('a@h1') === undefined);
    expect(after.link.status().offLink).toBeUndefined();
    expect(registry.get('link/peers')).toBeUndefined();
    await expect(after.link.offLink.remove('10.77.0.1')).rejects.toMatchObject({ code: 'not-found' });
  });

  test.each(['127.0.0.1', '127.9.9.9:7', '[::1]:5298', '::', '0.0.0.0', '224.0.0.251:5353', 'ff02::fb', '255.255.255.255', '[::ffff:127.0.0.1]:1'])('%s, where no box can be, is refused', async (peer) => {
    const a = await lan.box(1, 'a');
    await expect(a.link.offLink.add(peer)).rejects.toMatchObject({ code: 'invalid-value', message: expect.stringMatching(/^no box can be called at .*its interfaces/) });
    expect(a.link.status().offLink).toBeUndefined();
  });

  test('a name that leads to this machine alone, or to many, is not called; an address of an own interface is', async () => {
    const a = await lan.box(1, 'a', { resolve: (host) => Promise.resolve(host === 'loop.example.org' ? ['127.0.1.1', '::1'] : ['127.0.0.1', '10.77.0.1']) });
    await a.link.offLink.add('loop.example.org');
    await lan.until(() => a.link.status().offLink?.[0]?.state === 'waiting');
    expect(a.link.status().offLink).toMatchObject([{ reason: 'loop.example.org leads to 127.0.1.1, ::1, where no box can be called' }]);
    expect(lan.dials).toEqual([]);
    await a.link.offLink.add('own.example.org:7');
    await lan.until(() => lan.dials.length > 0);
    expect(lan.dials).toEqual(['1>10.77.0.1']);
  });

  test('one that was kept before such addresses were refused does not keep the box from starting', async () => {
    const registry = memoryRegistry();
    await registry.set('link/peers', ['127.0.0.1:5298']);
    const a = await lan.box(1, 'a', { registry });
    await lan.until(() => a.link.status().offLink?.[0]?.state === 'waiting');
    expect(lan.dials).toEqual([]);
    await a.link.offLink.remove('127.0.0.1:5298');
    expect(a.link.status().offLink).toBeUndefined();
  });

  test('a peer that is removed while it is being called is no peer', async () => {
    const a = await lan.box(1, 'a', offLink({ accept: ['10.79.0.0/16'] }));
    const b = await lan.box(1001, 'b');
    const there = `10.77.0.1:${portOf(a)}`;
    await b.link.offLink.add(there);
    await lan.until(() => lan.sockets.size > 0);
    await b.link.offLink.remove(there);
    await lan.until(() => b.closed.length > 0);
    expect(b.link.peers.get('a@h1')).toBeUndefined();
  });

  test('a link that carries no multicast is as good as another: who is named is called, and admitted', async () => {
    lan.announce = () => undefined;
    const a = await lan.box(1, 'a', offLink({ accept: ['10.77.0.2'] }));
    const b = await lan.box(2, 'b', offLink({ peers: [`10.77.0.1:${portOf(a)}`] }));
    await lan.until(() => a.link.peers.get('b@h2') !== undefined && b.link.peers.get('a@h1') !== undefined);
    await (await a.link.send('b@h2', say('there'))).delivered;
    const stranger = await lan.box(3, 'c', offLink({ peers: [`10.77.0.1:${portOf(a)}`] }));
    await lan.until(() => stranger.link.status().offLink?.[0]?.state === 'waiting');
    expect(a.link.peers.list().map(({ name }) => name)).toEqual(['b@h2']);
  });

  test('on a link and elsewhere at once it is one peer', async () => {
    const a = await lan.box(1, 'a');
    const c = await lan.box(2, 'c', offLink({ peers: [`10.77.0.1:${portOf(a)}`] }));
    await acquainted(a, c);
    await lan.until(() => c.link.peers.describe('a@h1')?.connected === true);
    expect(c.link.peers.list().map(({ name, via }) => [name, via])).toEqual([['a@h1', undefined]]);
    await c.link.offLink.add('h9.example.org');
    for (const socket of lan.sockets) socket.destroy();
    await lan.until(() => c.link.peers.describe('a@h1')?.connected === false);
    expect(c.link.peers.get('a@h1')).toBeDefined();
  });
});

describe('what somebody elsewhere may not', () => {
  test('call, unless the owner admits calls from there', async () => {
    const a = await lan.box(1, 'a');
    const b = await lan.box(1001, 'b', offLink({ peers: [`10.77.0.1:${portOf(a)}`] }));
    await lan.until(() => a.troubles.some(({ kind }) => kind === 'link.refused'));
    await lan.until(() => b.link.status().offLink?.[0]?.state === 'waiting');
    expect(b.link.status().offLink).toMatchObject([{ state: 'waiting', reason: expect.any(String), nextAttempt: expect.any(Number) }]);
    expect([a.link.peers.list(), b.link.peers.list()]).toEqual([[], []]);
  });

  test('speak in the clear', async () => {
    const a = await lan.box(1, 'a', offLink({ accept: ['10.79.0.0/16'] }));
    const alice = await plainPeer(lan, 1001, 'alice@h1001');
    const stream = await alice.dial('10.77.0.1', portOf(a));
    stream.write(`${purpleHeader('alice@h1001', 'a@h1')}<message from='alice@h1001'><body>hi</body></message>`);
    await stream.closes();
    expect(a.messages).toEqual([]);
    expect(a.link.peers.list()).toEqual([]);
    await lan.until(() => a.troubles.some(({ kind }) => kind === 'link.downgrade'));
  });

  test('say nothing in the clear: a peer that is called and offers no TLS is told no name but ours', async () => {
    const alice = await plainPeer(lan, 1, 'alice@h1');
    const port = Number(lan.portOf('alice@h1'));
    const b = await lan.box(1001, 'b', offLink({ peers: [`10.77.0.1:${port}`] }));
    const stream = await alice.incoming();
    await stream.reads('>');
    stream.write(purpleHeader('alice@h1', 'b@h1001'));
    await stream.closes();
    expect(b.link.peers.list()).toEqual([]);
    await lan.until(() => b.link.status().offLink?.[0]?.reason?.includes('only in the clear') === true);
  });

  test('take the name of a peer on this link: it is told apart by its key', async () => {
    const a = await lan.box(1, 'twin', { host: 'pi', ...offLink({ accept: ['10.79.0.0/16'] }) });
    const near = await lan.box(2, 'other', { host: 'pi' });
    const far = await lan.box(1001, 'other', { host: 'pi', ...offLink({ peers: [`10.77.0.1:${portOf(a)}`] }) });
    const name = `other@pi (${far.identity.fingerprint.slice(0, 8)})`;
    await acquainted(a, near);
    await lan.until(() => a.link.peers.get(name) !== undefined);
    await (await a.link.send(name, say('far'))).delivered;
    await (await a.link.send('other@pi', say('near'))).delivered;
    expect([far.messages.map(({ body }) => body), near.messages.map(({ body }) => body)]).toEqual([['far'], ['near']]);
  });

  test('be taken for somebody on this link who calls himself as it would be told apart', async () => {
    const a = await lan.box(1, 'twin', { host: 'pi', ...offLink({ accept: ['10.79.0.0/16'] }) });
    const identity = await lan.identity();
    const digits = identity.fingerprint.slice(0, 8);
    const near = await lan.box(2, 'other', { host: 'pi' });
    const squatter = await lan.box(3, 'other', { host: `pi (${digits})` });
    await acquainted(a, near, squatter);
    await (await a.link.send(squatter.name, say('squatter'))).delivered;
    const far = await lan.box(1001, 'other', { host: 'pi', identity, ...offLink({ peers: [`10.77.0.1:${portOf(a)}`] }) });
    await lan.until(() => a.opened.length === 2);
    const name = a.link.nameOf(identity.fingerprint) ?? '';
    expect(name).not.toBe(squatter.name);
    await (await a.link.send(name, say('far'))).delivered;
    await (await a.link.send(squatter.name, say('squatter'))).delivered;
    expect([far.messages.map(({ body }) => body), squatter.messages.map(({ body }) => body)]).toEqual([['far'], ['squatter', 'squatter']]);
  });

  test('take the name of this box, or be this box', async () => {
    const a = await lan.box(1, 'a', { host: 'pi', ...offLink({ accept: ['10.79.0.0/16'] }) });
    const other = await lan.box(1001, 'a', { host: 'pi', ...offLink({ peers: [`10.77.0.1:${portOf(a)}`] }) });
    await lan.until(() => a.link.peers.list().length === 1 && other.link.peers.list().length === 1);
    expect(a.link.peers.list()[0]?.name).toBe(`a@pi (${other.identity.fingerprint.slice(0, 8)})`);
    const self = await lan.box(1002, 'a', { host: 'pi', identity: a.identity, ...offLink({ peers: [`10.77.0.1:${portOf(a)}`] }) });
    await lan.until(() => self.link.status().offLink?.[0]?.reason?.includes('this box itself') === true);
    expect(self.link.peers.get('a@pi')).toBeUndefined();
  });

  test('use the name of a paired key', async () => {
    const a = await lan.box(1, 'a', offLink({ accept: ['10.79.0.0/16'] }));
    const paired = await lan.identity();
    a.trust.seen(paired.spki, 'b@h1001');
    await a.trust.pair(paired.fingerprint);
    const b = await lan.box(1001, 'b', offLink({ peers: [`10.77.0.1:${portOf(a)}`] }));
    await lan.until(() => a.troubles.some(({ kind }) => kind === 'link.impostor'));
    expect(a.link.peers.list()).toEqual([]);
    expect(b.link.peers.list()).toEqual([]);
  });

  test.each([[{ peers: ['h1:0'] }], [{ peers: ['127.0.0.1:5298'] }], [{ peers: ['a b'] }], [{ peers: ['[1.2.3.4]:1'] }], [{ accept: ['10.0.0.0/33'] }], [{ accept: ['example.org'] }], [{ domains: ['my.local'] }], [{ domains: ['a b'] }], [{ dns: ['example.org'] }]])('%j is refused at the start', async (options) => {
    await expect(lan.box(1, 'a', offLink(options))).rejects.toMatchObject({ code: 'invalid-value' });
  });
});
