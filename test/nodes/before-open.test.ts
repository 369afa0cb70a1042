// What comes to a node while its box opens: it waits, and is done once the box is there, without a second word.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { createBox, type Box } from '../../src/index.ts';
import { collect, saidBy, useFlows } from './flow-kit.ts';

interface Completed { readonly msg: { readonly _msgid: string }; readonly node: { readonly id: string }; readonly error?: Error }

const { hooks } = createRequire(createRequire(import.meta.url).resolve('node-red'))('@node-red/util') as { readonly hooks: { add(name: string, hook: (event: Completed) => void): void; remove(name: string): void } };
const { flows, dir, load } = useFlows();
const opened: Box[] = [];
afterEach(async () => {
  hooks.remove('*.early');
  await flows.unload();
  for (const box of opened.splice(0)) await box.close();
});

const HOME = { jid: 'me@home.invalid', password: 'secret', host: '127.0.0.1', port: 1, topics: ['up/#'] };
const one = (id: string, type: string, fields: object = {}): object => ({ id, type: `lanpost ${type}`, box: 'box', z: 'f', wires: [['out'], ['out']], ...fields });

/** Every node that asks something of its box, and what it is told. */
const TOLD: readonly (readonly [id: string, type: string, fields: object, msg: object])[] = [
  ['publish', 'publish', { configVersion: 3, topic: 'a' }, { payload: 1 }],
  ['topic', 'topic', { topic: 'b', action: 'set', deploy: false, lane: '', key: '', maxItems: '7', accessModel: '', settings: '' }, {}],
  ['items', 'items', { topic: 'there', from: 'start', count: '9', output: 'array', form: 'auto' }, {}],
  ['message', 'message out', { to: 'link:me', until: 'delivered' }, { payload: 'text' }],
  ['request', 'request', { kind: 'command', command: 'echo', to: '', timeout: '20' }, { payload: 2 }],
  ['peers', 'peers', {}, {}],
  ['pause', 'home', { home: '' }, { action: 'pause' }],
  ['resume', 'home', { home: HOME.jid }, { action: 'resume' }],
  ['subscribe', 'subscribe', { configVersion: 2, filter: '', from: 'start', durable: false, reader: '', changes: false, inputs: 1 }, { action: 'subscribe', topic: 'there' }],
];
const FLOW: readonly object[] = [
  { id: 'f', type: 'tab', label: 'test' }, { id: 'box', type: 'lanpost box', mode: 'attach', dir: 'running' },
  ...TOLD.map(([id, type, fields]) => one(id, type, fields)),
  one('in', 'command in', { command: 'echo', fields: [], wires: [['answer']] }), one('answer', 'command out', { outcome: '', code: '', wires: [] }),
  one('read', 'subscribe', { configVersion: 2, filter: 'there', from: 'start', durable: true, reader: '', ack: 'manual', changes: false, wires: [['confirm']] }), one('confirm', 'ack', { action: 'ack', delay: '', wires: [[]] }),
  { id: 'out', type: 'helper', z: 'f' },
  { id: 'on error', type: 'catch', scope: null, z: 'f', wires: [['caught']] }, { id: 'caught', type: 'helper', z: 'f' },
];

it('what every node is told before its box is open waits for it, succeeds, and is done once', async () => {
  await load([{ id: 'f', type: 'tab', label: 'test' }]);
  const data = join(dir(), 'running');
  const before = await createBox({ dir: data, name: 'me', link: false, homes: [HOME] });
  await before.publish('there', 'kept');
  await before.close();
  await flows.unload();

  await load(FLOW);
  const ends: string[] = [];
  hooks.add('onComplete.early', ({ msg, node, error }) => { if (!['out', 'caught', 'on error'].includes(node.id)) ends.push(`${node.id} ${msg['_msgid']} ${error === undefined ? 'done' : error.message}`); });
  const [out, caught] = [collect(flows.getNode('out')), collect(flows.getNode('caught'))];
  for (const [id, , , msg] of TOLD) flows.getNode(id).receive({ ...msg, _msgid: id });
  // Nobody is there yet, and all of it waits: but for what is to be read, which is so as soon as the box is there.
  await saidBy(flows, 'publish', /^1 waiting: not-found/);
  await expect.poll(() => ends).toEqual(['subscribe subscribe done']);
  expect([...out.all, ...caught.all]).toEqual([]);

  const box = await createBox({ dir: data, name: 'me', link: false });
  opened.push(box);
  const done = TOLD.map(([id]) => `${id} ${id} done`);
  await expect.poll(() => ends.filter((end) => done.includes(end)).toSorted(), { timeout: 40_000 }).toEqual(done.toSorted());
  const answers = (): Record<string, unknown> => Object.fromEntries(out.all.map((msg) => [msg['_msgid'], msg.payload]));
  expect(answers()).toMatchObject({
    topic: { maxItems: 7 }, items: [{ payload: 'kept' }], request: 2, peers: [], pause: { jid: HOME.jid }, resume: { jid: HOME.jid },
  });
  await expect.poll(() => out.all.some(({ topic, payload }) => topic === 'there' && payload === 'kept')).toBe(true);
  expect((await box.items('a')).map((item) => item.kind === 'item' && item.value)).toEqual([1]);
  // What came of it in the flow: the run was answered by command out, the item was confirmed by ack; each once.
  await expect.poll(async () => (await box.subscriptions.list()).find(({ name }) => name === 'read')?.pending).toBe(0);
  expect(ends.filter((end) => /^(?:answer|confirm) /.test(end)).map((end) => end.replace(/ .* /, ' ')).toSorted()).toEqual(['answer done', 'confirm done']);
  expect(caught.all).toEqual([]);
  for (const end of done) expect(ends.filter((other) => other === end)).toEqual([end]);
}, 90_000);
