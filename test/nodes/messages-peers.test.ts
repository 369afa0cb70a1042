import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Box, BoxOptions, Message } from '../../src/index.ts';
import { xml } from '../../src/xmpp/element.ts';
import { startFakeHome } from '../home/fake-home.ts';
import { Bell } from '../support/bell.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, saidBy, shownBy, useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const tab = { id: 'f', type: 'tab', label: 'test' };
const config = { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true };
const helper = (id: string): object => ({ id, type: 'helper', z: 'f' });
const messageIn = (id: string, from: string, to: string): object => ({ id, type: 'lanpost message in', box: 'box', from, reader: '', z: 'f', wires: [[to]] });
/** An account on a server that is down: what is sent to its domain waits. */
const HOME = { jid: 'me@home.invalid', password: 'secret', host: '127.0.0.1', port: 1 };

async function firstMessage(box: Box): Promise<Message> {
  for await (const message of box.messages({ name: 'test' })) return message;
  throw new Error('the messages ended');
}

describe('lanpost message in', () => {
  it('a message comes with what the contract names and is confirmed once the flow has it', async () => {
    const box = await openBox();
    await load([tab, config, messageIn('in', '', 'out'), helper('out')], { lanpost: { box } });
    const came = collect(flows.getNode('out'));
    await box.send('link:me', 'hi', { id: 'm1', subject: 's', thread: 't' });
    expect(await came.next()).toMatchObject({
      payload: 'hi', from: 'link:me', to: 'link:me', id: 'm1', subject: 's', thread: 't', time: expect.any(Number), _msgid: expect.any(String),
      lanpost: { reader: 'in', id: 'm1', seq: expect.any(Number), trust: 'paired', redelivered: false },
    });
    await nextTurn();
    expect((await box.subscriptions.list()).find((reader) => reader.name === 'inbox:in')).toMatchObject({ durable: true, pending: 0 });
  });

  it.each(['me', 'link:me'])('gives only what comes from "%s" when told so', async (from) => {
    const box = await openBox();
    await load([tab, config, messageIn('other', 'bob@pc', 'not'), helper('not'), messageIn('in', from, 'out'), helper('out')], { lanpost: { box } });
    const [wrong, right] = [collect(flows.getNode('not')), collect(flows.getNode('out'))];
    await box.send('link:me', 'hi');
    expect((await right.next()).payload).toBe('hi');
    await nextTurn();
    const readers = (await box.subscriptions.list()).filter((reader) => reader.name.startsWith('inbox:'));
    expect(readers.map((reader) => reader.pending)).toEqual([0, 0]); // both have seen it
    expect(wrong.all).toEqual([]);
  });

  it('a reader that is new begins with what comes from now on, or with all there is; one of before there was a choice with all', async () => {
    const box = await openBox();
    await box.send('link:me', 'before');
    await expect.poll(() => box.topics.get('$inbox/paired')).toBeDefined();
    const begun = (id: string, more: object): object[] => [{ ...messageIn(id, '', `${id} out`), ...more }, helper(`${id} out`)];
    await load([tab, config, ...begun('fresh', { configVersion: 2, begin: 'new' }), ...begun('all', { configVersion: 2, begin: 'start' }), ...begun('old', {})], { lanpost: { box } });
    const came = ['fresh', 'all', 'old'].map((id) => collect(flows.getNode(`${id} out`)));
    await expect.poll(async () => (await box.subscriptions.list()).filter((reader) => reader.name.startsWith('inbox:')).length).toBe(3);
    await box.send('link:me', 'after');
    expect((await came[0]?.next())?.payload).toBe('after');
    for (const one of came.slice(1)) expect([(await one.next()).payload, (await one.next()).payload]).toEqual(['before', 'after']);
  });

  it('gives what comes from an account, whatever program it is written with, when told so', async () => {
    const bell = new Bell();
    const home = await startFakeHome(bell);
    const box = await openBox({ homes: [home.account] });
    await load([tab, config, messageIn('in', 'xmpp:Alice@Home.test', 'out'), helper('out'), messageIn('other', 'alice@home.test/phone', 'not'), helper('not')], { lanpost: { box } });
    const [right, wrong] = [collect(flows.getNode('out')), collect(flows.getNode('not'))];
    await expect.poll(async () => (await box.homes.list())[0]?.state).toBe('online');
    for (const [from, body] of [['mallory@home.test/desk', 'no'], ['alice@home.test/desk', 'hi']] as const) home.say(xml('message', { xmlns: 'jabber:client', type: 'chat', from, to: home.account.jid }, xml('body', {}, body)));
    expect(await right.next()).toMatchObject({ payload: 'hi', from: 'xmpp:alice@home.test/desk' });
    await expect.poll(async () => (await box.subscriptions.list()).filter((reader) => reader.name.startsWith('inbox:')).map((reader) => reader.pending)).toEqual([0, 0]);
    expect([right.all.length, wrong.all.length]).toEqual([1, 0]);
    await home.close();
  });
});

