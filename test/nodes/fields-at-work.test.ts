import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeMessage } from 'node-red';
import { afterEach, expect, it } from 'vitest';
import { attachBox, type Box } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, useFlows } from './flow-kit.ts';
import { everyFieldOf, NODES } from './node-fields.ts';

const { flows, dir, load } = useFlows();
const openBox = useEmbeddingBox(flows);

/** What has been seen of one node at work. */
interface Seen {
  readonly box: Box;
  /** Of its box: the arguments of the last call of that method, as `topics.create`. */
  readonly call: (method: string) => readonly unknown[];
  /** The last that its status says. */
  readonly said: () => string;
  readonly out: readonly (NodeMessage & Record<string, unknown>)[];
  /** When they came, ms. */
  readonly times: readonly number[];
  readonly errors: readonly string[];
}
interface Field {
  /** All but its first letter comes from `${IT}`: where that is the whole field, Node-RED fills it in itself. */
  readonly value: string;
  /** What else is filled in. */
  readonly beside?: object;
  readonly msg?: object;
  /** Before the flow is there. */
  readonly before?: (box: Box) => Promise<void>;
  /** When the flow is there. */
  readonly act?: (box: Box, seen: Seen) => Promise<void>;
  readonly shows: (seen: Seen) => unknown;
  readonly as: unknown;
  /** What gives the node its messages, and takes what it makes. */
  readonly around?: readonly object[];
}

const seed = async (box: Box): Promise<void> => { for (const n of [1, 2, 3, 4]) await box.publish('seed', n); };
const began = (words: RegExp) => async (_box: Box, { said }: Seen): Promise<void> => { await expect.poll(said).toMatch(words); };
const then = (...acts: readonly ((box: Box, seen: Seen) => Promise<void>)[]) => async (box: Box, seen: Seen): Promise<void> => { for (const act of acts) await act(box, seen); };
const publishing = async (box: Box): Promise<void> => { await box.publish('live', { a: 1 }, { id: 'x' }); };
async function lose(box: Box, topic: string, name: string): Promise<void> {
  await box.subscribe(topic, { durable: name, from: 'start', maxBacklog: { records: 1 } }).close();
  for (const value of [1, 2, 3]) await box.publish(topic, value);
}
const losses = async (box: Box): Promise<void> => {
  await lose(box, 'aa', 'other');
  await expect.poll(async () => (await box.items('$ledger')).length).toBe(1);
  await lose(box, 'bb', 'till');
};
const given = (method: string, at: number, of?: string) => ({ call }: Seen): unknown => {
  const argument = call(method)[at];
  return of === undefined ? argument : (argument as Record<string, unknown> | undefined)?.[of];
};
/** From the first to the fourth: at ten a second that is three tenths. */
const isPaced = ({ times }: Seen): boolean => times.length >= 4 && (times[3] ?? 0) - (times[0] ?? 0) >= 250;
const offeredFirst = ({ call }: Seen): unknown => (call('commands.offer')[2] as { readonly fields?: readonly unknown[] } | undefined)?.fields?.[0];
const offers = (field: object): object => ({ command: 'do', fields: [{ name: 'n', label: '', kind: 'text', options: '', required: 'false', ...field }] });
const waiting = async (box: Box): Promise<void> => { await box.subscribe('#', { durable: 'archive' }).close(); };
const home = (more: object): object => ({ homes: [{ slot: 0, jid: 'me@home.invalid', host: '127.0.0.1:1', topics: '', ca: '', pin: '', ...more }] });
const atBox = (beside: object, value: string, shows: Field['shows'], as: unknown): Field => ({ value, beside: { mode: 'own', dir: 'own', boxName: '', link: 'false', ...beside }, shows, as });
const IT = '${IT}';
/** A command that is run by the flow around it, and what came of it. */
const ran: Pick<Field, 'around' | 'act'> = {
  around: [{ id: 'source', type: 'lanpost command in', box: 'box', command: 'do', title: '', timeout: '', fields: [], z: 'f', wires: [['it']] }],
  async act(box, seen) {
    await expect.poll(() => box.commands.list()).not.toEqual([]);
    Object.assign(seen, { answer: await box.commands.run('link:me', 'do', 'the pump is dry').catch((error: unknown) => error) });
  },
};
const answer = (seen: Seen): unknown => { const { code, message } = (seen as Seen & { readonly answer?: { readonly code: string; readonly message: string } }).answer ?? {}; return [code, message]; };
const manual: Pick<Field, 'around' | 'before'> = {
  before: seed,
  around: [{ id: 'source', type: 'lanpost subscribe', configVersion: 2, box: 'box', filter: 'seed', from: 'start', last: 'none', durable: false, reader: '', ack: 'manual', inFlight: '1', rate: '0', changes: false, z: 'f', wires: [['it']] }],
};
const pin = `${'A'.repeat(43)}=`;

