import { createRequire } from 'node:module';
import type { EventEmitter } from 'node:events';
import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';
import { expect, it } from 'vitest';
import { BoxConnection } from '../../nodes/shared/box-connection.ts';
import type { Box } from '../../src/index.ts';
import { noteLeftovers } from '../support/leftovers.mjs';
import { useEmbeddingBox } from './embedding-box.ts';
import { useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const leftovers = noteLeftovers(BoxConnection);
const { events } = createRequire(createRequire(import.meta.url).resolve('node-red'))('@node-red/util') as { events: EventEmitter };

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
const flowOf = (round: number): object[] => [
  { id: 'f', type: 'tab', label: 'test' },
  { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true },
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

it.each(['full', 'flows', 'nodes'] as const)('a hundred deployments (%s) leak nothing, and lose nothing that is in flight', async (how) => {
  const box = await openBox();
  const came: NodeMessage[] = [];
  await load(flowOf(0), { lanpost: { box } }, [sinkInto(came)]);
  const wanted = new Set<number>();
  const seen = async (): Promise<void> => {
    const have = new Set(came.map((msg) => msg.payload));
    await expect.poll(() => { for (const msg of came) have.add(msg.payload); return [...wanted].filter((one) => !have.has(one)); }, { timeout: 20_000 }).toEqual([]);
  };
  const rounds = async (from: number, to: number): Promise<void> => {
    for (let round = from; round < to; round++) {
      for (let n = 0; n < 5; n++) {
        wanted.add(round * 5 + n);
        flows.getNode('pub').receive({ payload: round * 5 + n });
      }
      flows.getNode('told').receive({ action: 'subscribe', topic: 'r' });
      flows.getNode('items').receive({});
      await flows.setFlows(flowOf(round + 1), how);
    }
    await seen();
  };
  await rounds(0, 10);
  const early = await counts(box);
  await rounds(10, 100);
  const late = await counts(box);
  for (const what of ['cursors', 'listeners of Node-RED', 'listeners of the process', 'watchers of boxes', 'users of boxes']) expect([what, late[what]]).toEqual([what, early[what]]);
  // A file or timer may just be at work; ninety would not.
  for (const what of ['resources', 'timers', 'listeners of signals']) expect([what, (late[what] ?? 0) - (early[what] ?? 0) < 10 ? 'few' : late]).toEqual([what, 'few']);
});
