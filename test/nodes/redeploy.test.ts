import { createRequire } from 'node:module';
import type { EventEmitter } from 'node:events';
import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { BoxConnection } from '../../nodes/shared/box-connection.ts';
import { isBoxNode } from '../../nodes/shared/box-node.ts';
import { createBox, type Box } from '../../src/index.ts';
import { noteLeftovers } from '../support/leftovers.mjs';
import { useEmbeddingBox } from './embedding-box.ts';
import { saidBy, useFlows } from './flow-kit.ts';

const { flows, dir, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const opened: Box[] = [];
const leftovers = noteLeftovers(BoxConnection);
const { events, hooks } = createRequire(createRequire(import.meta.url).resolve('node-red'))('@node-red/util') as {
  readonly events: EventEmitter; readonly hooks: { add(name: string, hook: (event: Completed) => void): void; remove(name: string): void };
};
afterEach(async () => {
  hooks.remove('*.redeploy');
  await flows.unload();
  for (const box of opened.splice(0)) await box.close();
});

interface Completed { readonly msg: { readonly payload?: unknown }; readonly node: { readonly id: string }; readonly error?: Error }

/** A node that notes what comes, from its first moment on: what it got, it has handled. */
function sinkInto(came: NodeMessage[]): (RED: NodeAPI) => void {
  return (RED) => {
    RED.nodes.registerType('test sink', function Sink(this: Node, def: NodeDef): void {
      RED.nodes.createNode(this, def);
      this.on('input', (msg, _send, done) => { came.push(msg); done(); });
    });
  };
}

/** What one deployment must not leave behind; `round` makes another flow of it. */
const flowOf = (round: number, config: object): object[] => [
  { id: 'f', type: 'tab', label: 'test' },
  { id: 'box', type: 'lanpost box', boxName: 'me', link: false, ...config },
  { id: 'pub', type: 'lanpost publish', name: `${round}`, box: 'box', topic: 'r', contentType: '', z: 'f' },
  { id: 'sub', type: 'lanpost subscribe', name: `${round}`, configVersion: 2, box: 'box', filter: 'r', from: 'start', durable: true, reader: '', changes: false, z: 'f', wires: [['sink']] },
  { id: 'live', type: 'lanpost subscribe', name: `${round}`, configVersion: 2, box: 'box', filter: '#', from: 'new', last: 'all', durable: false, reader: '', ack: 'manual', inFlight: 2, changes: true, z: 'f', wires: [[]] },
  { id: 'told', type: 'lanpost subscribe', name: `${round}`, configVersion: 2, inputs: 1, box: 'box', filter: '', from: 'new', durable: false, reader: '', changes: false, z: 'f', wires: [[]] },
  { id: 'gap', type: 'lanpost gap', name: `${round}`, box: 'box', filter: '', reader: '', from: 'new', z: 'f', wires: [[]] },
  { id: 'topic', type: 'lanpost topic', name: `${round}`, box: 'box', topic: 'r', action: 'set', deploy: true, lane: '', key: '', maxItems: '', accessModel: '', settings: '', z: 'f', wires: [[]] },
  { id: 'items', type: 'lanpost items', name: `${round}`, box: 'box', topic: 'r', from: 'last', count: '1', output: 'array', form: 'auto', z: 'f', wires: [[]] },
  { id: 'confirm', type: 'lanpost ack', name: `${round}`, action: 'ack', delay: '', z: 'f', wires: [[]] },
  { id: 'peers', type: 'lanpost peers', name: `${round}`, box: 'box', z: 'f', wires: [[], []] },
  { id: 'in', type: 'lanpost message in', name: `${round}`, box: 'box', from: '', reader: '', z: 'f', wires: [[]] },
  { id: 'sink', type: 'test sink', z: 'f' },
];

async function counts(box: Box): Promise<Record<string, number>> {
  const listeners = (emitter: EventEmitter): number => emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0);
  return {
    cursors: (await box.subscriptions.list()).length,
    ...await leftovers.count(),
    'listeners of Node-RED': listeners(events),
    'listeners of the process': listeners(process),
  };
}