/** Each field of each node, with what is another when it has that value. */
const FIELDS: Readonly<Record<string, Readonly<Record<string, Field>>>> = {
  'lanpost-publish': {
    topic: { value: 'b/c', msg: { payload: 1 }, shows: given('publish', 0), as: 'b/c' },
    itemId: { value: 'fixed', beside: { topic: 'a' }, msg: { payload: 1 }, shows: given('publish', 2, 'id'), as: 'fixed' },
    prefer: { value: 'node', beside: { topic: 'a' }, msg: { payload: 1, topic: 'of the message' }, shows: given('publish', 0), as: 'a' },
    form: { value: 'json', beside: { topic: 'a' }, msg: { payload: '{"x":1}' }, shows: given('publish', 1), as: { x: 1 } },
    contentType: { value: 'application/xml', beside: { topic: 'a' }, msg: { payload: '<a/>' }, shows: given('publish', 2, 'contentType'), as: 'application/xml' },
    expires: { value: '05', beside: { topic: 'a' }, msg: { payload: 1 }, shows: given('publish', 2, 'expires'), as: 5000 },
    at: { value: 'link:nobody@there', beside: { topic: 'a' }, msg: { payload: 1 }, shows: given('publish', 2, 'at'), as: 'link:nobody@there' },
    until: { value: 'delivered', beside: { topic: 'a', reader: 'archive' }, before: waiting, msg: { payload: 1 }, shows: given('publish', 2, 'follow'), as: 'archive' },
    reader: { value: 'archive', beside: { topic: 'a', until: 'delivered' }, before: waiting, msg: { payload: 1 }, shows: given('publish', 2, 'follow'), as: 'archive' },
  },
  'lanpost-subscribe': {
    filter: { value: 'b/#', shows: given('subscribe', 0), as: 'b/#' },
    at: { value: 'link:nobody@there', beside: { filter: '#' }, shows: given('subscribe', 1, 'at'), as: 'link:nobody@there' },
    from: { value: 'start', beside: { filter: '#' }, shows: given('subscribe', 1, 'from'), as: 'start' },
    fromValue: { value: '05', beside: { filter: '#', from: 'time' }, shows: given('subscribe', 1, 'from'), as: { time: 5 } },
    last: { value: 'all', beside: { filter: '#', from: 'new' }, before: seed, shows: ({ out }) => out.map(({ payload, retained }) => [payload, retained]), as: [[4, true]] },
    durable: { value: 'true', beside: { filter: '#', reader: 'archive' }, shows: given('subscribe', 1, 'durable'), as: 'archive' },
    reader: { value: 'archive', beside: { filter: '#', durable: 'true' }, shows: given('subscribe', 1, 'durable'), as: 'archive' },
    ack: { value: 'manual', beside: { filter: '#', inFlight: '7' }, shows: given('subscribe', 1, 'inFlight'), as: 7 },
    inFlight: { value: '07', beside: { filter: '#', ack: 'manual' }, shows: given('subscribe', 1, 'inFlight'), as: 7 },
    ackWait: { value: '03', beside: { filter: '#', ack: 'manual' }, shows: given('subscribe', 1, 'ackWait'), as: 3000 },
    rate: { value: '10', beside: { filter: 'seed', from: 'start' }, before: seed, shows: isPaced, as: true },
    rateOf: { value: 'all', beside: { filter: 'seed', rate: '10' }, act: then(began(/^received 0/), seed), shows: isPaced, as: true },
    form: { value: 'text', beside: { filter: 'live' }, act: then(began(/^received 0/), publishing), shows: ({ out }) => out[0]?.payload, as: '{"a":1}' },
    changes: { value: 'true', beside: { filter: 'live' }, act: then(began(/^received 0/), publishing, (box) => box.retract('live', 'x')), shows: ({ out }) => out.map(({ kind }) => kind), as: ['item', 'retract'] },
  },
  'lanpost-ack': {
    action: { value: 'nack', beside: {}, ...manual, shows: ({ said }) => /gave back/.test(said()), as: true },
    delay: { value: '300', beside: { action: 'nack' }, ...manual, shows: ({ out, times }) => {
      const [first, again] = times.filter((_, at) => out[at]?.payload === 1);
      return first !== undefined && again !== undefined && again - first >= 280;
    }, as: true },
  },
  'lanpost-gap': {
    filter: { value: 'bb', act: then(began(/^nothing lost/), losses), shows: ({ out }) => out[0]?.topic, as: 'bb' },
    reader: { value: 'till', act: then(began(/^nothing lost/), losses), shows: ({ out }) => out[0]?.topic, as: 'bb' },
    from: { value: 'start', shows: given('subscribe', 1, 'from'), as: 'start' },
  },
  'lanpost-items': {
    topic: { value: 'seed', before: seed, msg: {}, shows: given('items', 0), as: 'seed' },
    from: { value: 'start', beside: { topic: 'seed' }, before: seed, msg: {}, shows: given('items', 1, 'from'), as: 'start' },
    fromValue: { value: '03', beside: { topic: 'seed', from: 'seq' }, before: seed, msg: {}, shows: given('items', 1, 'from'), as: { seq: 3 } },
    until: { value: '01', beside: { topic: 'seed', from: 'start' }, before: seed, msg: {}, shows: ({ out }) => out[0]?.payload, as: [] },
    count: { value: '03', beside: { topic: 'seed' }, before: seed, msg: {}, shows: ({ out }) => (out[0]?.payload as readonly unknown[] | undefined)?.length, as: 3 },
    output: { value: 'split', beside: { topic: 'seed' }, before: seed, msg: {}, shows: ({ out }) => out.map(({ payload }) => payload), as: [1, 2, 3, 4] },
    form: { value: 'text', beside: { topic: 'seed' }, before: seed, msg: {}, shows: ({ out }) => (out[0]?.payload as readonly { readonly payload: unknown }[] | undefined)?.map(({ payload }) => payload), as: ['1', '2', '3', '4'] },
  },
  'lanpost-topic': {
    topic: { value: 'made', msg: {}, shows: given('topics.create', 0), as: 'made' },
    action: { value: 'delete', beside: { topic: 'seed' }, before: seed, msg: {}, shows: given('topics.delete', 0), as: 'seed' },
    deploy: { value: 'true', beside: { topic: 'made' }, shows: given('topics.create', 0), as: 'made' },
    lane: { value: 'latest', beside: { topic: 'made' }, msg: {}, shows: given('topics.create', 1), as: { lane: 'latest' } },
    key: { value: '/id', beside: { topic: 'made', lane: 'latest' }, msg: {}, shows: given('topics.create', 1), as: { lane: 'latest', key: '/id' } },
    maxItems: { value: '07', beside: { topic: 'made' }, msg: {}, shows: given('topics.create', 1), as: { maxItems: 7 } },
    accessModel: { value: 'open', beside: { topic: 'made' }, msg: {}, shows: given('topics.create', 1), as: { accessModel: 'open' } },
    settings: { value: '{ "title": "Boiler" }', beside: { topic: 'made' }, msg: {}, shows: given('topics.create', 1), as: { title: 'Boiler' } },
  },
  'lanpost-message-in': {
    from: { value: 'bob@pc', beside: { configVersion: 2 }, act: then(began(/^received 0/), async (box) => {
      await box.send('link:me', 'not from bob');
      await eventually(async () => (await box.subscriptions.list()).find(({ name }) => name.startsWith('inbox:'))?.pending === 0);
    }), shows: ({ out, said }) => [out.length, said()], as: [0, 'received 0'] },
    reader: { value: 'letters', shows: given('messages', 0, 'name'), as: 'letters' },
    begin: { value: 'start', beside: { configVersion: 2 }, shows: given('messages', 0, 'from'), as: 'start' },
  },
  'lanpost-message-out': {
    to: { value: 'link:me', msg: { payload: 'hi' }, shows: given('send', 0), as: 'link:me' },
    until: { value: 'delivered', beside: { to: 'link:me' }, msg: { payload: 'hi' }, shows: ({ said }) => said(), as: 'delivered 1' },
    expires: { value: '05', beside: { to: 'link:me' }, msg: { payload: 'hi' }, shows: given('send', 2, 'expires'), as: 5000 },
  },
  'lanpost-peers': {
    only: { value: 'robots', msg: {}, shows: ({ errors }) => errors, as: ['Error: only is "robots", and none of boxes, people'] },
    feature: { value: 'urn:x', msg: {}, shows: ({ out }) => (out[0]?.payload as readonly { readonly name: string }[] | undefined)?.map(({ name }) => name), as: ['with'],
      async before(box) {
        const peer = { status: 'available', host: 'h', port: 1, addresses: [], box: true, trust: 'none', connected: false } as const;
        Object.assign(box.peers, { list: async () => [{ ...peer, name: 'with', address: 'link:with', features: ['urn:x'] }, { ...peer, name: 'without', address: 'link:without', features: [] }] });
      } },
  },
  'lanpost-home': { home: { value: 'nobody@home.test', shows: ({ said }) => said(), as: 'no home nobody@home.test' } },
  'lanpost-request': {
    to: { value: 'link:nobody@there', beside: { command: 'do' }, msg: { payload: 1 }, shows: given('commands.run', 0), as: 'link:nobody@there' },
    kind: { value: 'get', beside: { to: 'link:me' }, msg: { payload: '<q xmlns="urn:x"/>' }, shows: given('request', 2, 'type'), as: 'get' },
    command: { value: 'do', msg: { payload: 1 }, shows: given('commands.run', 1), as: 'do' },
    timeout: { value: '05', beside: { command: 'do' }, msg: { payload: 1 }, shows: given('commands.run', 3, 'timeout'), as: 5000 },
  },
  'lanpost-command-in': {
    command: { value: 'do/it', shows: given('commands.offer', 0), as: 'do/it' },
    title: { value: 'Does it', beside: { command: 'do' }, shows: given('commands.offer', 2, 'title'), as: 'Does it' },
    timeout: { value: '05', beside: { command: 'do' }, shows: given('commands.offer', 2, 'timeout'), as: 5000 },
    'fields.name': { value: 'litres', beside: offers({ name: IT }), shows: offeredFirst, as: { name: 'litres', kind: 'text', required: false } },
    'fields.label': { value: 'Litres', beside: offers({ label: IT }), shows: offeredFirst, as: { name: 'n', label: 'Litres', kind: 'text', required: false } },
    'fields.kind': { value: 'number', beside: offers({ kind: IT }), shows: offeredFirst, as: { name: 'n', kind: 'number', required: false } },
    'fields.options': { value: 'up, down', beside: offers({ kind: 'list', options: IT }), shows: offeredFirst, as: { name: 'n', kind: 'list', required: false, options: ['up', 'down'] } },
    'fields.required': { value: 'true', beside: offers({ required: IT }), shows: offeredFirst, as: { name: 'n', kind: 'text', required: true } },
  },
  'lanpost-command-out': {
    outcome: { value: 'error', beside: {}, ...ran, shows: answer, as: ['failed', 'the pump is dry'] },
    code: { value: 'busy', beside: { outcome: 'error' }, ...ran, shows: answer, as: ['busy', 'the pump is dry'] },
  },
  'lanpost-box': {
    mode: atBox({}, 'own', () => existsSync(join(dir(), 'own')), true),
    dir: atBox({}, 'elsewhere', () => existsSync(join(dir(), 'elsewhere')), true),
    boxName: atBox({}, 'attic', async () => (await status('own')).name, 'attic'),
    link: atBox({}, 'false', async () => (await status('own')).link.state, 'off'),
    interfaces: atBox({ link: 'true' }, 'none0', async () => (await status('own')).link, expect.objectContaining({ interfaces: [] })),
    'homes.jid': { value: 'you@home.invalid', beside: home({ jid: IT }), shows: given('homes.add', 0, 'jid'), as: 'you@home.invalid' },
    'homes.topics': { value: 'a/#, b', beside: home({ topics: IT }), shows: given('homes.add', 0, 'topics'), as: ['a/#', 'b'] },
    'homes.host': { value: '127.0.0.1:2', beside: home({ host: IT }), shows: given('homes.add', 0, 'port'), as: 2 },
    'homes.ca': { value: '-----BEGIN CERTIFICATE-----', beside: home({ ca: IT }), shows: given('homes.add', 0, 'ca'), as: '-----BEGIN CERTIFICATE-----' },
    'homes.pin': { value: pin, beside: home({ pin: IT }), shows: given('homes.add', 0, 'pin'), as: [pin] },
  },
};