describe('a name that is no JID', () => {
  it('goes through both nodes as it is', async () => {
    const name = 'Ünï.Cödé bael (2)';
    const box = await openBox({ name });
    await load([tab, config, messageIn('in', name, 'out'), helper('out'), { id: 'send', type: 'lanpost message out', box: 'box', to: `link:${name}`, until: 'delivered', z: 'f' }], { lanpost: { box } });
    const came = collect(flows.getNode('out'));
    flows.getNode('send').receive({ payload: 'hi' });
    expect(await came.next()).toMatchObject({ payload: 'hi', from: `link:${name}`, to: `link:${name}` });
  });
});

describe('lanpost message out', () => {
  const sending = (to: string, until: string): object[] => [tab, config,
    { id: 'send', type: 'lanpost message out', box: 'box', to, until, z: 'f' },
    { id: 'on done', type: 'complete', scope: ['send'], z: 'f', wires: [['completed']] }, helper('completed'),
    { id: 'on error', type: 'catch', scope: null, z: 'f', wires: [['caught']] }, helper('caught'),
  ];

  it('sends to the node\'s address before msg.to, and passes id, subject and thread on', async () => {
    const box = await openBox();
    await load(sending('link:me', 'delivered'), { lanpost: { box } });
    const completed = collect(flows.getNode('completed'));
    flows.getNode('send').receive({ payload: { a: 1 }, to: 'link:other', id: 'mine', subject: 's', thread: 't' });
    await completed.next();
    expect(await firstMessage(box)).toMatchObject({ from: 'link:me', to: 'link:me', body: '{"a":1}', id: 'mine', subject: 's', thread: 't' });
  });

  it('an answer is a new message: it does not carry the id of the one it answers', async () => {
    const box = await openBox();
    await load(sending('', 'handed'), { lanpost: { box } });
    const completed = collect(flows.getNode('completed'));
    flows.getNode('send').receive({ payload: 'yes', to: 'link:me', id: 'm1', thread: 't', lanpost: { reader: 'in', id: 'm1' } });
    await completed.next();
    const answer = await firstMessage(box);
    expect(answer).toMatchObject({ body: 'yes', thread: 't' });
    expect(answer.id).not.toBe('m1');
  });

  it.each([
    ['an address that nothing reaches', { payload: 'x', to: 'link:nobody' }, { code: 'unreachable', message: expect.stringContaining('link:nobody') }],
    ['what expires on its way', { payload: 'x', to: 'xmpp:you@home.invalid', expires: 1 }, { code: 'expired' }],
    ['no address', { payload: 'x' }, { message: expect.stringContaining('msg.to') }],
    ['no payload', { to: 'link:me' }, { message: expect.stringContaining('msg.payload') }],
  ])('%s goes to Catch, not to Complete', async (_case, msg, error) => {
    const box = await openBox({ homes: [HOME] });
    await load(sending('', 'delivered'), { lanpost: { box } });
    const [caught, completed] = [collect(flows.getNode('caught')), collect(flows.getNode('completed'))];
    flows.getNode('send').receive(msg);
    expect((await caught.next()).error).toMatchObject(error);
    flows.getNode('send').receive({ payload: 'good', to: 'link:me' });
    expect((await completed.next()).payload).toBe('good');
    expect(completed.all).toHaveLength(1);
  });

  it('an item that is sent on keeps its id, so that a repeat of it is no second message; an answer gets its own', async () => {
    const box = await openBox({ homes: [HOME] });
    await load(sending('', 'accepted'), { lanpost: { box } });
    const completed = collect(flows.getNode('completed'));
    flows.getNode('send').receive({ payload: 'item', id: 'i1', to: 'xmpp:you@home.invalid', lanpost: { topic: 't', id: 'i1', node: 'n', seq: 1 } });
    flows.getNode('send').receive({ payload: 'answer', id: 'm1', to: 'xmpp:you@home.invalid', lanpost: { reader: 'in', id: 'm1', seq: 1, trust: 'seen' } });
    expect([await completed.next(), await completed.next()]).toMatchObject([{ receipt: { id: 'i1' } }, { receipt: { id: expect.not.stringMatching(/^m1$/) } }]);
  });

  it('items of two topics that have one id and one payload are two messages; an id that the flow has set is kept', async () => {
    const box = await openBox({ homes: [HOME] });
    await load(sending('', 'accepted'), { lanpost: { box } });
    const completed = collect(flows.getNode('completed'));
    const item = (topic: string, seq: number): object => ({ payload: 'on', topic, id: 'state', to: 'xmpp:you@home.invalid', lanpost: { topic, id: 'state', node: 'n', seq, recordId: `b-e-${seq}` } });
    flows.getNode('send').receive(item('hall', 1));
    flows.getNode('send').receive(item('attic', 2));
    flows.getNode('send').receive(item('attic', 2));
    flows.getNode('send').receive({ ...item('attic', 3), id: 'mine' });
    const ids = [await completed.next(), await completed.next(), await completed.next(), await completed.next()].map((msg) => (msg as { receipt?: { id: string } }).receipt?.id);
    expect(ids).toEqual(['b-e-1', 'b-e-2', 'b-e-2', 'mine']);
    flows.getNode('send').receive({ payload: 'on', id: 'state', to: 'xmpp:you@home.invalid', lanpost: { id: 'state', recordId: 'b-e-9', itemRecordId: 'b-e-8' } });
    expect(await completed.next()).toMatchObject({ receipt: { id: 'b-e-8' } });
    for (const index of [0, 1]) flows.getNode('send').receive({ ...item('hall', 4), parts: { id: 'p', index, count: 2 } });
    expect([await completed.next(), await completed.next()]).toMatchObject([{ receipt: { id: 'b-e-4:0' } }, { receipt: { id: 'b-e-4:1' } }]);
  });

  it('what waits for delivery keeps no other off the disk, and the status says how many', async () => {
    const box = await openBox({ homes: [HOME] });
    await load(sending('', 'delivered'), { lanpost: { box } });
    const completed = collect(flows.getNode('completed'));
    for (let n = 0; n < 1100; n++) flows.getNode('send').receive({ payload: n, to: 'xmpp:you@home.invalid', id: `m${n}` });
    flows.getNode('send').receive({ payload: 'mine', to: 'link:me' });
    expect(await completed.next()).toMatchObject({ payload: 'mine', receipt: { state: 'delivered' } });
    expect(await box.messageState('m1099')).toBe('accepted');
    expect(await saidBy(flows, 'send', /1, 1100 on the way/)).toBe('delivered 1, 1100 on the way');
    expect(completed.all).toHaveLength(1);
  });

  it('what waits for delivery is told when the flow stops, and the box keeps it', async () => {
    const box = await openBox({ homes: [HOME] });
    await load(sending('', 'delivered'), { lanpost: { box } });
    const [caught, completed] = [collect(flows.getNode('caught')), collect(flows.getNode('completed'))];
    flows.getNode('send').receive({ payload: 'z', to: 'xmpp:you@home.invalid', id: 'kept' });
    await flows.getNode('send').close(false);
    expect((await caught.next()).error).toMatchObject({ message: expect.stringContaining('deployed again before this was known to be delivered') });
    expect(completed.all).toEqual([]);
    expect(await box.messageState('kept')).toBe('accepted');
  });
});

