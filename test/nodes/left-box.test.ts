import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { createBox, type Box } from '../../src/index.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { type FlowNode, saidBy, useFlows } from './flow-kit.ts';

const { flows, dir, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const opened: Box[] = [];
afterEach(async () => {
  await flows.unload();
  for (const box of opened.splice(0)) await box.close();
});

const homes = [{ slot: 0, jid: 'me@home.invalid', host: '127.0.0.1:1', topics: 'up/#' }];
const flow = (config: object): object[] => [
  { id: 'f', type: 'tab', label: 'test' },
  { id: 'box', type: 'lanpost box', boxName: 'me', link: false, homes, ...config },
  { id: 'sub', type: 'lanpost subscribe', configVersion: 2, box: 'box', filter: 'a', from: 'start', durable: true, reader: 'mine', changes: false, z: 'f', wires: [[]] },
  { id: 'pub', type: 'lanpost publish', configVersion: 3, box: 'box', topic: 'up/x', contentType: '', z: 'f' },
];
const OWN = { mode: 'own', dir: 'data' };
const OTHER = { mode: 'own', dir: 'other' };

/** What the node has warned of that is of its box. */
function warningsOf(node: FlowNode): unknown[] {
  // oxlint-disable-next-line no-underscore-dangle -- the helper's own name
  const { thisValues, args } = flows._NodePrototype.warn;
  return args.filter((_, at) => thisValues[at] === node).map(([text]) => text).filter((text) => String(text).startsWith('this node goes to another box'));
}

/** At work in that box, with a record for the home. */
async function working(config: object, settings: object = {}): Promise<FlowNode> {
  await load(flow(config), settings, [], { box: { password0: 'secret' } });
  await saidBy(flows, 'sub', /^received 0/);
  await expect.poll(() => flows.request().get('/lanpost/boxes/box/homes'), { timeout: 20_000 }).toMatchObject({ body: { homes: [{ jid: 'me@home.invalid' }] } });
  flows.getNode('pub').receive({ payload: 1 });
  await saidBy(flows, 'pub', /^published 1/);
  return flows.getNode('box');
}

const KINDS = {
  'of its own, which ends with it': { open: async () => ({ config: OWN, settings: {} }), ends: true },
  'that runs already, and goes on': {
    open: async () => {
      await load([{ id: 'f', type: 'tab', label: 'test' }]);
      await flows.unload();
      opened.push(await createBox({ dir: join(dir(), 'running'), name: 'me', link: false }));
      return { config: { mode: 'attach', dir: 'running' }, settings: {} };
    },
    ends: false,
  },
  'that runs the editor, and goes on': { open: async () => ({ config: { mode: 'auto', dir: '' }, settings: { lanpost: { box: await openBox() } } }), ends: false },
};

it.each(Object.entries(KINDS))('a node that goes to another box says once what stays in the one before: one %s', async (_kind, { open, ends }) => {
  const { config, settings } = await open();
  const before = await working(config, settings);
  await flows.setFlows(flow(OTHER));
  await saidBy(flows, 'sub', /^received 0/);
  expect(warningsOf(before)).toEqual([expect.stringMatching(ends
    ? /the former one \(.*data\) ends, and does nothing until it is opened again; in it stay the home account me@home\.invalid \(1 record waits for it, about \d+ bytes\); the durable reader "mine", which keeps nothing yet: open it/
    : /in the former one \(.*\), which goes on, stay the home account me@home\.invalid \(1 record waits for it, about \d+ bytes\); the durable reader "mine", which keeps nothing yet: remove there/)]);
  const now = flows.getNode('box');
  await flows.setFlows(flow(OTHER));
  await saidBy(flows, 'sub', /^received 0/);
  expect(warningsOf(now)).toEqual([]);
});

it('a node that is deployed again for the same box says nothing of that', async () => {
  const before = await working(OWN);
  await flows.setFlows(flow({ ...OWN, boxName: 'you' }));
  await saidBy(flows, 'sub', /^received 0/);
  expect(warningsOf(before)).toEqual([]);
});
