import { expect, it } from 'vitest';
import type { HomeStatus } from '../../src/index.ts';
import { changeOf, homesInWords } from '../../nodes/shared/home-events.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, useFlows } from './flow-kit.ts';

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

it('an event is one of state, progress or drained', () => {
  const waits = status({ queued: 3 });
  expect(changeOf(undefined, waits)).toBe('state');
  expect(changeOf(waits, waits)).toBeUndefined();
  expect(changeOf(waits, status({ queued: 2 }))).toBe('progress');
  expect(changeOf(waits, status({ queued: 0 }))).toBe('drained');
  expect(changeOf(waits, status({ queued: 3, state: 'waiting', reason: 'no road' }))).toBe('state');
});

it('the status says the state, how much waits, how old it is, and why', () => {
  expect(homesInWords([], '')).toEqual({ kind: 'idle', text: 'no home' });
  expect(homesInWords([], 'x@y.example')).toEqual({ kind: 'bad', text: 'no home x@y.example' });
  expect(homesInWords([status({})], '')).toEqual({ kind: 'good', text: 'online' });
  expect(homesInWords([status({ state: 'waiting', reason: 'no road', queued: 7, oldestAge: 180_000 })], '')).toEqual({ kind: 'waiting', text: 'waiting · 7 queued, oldest 3 min · no road' });
  expect(homesInWords([status({ unanswered: 12_000, queued: 7, oldestAge: 14_000 })], '')).toEqual({ kind: 'waiting', text: 'no answer for 12 s · 7 queued, oldest 14 s' });
  expect(homesInWords([status({ unanswered: 12_000 }), status({})], '')).toEqual({ kind: 'waiting', text: '1 of 2 online' });
  expect(homesInWords([status({}), status({ state: 'refused', queued: 1, oldestAge: 5000 })], '')).toEqual({ kind: 'waiting', text: '1 of 2 online · 1 queued, oldest 5 s' });
});
