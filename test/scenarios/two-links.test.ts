import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box, Delivery, Message } from '../../src/index.ts';
import { TYPE } from '../../src/mdns/message.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { eventually } from '../support/eventually.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { ROOT } from '../support/root.ts';

async function first<T>(stream: AsyncIterable<T>, fits: (one: T) => boolean = () => true): Promise<T> {
  for await (const one of stream) if (fits(one)) return one;
  throw new Error('it ended');
}
const nextMessage = (box: Box): Promise<Message> => first(box.messages({ name: 'test', signal: AbortSignal.timeout(10_000) }));
const valueOf = (delivery: Delivery): unknown => ('value' in delivery ? delivery.value : undefined);
const names = async (box: Box): Promise<string[]> => (await box.peers.list()).map(({ name }) => name).toSorted();

/** Host 2 is on two links: with host 1 on one, with host 3 on the other. */
async function twoLinks(): Promise<Lan> {
  const lan = await createLan(3);
  await lan.partition([1, 2], [3]);
  await lan.attach(2, 'eth1', 2);
  await lan.run(2, 'ip', ['addr', 'add', '10.79.0.2/24', 'brd', '+', 'dev', 'eth1']);
  await lan.run(3, 'ip', ['addr', 'flush', 'dev', 'eth0', 'scope', 'global']);
  await lan.run(3, 'ip', ['addr', 'add', '10.79.0.3/24', 'brd', '+', 'dev', 'eth0']);
  return lan;
}

/** And host 2 is the router between them. */
async function routed(): Promise<Lan> {
  const lan = await twoLinks();
  await lan.run(2, 'sysctl', ['-qw', 'net.ipv4.ip_forward=1']);
  await lan.run(1, 'ip', ['route', 'add', '10.79.0.0/24', 'via', '10.77.0.2']);
  await lan.run(3, 'ip', ['route', 'add', '10.77.0.0/24', 'via', '10.79.0.2']);
  return lan;
}

class Scene {
  readonly base = mkdtempSync(join(tmpdir(), 'lanpost-two-links-'));
  readonly processes = new Map<number, BoxProcess>();
  readonly boxes = new Map<number, Box>();
  lan!: Lan;

  async start(host: number, ...args: string[]): Promise<Box> {
    const started = await startBox({ dir: join(this.base, String(host)), name: 'box', lan: this.lan, host, args });
    this.processes.set(host, started);
    const box = await started.attach();
    this.boxes.set(host, box);
    return box;
  }

  async close(): Promise<void> {
    await Promise.all([...this.boxes.values()].map((box) => box.close()));
    await this.lan?.down();
    rmSync(this.base, { recursive: true, force: true });
  }
}

describe.skipIf(!needs('root'))('a box between two links', () => {
  const scene = new Scene();
  let left: Box, middle: Box, right: Box;
  beforeAll(async () => {
    scene.lan = await twoLinks();
    [left, middle, right] = await Promise.all([1, 2, 3].map((host) => scene.start(host))) as [Box, Box, Box];
  });
  afterAll(() => scene.close());

  it('is one peer on both, and who is on one of them is none on the other', async () => {
    await eventually(async () => (await middle.peers.list()).length === 2 && (await left.peers.list()).length === 1 && (await right.peers.list()).length === 1);
    expect(await names(middle)).toEqual(['box@h1', 'box@h3']);
    expect([await names(left), await names(right)]).toEqual([['box@h2'], ['box@h2']]);
    const [seenLeft] = await left.peers.list();
    const [seenRight] = await right.peers.list();
    // Each is told the addresses of its own link only.
    expect(seenLeft?.addresses.filter((address) => address.startsWith('10.'))).toEqual(['10.77.0.2']);
    expect(seenRight?.addresses.filter((address) => address.startsWith('10.'))).toEqual(['10.79.0.2']);
    expect((await middle.status()).link.interfaces.toSorted()).toEqual(['eth0', 'eth1']);
  });

  it('serves its topics to both: what one side publishes the other reads', async () => {
    await middle.topics.create('hall');
    for (const name of ['box@h1', 'box@h3']) {
      await middle.trust.allow(name, 'read', 'hall');
      await middle.trust.allow(name, 'write', 'hall');
    }
    const signal = AbortSignal.timeout(20_000);
    const readers = [left, right].map((box) => box.subscribe('hall', { at: 'box@h2', signal }));
    await Promise.all(readers.map(({ ready }) => ready));
    await left.publish('hall', 'from the left', { at: 'box@h2' });
    await right.publish('hall', 'from the right', { at: 'box@h2' });
    for (const reader of readers) {
      expect([valueOf(await first(reader, (one) => one.kind === 'item'))]).toEqual(['from the left']);
    }
  });

  it('passes on nothing else: a message to the other side has no road', async () => {
    await expect(left.send('link:box@h3', 'through the middle')).rejects.toMatchObject({ code: 'unreachable' });
    await (await left.send('link:box@h2', 'to the middle')).delivered;
    expect(await nextMessage(middle)).toMatchObject({ from: 'link:box@h1', body: 'to the middle' });
  });
});