describe('lanpost peers', () => {
  const peers = [tab, config, { id: 'peers', type: 'lanpost peers', box: 'box', z: 'f', wires: [[], []] }];

  it.each<[string, BoxOptions, string]>([
    ['whose link is off', {}, 'no link'],
    ['whose interface is gone', { link: { interfaces: ['gone0'] } }, 'no link: no interface'],
  ])('a box %s has no link, and that is said', async (_case, options, words) => {
    const box = await openBox(options);
    await load(peers, { lanpost: { box } });
    expect(await saidBy(flows, 'peers', /link|peer/)).toBe(words);
    // oxlint-disable-next-line no-underscore-dangle -- the helper's own name
    const shown = flows._NodePrototype.status.args.map(([status]) => status as { readonly fill?: string });
    expect(shown.filter(({ fill }) => fill === 'green')).toEqual([]);
  });

  it('the last question that failed is in the status, until one is answered', async () => {
    await load(peers, { lanpost: { box: await openBox() } });
    await saidBy(flows, 'peers', /^no link$/);
    flows.getNode('peers').receive({ only: 'robots' });
    expect(await shownBy(flows, 'peers', /^no link · msg\.only is "robots"/)).toBe('red');
    flows.getNode('peers').receive({ only: 'boxes' });
    expect(await shownBy(flows, 'peers', /^no link$/)).not.toBe('red');
  });

  it('lists on the second output when asked', async () => {
    const box = await openBox();
    await load([tab, config, { id: 'peers', type: 'lanpost peers', box: 'box', z: 'f', wires: [['events'], ['list']] }, helper('events'), helper('list')], { lanpost: { box } });
    const [events, list] = [collect(flows.getNode('events')), collect(flows.getNode('list'))];
    flows.getNode('peers').receive({ question: 1 });
    expect(await list.next()).toMatchObject({ question: 1, payload: [] });
    expect(events.all).toEqual([]);
  });
});
