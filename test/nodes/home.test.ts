import { expect, it } from 'vitest';
import type { HomeStatus } from '../../src/index.ts';
import { changesOf, homesInWords } from '../../nodes/shared/home-events.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, shownBy, useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const tab = { id: 'f', type: 'tab', label: 'test' };
const config = { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true };
const helper = (id: string): object => ({ id, type: 'helper', z: 'f' });
/** An account on a server that is down. */
const HOME = { jid: 'me@home.invalid', password: 'secret', host: '127.0.0.1', port: 1, topics: ['up/#'] };
const flow = (home: string, env: object[] = []): object[] => [
  { ...tab, env }, config, { id: 'home', type: 'lanpost home', box: 'box', home, z: 'f', wires: [['events'], ['answer']] }, helper('events'), helper('answer'),
  { id: 'on error', type: 'catch', scope: null, z: 'f', wires: [['caught']] }, helper('caught'),
];
const status = (given: Partial<HomeStatus>): HomeStatus => ({ jid: 'me@a.example', service: '', topics: [], state: 'online', since: 0, queued: 0, queuedBytes: 0, oldestAge: 0, rate: { items: 0, bytes: 0 }, ...given });

interface Told { readonly event: string; readonly payload: HomeStatus }

async function until(events: { next(): Promise<unknown> }, fits: (told: Told) => boolean): Promise<Told> {
  for (;;) {
    const told = await events.next() as Told;
    if (fits(told)) return told;
  }
}

it('tells how a home stands, then that more waits; pauses and resumes it by message', async () => {
  const box = await openBox({ homes: [HOME] });
  await load(flow(''), { lanpost: { box } });
  const [events, answers] = [collect(flows.getNode('events')), collect(flows.getNode('answer'))];
  expect(await events.next()).toMatchObject({ event: 'state', topic: HOME.jid, payload: { jid: HOME.jid, queued: 0 } });
  flows.getNode('home').receive({ action: 'pause', kept: 1 });
  expect(await answers.next()).toMatchObject({ kept: 1, payload: { jid: HOME.jid, state: 'paused' } });
  await until(events, ({ payload }) => payload.state === 'paused');
  await box.publish('up/a', 1);
  expect(await until(events, ({ payload }) => payload.queued > 0)).toMatchObject({ event: 'progress', payload: { queued: 1, state: 'paused' } });
  flows.getNode('home').receive({ payload: 'resume' });
  expect((await answers.next()).payload).toMatchObject({ jid: HOME.jid });
  expect((await box.homes.list())[0]?.state).not.toBe('paused');
  flows.getNode('home').receive({ payload: 12 });
  expect((await answers.next()).payload).toMatchObject([{ jid: HOME.jid }]);
});

it('a field is filled in from the flow\'s own properties; what cannot be done goes to Catch', async () => {
  const box = await openBox({ homes: [HOME] });
  await load(flow('me@${WHERE}.invalid', [{ name: 'WHERE', value: 'home', type: 'str' }]), { lanpost: { box } });
  const [answers, caught] = [collect(flows.getNode('answer')), collect(flows.getNode('caught'))];
  flows.getNode('home').receive({ action: 'status' });
  expect((await answers.next()).payload).toMatchObject({ jid: HOME.jid });
  flows.getNode('home').receive({ action: 'explode' });
  expect((await caught.next()).error).toMatchObject({ message: expect.stringContaining('msg.action') });
});

it('says which home when there are none, or more', async () => {
  const box = await openBox();
  await load(flow(''), { lanpost: { box } });
  const caught = collect(flows.getNode('caught'));
  flows.getNode('home').receive({ action: 'pause' });
  expect((await caught.next()).error).toMatchObject({ message: expect.stringContaining('no home') });
});

it('the last question that failed is in the status, behind how the home stands, until one is answered', async () => {
  const box = await openBox();
  await load(flow(''), { lanpost: { box } });
  expect(await shownBy(flows, 'home', /^no home$/)).toBe('grey');
  flows.getNode('home').receive({ action: 'explode' });
  expect(await shownBy(flows, 'home', /^no home · msg\.action is pause, resume or/)).toBe('red');
  flows.getNode('home').receive({ action: 'status' });
  expect(await shownBy(flows, 'home', /^no home$/)).toBe('grey');
});

it('what has changed is the state, how much waits, or that nothing does any more', () => {
  const waits = status({ queued: 3, left: 3 });
  expect(changesOf(undefined, waits)).toEqual(['state']);
  expect(changesOf(waits, waits)).toEqual([]);
  expect(changesOf(waits, status({ queued: 3, left: 2 }))).toEqual(['progress']);
  expect(changesOf(waits, { ...waits, poison: 1 })).toEqual(['progress']);
  // What it has taken counts as safe a minute later.
  expect(changesOf(waits, status({ queued: 3 }))).toEqual(['drained']);
  expect(changesOf(status({ queued: 3 }), status({}))).toEqual(['progress']);
  expect(changesOf(waits, status({ queued: 3, left: 3, state: 'waiting', reason: 'no road' }))).toEqual(['state']);
  // Back, and all of it sent, between two looks.
  expect(changesOf(status({ queued: 3, left: 3, state: 'connecting' }), status({ queued: 3 }))).toEqual(['state', 'drained']);
  expect(changesOf(status({ down: { nodes: 2, waiting: 1 } }), status({ down: { nodes: 2, waiting: 0 } }))).toEqual(['progress']);
});

