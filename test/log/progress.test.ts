import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_RANGES, Progress } from '../../src/log/progress.ts';
import { decodeProgress, encodeProgress } from '../../src/log/progress-row.ts';

const fresh = (position = 0) => new Progress({ position, handed: position, done: [] });

describe('position', () => {
  it('stands before the oldest record that is not done', () => {
    const progress = fresh();
    for (const seq of [2, 5, 9]) progress.hand(seq);
    expect(progress.position).toBe(1);
    progress.done(5);
    expect([progress.position, progress.ranges(), progress.doneAbove]).toEqual([1, [[5, 5]], 1]);
    progress.done(2);
    expect([progress.position, progress.ranges()]).toEqual([8, []]);
    progress.done(9);
    expect([progress.position, progress.unconfirmed]).toEqual([9, 0]);
  });

  it('does not mind a confirmation given twice, or of something unknown', () => {
    const progress = fresh();
    progress.hand(1);
    expect([progress.done(1), progress.done(1), progress.done(7)]).toEqual([true, false, false]);
  });
});

it('is full at so many holes, and not before', () => {
  const progress = fresh();
  for (let seq = 1; seq <= 2 * MAX_RANGES; seq++) progress.hand(seq);
  for (let seq = 2; seq < 2 * MAX_RANGES; seq += 2) progress.done(seq);
  expect(progress.full).toBe(false);
  progress.done(2 * MAX_RANGES);
  expect(progress.full).toBe(true);
  progress.done(3);
  expect(progress.full).toBe(false);
});

it('hands out again what was given back, oldest first', () => {
  const progress = fresh();
  for (const seq of [1, 2, 3, 4]) progress.hand(seq);
  progress.done(2);
  progress.again(4);
  progress.again(1);
  expect(progress.unconfirmed).toBe(1);
  expect(progress.takeAgain(1)).toEqual([1]);
  progress.rewind();
  progress.done(3);
  expect(progress.takeAgain(9)).toEqual([1, 4]);
  expect(progress.position).toBe(0);
});

it('goes on after a restart without what was done, whatever was done', () => {
  const steps = fc.array(fc.record({ seq: fc.integer({ min: 1, max: 40 }), what: fc.constantFrom('done', 'again', 'rewind', 'take') }), { maxLength: 120 });
  fc.assert(fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { maxLength: 40 }), steps, (handed, moves) => {
    const seqs = handed.toSorted((a, b) => a - b);
    const progress = fresh();
    const done = new Set<number>();
    for (const seq of seqs) progress.hand(seq);
    for (const { seq, what } of moves) {
      if (what === 'rewind') progress.rewind();
      else if (what === 'take') progress.takeAgain(2);
      else if (what === 'again') progress.again(seq);
      else if (progress.done(seq)) done.add(seq);
    }
    const open = seqs.filter((seq) => !done.has(seq));
    expect(progress.position).toBe((open[0] ?? progress.scan) - 1);
    const row = decodeProgress(encodeProgress({ position: progress.position, handed: 40, done: progress.ranges(), above: progress.doneAbove }));
    const next = new Progress(row);
    expect(next.doneAbove).toBe(row.above);
    const left = seqs.filter((seq) => seq > row.position);
    const again: number[] = [];
    for (let to = next.skipDone(); left.some((seq) => seq >= next.scan); to = next.skipDone()) {
      for (const seq of left.filter((one) => one >= next.scan && one <= to)) {
        next.hand(seq);
        again.push(seq);
      }
      next.scan = Math.min(to, 40) + 1;
    }
    expect(again).toEqual(open);
    expect(next.ranges().filter(([from]) => from <= 40).map(([from]) => done.has(from))).not.toContain(false);
    for (const seq of open) next.done(seq);
    expect([next.position, next.ranges(), next.unconfirmed]).toEqual([next.scan - 1, [], 0]);
  }));
});

it('what is taken costs memory by the run, not by the record', () => {
  const progress = fresh();
  for (let seq = 1; seq <= 200_000; seq++) {
    progress.hand(seq, seq % 10);
    // A little out of order, as answers come.
    if (seq % 4 === 0) for (const one of [2, 0, 3, 1]) progress.take(seq - one, Math.floor(seq / 50_000));
  }
  expect([progress.pending, progress.unconfirmed, progress.takenRanges().length]).toEqual([200_000, 0, 5]);
  progress.settle(2);
  expect([progress.position, progress.pending]).toEqual([149_996, 50_004]);
  progress.retake(7);
  expect(progress.takenRanges()).toEqual([[149_997, 200_000]]);
});

it('a topic that goes its own way takes along what is not done of it, and leaves the rest', () => {
  const progress = fresh();
  for (let seq = 1; seq <= 12; seq++) progress.hand(seq, seq % 2);
  for (const seq of [2, 4, 6, 7, 10]) progress.done(seq);
  progress.take(8, 1);
  progress.take(9, 1);
  const odd = progress.fork(1, 0);
  progress.release(1);
  // 11 is nothing to it any more.
  expect([progress.position, progress.ranges(), progress.pending]).toEqual([7, [[10, 10]], 2]);
  expect([odd.position, odd.ranges()]).toEqual([0, [[2, 2], [4, 4], [6, 7], [10, 10]]]);
  for (const seq of [1, 3, 5, 11]) odd.done(seq);
  odd.settle(1);
  expect([odd.position, odd.clear]).toEqual([12, true]);
});

