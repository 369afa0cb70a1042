// An attached box whose process is stopped: it takes what it is asked, and answers nothing.
import { createRequire } from 'node:module';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ROOT } from '../support/root.ts';
import { collect, saidBy, useFlows } from './flow-kit.ts';
import { stoppableBox, type StoppableBox } from './stoppable-box.ts';

interface Completed { readonly msg: { readonly _msgid: string }; readonly node: { readonly id: string }; readonly error?: Error }

const { hooks } = createRequire(createRequire(import.meta.url).resolve('node-red'))('@node-red/util') as { readonly hooks: { add(name: string, hook: (event: Completed) => void): void; remove(name: string): void } };
const { flows, dir, load } = useFlows();
const opened: StoppableBox[] = [];
afterEach(async () => {
  hooks.remove('*.hung');
  for (const box of opened) box.resume();
  await flows.unload();
  for (const box of opened.splice(0)) await box.close();
});

async function running(): Promise<StoppableBox> {
  await load([{ id: 'f', type: 'tab', label: 'test' }]);
  const box = await stoppableBox(dir());
  opened.push(box);
  await flows.unload();
  return box;
}

const one = (id: string, type: string, fields: object = {}): object => ({ id, type, box: 'box', z: 'f', wires: [[], []], ...fields });
const FLOW = [
  { id: 'f', type: 'tab', label: 'test' }, { id: 'box', type: 'lanpost box', mode: 'attach', dir: 'running' },
  one('sub', 'lanpost subscribe', { configVersion: 2, filter: 'a', from: 'start', durable: true, reader: '', changes: false }),
  one('pub', 'lanpost publish', { configVersion: 3, topic: 'a' }), one('request', 'lanpost request', { kind: 'command', command: 'c', to: '' }),
  one('in', 'lanpost message in', { from: '', reader: '' }), one('gap', 'lanpost gap', { filter: '', reader: '', from: 'new' }),
  one('peers', 'lanpost peers'), one('home', 'lanpost home', { home: '' }), one('command', 'lanpost command in', { command: 'c' }),
];

/** Every node that takes messages, and what it is given. */
const TAKING: readonly (readonly [type: string, fields: object, msg: object])[] = [
  ['lanpost publish', { configVersion: 3, topic: 'a' }, { payload: 1 }],
  ['lanpost subscribe', { configVersion: 2, filter: 'a', from: 'start', durable: true, reader: '', changes: false, inputs: 1 }, { action: 'subscribe', topic: 'b' }],
  ['lanpost ack', { action: 'ack', delay: '' }, {}],
  ['lanpost topic', { topic: 'a', action: 'set', deploy: false, lane: '', key: '', maxItems: '', accessModel: '', settings: '' }, {}],
  ['lanpost items', { topic: 'a', from: 'last', count: '1', output: 'array', form: 'auto' }, {}],
  ['lanpost message out', { to: 'link:me' }, { payload: 'text' }],
  ['lanpost peers', {}, {}],
  ['lanpost home', { home: '' }, {}],
  ['lanpost request', { kind: 'command', command: 'c', to: '' }, {}],
  ['lanpost command out', {}, {}],
];
const ASKING = TAKING.filter(([type]) => !['lanpost ack', 'lanpost command out', 'lanpost subscribe'].includes(type));
const idOf = (type: string): string => type.replace('lanpost', 'the');
const taking = (name: string): object[] => [
  ...FLOW.slice(0, 2),
  ...TAKING.map(([type, fields]) => one(idOf(type), type, { ...fields, name })),
  { id: 'on error', type: 'catch', scope: null, z: 'f', wires: [['caught']] }, { id: 'caught', type: 'helper', z: 'f' },
];

/** The colour in which the node says what it says. */
function fillOf(id: string): string | undefined {
  const { thisValues, args } = flows['_NodePrototype'].status;
  return (args[thisValues.lastIndexOf(flows.getNode(id))]?.[0] as { readonly fill?: string } | undefined)?.fill;
}

/** How each message came to an end at the node that it was sent to, as Node-RED is told. */
function endsOfAll(): string[] {
  const ends: string[] = [];
  hooks.add('onComplete.hung', ({ msg, node, error }) => {
    if (node.id !== 'on error' && node.id !== 'caught') ends.push(`${msg['_msgid']} ${error === undefined ? 'Complete' : 'Catch'}`);
  });
  return ends;
}

