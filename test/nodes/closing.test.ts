// A box of the flow's own, whose flow never ends what it was given, and whose home has been called and says nothing.
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isBoxNode } from '../../nodes/shared/box-node.ts';
import type { Box } from '../../src/index.ts';
import { saidBy, useFlows } from './flow-kit.ts';

interface Completed { readonly node: { readonly id: string }; readonly error?: Error }

const { hooks } = createRequire(createRequire(import.meta.url).resolve('node-red'))('@node-red/util') as { readonly hooks: { add(name: string, hook: (event: Completed) => void): void; remove(name: string): void } };
const { flows, load } = useFlows();
const called = new Set<Socket>();
let silent: Server;
beforeEach(async () => {
  silent = createServer((socket) => { called.add(socket.on('error', () => undefined)); });
  await once(silent.listen(0, '127.0.0.1'), 'listening');
});
afterEach(async () => {
  hooks.remove('*.closing');
  await flows.unload();
  for (const socket of called) socket.destroy();
  called.clear();
  await new Promise((resolve) => { silent.close(resolve); });
});

const JID = 'me@home.invalid';
const one = (id: string, type: string, fields: object = {}, to: string = 'held'): object => ({ id, type: `lanpost ${type}`, box: 'box', z: 'f', wires: [[to], [to]], ...fields });
/** Whatever comes to `held` stays there. */
const flow = (round: string): object[] => [
  { id: 'f', type: 'tab', label: round }, { id: 'held', type: 'helper', z: 'f' },
  { id: 'box', type: 'lanpost box', mode: 'own', dir: 'data', boxName: round, link: false, homes: [{ slot: 0, jid: JID, host: `127.0.0.1:${(silent.address() as AddressInfo).port}`, topics: 'up/#' }] },
  one('read', 'subscribe', { name: round, configVersion: 2, filter: 'up/a', from: 'start', durable: true, reader: '', ack: 'manual', inFlight: 2, changes: false }),
  one('in', 'command in', { name: round, command: 'never', fields: [], timeout: '60' }),
  one('ask', 'request', { name: round, kind: 'command', command: 'never', to: '', timeout: '60' }),
  one('publish', 'publish', { name: round, configVersion: 3, topic: 'up/a', until: 'delivered', reader: `xmpp:${JID}` }),
  one('home', 'home', { name: round, home: '' }),
];

async function boxOfFlow(): Promise<Box> {
  const node = flows.getNode('box') as unknown as Parameters<typeof isBoxNode>[0];
  if (!isBoxNode(node)) throw new Error('it is no lanpost box');
  return node.connection.box(AbortSignal.timeout(20_000));
}

it.each(['full', 'flows', 'nodes'] as const)('a deployment (%s) closes it in less than 10 s, tells what became of each message, and the next box opens then', async (how) => {
  await load(flow('first'), {}, [], { box: { password0: 'secret' } });
  const first = await boxOfFlow();
  await saidBy(flows, 'in', /^offered/);
  await expect.poll(() => called.size, { timeout: 20_000 }).toBeGreaterThan(0);
  // A Catch node may be closed before it has it: Node-RED itself knows.
  const ends: string[] = [];
  hooks.add('onComplete.closing', ({ node, error }) => { if (node.id === 'publish' || node.id === 'ask') ends.push(`${node.id} ${error === undefined ? 'done' : 'failed'}`); });
  for (let n = 0; n < 3; n++) flows.getNode('publish').receive({ payload: n });
  flows.getNode('ask').receive({ payload: 'never answered' });
  await saidBy(flows, 'read', /^2 unacked, waiting/);
  await saidBy(flows, 'in', /^1 running/);
  await saidBy(flows, 'publish', /3 on the way/);
  const began = performance.now();
  await flows.setFlows(flow('second'), how);
  expect(performance.now() - began).toBeLessThan(10_000);
  expect(ends.toSorted()).toEqual(['ask failed', 'publish failed', 'publish failed', 'publish failed']);
  // It could not be open while the other one has the directory.
  const second = await boxOfFlow();
  expect(second).not.toBe(first);
  await expect(first.status()).rejects.toMatchObject({ code: 'closed' });
  expect((await second.items('up/a', { from: 'start' })).map((item) => item.kind === 'item' && item.value)).toEqual([0, 1, 2]);
  await saidBy(flows, 'read', /^2 unacked, waiting/);
}, 60_000);

it('a box that takes longer to close than a deployment waits for keeps its directory until then; the next one waits, and opens', async () => {
  await load(flow('first'), {}, [], { box: { password0: 'secret' } });
  const first = await boxOfFlow();
  await saidBy(flows, 'in', /^offered/);
  await first.publish('up/a', 'kept');
  const close = first.close.bind(first);
  let go = (): void => undefined;
  const slow = new Promise<void>((resolve) => { go = resolve; });
  first.close = async () => {
    await slow;
    await close();
  };
  await flows.setFlows(flow('second'), 'full');
  // Node-RED did not wait for it: it goes on meanwhile.
  expect((await first.status()).log.state).toBe('open');
  expect(await saidBy(flows, 'read', /./)).toBe('opening the box');
  go();
  const second = await boxOfFlow();
  await expect(first.status()).rejects.toMatchObject({ code: 'closed' });
  expect(await second.items('up/a', { last: 1 })).toMatchObject([{ value: 'kept' }]);
  // oxlint-disable-next-line no-underscore-dangle -- the helper's own name
  const said = flows._NodePrototype.status.args.map(([status]) => (status as { readonly text?: string } | undefined)?.text ?? '');
  expect(said.filter((text) => /locked|in use|in-use/.test(text))).toEqual([]);
}, 60_000);
