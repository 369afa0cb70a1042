import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createBox, type Box } from '../../src/index.ts';
import { collect, saidBy, useFlows } from './flow-kit.ts';

const { flows, dir, load } = useFlows();
const opened: Box[] = [];
afterEach(async () => {
  await flows.unload();
  for (const box of opened.splice(0)) await box.close();
});
const helper = (id: string): object => ({ id, type: 'helper', z: 'f' });
const flow = (fields: object): object[] => [
  { id: 'f', type: 'tab', label: 'test' },
  { id: 'box', type: 'lanpost box', mode: 'attach', dir: 'running' },
  { id: 'sub', type: 'lanpost subscribe', configVersion: 2, box: 'box', filter: 'a', from: 'start', durable: true, reader: '', inputs: 1, changes: false, z: 'f', wires: [['out']], ...fields }, helper('out'),
  { id: 'confirm', type: 'lanpost ack', action: 'message', delay: '', z: 'f', wires: [[]] },
  { id: 'topic', type: 'lanpost topic', box: 'box', topic: 'a', action: 'set', deploy: true, lane: '', key: '', maxItems: '7', accessModel: '', settings: '', z: 'f', wires: [['made']] }, helper('made'),
  { id: 'items', type: 'lanpost items', box: 'box', topic: 'a', from: 'start', count: '9', output: 'array', form: 'auto', z: 'f', wires: [['found']] }, helper('found'),
];

async function running(): Promise<Box> {
  await load([{ id: 'f', type: 'tab', label: 'test' }]);
  const box = await createBox({ dir: join(dir(), 'running'), link: false });
  opened.push(box);
  await flows.unload();
  return box;
}

describe('at a box that runs already', () => {
  it('topics are set up and asked, items are confirmed and given back, as at a box of one\'s own', async () => {
    const box = await running();
    for (let n = 0; n < 5; n++) await box.publish('a', n);
    await load(flow({ ack: 'manual', inFlight: 2, rate: '0' }));
    const came = collect(flows.getNode('out'));
    const [first, second] = [await came.next(), await came.next()];
    await saidBy(flows, 'sub', /^2 unacked, waiting/);
    flows.getNode('confirm').receive({ ...first, action: 'nack', delay: 20 });
    flows.getNode('confirm').receive({ ...second, action: 'ack' });
    const rest = [await came.next(), await came.next()];
    expect(rest.map((msg) => msg.payload)).toEqual(expect.arrayContaining([2]));
    for (const msg of rest) flows.getNode('confirm').receive(msg);
    const last = [await came.next(), await came.next()];
    for (const msg of last) flows.getNode('confirm').receive(msg);
    expect([...rest, ...last].map((msg) => msg.payload).toSorted((a, b) => Number(a) - Number(b))).toEqual([0, 2, 3, 4]);
    await expect.poll(async () => (await box.subscriptions.list())[0]?.pending).toBe(0);
    expect(await box.topics.get('a')).toMatchObject({ maxItems: 7 });
    flows.getNode('items').receive({});
    expect((await collect(flows.getNode('found')).next()).payload).toHaveLength(5);
  });

  it('what was paused goes on, and after the box was restarted too', async () => {
    const box = await running();
    await load(flow({}));
    const came = collect(flows.getNode('out'));
    await saidBy(flows, 'sub', /^received 0/);
    flows.getNode('sub').receive({ action: 'pause' });
    await saidBy(flows, 'sub', /^paused/);
    await box.publish('a', 1);
    flows.getNode('sub').receive({ action: 'resume' });
    expect((await came.next()).payload).toBe(1);
    await box.close();
    const back = await createBox({ dir: join(dir(), 'running'), link: false });
    opened.push(back);
    await back.publish('a', 2);
    // A confirmation that the box did not get any more is no loss, but a repeat.
    let msg = await came.next();
    while (msg.payload === 1) msg = await came.next();
    expect(msg.payload).toBe(2);
  });
});
