import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { NodeAPI } from 'node-red';
import { describe, expect, it } from 'vitest';
import { createBox } from '../../src/index.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, useFlows, type FlowNode } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const require = createRequire(import.meta.url);
const CORE = ['common/20-inject', 'common/21-debug', 'common/90-comment', 'function/10-function', 'function/15-change', 'sequence/17-split'].map((name) => require(`@node-red/nodes/core/${name}.js`) as (RED: NodeAPI) => void);
const EXAMPLES = new URL('../../examples/node-red/', import.meta.url);

interface Saved { readonly id: string; readonly type: string; readonly name?: string; readonly z?: string; readonly wires?: readonly (readonly string[])[]; readonly scope?: readonly string[] | null; readonly box?: string }
const saved = (name: string): Saved[] => JSON.parse(readFileSync(new URL(name, EXAMPLES), 'utf8')) as Saved[];
const named = (flow: readonly Saved[], name: string, type?: string): FlowNode => {
  const found = flow.find((node) => node.name === name && (type === undefined || node.type === type));
  if (!found) throw new Error(`the example has no node "${name}"`);
  return flows.getNode(found.id);
};
const run = async (example: string, options: Parameters<typeof createBox>[0] = {}): Promise<{ readonly box: Awaited<ReturnType<typeof openBox>>; readonly flow: Saved[] }> => {
  const flow = saved(example);
  const box = await openBox(options);
  // The helper loads these once for each node of them, and is told so by Node-RED.
  const once = flow.filter((node, at) => !['catch', 'complete', 'status'].includes(node.type) || flow.findIndex(({ type }) => type === node.type) === at);
  await load(once, { lanpost: { box } }, CORE);
  if (once.length < flow.length) await flows.setFlows(flow);
  return { box, flow };
};

describe('an example flow', () => {
  it.each(['hello-lan.json', 'chat.json', 'command-and-reply.json', 'discovery-by-feature.json'])('%s is whole: its wires lead somewhere, its ids are its own, and it runs', async (name) => {
    const flow = saved(name);
    const ids = new Set(flow.map(({ id }) => id));
    expect(ids.size).toBe(flow.length);
    const others = readdirSync(EXAMPLES).filter((other) => other.endsWith('.json') && other !== name).flatMap((other) => saved(other).map(({ id }) => id));
    expect(others.filter((id) => ids.has(id))).toEqual([]);
    expect(flow.flatMap(({ wires = [], scope, box }) => [...wires.flat(), ...scope ?? [], ...(box === undefined ? [] : [box])]).filter((id) => !ids.has(id))).toEqual([]);
    await run(name);
    expect(flow.filter(({ id, type }) => type !== 'tab' && !flows.getNode(id))).toEqual([]);
  });
});

it('hello-lan: greets whoever is there, and shows what they write', async () => {
  const { box, flow } = await run('hello-lan.json');
  const said = collect(named(flow, 'they say'));
  await box.send('link:me', 'hi there');
  expect(await said.next()).toMatchObject({ payload: 'hi there', from: 'link:me' });
  const sent = collect(flows.getNode(flow.find(({ type }) => type === 'lanpost message out')!.id));
  named(flow, 'to each').receive({ payload: { address: 'link:me', name: 'me' } });
  expect(await sent.next()).toMatchObject({ to: 'link:me', payload: 'Hello, me!' });
  expect(await said.next()).toMatchObject({ payload: 'Hello, me!' });
});

it('command-and-reply: answers, and says why not', async () => {
  const { box, flow } = await run('command-and-reply.json');
  await expect.poll(() => box.commands.list(), { timeout: 20_000 }).toEqual([{ name: 'example/double', title: 'Twice the number' }]);
  const [answers, reasons] = [collect(named(flow, 'the answer')), collect(named(flow, 'no answer, why'))];
  named(flow, '21').receive({});
  expect((await answers.next()).payload).toEqual({ double: 42 });
  named(flow, 'a word').receive({});
  expect((await reasons.next()).error).toMatchObject({ message: expect.stringContaining('that is no number'), code: 'failed' });
});

it('discovery-by-feature: asks, and finds nobody where there is nobody', async () => {
  const { flow } = await run('discovery-by-feature.json');
  const [found, topics, commands] = [collect(named(flow, 'who knows commands')), collect(named(flow, 'who has temperatures')), collect(named(flow, 'its commands'))];
  named(flow, 'who takes commands?').receive({});
  expect((await found.next()).payload).toEqual([]);
  named(flow, 'who has temperatures?').receive({});
  expect((await topics.next()).payload).toEqual([]);
  named(flow, 'names').receive({ from: 'link:b', payload: "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'><item jid='b' node='a/b' name='A'/></query>" });
  expect((await commands.next()).payload).toEqual({ peer: 'link:b', commands: ['a/b'] });
});
