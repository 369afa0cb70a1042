import { expect, it } from 'vitest';
import { BoxConnection } from '../../nodes/shared/box-connection.ts';
import { type Leftovers, noteLeftovers } from '../support/leftovers.mjs';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const leftovers = noteLeftovers(BoxConnection);
const helper = (id: string, round: number): object => ({ id, type: 'helper', name: `${round}`, z: 'f' });
const NODES = ['in', 'out', 'ask', 'home', 'peers', 'messages', 'send'];

it.each(['full', 'flows', 'nodes'] as const)('a hundred deployments (%s) of commands, requests, homes, peers and messages leave nothing behind, and lose no answer', async (how) => {
  const box = await openBox({ homes: [{ jid: 'me@home.invalid', password: 'x', host: '127.0.0.1', port: 1 }] });
  /** `round` makes another of each node. */
  const flowOf = (round: number): object[] => [
    { id: 'f', type: 'tab', label: 'test' }, { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true },
    { id: 'in', type: 'lanpost command in', name: `${round}`, box: 'box', command: 'echo', fields: [], z: 'f', wires: [['out']] },
    { id: 'out', type: 'lanpost command out', name: `${round}`, outcome: '', code: '', z: 'f' },
    { id: 'ask', type: 'lanpost request', name: `${round}`, box: 'box', to: '', kind: 'command', command: 'echo', timeout: '20', z: 'f', wires: [['answer']] }, helper('answer', round),
    { id: 'home', type: 'lanpost home', name: `${round}`, box: 'box', home: '', z: 'f', wires: [[], []] },
    { id: 'peers', type: 'lanpost peers', name: `${round}`, box: 'box', only: 'boxes', feature: 'x', z: 'f', wires: [[], []] },
    { id: 'messages', type: 'lanpost message in', name: `${round}`, box: 'box', from: '', reader: 'r', z: 'f', wires: [['said']] }, helper('said', round),
    { id: 'send', type: 'lanpost message out', name: `${round}`, box: 'box', to: 'link:me', until: 'delivered', z: 'f' },
  ];
  await load(flowOf(-1), { lanpost: { box } });
  const round = async (n: number): Promise<Leftovers & { readonly readers: number }> => {
    const [answers, said] = [collect(flows.getNode('answer')), collect(flows.getNode('said'))];
    await expect.poll(() => box.commands.list(), { timeout: 20_000, interval: 5 }).toHaveLength(1);
    flows.getNode('ask').receive({ payload: n });
    flows.getNode('send').receive({ payload: `${n}` });
    expect((await answers.next()).payload).toBe(n);
    expect((await said.next()).payload).toBe(`${n}`);
    const before = NODES.map((id) => flows.getNode(id));
    const counts = { ...await leftovers.count(), readers: (await box.subscriptions.list()).length };
    await flows.setFlows(flowOf(n), how);
    // Each of them is another one now.
    expect(NODES.filter((id, at) => flows.getNode(id) === before[at])).toEqual([]);
    return counts;
  };
  for (let n = 0; n < 9; n++) await round(n);
  const early = await round(9);
  let late = early;
  for (let n = 10; n < 100; n++) late = await round(n);
  for (const what of ['readers', 'watchers of boxes', 'users of boxes'] as const) expect([what, late[what]]).toEqual([what, early[what]]);
  // A file or timer may just be at work; a hundred would not.
  for (const what of ['resources', 'timers', 'listeners of signals'] as const) expect([what, late[what] - early[what] < 10 ? 'few' : late]).toEqual([what, 'few']);
  await flows.unload();
  expect(await box.commands.list()).toEqual([]);
});
