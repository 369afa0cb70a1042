import { beforeEach, expect, test } from 'vitest';
import { Readable } from '../../src/pubsub/readable.ts';

const settings = new Map<string, object>();
const allowed = new Set<string>();
let asked: string[];
let generation: number | undefined;
let trusted: number;
let said: number;
let beginning: number;
const granted = new Set<string>();
const readable = (filter: string): Readable => new Readable(filter, {
  generation: () => generation, trusted: () => trusted,
  settings: (topic) => settings.get(topic),
  said: () => said,
  precedes: (_, seq) => seq < beginning,
  granted: (topic) => granted.has(topic),
  may: (topic) => {
    asked.push(topic);
    return allowed.has(topic);
  },
  maySome: () => allowed.size > 0,
});

beforeEach(() => {
  settings.clear();
  allowed.clear();
  asked = [];
  generation = 1;
  trusted = 1;
  said = 1;
  beginning = 0;
  granted.clear();
});

test('each topic is asked for once, until a right or its settings change', () => {
  settings.set('a', {});
  allowed.add('a');
  const one = readable('#');
  for (let i = 0; i < 5; i += 1) expect([one.topic('a'), one.topic('b')]).toEqual([true, false]);
  expect(asked).toEqual(['a', 'b']);
  settings.set('a', {});
  allowed.delete('a');
  expect(one.topic('a')).toBe(false);
  allowed.add('b');
  expect(one.topic('b')).toBe(false); // nothing has said that rights are others
  generation = 2;
  expect([one.topic('a'), one.topic('b')]).toEqual([false, true]);
});

test('where nobody can say when rights change it is asked each time', () => {
  generation = undefined;
  const one = readable('#');
  expect(one.topic('a')).toBe(false);
  allowed.add('a');
  expect(one.topic('a')).toBe(true);
});

test('what is left of a topic that had the name before is only for who may read that name, whatever it stands for', () => {
  settings.set('a', {});
  allowed.add('a');
  beginning = 5;
  const one = readable('a');
  const seen = (): boolean[] => [4, 5, 6].map((seq) => one.record({ topic: 'a', seq }));
  expect(seen()).toEqual([false, true, true]);
  granted.add('a');
  expect(seen()).toEqual([true, true, true]);
  allowed.clear();
  generation = 2;
  expect(seen()).toEqual([false, false, false]);
});

test('what is left of a deleted topic is not for who could not read it any more before it was deleted', () => {
  settings.set('a', {});
  allowed.add('a');
  const one = readable('a');
  expect(one.some).toBe(true);
  said = 2;
  settings.delete('a');
  allowed.delete('a');
  generation = 2;
  expect(one.topic('a')).toBe(false);
});

test('what is left of a deleted topic is for whom it was for, unless a right was taken away', () => {
  settings.set('a', {});
  allowed.add('a');
  const one = readable('a');
  expect(one.some).toBe(true);
  settings.delete('a');
  allowed.delete('a');
  generation = 2;
  expect([one.some, one.topic('a')]).toEqual([true, true]);
  settings.set('a', {}); // made anew, by somebody else
  expect(one.topic('a')).toBe(false);
});

test('and not if it was', () => {
  settings.set('a', {});
  allowed.add('a');
  const one = readable('a');
  expect(one.some).toBe(true);
  settings.delete('a');
  allowed.delete('a');
  [generation, trusted] = [2, 2];
  expect(one.some).toBe(false);
});

test('a gap names no topic that may not be read', () => {
  allowed.add('a');
  const range = { from: 1, to: 9, count: 4 };
  const gap = { ...range, reason: 'overflow', topics: [{ topic: 'a', from: 1, to: 3, count: 2 }, { topic: 'secret', from: 2, to: 4, count: 1 }], others: { from: 8, to: 9, count: 1 } } as const;
  const record = { seq: 9, topic: '', kind: 'gap', previous: 0, recordId: 'x', stamp: { wall: 0, mono: 0, boot: '', trusted: true }, gap } as const;
  expect(readable('#').told(record).gap).toEqual({ ...range, reason: 'overflow', topics: [gap.topics[0]], others: { from: 2, to: 9, count: 2 } });
  allowed.add('secret');
  generation = 2;
  expect(readable('#').told(record)).toBe(record);
});
