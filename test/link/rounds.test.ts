import { expect, test } from 'vitest';
import { Rounds } from '../../src/link/rounds.ts';

test('however often it is wanted, one round is under way and one comes after it', async () => {
  let [rounds, running] = [0, 0];
  const most: number[] = [];
  const one = new Rounds(async () => {
    rounds += 1;
    running += 1;
    most.push(running);
    await new Promise((resolve) => { setImmediate(resolve); });
    running -= 1;
    if (rounds === 2) throw new Error('second');
  });
  const first = one.wanted();
  expect(one.wanted()).toBe(first);
  await first;
  const [second, third] = [one.wanted(), new Promise<Promise<void>>((resolve) => { setImmediate(() => setImmediate(() => resolve(one.wanted()))); })];
  await expect(second).rejects.toThrow('second');
  await third;
  expect([rounds, Math.max(...most)]).toEqual([3, 1]);
});
