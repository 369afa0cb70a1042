import { expect, it } from 'vitest';
import { collect, saidBy, useFlows } from './flow-kit.ts';
import { useServedBox } from './served-box.ts';

const kit = useFlows();
const { flows, load } = kit;
const serve = useServedBox(kit);
const flow = (fields: object): object[] => [
  { id: 'f', type: 'tab', label: 'test' }, { id: 'box', type: 'lanpost box', mode: 'attach', dir: 'running' },
  { id: 'it', type: 'lanpost subscribe', configVersion: 2, box: 'box', from: 'new', last: 'all', reader: '', changes: false, z: 'f', wires: [['out']], ...fields }, { id: 'out', type: 'helper', z: 'f' },
];

// The window between the question for last values and the reader's place.
it.each([
  ['before the reader is in place', 'subscribe'],
  ['while the last values are asked for', 'topics.list'],
])('an item that is published %s comes once, and in its order', async (_case, method) => {
  let done = false;
  const box = await serve({ before: async (what, real) => {
    if (what !== method || done) return;
    done = true;
    for (const value of [2, 3]) await real.publish('state', value);
  } });
  await box.topics.create('state', { lane: 'latest' });
  await box.publish('state', 1);
  await load(flow({ filter: '#', durable: false }));
  const came = collect(flows.getNode('out'));
  await saidBy(flows, 'it', /^received [123]/);
  await box.publish('state', 4);
  while ((await came.next()).payload !== 4);
  // The lane gives the newest of what it finds; what comes is never older than what came.
  const values = came.all.map(({ payload }) => payload as number);
  expect(values).toEqual([...new Set(values)].toSorted((a, b) => a - b));
});

it('to a durable reader, too', async () => {
  let done = false;
  const box = await serve({ before: async (what, real) => {
    if (what !== 'topics.list' || done) return;
    done = true;
    await real.publish('state', 2);
  } });
  await box.publish('state', 1);
  await load(flow({ filter: 'state', durable: true }));
  const came = collect(flows.getNode('out'));
  await saidBy(flows, 'it', /^received/);
  await box.publish('state', 3);
  while ((await came.next()).payload !== 3);
  expect(came.all.map(({ payload, retained }) => [payload, retained])).toEqual([[2, false], [3, false]]);
});
