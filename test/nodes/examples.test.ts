import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { NodeAPI } from 'node-red';
import { describe, expect, it } from 'vitest';
import type { Box } from '../../src/index.ts';
import { ROOT } from '../support/root.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, saidBy, useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
/** The nodes of Node-RED itself that the examples use, by their files. */
const CORE = ['common/20-inject', 'common/21-debug', 'common/90-comment', 'function/10-function', 'function/15-change'];
const require = createRequire(createRequire(import.meta.url).resolve('node-red'));
const core = CORE.map((name) => require(`@node-red/nodes/core/${name}`) as (RED: NodeAPI) => void);

interface Saved { readonly id: string; readonly type: string; readonly name?: string; readonly label?: string }
const example = (name: string): readonly Saved[] => JSON.parse(readFileSync(join(ROOT, 'examples/node-red', `${name}.json`), 'utf8')) as Saved[];

/** Imports it as it is, and runs it over a box. */
async function run(name: string, box: Box): Promise<(called: string) => string> {
  const flow = example(name);
  const errors = [{ id: 'on any error', type: 'catch', scope: null, z: flow[0]?.id ?? '', wires: [['errors']] }, { id: 'errors', type: 'helper', z: flow[0]?.id ?? '' }];
  // The helper takes the nodes of Node-RED that it knows from the first flow, once for each node that has such a type.
  await load([{ id: 'first', type: 'tab' }, { id: 'first catch', type: 'catch', z: 'first' }, { id: 'first end', type: 'complete', scope: [], z: 'first' }], { lanpost: { box } }, core);
  await flows.setFlows([...flow, ...errors]);
  return (called) => {
    const found = flow.find((node) => node.name === called);
    if (!found) throw new Error(`${name} has no node "${called}"`);
    return found.id;
  };
}

/** As the button of an inject does. */
const press = (id: string): void => flows.getNode(id).receive({});

describe('the example flows', () => {
  it('sensor to home: an outage is counted, and every reading is handled and confirmed', async () => {
    const box = await openBox({ homes: [{ jid: 'me@home.invalid', password: 'secret', host: '127.0.0.1', port: 1, topics: ['plant/#'] }] });
    const id = await run('sensor-home', box);
    await saidBy(flows, id('handle it'), /^2 handled, last [\d.]+ °C/);
    press(id('cut the road home'));
    await saidBy(flows, id('in words'), /^paused, [1-9]\d* waiting/);
    expect((await box.homes.list())[0]).toMatchObject({ state: 'paused' });
    press(id('mend it'));
    await saidBy(flows, id('in words'), /^(connecting|waiting), [1-9]\d* waiting/);
    const reader = (await box.subscriptions.list()).find((one) => one.name === 'sensor example');
    expect(reader?.pending).toBeLessThan(3);
    expect(collect(flows.getNode('errors')).all).toEqual([]);
  });

  it('latest-wins dashboard: a panel that was away gets one item for each lamp', async () => {
    const box = await openBox();
    const id = await run('dashboard', box);
    await saidBy(flows, id('how it is set up'), /^demo\/lamps: latest, by \/lamp/);
    await saidBy(flows, id('how it is now'), /^1 came/);
    press(id('panel goes away'));
    await saidBy(flows, id('panel'), /^paused/);
    const before = flows.getNode(id('how it is now')).context().get('count') as number;
    for (let n = 0; n < 100; n++) await box.publish('demo/lamps', { lamp: 'ABCDE'[n % 5] ?? '', on: n >= 95 });
    press(id('panel comes back'));
    await saidBy(flows, id('how it is now'), /A on, B on, C on, D on, E on/);
    // One each, and what the pretend lamps said meanwhile; by no means a hundred.
    expect((flows.getNode(id('how it is now')).context().get('count') as number) - before).toBeLessThan(60);
    await saidBy(flows, id('how many'), /^1\d\d came/);
  });

  it('two boxes share a counter: what is added is counted once, over deployments too', async () => {
    const box = await openBox();
    const id = await run('counter', box);
    await saidBy(flows, id('set up the sum'), /^did 1/);
    for (let n = 0; n < 5; n++) flows.getNode(id('add to the counter')).receive({ payload: 2 });
    await saidBy(flows, id('show it'), /^sum 10$/);
    await flows.unload();
    await run('counter', box);
    flows.getNode(id('add to the counter')).receive({ payload: 1 });
    await saidBy(flows, id('show it'), /^sum 11$/);
    expect((await box.items('counter/value', { last: 1 }))[0]).toMatchObject({ id: 'sum', value: { sum: 11 } });
  });

  it.each(['starter', 'chat'])('%s: all its nodes run', async (name) => {
    const box = await openBox();
    await run(name, box);
    const missing = example(name).filter(({ type }) => type !== 'tab').filter((node) => !flows.getNode(node.id));
    expect(missing).toEqual([]);
  });
});
