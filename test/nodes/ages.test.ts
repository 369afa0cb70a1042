// How old what waits is, as a node says it while nothing else happens.
import { afterEach, expect, it, vi } from 'vitest';
import { heldUp } from '../../nodes/shared/held-up.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, saidBy, useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
afterEach(() => void vi.restoreAllMocks());

const tab = { id: 'f', type: 'tab', label: 'test' };
const config = { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true };
const node = (type: string, fields: object): object => ({ id: 'node', type, box: 'box', z: 'f', wires: [['out']], ...fields });

/** Two minutes have gone by. */
function later(): void {
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + 120_000);
}

it('of items that a reader has not confirmed', async () => {
  const box = await openBox();
  await using reader = box.subscribe('t', { durable: 'w', from: 'start', ack: 'manual' });
  await reader.ready;
  await load([tab, config, node('lanpost publish', { configVersion: 3, topic: 't', until: 'delivered', reader: 'w' })], { lanpost: { box } });
  for (const payload of [1, 2]) flows.getNode('node').receive({ payload });
  expect(await saidBy(flows, 'node', /2 on the way/)).toBe('delivered 0, 2 on the way');
  later();
  await expect(saidBy(flows, 'node', /oldest/)).resolves.toBe('delivered 0, 2 on the way, oldest 2 min');
});

it('of a command that the flow works on', async () => {
  const box = await openBox();
  await load([tab, config, node('lanpost command in', { command: 'c', fields: [], timeout: '300' }), { id: 'out', type: 'helper', z: 'f' }], { lanpost: { box } });
  await expect.poll(() => box.commands.list()).not.toEqual([]);
  const came = collect(flows.getNode('out'));
  const run = box.commands.run('link:me', 'c', 1, { timeout: 300_000 }).catch((error: unknown) => error);
  await came.next();
  later();
  await expect(saidBy(flows, 'node', /oldest/)).resolves.toBe('1 running, oldest 2 min, run 1 time');
  await flows.unload();
  expect(await run).toBeInstanceOf(Error);
});

const none = { size: 0, age: 0 };
it.each([
  [none, none, ''],
  [none, { size: 512, age: 1999 }, ''],
  [none, { size: 3, age: 2000 }, '3 not answered, oldest 2 s: '],
  [{ size: 3, age: 5000 }, { size: 1, age: 3 }, '3 waiting: '],
  [{ size: 3, age: 60_000 }, none, '3 waiting, oldest 60 s: '],
  [{ size: 9, age: 119_000 }, { size: 512, age: 120_000 }, '9 waiting, 512 not answered, oldest 2 min: '],
])('what waits (%j) and is not answered (%j): %j', (waiting, unanswered, words) => {
  expect(heldUp(waiting, unanswered)).toBe(words);
});
