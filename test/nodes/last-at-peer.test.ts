import { expect, it } from 'vitest';
import { LastAtPeer } from '../../nodes/shared/last-values.ts';
import { type Box, type Item, LanpostError } from '../../src/index.ts';

const item = (recordId: string, topic = 't'): Item => ({ kind: 'item', topic, recordId, id: recordId, seq: 1, value: 1, contentType: 'application/json', time: 0, timeTrusted: true, redelivered: false, ack: () => undefined, nack: () => undefined });
/** A box whose peer has these; that is not there while `away` counts down. */
const asking = (items: readonly Item[], away = 0): Box => {
  let left = away;
  return {
    peers: { async topics() {
      if (left-- > 0) throw new LanpostError('unreachable');
      return [...new Set(items.map(({ topic }) => topic))].map((name) => ({ name, tags: [], lane: 'latest' }));
    } },
    async items(topic: string) { return items.filter((one) => one.topic === topic); },
  } as unknown as Box;
};
const given = async (lasts: LastAtPeer, box: Box, waited: () => void = () => undefined): Promise<string[]> => {
  const all: string[] = [];
  await lasts.give(box, { filter: '#', at: 'link:b', last: 'latest' }, { send: async ({ recordId }) => void all.push(recordId), later: async () => waited(), isLet: async () => true, refused: () => undefined, signal: new AbortController().signal });
  return all;
};

it('what the flow has had as a last value, and then comes by itself, is known; once', async () => {
  const lasts = new LastAtPeer();
  expect(await given(lasts, asking([item('r1'), item('r2')]))).toEqual(['r1', 'r2']);
  expect([item('r2'), item('r2'), item('r1')].map((one) => lasts.came(one))).toEqual([true, false, false]);
});

it('behind what is older it comes once more, for what came last is what holds', async () => {
  const lasts = new LastAtPeer();
  await given(lasts, asking([item('newest'), item('other', 'u')]));
  expect([item('older'), item('newest'), item('other', 'u')].map((one) => lasts.came(one))).toEqual([false, false, true]);
});

it('of a peer that comes later they are given then, but for topics that something has come of', async () => {
  const lasts = new LastAtPeer();
  let waits = 0;
  expect(await given(lasts, asking([item('r1'), item('r2', 'u')], 2), () => {
    waits++;
    lasts.came(item('live', 'u'));
  })).toEqual(['r1']);
  expect(waits).toBe(2);
});

it('of one that waits for the owner there they are given when it is let, and what comes by itself does not wait for that', async () => {
  const steps: string[] = [];
  const answers = [false, false, true, true];
  let lets = false;
  // A peer names only what it lets one read.
  const box = { peers: { topics: async () => (lets ? [{ name: 't', tags: [], lane: 'history' }] : []) }, items: async () => [item('r1')] } as unknown as Box;
  await new LastAtPeer().give(box, { filter: 't', at: 'link:b', last: 'all' }, {
    send: async ({ recordId }) => void steps.push(recordId),
    later: async () => void steps.push('later'),
    isLet: async () => {
      lets = answers.shift() ?? true;
      return lets;
    },
    refused: () => void steps.push('refused'),
    signal: new AbortController().signal,
  });
  expect(steps).toEqual(['refused', 'later', 'later', 'r1']);
});