async function status(name: string): Promise<{ readonly name: string; readonly link: object & { readonly state: string } }> {
  await using box = await attachBox({ dir: join(dir(), name) });
  return { name: box.name, link: (await box.status()).link };
}

/** What nodes ask of a box, written down on the way. */
function recorded(box: Box): Seen['call'] {
  const calls = new Map<string, readonly unknown[]>();
  const record = (of: object, names: readonly string[], before = ''): void => {
    for (const name of names) {
      const real = (Reflect.get(of, name) as (...given: unknown[]) => unknown).bind(of);
      Object.assign(of, { [name]: (...args: unknown[]) => { calls.set(`${before}${name}`, args); return real(...args); } });
    }
  };
  record(box, ['publish', 'subscribe', 'items', 'send', 'messages', 'request']);
  record(box.commands, ['offer', 'run'], 'commands.');
  record(box.topics, ['create', 'delete'], 'topics.');
  record(box.homes, ['add'], 'homes.');
  return (method) => calls.get(method) ?? [];
}

/** By turns a property of the flow, and of the environment. */
const rows = Object.entries(FIELDS).flatMap(([name, fields]) => Object.entries(fields).map(([field, row], at) => [name, field, at % 2 === 0 ? 'flow' : 'environment', row] as const));

it.each(NODES)('%s has each of its fields here', (name) => {
  expect(Object.keys(FIELDS[name] ?? {}).toSorted()).toEqual(everyFieldOf(name).toSorted());
});

