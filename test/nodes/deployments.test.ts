import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const tab = { id: 'f', type: 'tab', label: 'test' };
const config = { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true };
const helper = (id: string): object => ({ id, type: 'helper', z: 'f' });
const outcomes = (of: string): object[] => [
  { id: 'on done', type: 'complete', scope: [of], z: 'f', wires: [['completed']] }, helper('completed'),
  { id: 'on error', type: 'catch', scope: null, z: 'f', wires: [['caught']] }, helper('caught'),
];
const readers = [
  { id: 'read', type: 'lanpost subscribe', box: 'box', filter: 'backlog', from: 'start', durable: true, reader: '', changes: false, z: 'f' },
  { id: 'read', type: 'lanpost message in', box: 'box', from: '', reader: 'inbox', z: 'f' },
];

it('nothing is sent on before the flow has all its nodes', async () => {
  const box = await openBox();
  for (let n = 0; n < 5; n++) await box.publish('backlog', n);
  const came = box.subscribe('came', { from: 'start' });
  const read = { id: 'read', type: 'lanpost subscribe', box: 'box', filter: 'backlog', from: 'start', durable: false, reader: '', changes: false, z: 'f', wires: [['pub']] };
  const between = Array.from({ length: 100 }, (_, n) => helper(`between ${n}`));
  const publish = { id: 'pub', type: 'lanpost publish', box: 'box', topic: 'came', contentType: '', z: 'f' };
  await load([tab, config, read, ...between, publish], { lanpost: { box } });
  for (let n = 0; n < 5; n++) expect((await came.next()).value).toMatchObject({ value: n });
  await came.close();
});

it.each(readers)('$type does not confirm what a deployment kept from the next node', async (reader) => {
  const box = await openBox();
  const flow = [tab, config, { ...reader, wires: [['out']] }, helper('out')];
  await load(flow, { lanpost: { box } });
  const read = flows.getNode('read');
  const send = read.send.bind(read);
  const cut = new Promise<void>((resolve) => {
    read.send = (msg) => {
      send(msg);
      void read.close(false).then(resolve); // as a deployment does in the same turn, to every node
    };
  });
  await box.publish('backlog', 'once more');
  await box.send('link:me', 'once more');
  await cut;
  await flows.setFlows(flow);
  expect(await collect(flows.getNode('out')).next()).toMatchObject({ payload: 'once more', lanpost: { redelivered: true } });
});

it.each([
  { id: 'send', type: 'lanpost publish', box: 'box', topic: 'to', contentType: '', z: 'f' },
  { id: 'send', type: 'lanpost message out', box: 'box', to: 'link:me', until: 'accepted', z: 'f' },
])('what waits in $type when the flow stops still goes, and so does what comes in that turn', async (node) => {
  const box = await openBox();
  await load([tab, config, node, ...outcomes('send')], { lanpost: { box } });
  const [caught, completed] = [collect(flows.getNode('caught')), collect(flows.getNode('completed'))];
  const sender = flows.getNode('send');
  for (let n = 0; n < 999; n++) sender.receive({ payload: `${n}` });
  const closing = sender.close(false);
  sender.receive({ payload: '999' });
  await closing;
  await nextTurn();
  expect(caught.all).toEqual([]);
  expect(completed.all).toHaveLength(1000);
  expect((await box.status()).log.head).toBeGreaterThanOrEqual(1000);
});

it('what waits for a box that is just being opened goes to it before the flow is stopped', async () => {
  const flow = [tab, { ...config, mode: 'own', dir: 'data', boxName: 'me', link: false }, { id: 'send', type: 'lanpost publish', box: 'box', topic: 'to', contentType: '', z: 'f' }, ...outcomes('send')];
  await load(flow);
  const [caught, completed] = [collect(flows.getNode('caught')), collect(flows.getNode('completed'))];
  for (let n = 0; n < 3; n++) flows.getNode('send').receive({ payload: n });
  const closing = flows.getNode('box').close(false);
  await flows.getNode('send').close(false);
  await closing;
  await nextTurn();
  expect(caught.all).toEqual([]);
  expect(completed.all.map(({ payload }) => payload)).toEqual([0, 1, 2]);
});
