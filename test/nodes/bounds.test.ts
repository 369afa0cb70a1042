import { expect, it } from 'vitest';
import { collect, saidBy, useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const helper = (id: string): object => ({ id, type: 'helper', z: 'f' });

it.each([
  ['publish', { configVersion: 3, prefer: 'node', topic: 'a', contentType: '' }, 10_000, '10000 messages wait already'],
  ['message out', { to: 'link:b', until: 'accepted' }, 10_000, '10000 messages wait already'],
  ['home', { home: '' }, 1000, '1000 questions wait already'],
  ['peers', {}, 1000, '1000 questions wait already'],
])('what waits in lanpost %s for its box has a bound; the next one goes to Catch, and those before it wait on', async (kind, fields, most, words) => {
  await load([
    { id: 'f', type: 'tab', label: 'test' }, { id: 'box', type: 'lanpost box', mode: 'attach', dir: 'nowhere' },
    { id: 'waiter', type: `lanpost ${kind}`, box: 'box', z: 'f', wires: [[], []], ...fields },
    { id: 'on error', type: 'catch', scope: ['waiter'], z: 'f', wires: [['caught']] }, helper('caught'),
  ]);
  const caught = collect(flows.getNode('caught'));
  const node = flows.getNode('waiter');
  await saidBy(flows, 'waiter', /^not-found/);
  for (let n = 0; n < most + 2; n++) node.receive({ payload: n });
  for (const payload of [most, most + 1]) expect(await caught.next()).toMatchObject({ payload, error: { message: `Error: ${words}` } });
  expect(caught.all).toHaveLength(2);
  await expect(saidBy(flows, 'waiter', new RegExp(`^${most} waiting: not-found`))).resolves.toBeTruthy();
}, 20_000);
