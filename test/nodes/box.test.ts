import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createBox, type Box } from '../../src/index.ts';
import { collect, saidBy, useFlows } from './flow-kit.ts';

const { flows, dir, load } = useFlows();
const opened: Box[] = [];
afterEach(async () => { for (const box of opened.splice(0)) await box.close(); });

const tab = { id: 'f', type: 'tab', label: 'test' };
const publish = (id: string, box: string): object => ({ id, type: 'lanpost publish', box, topic: 'a', contentType: '', z: 'f' });
const subscribe = (id: string, box: string, to: string): object => ({ id, type: 'lanpost subscribe', box, filter: '#', from: 'start', durable: false, reader: '', changes: false, z: 'f', wires: [[to]] });
const helper = (id: string): object => ({ id, type: 'helper', z: 'f' });
const status = (id: string, wanted: RegExp): Promise<string> => saidBy(flows, id, wanted);

describe('lanpost box', () => {
  it('a second config node for a directory is refused in words, and takes it over when the first has gone', async () => {
    const box = { type: 'lanpost box', mode: 'own', dir: 'data', link: false };
    const [first, second] = [{ ...box, id: 'one', name: 'the first' }, { ...box, id: 'two' }];
    const flow = [tab, second, publish('pub', 'two'), subscribe('sub', 'two', 'out'), helper('out')];
    await load([first, ...flow]);
    expect(await status('pub', /config node/)).toContain('config node "the first" has this data directory');
    await flows.setFlows(flow);
    const came = collect(flows.getNode('out'));
    flows.getNode('pub').receive({ payload: 'taken over' });
    expect((await came.next()).payload).toBe('taken over');
  });

  it('uses the box that embeds the editor, and leaves it open', async () => {
    const flow = [tab, { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true }, publish('pub', 'box'), subscribe('sub', 'box', 'out'), helper('out')];
    await load([tab]);
    const embedding = await createBox({ dir: join(dir(), 'embedding'), link: false, control: false });
    opened.push(embedding);
    await flows.unload();
    await load(flow, { lanpost: { box: embedding } });
    const came = collect(flows.getNode('out'));
    await embedding.publish('b', 'from outside');
    expect(await came.next()).toMatchObject({ topic: 'b', payload: 'from outside' });
    flows.getNode('pub').receive({ payload: 'from the flow' });
    await came.next();
    await flows.unload();
    expect((await embedding.items('a')).map((item) => item.kind === 'item' && item.value)).toEqual(['from the flow']);
  });

  it('attaches to a box that runs, and goes on by itself when it comes back', async () => {
    await load([tab]);
    const data = join(dir(), 'running');
    await flows.unload();
    await load([tab, { id: 'box', type: 'lanpost box', mode: 'attach', dir: 'running' }, publish('pub', 'box')]);
    const refused = status('pub', /^1 waiting: not-found/);
    flows.getNode('pub').receive({ payload: 'waits' });
    expect(await refused).toContain('no box is running');
    const running = await createBox({ dir: data, link: false });
    opened.push(running);
    const came = running.subscribe('a', { from: 'start' });
    expect((await came.next()).value).toMatchObject({ value: 'waits' });
    await came.close();
    const lost = status('pub', /^disconnected/);
    await running.close();
    await lost;
    const back = await createBox({ dir: data, link: false });
    opened.push(back);
    const later = back.subscribe('a');
    await later.ready;
    flows.getNode('pub').receive({ payload: 'after' });
    expect((await later.next()).value).toMatchObject({ value: 'after' });
    await later.close();
  });

  it('a directory in use elsewhere is said in the status, and messages wait', async () => {
    await load([tab]);
    const other = await createBox({ dir: join(dir(), 'data'), link: false, control: false });
    opened.push(other);
    await flows.unload();
    await load([tab, { id: 'box', type: 'lanpost box', mode: 'own', dir: 'data', link: false }, publish('pub', 'box')]);
    expect(await status('pub', /locked|in use/)).toBeTruthy();
  });
});