describe('at a box that hangs', () => {
  it('nodes are closed all the same, those that just begin and those that work', async () => {
    const box = await running();
    await load(FLOW);
    await saidBy(flows, 'sub', /^received 0/);
    box.hang();
    for (const id of ['pub', 'request', 'peers']) flows.getNode(id).receive({ payload: 1 });
    const [config, ...users] = FLOW.slice(1).map((node) => flows.getNode((node as { id: string }).id));
    // Without a bound this would never be. A deployment of nodes alone leaves the box as it is.
    await expect(Promise.all(users.map((node) => node.close(true)))).resolves.toBeDefined();
    await expect(config?.close(false)).resolves.toBeUndefined();
  });

  it('every node that asks says that it is not answered, and for how long, until it is', async () => {
    const box = await running();
    await load([...FLOW.slice(0, 2), ...ASKING.map(([type, fields]) => one(idOf(type), type, fields))]);
    const ids = ASKING.map(([type]) => idOf(type));
    const send = (): void => { for (const [type, , msg] of ASKING) flows.getNode(idOf(type)).receive(msg); };
    const said = (wanted: (n: number) => RegExp): Promise<string[]> => Promise.all(ids.map((id, n) => saidBy(flows, id, wanted(n))));
    const well = (): RegExp => /^(published|did|sent|asked) \d$|^no link$|^no home$|^not-found/;
    send();
    const before = await said(well);
    box.hang();
    send();
    const words = await said(() => /^\d not answered, oldest \d+ s: /);
    expect(ids.map((id) => fillOf(id))).toEqual(before.map((text) => (text.startsWith('not-found') ? 'red' : 'yellow')));
    // Nothing else happens meanwhile.
    await said((n) => new RegExp(`^\\d not answered, oldest (?!${/\d+ s/.exec(words[n] ?? '')?.[0]})\\d`));
    box.resume();
    await expect(said(well)).resolves.toHaveLength(ids.length);
  });

  it('a reader that looks how far it is behind says so, too', async () => {
    const box = await running();
    for (const value of [1, 2]) await box.box.publish('a', value);
    await load([...FLOW.slice(0, 2), one('node', 'lanpost subscribe', { configVersion: 2, filter: 'a', from: 'start', durable: true, reader: '', ack: 'manual', inFlight: 1, changes: false })]);
    await saidBy(flows, 'node', /^1 unacked, waiting, 2 queued/);
    box.hang();
    await saidBy(flows, 'node', /^\d not answered, oldest \d+ s: 1 unacked, waiting/);
    box.resume();
    await expect(saidBy(flows, 'node', /^1 unacked, waiting, 2 queued/)).resolves.toBeDefined();
  });

  it('nodes that only read say so, too', async () => {
    const box = await running();
    await load(FLOW);
    const words: Readonly<Record<string, RegExp>> = { sub: /^received 0/, in: /^received 0/, gap: /^nothing lost/, command: /^offered/ };
    const said = (before: string): Promise<string[]> => Promise.all(Object.entries(words).map(([id, { source }]) => saidBy(flows, id, new RegExp(`^${before}${source.slice(1)}`))));
    await said('');
    box.hang();
    await said('1 not answered, oldest \\d+ s: ');
    expect(Object.keys(words).map((id) => fillOf(id))).toEqual(['yellow', 'yellow', 'yellow', 'yellow']);
    box.resume();
    await expect(said('')).resolves.toHaveLength(4);
  });

  it('each message comes to one end when the flow is deployed, and to no other when the box answers after all', async () => {
    const withInput = readdirSync(join(ROOT, 'nodes')).filter((name) => name.endsWith('.html') && /\binputs: (1|\{)/.test(readFileSync(join(ROOT, 'nodes', name), 'utf8')));
    expect(TAKING.map(([type]) => `${type.replaceAll(' ', '-')}.html`).toSorted()).toEqual(withInput);
    const box = await running();
    await load(taking('first'));
    const caught = collect(flows.getNode('caught'));
    await saidBy(flows, idOf('lanpost subscribe'), /^received 0/);
    const ends = endsOfAll();
    box.hang();
    for (const [type, , msg] of TAKING) flows.getNode(idOf(type)).receive({ ...msg, _msgid: type });
    const began = performance.now();
    await flows.setFlows(taking('second'), 'nodes');
    expect(performance.now() - began).toBeLessThan(10_000);
    const each = TAKING.map(([type]) => `${type} Catch`).toSorted();
    expect(ends.toSorted()).toEqual(each);
    expect(caught.all).toHaveLength(TAKING.length);
    expect(new Set(caught.all.map((msg) => msg['_msgid']))).toEqual(new Set(TAKING.map(([type]) => type)));
    const words = (type: string): unknown => (caught.all.find((msg) => msg['_msgid'] === type) as { error?: { message: string } } | undefined)?.error?.message;
    expect(words('lanpost publish')).toBe('Error: the box had not answered when the flow was stopped or deployed again: it may have been published');
    expect(words('lanpost items')).toBe('Error: the box had not answered when the flow was stopped or deployed again');
    box.resume();
    // What the box was asked before is answered before this.
    for (const [type, , msg] of ASKING) flows.getNode(idOf(type)).receive({ ...msg, _msgid: `${type} again` });
    await expect.poll(() => ends.filter((end) => end.includes('again')).length).toBe(ASKING.length);
    expect(ends.filter((end) => !end.includes('again')).toSorted()).toEqual(each);
    expect(await box.box.items('a')).toHaveLength(2);
  });
});

it('at a box that is not there, each message that waits for it comes to one end when the flow is deployed', async () => {
  await load(taking('first'));
  await saidBy(flows, idOf('lanpost publish'), /^not-found/);
  const ends = endsOfAll();
  for (const [type, , msg] of TAKING) flows.getNode(idOf(type)).receive({ ...msg, _msgid: type });
  // It reads when the box is there.
  await expect.poll(() => ends).toContain('lanpost subscribe Complete');
  await flows.setFlows(taking('second'), 'nodes');
  expect(ends.toSorted()).toEqual(TAKING.map(([type]) => `${type} ${type === 'lanpost subscribe' ? 'Complete' : 'Catch'}`).toSorted());
});
