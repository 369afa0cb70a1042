// What nodes say that read at another box, over a real link: what its owner has said, what they leave, and whose items they give.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box } from '../../src/index.ts';
import { collect, saidBy, useFlows } from '../nodes/flow-kit.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { eventually } from '../support/eventually.ts';
import { startFlows } from '../support/flow-process.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';

const { flows, load } = useFlows();
const SOON = { timeout: 40_000 } as const;
const helper = (id: string): object => ({ id, type: 'helper', z: 'f' });
const subscribe = (id: string, filter: string, more: object = {}): object => ({
  id, type: 'lanpost subscribe', configVersion: 2, box: 'box', filter, at: 'link:B@h2', from: 'new', last: 'none', durable: true, reader: '', changes: false, z: 'f', wires: [[`${id} out`]], ...more,
});

describe.skipIf(!needs('root'))('nodes that read at another box', () => {
  let folder: string, lan: Lan, a: BoxProcess, b: BoxProcess, boxA: Box, boxB: Box;
  const base = (): object[] => [{ id: 'f', type: 'tab', label: 'test' }, { id: 'box', type: 'lanpost box', mode: 'attach', dir: a.dir, boxName: '', link: true }];
  const startB = async (): Promise<void> => {
    b = await startBox({ dir: join(folder, 'b'), name: 'B', lan, host: 2 });
    boxB = await b.attach();
  };
  const seen = (): Promise<void> => eventually(async () => (await boxA.peers.list()).some(({ name }) => name === 'B@h2'));

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lanpost-there-'));
    lan = await createLan(3);
    a = await startBox({ dir: join(folder, 'a'), name: 'A', lan, host: 1 });
    boxA = await a.attach();
    await startB();
    await seen();
  });
  afterAll(async () => {
    await Promise.all([boxA?.close(), boxB?.close()]);
    await Promise.all([a?.stop(), b?.stop()]);
    await lan?.down();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([['live', false], ['durable', true]] as const)('one that is %s waits for the owner there, is refused, and goes on once it is let', async (kind, durable) => {
    const topic = `asked/${kind}`;
    await boxB.topics.create(topic, { accessModel: 'authorize' });
    await boxB.publish(topic, 0);
    await load([...base(), subscribe('sub', topic, { durable, last: 'all' }), helper('sub out')]);
    const came = collect(flows.getNode('sub out'));
    const requests = async (): Promise<number> => (await boxB.topics.requests(topic)).length;
    expect(await saidBy(flows, 'sub', /owner|^received/)).toBe('waits for the owner of the peer, received 0');
    await boxB.topics.deny(topic, 'A@h1');
    expect(await saidBy(flows, 'sub', /refused|^received/)).toBe('refused by the owner of the peer, received 0');
    // It asks again when the peer is back.
    await boxB.close();
    await b.stop();
    await startB();
    await expect.poll(requests, SOON).toBe(1);
    expect(await saidBy(flows, 'sub', /^waits|^received/)).toBe('waits for the owner of the peer, received 0');
    await boxB.topics.approve(topic, 'A@h1');
    // What was there before it was let.
    expect(await came.next()).toMatchObject({ payload: 0, retained: true });
    expect(await saidBy(flows, 'sub', /^received 1/)).toBe('received 1');
    await boxB.publish(topic, 1);
    expect((await came.next()).payload).toBe(1);
  }, 240_000);

  it('one that is durable and deleted leaves its place here and there, says so, and can be dropped in the dialog', async () => {
    await boxB.trust.allow('A@h1', 'read', 'left');
    await load([...base(), subscribe('sub', 'left', { reader: 'left' }), helper('sub out')]);
    const came = collect(flows.getNode('sub out'));
    await saidBy(flows, 'sub', /^received/);
    await boxB.publish('left', 1);
    expect((await came.next()).payload).toBe(1);
    const here = async (): Promise<unknown[]> => (await boxA.subscriptions.list()).filter(({ name }) => name.startsWith('left at '));
    const there = async (): Promise<string[]> => (await boxB.subscriptions.list()).filter(({ reader, filter }) => reader === 'link:A@h1' && filter === 'left').map(({ name }) => name);
    await expect.poll(here).toMatchObject([{ readers: 1, pending: 0, source: { peer: 'B@h2' } }]);
    const [{ name }] = await here() as [{ name: string }];
    const path = `/lanpost/boxes/box/readers/${encodeURIComponent(name)}`;
    expect(await flows.request().delete(path)).toMatchObject({ status: 409 });
    const node = flows.getNode('box');
    const warned = new Promise<unknown>((resolve) => { node.once('call:warn', (call: { args: unknown[] }) => resolve(call.args[0])); });
    await flows.setFlows(base());
    expect(await warned).toBe(`the durable reader "${name}" stays in the box and keeps nothing yet: drop it there when nobody is to read on`);
    await boxB.publish('left', 2);
    await expect.poll(here, SOON).toMatchObject([{ readers: 0, pending: 1, abandonedSince: expect.any(Number) }]);
    expect(await there()).toHaveLength(1);
    expect(await flows.request().get('/lanpost/boxes/box/readers')).toMatchObject({ body: { readers: expect.arrayContaining([expect.objectContaining({ name, open: false, pending: 1, abandonedSince: expect.any(Number) })]) } });
    expect(await flows.request().delete(path)).toMatchObject({ status: 200 });
    expect(await here()).toEqual([]);
    await expect.poll(there, SOON).toEqual([]);
  }, 120_000);

  it('two copies that are durable get each item, with who published it; and peers says to how many it is connected', async () => {
    await boxA.trust.allow('B@h2', 'write', 'who');
    await boxA.devices.add('pump');
    const copies = ['one', 'other'];
    const c = await startBox({ dir: join(folder, 'c'), name: 'C', lan, host: 3 });
    await load([...base(), ...copies.flatMap((id) => [subscribe(id, 'who', { at: '' }), helper(`${id} out`)]), { id: 'peers', type: 'lanpost peers', box: 'box', z: 'f', wires: [[], []] }]);
    const came = copies.map((id) => collect(flows.getNode(`${id} out`)));
    for (const id of copies) await saidBy(flows, id, /^received 0/);
    await boxA.publish('who', 'here');
    await boxA.publish('who', 'a device', { device: 'pump' });
    await boxB.publish('who', 'another box', { at: 'link:A@h1' });
    for (const one of came) {
      for (const expected of [['here', undefined], ['a device', 'device:pump'], ['another box', 'link:B@h2']]) {
        const { payload, publisher } = await one.next();
        expect([payload, publisher]).toEqual(expected);
      }
    }
    expect(await saidBy(flows, 'peers', /2 seen/)).toBe('1 connected, 2 seen');
    await c.stop();
    expect(await saidBy(flows, 'peers', /1 seen/)).toBe('1 connected, 1 seen');
    expect(came.map(({ all }) => all.length)).toEqual([3, 3]);
  }, 120_000);

  it('a box of the flow closes in less than 10 s while the peer it works at answers nothing', async () => {
    const userDir = join(folder, 'flow');
    mkdirSync(userDir, { recursive: true, mode: 0o700 });
    const at = (id: string, kind: string, more: object): object => ({ id, type: `lanpost ${kind}`, box: 'box', z: 'f', wires: [[]], ...more });
    const running = await startFlows(userDir, [
      { id: 'f', type: 'tab', label: 'at a peer that hangs' }, { id: 'box', type: 'lanpost box', mode: 'own', dir: 'data', boxName: 'F', link: true },
      subscribe('live', 'hung', { durable: false }), { id: 'live out', type: 'function', z: 'f', func: "global.get('say')({ came: msg.payload });", outputs: 0, wires: [] }, subscribe('kept', 'hung'), { id: 'kept out', type: 'junction', z: 'f', wires: [[]] },
      { id: 'told', type: 'function', z: 'f', func: '', initialize: "global.get('hear')(() => { for (let n = 0; n < 5; n++) node.send({ payload: `${n}` }); global.get('say')({ told: true }); });", outputs: 1, wires: [['publish', 'send', 'ask', 'read']] },
      at('publish', 'publish', { configVersion: 3, prefer: 'node', topic: 'hung', at: 'link:B@h2' }), at('send', 'message out', { to: 'link:B@h2', until: 'delivered' }),
      at('ask', 'request', { kind: 'command', command: 'c', to: 'link:B@h2', timeout: '60' }), at('read', 'subscribe', { ...subscribe('read', 'also hung', { durable: false, inputs: 1 }), wires: [[]] }),
      { id: 'said', type: 'status', scope: ['live', 'ask'], z: 'f', wires: [['state']] }, { id: 'state', type: 'function', z: 'f', func: "global.get('say')({ [msg.status.source.id]: msg.status.text });", outputs: 0, wires: [] },
    ], { lan, host: 3 });
    await eventually(async () => (await boxB.peers.list()).some(({ name }) => name === 'F@h3'));
    for (const right of ['read', 'write'] as const) await boxB.trust.allow('F@h3', right, 'hung');
    // Refused until then, it is tried again after 30 s at the latest.
    await running.said.wait(({ live }) => typeof live === 'string' && live.startsWith('received'), { timeout: 60_000 });
    await boxB.publish('hung', 'before');
    await running.said.wait(({ came }) => came === 'before', { timeout: 20_000 });
    b.child.kill('SIGSTOP');
    try {
      running.tell('go');
      await running.said.wait(({ told }) => told === true, { timeout: 20_000 });
      await running.said.wait(({ ask }) => typeof ask === 'string' && ask.includes('not answered'), { timeout: 20_000 });
      const began = performance.now();
      await running.stop();
      expect(performance.now() - began).toBeLessThan(10_000);
    } finally {
      b.child.kill('SIGCONT');
      await running.kill();
    }
  }, 180_000);
});
