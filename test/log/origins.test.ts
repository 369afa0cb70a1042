import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Mark, Origins, originName, take } from '../../src/log/origins.ts';

it('takes each record of a topic once, whatever order and however often they come', () => {
  fc.assert(fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 }), fc.array(fc.nat(), { maxLength: 80 }), (numbers, order) => {
    const seqs = numbers.toSorted((a, b) => a - b);
    const previous = new Map(seqs.map((seq, i) => [seq, seqs[i - 1] ?? 0]));
    const taken: number[] = [];
    let mark: Mark | undefined;
    for (const pick of [...order.map((n) => seqs[n % seqs.length] ?? 0), ...seqs]) {
      const next = take(mark, pick, previous.get(pick));
      if (!next) continue;
      taken.push(pick);
      mark = next;
    }
    expect(taken.toSorted((a, b) => a - b)).toEqual(seqs);
    expect(mark).toEqual({ high: seqs.at(-1), holes: [] });
  }));
});

it('without a predecessor takes what is above the mark only', () => {
  const mark = take(undefined, 5, undefined);
  expect(mark).toEqual({ high: 5, holes: [] });
  expect(take(mark, 3, undefined)).toBeUndefined();
  expect(take(mark, 5, undefined)).toBeUndefined();
  expect(take(mark, 9, undefined)).toEqual({ high: 9, holes: [] });
});

it('keeps a bounded number of holes', () => {
  let mark: Mark | undefined;
  for (let seq = 10; seq < 10_000; seq += 10) mark = take(mark, seq, seq - 5);
  expect(mark?.holes.length).toBeLessThanOrEqual(256);
});

it('remembers a bounded number of a box\'s marks per topic, the newest', () => {
  const origins = new Origins();
  for (let counter = 1; counter <= 100; counter++) {
    const name = originName({ box: 'b', epoch: `${counter}.x` }, 't');
    for (const old of origins.outdated(name)) origins.delete(old);
    origins.set(name, { high: counter, holes: [] });
  }
  expect(origins.get(originName({ box: 'b', epoch: '100.x' }, 't'))).toEqual({ high: 100, holes: [] });
  expect(origins.get(originName({ box: 'b', epoch: '37.x' }, 't'))).toBeDefined();
  expect(origins.get(originName({ box: 'b', epoch: '36.x' }, 't'))).toBeUndefined();
});
