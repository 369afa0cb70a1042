import { expect, it } from 'vitest';
import { choiceOf, isOn, numberOf } from '../../nodes/shared/saved-field.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, shownBy, useFlows } from './flow-kit.ts';
import { NODES, pageOf } from './node-fields.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);

/** What a dialog offers where one of several is chosen. */
const chosen = NODES.flatMap((name) => [...pageOf(name).matchAll(/lanpost\.choice\(this, '(\w+)', \[([^\]]+)\]\)/g)].map(([, field = '', list = '']): Row => ({
  name, field, beside: { [field]: '${IT}' }, choices: [...list.matchAll(/'(\w*)'/g)].map(([, choice = '']) => choice),
})));
interface Row { readonly name: string; readonly field: string; readonly beside: object; readonly choices: readonly string[] }
const ROWS: readonly Row[] = [...chosen, { name: 'lanpost-command-in', field: 'kind of n', beside: { fields: [{ name: 'n', kind: '${IT}' }] }, choices: ['text', 'number', 'boolean', 'list'] }];
/** Nothing comes in there. */
const NO_INPUT = new Set(['lanpost-gap', 'lanpost-message-in', 'lanpost-command-in']);
const tab = (value: string): object => ({ id: 'f', type: 'tab', label: 'test', env: [{ name: 'IT', type: 'str', value }] });
const caught = [{ id: 'on error', type: 'catch', scope: null, z: 'f', wires: [['caught']] }, { id: 'caught', type: 'helper', z: 'f' }];

it('every node with a choice is here', () => {
  expect(NODES.filter((name) => !ROWS.some((row) => row.name === name))).toEqual(['lanpost-box', 'lanpost-home']);
});

it.each(ROWS)('$name, $field: a value that is none of the choices is refused, and neither the first nor any other is taken for it', async ({ name, beside, field, choices }) => {
  const box = await openBox();
  const type = name.replaceAll('-', ' ');
  const version = type === 'lanpost publish' ? 3 : type === 'lanpost subscribe' || type === 'lanpost message in' ? 2 : 1;
  await load([tab('wrong'), { id: 'box', type: 'lanpost box', mode: 'auto' }, { id: 'it', type, z: 'f', box: 'box', configVersion: version, topic: 't', filter: 't', command: 'c', to: 'link:me', ...beside, wires: [[], []] }, ...caught], { lanpost: { box } });
  const words = `${field} is "wrong", and none of ${choices.filter(Boolean).join(', ')}`;
  // A long one is cut off in the status.
  expect(await shownBy(flows, 'it', new RegExp(`^${words.slice(0, 50)}`))).toBe('red');
  expect([await box.topics.get('t'), (await box.subscriptions.list()).map((one) => one.name), await box.commands.list()]).toEqual([undefined, [], []]);
  if (NO_INPUT.has(name)) return;
  const errors = collect(flows.getNode('caught'));
  flows.getNode('it').receive({ payload: 1, lanpost: { retained: true } });
  expect((await errors.next()).error).toMatchObject({ message: expect.stringContaining(words) });
});

it.each([
  ['lanpost subscribe', 'inFlight', 'no number'], ['lanpost subscribe', 'ackWait', 'no number'], ['lanpost subscribe', 'rate', 'no number'],
  ['lanpost subscribe', 'durable', 'neither true nor false'], ['lanpost subscribe', 'changes', 'neither true nor false'],
  ['lanpost publish', 'expires', 'no number'], ['lanpost ack', 'delay', 'no number'], ['lanpost items', 'count', 'no number'], ['lanpost topic', 'deploy', 'neither true nor false'],
])('%s, %s: what is %s is refused, and nothing else taken for it', async (type, field, what) => {
  const box = await openBox();
  const version = type === 'lanpost publish' ? 3 : type === 'lanpost subscribe' ? 2 : 1;
  await load([tab('12x'), { id: 'box', type: 'lanpost box', mode: 'auto' }, { id: 'it', type, z: 'f', box: 'box', configVersion: version, topic: 't', filter: 't', [field]: '${IT}', wires: [[], []] }, ...caught], { lanpost: { box } });
  const words = `${field} is "12x", and ${what}`;
  expect(await shownBy(flows, 'it', new RegExp(`^${words}`))).toBe('red');
  expect([await box.topics.get('t'), (await box.subscriptions.list()).map((one) => one.name)]).toEqual([undefined, []]);
  const errors = collect(flows.getNode('caught'));
  flows.getNode('it').receive({ payload: 1, lanpost: { retained: true } });
  expect((await errors.next()).error).toMatchObject({ message: expect.stringContaining(words) });
});