describe.skipIf(!needs('root'))('two boxes on different subnets, with a router between', () => {
  const scene = new Scene();
  let near: Box, far: Box;
  beforeAll(async () => {
    scene.lan = await routed();
    near = await scene.start(1, '--accept', '10.79.0.0/24', '--link-port', '15298');
    far = await scene.start(3, '--peer', '10.77.0.1:15298');
  });
  afterAll(() => scene.close());

  it('one that names the other is its peer, and is its peer', async () => {
    expect(await first(far.peers.watch({ signal: AbortSignal.timeout(10_000) }))).toMatchObject({ type: 'up', peer: { name: 'box@h1', via: 'static', connected: true } });
    expect(await near.peers.list()).toMatchObject([{ name: 'box@h3', via: 'caller', connected: true }]);
    expect((await far.status()).link.offLink).toEqual([{ peer: '10.77.0.1:15298', state: 'open', name: 'box@h1' }]);
    expect(await scene.processes.get(3)?.cli('peers')).toMatchObject([{ name: 'box@h1', via: 'static' }]);
  });

  it('messages, topics and files go through', async () => {
    await (await far.send('link:box@h1', 'over the router')).delivered;
    expect(await nextMessage(near)).toMatchObject({ from: 'link:box@h3', body: 'over the router', trust: 'seen' });
    await (await near.send('link:box@h3', 'and back')).delivered;
    expect(await nextMessage(far)).toMatchObject({ from: 'link:box@h1', body: 'and back' });

    await near.publish('hall', 21.5);
    await near.trust.allow('box@h3', 'read', 'hall');
    const reader = far.subscribe('hall', { at: 'box@h1', from: 'start', signal: AbortSignal.timeout(10_000) });
    expect(valueOf(await first(reader, (one) => one.kind === 'item'))).toBe(21.5);

    const offered = first(near.files.offers({ signal: AbortSignal.timeout(10_000) }));
    const sending = (async () => {
      for await (const event of far.files.send('box@h1', { name: 'notes.txt', data: new TextEncoder().encode('x'.repeat(100_000)) })) if (event.type === 'done' || event.type === 'failed') return event;
      return undefined;
    })();
    const { id } = await offered;
    expect(await first(near.files.accept(id), ({ type }) => type === 'done' || type === 'failed')).toMatchObject({ type: 'done' });
    expect(await sending).toMatchObject({ type: 'done', sent: 100_000 });
  });

  it('a silent cut on the way is noticed within 30 s, and the peer is back when it is over', async () => {
    const signal = AbortSignal.timeout(80_000);
    await scene.lan.silentCut(3);
    const begin = performance.now();
    await first(far.peers.watch({ signal }), ({ type }) => type === 'down');
    const noticed = performance.now() - begin;
    await scene.lan.restore(3);
    const restored = performance.now();
    await first(far.peers.watch({ signal }), ({ type }) => type === 'up');
    console.info(`a cut to a peer elsewhere was noticed after ${Math.round(noticed)} ms; it was back ${Math.round(performance.now() - restored)} ms after the end`);
    expect(noticed).toBeLessThanOrEqual(30_000);
  });

  it('one that is added while the box runs is called, until it is removed', async () => {
    const cli = (...args: string[]): Promise<unknown> | undefined => scene.processes.get(1)?.cli(...args);
    await cli('peers', 'add', '10.79.0.3');
    await eventually(async () => (await near.status()).link.offLink?.[0]?.state === 'open');
    await cli('peers', 'remove', '10.79.0.3');
    expect((await near.status()).link.offLink).toBeUndefined();
  });
});

describe.skipIf(!needs('root'))('a box that looks through a domain', () => {
  const scene = new Scene();
  beforeAll(async () => {
    scene.lan = await routed();
    const type = '_presence._tcp.example.org';
    const name = `cellar box.${type}`;
    const ttl = 300;
    const records = [
      { name: type, type: TYPE.PTR, ttl, data: { kind: 'name', target: name } },
      { name, type: TYPE.SRV, ttl, data: { kind: 'service', priority: 0, weight: 0, port: 5298, target: 'cellar.example.org' } },
      { name, type: TYPE.TXT, ttl, data: { text: [['txtvers', '1'], ['lanpost', '1']] } },
      { name: 'cellar.example.org', type: TYPE.A, ttl, data: { kind: 'address', address: '10.79.0.3' } },
    ];
    const server = scene.lan.exec(2, process.execPath, [join(ROOT, 'test/support/dns-server.mjs'), JSON.stringify({ address: '10.77.0.2', records })]);
    await once(server.stdout, 'data');
    await scene.lan.resolver(1, '10.77.0.2');
  });
  afterAll(() => scene.close());

  it('lists who is there, in another subnet, and reaches it', async () => {
    const far = await scene.start(3, '--accept', '10.77.0.0/24');
    const near = await scene.start(1, '--browse-domain', 'example.org');
    expect(await first(near.peers.watch({ signal: AbortSignal.timeout(10_000) }))).toMatchObject({ type: 'up', peer: { name: 'box@h3', via: 'domain', connected: true } });
    const cli = scene.processes.get(1);
    expect(await cli?.cli('peers')).toMatchObject([{ name: 'box@h3', via: 'domain', addresses: ['10.79.0.3'] }]);
    expect((await near.status()).link.offLink).toMatchObject([{ peer: 'cellar box.example.org', state: 'open', name: 'box@h3', domain: 'example.org' }]);
    await cli?.cli('send', 'link:box@h3', 'found in DNS', '--wait', 'delivered');
    expect(await nextMessage(far)).toMatchObject({ from: 'link:box@h1', body: 'found in DNS' });
  });
});
