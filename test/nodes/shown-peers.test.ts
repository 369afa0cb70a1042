import { expect, it } from 'vitest';
import { findPeers, shownPeers } from '../../nodes/shared/shown-peers.ts';
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
const told = async (box: Box, wanted: Parameters<typeof shownPeers>[1]): Promise<string[]> => {
  const all: string[] = [];
  for await (const { type, peer: { name } } of shownPeers(box, wanted, new AbortController().signal)) all.push(`${type} ${name}`);
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
