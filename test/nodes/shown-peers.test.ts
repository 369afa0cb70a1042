import { describe, expect, it } from 'vitest';
import { findPeers, ShownPeers } from '../../nodes/shared/shown-peers.ts';
import type { Box, Peer, PeerEvent } from '../../src/index.ts';

const peer = (name: string, more: Partial<Peer> = {}): Peer => ({ name, address: `link:${name}`, status: 'available', host: 'h', port: 1, addresses: [], box: true, trust: 'none', connected: false, ...more });

/** A box on a link of which only the events are played. */
function playing(events: readonly PeerEvent[], features: Readonly<Record<string, readonly string[]>> = {}): { readonly box: Box; readonly asked: string[] } {
  const asked: string[] = [];
  const box = { peers: {
    async *watch() { yield* events; },
    async list() { return events.map((event) => event.peer); },
    async features(name: string) {
      asked.push(name);
      const found = features[name];
      if (!found) throw new Error('it does not answer');
      return found;
    },
    async topics(name: string) { return name === 'a' ? [{ name: 'hall/1', tags: [] }] : []; },
  } } as unknown as Box;
  return { box, asked };
}
const told = async (box: Box, wanted: ConstructorParameters<typeof ShownPeers>[0]): Promise<string[]> => {
  const all: string[] = [];
  for await (const { type, peer: { name } } of new ShownPeers(wanted).events(box, new AbortController().signal)) all.push(`${type} ${name}`);
  return all;
};

it('tells of boxes or of people only', async () => {
  const events: PeerEvent[] = [{ type: 'up', peer: peer('a') }, { type: 'up', peer: peer('p', { box: false }) }, { type: 'changed', peer: peer('p', { box: false }) }, { type: 'down', peer: peer('a') }];
  expect(await told(playing(events).box, { only: 'boxes' })).toEqual(['up a', 'down a']);
  expect(await told(playing(events).box, { only: 'people' })).toEqual(['up p', 'changed p']);
  expect(await told(playing(events).box, {})).toEqual(['up a', 'up p', 'changed p', 'down a']);
});

it('who turns out to have the feature comes then, and who has it no more goes; each is asked once', async () => {
  const { box, asked } = playing([
    { type: 'up', peer: peer('a') }, { type: 'changed', peer: peer('a') }, { type: 'changed', peer: peer('a', { features: ['x'] }) }, { type: 'changed', peer: peer('a', { features: ['y'] }) }, { type: 'up', peer: peer('b') },
  ], { a: ['x'] });
  expect(await told(box, { feature: 'x' })).toEqual(['up a', 'down a']);
  expect(asked).toEqual(['a', 'b']);
});

it('a question asks who has not said yet, leaves out who does not answer, and gives the topics that fit', async () => {
  const { box } = playing([{ type: 'up', peer: peer('a') }, { type: 'up', peer: peer('b') }, { type: 'up', peer: peer('c', { features: ['x'] }) }], { a: ['x'] });
  expect((await findPeers(box, { feature: 'x' })).map(({ name, features }) => [name, features])).toEqual([['a', ['x']], ['c', ['x']]]);
  expect(await findPeers(box, {}, { text: 'hall' })).toMatchObject([{ name: 'a', topics: [{ name: 'hall/1' }] }]);
});

/** A box that is back, or another one: who is there, and what is told then, until it is gone again. */
function back(here: readonly Peer[], news: readonly PeerEvent[] | 'silence', { features = {}, link = 'up' }: { readonly features?: Readonly<Record<string, readonly string[]>>; readonly link?: 'up' | 'off' } = {}): Box {
  const known = new Map(here.map((one) => [one.name, one]));
  return { peers: {
    async *watch({ signal }: { readonly signal: AbortSignal }) {
      for (const one of here) yield { type: 'up', peer: one };
      if (news === 'silence') await new Promise((_, reject) => { signal.addEventListener('abort', () => reject(signal.reason)); });
      else yield* news;
    },
    async list() { return [...known.values()]; },
    async features(name: string) {
      const found = features[name];
      if (!found) throw new Error('it does not answer');
      known.set(name, { ...known.get(name) as Peer, features: found });
      return found;
    },
  }, async status() { return { link: { state: link, interfaces: [] } }; } } as unknown as Box;
}

describe('when the box was away', () => {
  const saidOf = async (shown: ShownPeers, box: Box, until = Infinity): Promise<string[]> => {
    const stop = new AbortController();
    const all: string[] = [];
    try {
      for await (const { type, peer: { name } } of shown.events(box, stop.signal)) if (all.push(`${type} ${name}`) === until) stop.abort();
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    }
    return all;
  };

  it('who has gone is told of, who came and who changed; who is as before is not told again', async () => {
    const shown = new ShownPeers({}, 1);
    expect(await saidOf(shown, back([peer('a'), peer('b'), peer('c')], []))).toEqual(['up a', 'up b', 'up c']);
    expect(await saidOf(shown, back([peer('a'), peer('c', { status: 'away' }), peer('d')], 'silence'), 3)).toEqual(['changed c', 'up d', 'down b']);
    expect([...shown.told.keys()].toSorted()).toEqual(['a', 'c', 'd']);
  });

  it('one that is found again soon had not gone; one that had changed meanwhile is told so', async () => {
    const shown = new ShownPeers({}, 60_000);
    await saidOf(shown, back([peer('a'), peer('b')], []));
    expect(await saidOf(shown, back([], [{ type: 'up', peer: peer('a') }, { type: 'up', peer: peer('b', { port: 2 }) }, { type: 'down', peer: peer('a') }]))).toEqual(['changed b', 'down a']);
  });

  it('without a link nobody is found again, and that is said at once', async () => {
    const shown = new ShownPeers({}, 1e9);
    await saidOf(shown, back([peer('a')], []));
    expect(await saidOf(shown, back([], 'silence', { link: 'off' }), 1)).toEqual(['down a']);
  });

  it('what they can do is asked once more before any of them is said to have gone', async () => {
    const shown = new ShownPeers({ feature: 'x' }, 1);
    await saidOf(shown, back([peer('a', { features: ['x'] }), peer('b', { features: ['x'] }), peer('c', { features: ['x'] })], []));
    expect(await saidOf(shown, back([peer('a'), peer('b')], 'silence', { features: { a: ['x'] } }), 2)).toEqual(['down b', 'down c']);
    const again = new ShownPeers({ feature: 'x' }, 60_000);
    await saidOf(again, back([peer('a', { features: ['x'] })], []));
    expect(await saidOf(again, back([], [{ type: 'up', peer: peer('a') }, { type: 'changed', peer: peer('a', { features: ['x'] }) }, { type: 'changed', peer: peer('a', { features: ['y'] }) }]))).toEqual(['down a']);
  });
});