it.each([
  ['lanpost publish', 'expires', 'msg.expires is "soon", and no number'], ['lanpost ack', 'delay', 'msg.delay is "soon", and no number'],
])('%s: so is such a msg.%s, for that message alone', async (type, field, words) => {
  const box = await openBox();
  await load([tab(''), { id: 'box', type: 'lanpost box', mode: 'auto' }, { id: 'it', type, z: 'f', box: 'box', action: 'ack', configVersion: 3, topic: 't', wires: [['on']] }, { id: 'on', type: 'helper', z: 'f' },
    { id: 'on done', type: 'complete', scope: ['it'], z: 'f', wires: [['done']] }, { id: 'done', type: 'helper', z: 'f' }, ...caught], { lanpost: { box } });
  const [errors, done] = [collect(flows.getNode('caught')), collect(flows.getNode('done'))];
  flows.getNode('it').receive({ payload: 1, [field]: 'soon', lanpost: { retained: true } });
  expect((await errors.next()).error).toMatchObject({ message: expect.stringContaining(words) });
  flows.getNode('it').receive({ payload: 2, [field]: 60_000, lanpost: { retained: true } });
  expect(await done.next()).toMatchObject({ payload: 2 });
});

it('lanpost items: so is what is no moment', async () => {
  const box = await openBox();
  await load([tab('yesterday'), { id: 'box', type: 'lanpost box', mode: 'auto' }, { id: 'it', type: 'lanpost items', z: 'f', box: 'box', topic: 't', until: '${IT}', wires: [[]] }], { lanpost: { box } });
  expect(await shownBy(flows, 'it', /^until: say when, as /)).toBe('red');
});

it('so is one that stands for nothing', async () => {
  await load([tab(''), { id: 'it', type: 'lanpost ack', z: 'f', action: '${IT}', wires: [[]] }, ...caught]);
  const errors = collect(flows.getNode('caught'));
  flows.getNode('it').receive({ lanpost: { retained: true } });
  expect((await errors.next()).error).toMatchObject({ message: expect.stringContaining('action is "", and none of ack, nack, message') });
});

it('a lanpost box whose choice is none says so in the nodes that use it', async () => {
  await load([tab('atach'), { id: 'box', type: 'lanpost box', z: 'f', mode: '${IT}', dir: 'never' }, { id: 'it', type: 'lanpost publish', z: 'f', box: 'box', topic: 't', wires: [] }]);
  expect(await shownBy(flows, 'it', /^mode is "atach", and none of auto, own, attach/)).toBe('red');
});

it('what was never saved is the first', () => {
  expect([undefined, null].map((field) => choiceOf('x', field, ['a', 'b']))).toEqual(['a', 'a']);
  expect(choiceOf('x', '', ['', 'b'])).toBe('');
});

it.each([['0', 0], [' 12 ', 12], [12, 12], ['-3', 0], ['1e9', 1000], ['', 7], [' ', 7], [undefined, 7], [null, 7]])('%j is the number %d', (field, number) => {
  expect(numberOf('x', field, { otherwise: 7, most: 1000 })).toBe(number);
});

it.each(['abc', '12x', '${X}', 'NaN', 'Infinity', true, {}, []])('%j is no number', (field) => {
  expect(() => numberOf('x', field, { otherwise: 7 })).toThrow(/^x is .+, and no number$/);
});

it('a switch is on, off, or refused', () => {
  expect([true, 1, 'true', '1', 'yes'].map((field) => isOn('x', field))).toEqual([true, true, true, true, true]);
  expect([false, 0, 'false', '0', 'no', '', undefined, null].map((field) => isOn('x', field))).toEqual(Array(8).fill(false));
  for (const field of ['maybe', 'TRUE', 2, {}]) expect(() => isOn('x', field)).toThrow(/^x is .+, and neither true nor false$/);
});
