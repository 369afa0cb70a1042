import { describe, expect, it } from 'vitest';
import { useEmbeddingBox } from './embedding-box.ts';
import { saidBy, useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
interface Answer { readonly status: number; readonly body: unknown }
const ask = (method: 'get' | 'delete', path: string): Promise<Answer> => flows.request()[method](path) as Promise<Answer>;
const base = [{ id: 'f', type: 'tab', label: 'test' }, { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true }];
const reader = { id: 'sub', type: 'lanpost subscribe', configVersion: 2, box: 'box', filter: 'a/#', from: 'new', durable: true, reader: 'mine / öl', changes: false, z: 'f', wires: [[]] };

describe('a durable subscribe that is deleted', () => {
  it('leaves its reader, says so with what it keeps, and the reader can be dropped', async () => {
    const box = await openBox();
    await load([...base, reader], { lanpost: { box } });
    await saidBy(flows, 'sub', /^received 0/);
    const path = `/lanpost/boxes/box/readers/${encodeURIComponent('mine / öl')}`;
    expect(await ask('delete', path)).toMatchObject({ status: 409, body: { reason: expect.stringContaining('reads with it now') } });
    // An editor shows nothing of a node that is gone.
    const teller = flows.getNode('box');
    const warned = new Promise<unknown>((resolve) => { teller.once('call:warn', (call: { args: unknown[] }) => resolve(call.args[0])); });
    await flows.setFlows(base);
    expect(await warned).toMatch(/"mine \/ öl" stays in the box and keeps nothing yet/);
    await box.publish('a/b', 'kept');
    expect(await ask('get', '/lanpost/boxes/box/readers')).toMatchObject({
      status: 200, body: { readers: [{ name: 'mine / öl', filter: 'a/#', open: false, pending: 1, bytes: expect.any(Number), abandonedSince: expect.any(Number) }] },
    });
    expect(await ask('delete', path)).toMatchObject({ status: 200 });
    expect(await box.subscriptions.list()).toEqual([]);
    expect(await ask('delete', path)).toMatchObject({ status: 404 });
    expect(await ask('get', '/lanpost/boxes/none/readers')).toMatchObject({ status: 404 });
  });

  it('and so does a message in, for which the box would refuse mail in the end', async () => {
    const box = await openBox();
    const messageIn = { id: 'in', type: 'lanpost message in', configVersion: 2, begin: 'start', box: 'box', from: '', reader: 'mine', z: 'f', wires: [[]] };
    await load([...base, messageIn], { lanpost: { box } });
    await expect.poll(() => box.subscriptions.list()).toMatchObject([{ name: 'inbox:mine', readers: 1 }]);
    const path = `/lanpost/boxes/box/readers/${encodeURIComponent('inbox:mine')}`;
    expect(await ask('delete', path)).toMatchObject({ status: 409 });
    expect((await box.subscriptions.list())[0]).not.toHaveProperty('abandonedSince');
    const node = flows.getNode('box');
    const warned = new Promise<unknown>((resolve) => { node.once('call:warn', (call: { args: unknown[] }) => resolve(call.args[0])); });
    await flows.setFlows(base);
    expect(await warned).toMatch(/"inbox:mine" stays in the box and keeps nothing yet/);
    expect(await ask('get', '/lanpost/boxes/box/readers')).toMatchObject({ status: 200, body: { readers: [{ name: 'inbox:mine', open: false, abandonedSince: expect.any(Number) }] } });
    expect(await ask('delete', path)).toMatchObject({ status: 200 });
    expect(await box.subscriptions.list()).toEqual([]);
  });

  it('a deployment that only stops it says nothing', async () => {
    const box = await openBox();
    await load([...base, reader], { lanpost: { box } });
    await saidBy(flows, 'sub', /^received 0/);
    const warnings: unknown[] = [];
    for (const id of ['sub', 'box']) flows.getNode(id).on('call:warn', (call: unknown) => warnings.push(call));
    await flows.setFlows([...base, { ...reader, changes: true }]);
    await saidBy(flows, 'sub', /^received 0/);
    expect(warnings).toEqual([]);
  });
});