/** The box that the nodes have now, once it is open. */
async function boxOfFlow(): Promise<Box> {
  const node = flows.getNode('box') as unknown as Node;
  if (!isBoxNode(node)) throw new Error('it is no lanpost box');
  return node.connection.box(AbortSignal.timeout(20_000));
}

/** One of the flow's own, one that runs already, and the one that embeds the editor. */
const BOXES = {
  'a box of its own': async () => ({ config: { mode: 'own', dir: 'data' }, settings: {} }),
  'a box that runs already': async () => {
    await load([{ id: 'f', type: 'tab', label: 'test' }]);
    await flows.unload();
    opened.push(await createBox({ dir: join(dir(), 'running'), name: 'me', link: false }));
    return { config: { mode: 'attach', dir: 'running' }, settings: {} };
  },
  "the editor's own": async () => ({ config: { mode: 'auto', dir: '' }, settings: { lanpost: { box: await openBox() } } }),
};

describe.each(Object.entries(BOXES))('with %s', (_kind, begin) => {
  it.each(['full', 'flows', 'nodes'] as const)('a hundred deployments (%s) leak nothing, and lose nothing that is in flight', async (how) => {
    const { config, settings } = await begin();
    const came: NodeMessage[] = [];
    /** How each message came to its end, at the node that publishes it. */
    const ends: { readonly payload: unknown; readonly error: string | undefined }[] = [];
    hooks.add('onComplete.redeploy', ({ msg, node, error }) => { if (node.id === 'pub') ends.push({ payload: msg.payload, error: error?.message }); });
    await load(flowOf(0, config), settings, [sinkInto(came)]);
    const sent: number[] = [];
    const arrived = async (): Promise<void> => {
      await expect.poll(() => ends.length, { timeout: 20_000 }).toBe(sent.length);
      const have = (): Set<unknown> => new Set(came.map(({ payload }) => payload));
      await expect.poll(() => { const now = have(); return sent.filter((one) => !now.has(one)); }, { timeout: 20_000 }).toEqual([]);
    };
    const rounds = async (from: number, to: number): Promise<void> => {
      for (let round = from; round < to; round++) {
        await boxOfFlow();
        for (let n = 0; n < 5; n++) {
          sent.push(round * 5 + n);
          flows.getNode('pub').receive({ payload: round * 5 + n });
        }
        flows.getNode('told').receive({ action: 'subscribe', topic: 'r' });
        flows.getNode('items').receive({});
        // Most are deployed before their readers have begun; these have read.
        if (round % 5 === 0) await arrived();
        await flows.setFlows(flowOf(round + 1, config), how);
      }
      await arrived();
      // All that is to be read is read, so that both counts are of the same.
      for (const id of ['sub', 'live', 'gap', 'in']) await saidBy(flows, id, /^received|^\d+ unacked|^nothing lost/);
    };
    const readers = async (): Promise<unknown[]> => (await (await boxOfFlow()).subscriptions.list()).map(({ name, filter, durable, readers: open }) => ({ name, filter, durable, open }));
    await rounds(0, 10);
    const [early, before] = [await counts(await boxOfFlow()), await readers()];
    await rounds(10, 100);
    const [late, after] = [await counts(await boxOfFlow()), await readers()];
    expect(after).toEqual(before);
    for (const what of ['cursors', 'listeners of Node-RED', 'listeners of the process', 'watchers of boxes', 'users of boxes']) expect([what, late[what]]).toEqual([what, early[what]]);
    // A file or timer may just be at work; ninety would not.
    for (const what of ['resources', 'timers', 'listeners of signals']) expect([what, (late[what] ?? 0) - (early[what] ?? 0) < 10 ? 'few' : late]).toEqual([what, 'few']);
    // Each came to one end, and that was a good one: the box has it once, and so has whoever reads it there.
    expect(ends.map(({ error }) => error).filter((error) => error !== undefined)).toEqual([]);
    expect(ends.map(({ payload }) => payload as number).toSorted((a, b) => a - b)).toEqual(sent);
    // Nothing came twice.
    expect(came.filter(({ payload }, at) => came.findIndex((one) => one.payload === payload) < at)).toEqual([]);
  }, 120_000);
});
