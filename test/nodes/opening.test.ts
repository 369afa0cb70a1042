import { expect, it } from 'vitest';
import { saidBy, useFlows } from './flow-kit.ts';
import { useServedBox } from './served-box.ts';

const kit = useFlows();
const { flows, load } = kit;
const serve = useServedBox(kit);
const one = (type: string, fields: object): object[] => [
  { id: 'f', type: 'tab', label: 'test' }, { id: 'box', type: 'lanpost box', mode: 'attach', dir: 'running' },
  { id: 'it', type, box: 'box', z: 'f', wires: [[], []], ...fields },
];
const said = (): unknown[] => {
  // oxlint-disable-next-line no-underscore-dangle -- the helper's own name
  const { args, thisValues } = flows._NodePrototype.status;
  return args.filter((_, i) => thisValues[i] === flows.getNode('it')).map(([status]) => status);
};

// Whoever looks would take it for working, and wonder where the first items are.
it.each([
  ['lanpost subscribe', { configVersion: 2, filter: 'a', from: 'new', durable: true, reader: '', changes: false }, 'subscribe', 'opening the reader', /^received 0/],
  ['lanpost subscribe', { configVersion: 2, filter: 'a', from: 'new', durable: false, reader: '', changes: false }, 'subscribe', 'opening the reader', /^received 0/],
  ['lanpost gap', { filter: '', reader: '', from: 'new' }, 'subscribe', 'opening the reader', /^nothing lost/],
  ['lanpost message in', { from: '', reader: '' }, 'messages', 'opening the reader', /^received 0/],
  ['lanpost command in', { command: 'c' }, 'commands.offer', 'offering the command', /^offered/],
  ['lanpost home', { home: '' }, 'homes.list', 'asking the box', /^no home/],
])('%s is not said to work before what it reads is in place (%j)', async (type, fields, method, opening, works) => {
  let begin: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => { begin = resolve; });
  let asked: () => void = () => undefined;
  const isAsked = new Promise<void>((resolve) => { asked = resolve; });
  await serve({ before: async (what) => {
    if (what !== method) return;
    asked();
    await begun;
  } });
  await load(one(type, fields));
  await isAsked;
  await saidBy(flows, 'it', new RegExp(`^${opening}$`));
  expect(said().filter((status) => (status as { fill?: string }).fill === 'green')).toEqual([]);
  begin();
  await saidBy(flows, 'it', works);
});

it('a subscribe that has much to read counts down what waits for it as it reads', async () => {
  let asked = 0;
  let goOn: () => void = () => undefined;
  const on = new Promise<void>((resolve) => { goOn = resolve; });
  const box = await serve({ next: async (method) => { if (method === 'subscribe' && ++asked > 2) await on; } });
  for (let n = 0; n < 10; n++) await box.publish('a', n);
  await load(one('lanpost subscribe', { configVersion: 2, filter: 'a', from: 'start', durable: true, reader: '', changes: false }));
  await expect(saidBy(flows, 'it', /^received 2, /)).resolves.toBe('received 2, 8 queued');
  goOn();
  await saidBy(flows, 'it', /^received 10$/);
});

it('a message in that has much to read says how much waits for it', async () => {
  let asked = 0;
  let goOn: () => void = () => undefined;
  const on = new Promise<void>((resolve) => { goOn = resolve; });
  const box = await serve({ next: async (method) => { if (method === 'messages' && ++asked > 2) await on; } });
  for (let n = 0; n < 10; n++) await (await box.send('link:me', `${n}`)).delivered;
  await load(one('lanpost message in', { configVersion: 2, from: '', reader: '', begin: 'start' }));
  // What set the inbox up is a record, too.
  expect(await saidBy(flows, 'it', /^received 2, /)).toMatch(/^received 2, [89] queued$/);
  goOn();
  await saidBy(flows, 'it', /^received 10$/);
});