it('what is done of others stays done when a topic goes its own way, also where it settled at one time', () => {
  const progress = fresh();
  for (let seq = 1; seq <= 4; seq++) progress.hand(seq, seq);
  progress.take(2, 1);
  for (const seq of [3, 4]) progress.take(seq, 2);
  progress.settle(2);
  progress.release(2);
  expect(progress.ranges()).toEqual([[2, 4]]);
});

it('what is left behind is read beside what follows, each record once, and a restart knows what is done', () => {
  const steps = fc.array(fc.record({ what: fc.constantFrom('front', 'left', 'leap', 'done', 'take', 'settle', 'again', 'rewindTo', 'restart'), n: fc.integer({ min: 1, max: 9 }) }), { maxLength: 150 });
  fc.assert(fc.property(steps, fc.uniqueArray(fc.integer({ min: 1, max: 120 })), (moves, all) => {
    const records = all.toSorted((a, b) => a - b);
    let progress = fresh();
    let head = 0;
    const out = new Set<number>();
    const taken = new Set<number>();
    const done = new Set<number>();
    const given = (seq: number): void => {
      expect([seq, out.has(seq), taken.has(seq), done.has(seq)]).toEqual([seq, false, false, false]);
      out.add(seq);
    };
    const nth = (set: ReadonlySet<number>, n: number): number | undefined => [...set][n % Math.max(1, set.size)];
    const front = (n: number): void => {
      for (let i = 0; i < n; i++) {
        for (const seq of progress.takeAgain(1)) given(seq);
        const to = Math.min(progress.skipDone(), head);
        const next = records.find((seq) => seq >= progress.scan && seq <= to);
        if (next === undefined) progress.scan = Math.max(progress.scan, to + 1);
        else {
          given(next);
          progress.hand(next);
        }
      }
    };
    const left = (n: number): void => {
      for (let i = 0; i < n && progress.left; i++) {
        const [from, to] = progress.left;
        const next = records.find((seq) => seq >= from && seq <= to);
        if (next === undefined) progress.passLeft(to + 1);
        else {
          given(next);
          progress.handLeft(next);
        }
      }
    };
    for (const { what, n } of moves) {
      head = Math.min(120, head + n);
      const seq = nth(out, n);
      if (what === 'front') front(n);
      else if (what === 'left') left(n);
      else if (what === 'leap') progress.leap(head + 1);
      else if (what === 'settle') {
        progress.settle(1);
        for (const one of taken) done.add(one);
        taken.clear();
      } else if (what === 'rewindTo') {
        for (const one of [...out, ...taken]) {
          if (one < n * 10 || n * 10 >= progress.scan) continue;
          out.delete(one);
          taken.delete(one);
        }
        progress.rewindTo(n * 10);
      } else if (what === 'restart') {
        progress = new Progress(decodeProgress(encodeProgress({ position: progress.position, handed: head, done: progress.ranges() })));
        out.clear();
        taken.clear();
      } else if (seq !== undefined) {
        out.delete(seq);
        if (what === 'done') done.add(seq);
        if (what === 'take') taken.add(seq);
        if (what === 'done') progress.done(seq);
        else if (what === 'take') progress.take(seq, 1);
        else progress.again(seq);
      }
      const open = records.find((one) => one < progress.scan && !done.has(one)) ?? progress.scan;
      expect(progress.position).toBeLessThan(open);
      const ranges = progress.ranges();
      expect(records.filter((one) => ranges.some(([from, to]) => one >= from && one <= to) && !done.has(one))).toEqual([]);
    }
    head = 120;
    left(200);
    front(300);
    for (const seq of out) progress.done(seq);
    progress.settle(1);
    expect([progress.hole, progress.position, progress.pending, progress.clear, progress.ranges()]).toEqual([undefined, progress.scan - 1, 0, true, []]);
    expect([...done, ...out, ...taken].toSorted((a, b) => a - b)).toEqual(records);
  }), {
    numRuns: 500,
    // From where all is done already.
    examples: [[[{ what: 'front', n: 9 }, { what: 'front', n: 1 }, { what: 'take', n: 1 }, { what: 'settle', n: 1 }, { what: 'rewindTo', n: 1 }], [10]]],
  });
});

describe('topics that get a reader of their own', () => {
  it('leave no range for each of their records between those of another: neither that other nor what stays has to wait', () => {
    const progress = fresh();
    for (let seq = 1; seq <= 3 * MAX_RANGES; seq++) progress.hand(seq, 1 + (seq % 3));
    progress.release(1);
    expect([progress.full, progress.ranges(), progress.open]).toEqual([false, [], 2 * MAX_RANGES]);
    const own = progress.fork(2, 0);
    expect([own.full, own.ranges(), own.open]).toEqual([false, [], MAX_RANGES]);
    progress.release(2);
    for (const one of [own, progress]) {
      for (let seq = 1; seq <= 3 * MAX_RANGES; seq++) one.done(seq);
      expect([one.clear, one.position]).toEqual([true, 3 * MAX_RANGES]);
    }
  });
});