it.each<[string, Partial<HomeStatus>, Partial<HomeStatus>]>([
  ['it does not answer', {}, { unanswered: 3000 }],
  ['it answers again', { unanswered: 3000 }, {}],
  ['its session was lost, and is there again', { since: 1 }, { since: 2 }],
  ['it is reached another way', { over: 'tls a.example:5223' }, { over: 'websocket wss://a.example' }],
  ['it is let through by a neighbour', {}, { via: 'desk@pc' }],
  ['it is the one of its group now', { group: { name: 'g', rank: 1, active: false } }, { group: { name: 'g', rank: 1, active: true } }],
  ['it goes to the account itself', {}, { pep: { reason: 'no pubsub service there' } }],
  ['other topics go up', { topics: ['a'] }, { topics: ['a', 'b'] }],
  ['another node comes down', { down: { nodes: 1, waiting: 0 } }, { down: { nodes: 2, waiting: 0 } }],
  ['something of it is held back', {}, { reason: 't: forbidden' }],
])('an event tells that %s', (_what, before, now) => {
  expect(changesOf(status(before), status(now))).toEqual(['state']);
});

it.each<[string, Partial<HomeStatus>, Partial<HomeStatus>]>([
  ['for how long it has not answered', { unanswered: 3000 }, { unanswered: 4000 }],
  ['for how long the byte budget is used up', { reason: 'the byte budget is used up for 35 s' }, { reason: 'the byte budget is used up for 34 s' }],
  ['since when it waits', { state: 'waiting', since: 1, reason: 'no road', nextAttempt: 5 }, { state: 'waiting', since: 2, reason: 'no road', nextAttempt: 9 }],
])('no event tells %s', (_what, before, now) => {
  expect(changesOf(status(before), status(now))).toEqual([]);
});

it('the status says the state, how much waits, how old it is, and why', () => {
  expect(homesInWords([], '')).toEqual({ kind: 'idle', text: 'no home' });
  expect(homesInWords([], 'x@y.example')).toEqual({ kind: 'bad', text: 'no home x@y.example' });
  expect(homesInWords([status({})], '')).toEqual({ kind: 'good', text: 'online' });
  expect(homesInWords([status({ queued: 120, oldestAge: 60_000 })], '')).toEqual({ kind: 'good', text: 'online' });
  expect(homesInWords([status({ state: 'waiting', reason: 'no road', queued: 7, left: 7, oldestAge: 180_000 })], '')).toEqual({ kind: 'waiting', text: 'waiting · 7 queued, oldest 3 min · no road' });
  expect(homesInWords([status({ unanswered: 12_000, queued: 9, left: 7, oldestAge: 14_000 })], '')).toEqual({ kind: 'waiting', text: 'no answer for 12 s · 7 queued, oldest 14 s' });
  expect(homesInWords([status({ unanswered: 12_000 }), status({})], '')).toEqual({ kind: 'waiting', text: '1 of 2 online' });
  expect(homesInWords([status({}), status({ state: 'refused', queued: 1, left: 1, oldestAge: 5000 })], '')).toEqual({ kind: 'bad', text: '1 of 2 online, 1 refused · 1 queued, oldest 5 s' });
});

it('the status is true of homes that are paused, refused, stand by, or are held up', () => {
  const group = (active: boolean): Partial<HomeStatus> => ({ group: { name: 'g', rank: active ? 0 : 1, active }, queued: 7, left: 7, oldestAge: 3000 });
  expect(homesInWords([status({ state: 'paused', queued: 2, left: 2, oldestAge: 4000 })], '')).toEqual({ kind: 'idle', text: 'paused · 2 queued, oldest 4 s' });
  expect(homesInWords([status({ state: 'refused', reason: 'not-authorized' })], '')).toEqual({ kind: 'bad', text: 'refused · not-authorized' });
  expect(homesInWords([status(group(true))], '')).toEqual({ kind: 'good', text: 'online · 7 queued, oldest 3 s' });
  expect(homesInWords([status(group(false))], '')).toEqual({ kind: 'good', text: 'online, stands by · 7 queued, oldest 3 s' });
  // What waits for the group waits once.
  expect(homesInWords([status(group(true)), status(group(false)), status({ queued: 1, left: 1, oldestAge: 9000 })], '')).toEqual({ kind: 'good', text: '3 of 3 online · 8 queued, oldest 9 s' });
  expect(homesInWords([status({ queued: 1, left: 1, oldestAge: 1000, reason: 't: forbidden' })], '')).toEqual({ kind: 'waiting', text: 'online · 1 queued, oldest 1 s · t: forbidden' });
  expect(homesInWords([status({}), status({ state: 'paused' })], '')).toEqual({ kind: 'good', text: '1 of 2 online, 1 paused' });
  expect(homesInWords([status({ state: 'paused' }), status({ state: 'paused' })], '')).toEqual({ kind: 'idle', text: '0 of 2 online, 2 paused' });
  expect(homesInWords([status({ state: 'waiting', reason: 'no road' }), status({ jid: 'b@b.example', state: 'refused', reason: 'not-authorized' })], '')).toEqual({ kind: 'bad', text: '0 of 2 online, 1 refused · b@b.example: not-authorized' });
});
