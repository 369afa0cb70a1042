import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { isTaken, type Mark, Origins, originName, take } from '../../src/log/origins.ts';

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
      expect(seqs.filter((seq) => isTaken(next, seq))).toEqual(taken.toSorted((a, b) => a - b));
    }
    expect(taken.toSorted((a, b) => a - b)).toEqual(seqs);
    expect(mark).toEqual({ high: seqs.at(-1), holes: [] });
  }));
});

it('whatever predecessor a record names, none is taken twice', () => {
  for (const previous of [5, 6, 50, Number.MAX_SAFE_INTEGER]) {
    const mark = take(undefined, 5, previous);
    expect(mark).toEqual({ high: 5, holes: [] });
    expect(take(mark, 5, undefined)).toBeUndefined();
    const next = take(mark, 20, undefined);
    expect(take(next, 20, undefined)).toBeUndefined();
  }
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
    const name = originName({ box: 'b', epoch: `${counter}.x` }, '$at/b/t');
    for (const old of origins.outdated([name])) origins.delete(old);
    origins.set(name, { high: counter, holes: [] });
  }
  expect(origins.get(originName({ box: 'b', epoch: '100.x' }, '$at/b/t'))).toEqual({ high: 100, holes: [] });
  expect(origins.get(originName({ box: 'b', epoch: '37.x' }, '$at/b/t'))).toBeDefined();
  expect(origins.get(originName({ box: 'b', epoch: '36.x' }, '$at/b/t'))).toBeUndefined();
});

it('forgets nothing of what was imported into a topic of this box because of how often the other was started', () => {
  const origins = new Origins();
  const names = Array.from({ length: 100 }, (_, i) => originName({ box: 'b', epoch: `${i + 1}.x` }, 't'));
  for (const name of names) {
    expect(origins.outdated([name])).toEqual(new Set());
    origins.set(name, { high: 1, holes: [] });
  }
});

/** As a batch of records does it. */
function add(origins: Origins, marks: readonly (readonly [name: string, mark: Mark])[]): void {
  for (const old of origins.outdated(marks.map(([name]) => name))) origins.delete(old);
  for (const [name, mark] of marks) origins.set(name, mark);
}

const named = (box: string, topic: string): string => originName({ box, epoch: '1.x' }, topic);
const plain: Mark = { high: 1, holes: [] };

it('remembers a bounded number of marks per source, whatever boxes and topics it names; the longest unused go first', () => {
  const origins = new Origins(100);
  const there = (count: number, name: (i: number) => string): number[] => Array.from({ length: count }, (_, i) => i).filter((i) => origins.get(name(i)));
  add(origins, [[named('a', '$at/a/t'), plain], [named('a', '$at/a/u'), plain], [named('z', '$at/other/t'), plain]]);
  for (let i = 0; i < 1000; i += 20) {
    add(origins, Array.from({ length: 10 }, (_, k) => [named(`b${i + k}`, '$at/a/t'), plain]));
    add(origins, Array.from({ length: 10 }, (_, k) => [named('a', `$at/a/t/${i + k}`), plain]));
    add(origins, [[named('a', '$at/a/t'), { high: i + 2, holes: [] }]]);
  }
  expect(there(1000, (i) => named(`b${i}`, '$at/a/t')).length + there(1000, (i) => named('a', `$at/a/t/${i}`)).length).toBe(99);
  expect(origins.get(named('a', '$at/a/t'))?.high).toBe(982);
  expect(origins.get(named('a', '$at/a/u'))).toBeUndefined();
  expect(origins.get(named('z', '$at/other/t'))).toEqual(plain);
});

it('counts the holes of its marks', () => {
  const origins = new Origins(100);
  const holes = Array.from({ length: 256 }, (_, i): [number, number] => [2 * i + 1, 2 * i + 1]);
  for (let i = 0; i < 50; i++) add(origins, [[named('a', `$at/a/${i}`), { high: 1000, holes }]]);
  expect(Array.from({ length: 50 }, (_, i) => origins.get(named('a', `$at/a/${i}`))).filter(Boolean)).toHaveLength(4);
  add(origins, [[named('a', '$at/a/x'), plain]]);
  expect(Array.from({ length: 50 }, (_, i) => origins.get(named('a', `$at/a/${i}`))).filter(Boolean)).toHaveLength(3);
});
