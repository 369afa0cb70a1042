import { describe, expect, it } from 'vitest';
import { inOrder } from '../../src/cli/in-order.ts';

async function* count(to: number): AsyncGenerator<number> {
  for (let index = 0; index < to; index++) yield index;
}
const turn = () => new Promise<void>((resolve) => { setImmediate(resolve); });

describe('work in order', () => {
  it('is told in the order of its inputs, however it ends', async () => {
    const told: number[] = [];
    await inOrder(count(50), {
      atOnce: 8,
      async start(input) {
        for (let wait = input % 7; wait > 0; wait--) await turn();
        return input;
      },
      async done(result) { told.push(result); },
    });
    expect(told).toEqual(Array.from({ length: 50 }, (_, index) => index));
  });

  it('is never more at once than asked for, and as much as that', async () => {
    let now = 0;
    let most = 0;
    await inOrder(count(50), {
      atOnce: 8,
      async start() {
        most = Math.max(most, ++now);
        await turn();
        now--;
      },
      done: async () => undefined,
    });
    expect(most).toBe(8);
  });

  it('starts nothing after a failure, and tells what was done before it', async () => {
    const started: number[] = [];
    const told: number[] = [];
    const work = inOrder(count(100), {
      atOnce: 4,
      async start(input) {
        started.push(input);
        await turn();
        if (input === 10) throw new Error('refused');
        return input;
      },
      async done(result) { told.push(result); },
    });
    await expect(work).rejects.toThrow('refused');
    expect(started.length).toBeLessThanOrEqual(15);
    expect(told.slice(0, 10)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(told).not.toContain(10);
  });

  it('ends at a failure even when no further input comes', async () => {
    async function* one(): AsyncGenerator<number> {
      yield 1;
      await new Promise(() => undefined);
    }
    const work = inOrder(one(), { atOnce: 4, start: () => Promise.reject(new Error('refused')), done: async () => undefined });
    await expect(work).rejects.toThrow('refused');
  });

  it('fails when its input fails, after what was started is told', async () => {
    const told: number[] = [];
    async function* broken(): AsyncGenerator<number> {
      yield 1;
      throw new Error('cut off');
    }
    const work = inOrder(broken(), { atOnce: 4, start: async (input) => input, async done(result) { told.push(result); } });
    await expect(work).rejects.toThrow('cut off');
    expect(told).toEqual([1]);
  });
});