afterEach(() => { delete process.env['IT']; });

it.each(rows)('%s, %s: a property of the %s', async (name, field, where, { value, beside = {}, msg, before, act, shows, as, around = [] }) => {
  const isProperty = where === 'flow';
  const rest = value.slice(1);
  if (!isProperty) process.env['IT'] = rest;
  const type = name.replaceAll('-', ' ');
  const box = await openBox();
  await before?.(box);
  const call = recorded(box);
  const isBox = name === 'lanpost-box';
  const saved: object = { ...(type === 'lanpost subscribe' ? { configVersion: 2, last: 'none', rate: '0' } : type === 'lanpost publish' ? { configVersion: 3 } : type === 'lanpost topic' ? { deploy: 'false', lane: '', key: '', maxItems: '', accessModel: '', settings: '' } : {}), ...beside, ...(field.includes('.') ? {} : { [field]: IT }) };
  const filled = JSON.parse(JSON.stringify(saved).replaceAll(JSON.stringify(IT), JSON.stringify(`${value[0]}${IT}`))) as object;
  const node = { id: 'it', type, z: 'f', box: 'box', wires: [['arrived'], ['arrived']], ...filled };
  await load([
    { id: 'f', type: 'tab', label: 'test', env: isProperty ? [{ name: 'IT', type: 'str', value: rest }] : [] },
    ...(isBox ? [{ id: 'it', type, z: 'f', mode: 'auto', dir: '', boxName: '', link: 'true', ...filled }, { id: 'uses it', type: 'lanpost publish', z: 'f', box: 'it', topic: 'a', wires: [] }]
      : [{ id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true }, node]),
    { id: 'arrived', type: 'helper', z: 'f' }, { id: 'caught', type: 'helper', z: 'f' },
    { id: 'on error', type: 'catch', scope: null, z: 'f', wires: [['caught']] },
    { id: 'into', type: 'helper', z: 'f', wires: [['it']] }, ...around,
  ], { lanpost: { box } }, [], isBox ? { it: { password0: 'secret' } } : {});
  const [arrived, caught] = [collect(flows.getNode('arrived')), collect(flows.getNode('caught'))];
  const times: number[] = [];
  flows.getNode('arrived').on('input', () => { times.push(performance.now()); });
  // oxlint-disable-next-line no-underscore-dangle -- the helper's own name
  const { args, thisValues } = flows._NodePrototype.status;
  const seen: Seen = {
    box, call, times, out: arrived.all,
    said: () => (args.findLast((_, at) => (thisValues[at] as { readonly type: string }).type === type)?.[0] as { readonly text?: string } | undefined)?.text ?? '',
    get errors() { return caught.all.map((one) => String((one as { readonly error?: { readonly message: string } }).error?.message)); },
  };
  if (msg) flows.getNode('into').send(msg);
  await act?.(box, seen);
  await expect.poll(() => shows(seen)).toEqual(as);
});
