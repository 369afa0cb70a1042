import { expect, test } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { Arrivals } from '../../src/xmpp/arrivals.ts';

const arrivals = (): { all: Arrivals<{ n: number }>; clock: ReturnType<typeof createTestClock> } => {
  const clock = createTestClock();
  return { all: new Arrivals(clock), clock };
};

test('come in order, whether or not somebody waits already', async () => {
  const { all } = arrivals();
  const first = all.next();
  all.push({ n: 1 });
  all.push({ n: 2 });
  expect([await first, await all.next()]).toEqual([{ n: 1 }, { n: 2 }]);
});

test('what is given back comes next', async () => {
  const { all } = arrivals();
  all.push({ n: 2 });
  all.unread({ n: 1 });
  expect(all.size).toBe(2);
  expect(all.takeAll()).toEqual([{ n: 1 }, { n: 2 }]);
  expect(all.size).toBe(0);
});

test('who waits no longer than a time gets nothing then, and what comes later goes to the next', async () => {
  const { all, clock } = arrivals();
  const waiting = all.next(50);
  clock.advance(50);
  expect(await waiting).toBeUndefined();
  all.push({ n: 1 });
  expect(await all.next(50)).toEqual({ n: 1 });
});

test('the first loss is the reason; what had come before is still read', async () => {
  const { all } = arrivals();
  all.push({ n: 1 });
  all.lose(new Error('first'));
  all.lose(new Error('second'));
  expect(await all.next()).toEqual({ n: 1 });
  await expect(all.next()).rejects.toThrow('first');
  expect(all.lost?.message).toBe('first');
});

test('who waits when it is lost is told', async () => {
  const { all } = arrivals();
  const waiting = all.next();
  all.lose(new Error('gone'));
  await expect(waiting).rejects.toThrow('gone');
});
