import { expect, it } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { PAUSE, Search, type Unknown } from '../../src/link/search.ts';

const settled = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

function scene() {
  const clock = createTestClock();
  const calls: string[] = [];
  const unknown = new Map<string, Unknown>();
  const missing = new Set(['k1']);
  let answer: (name: string) => Promise<unknown> = () => Promise.reject(new Error('nobody there'));
  const search = new Search({
    clock, missing: () => missing, placeOf: (key) => (key === 'k1' ? '10.0.0.1' : undefined), unknown: () => unknown.values(),
    prove: (name) => {
      calls.push(name);
      return answer(name);
    },
  });
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 1000) {
      clock.advance(Math.min(left, 1000));
      void search.look();
      await settled();
    }
  };
  const announce = (name: string, ...addresses: string[]): void => void unknown.set(name, { name, addresses });
  return { calls, unknown, missing, search, pass, announce, answers: (how: typeof answer) => { answer = how; } };
}

it('nobody is called while nobody is missing', async () => {
  const { calls, missing, pass, announce } = scene();
  announce('X@h1', '10.0.0.1');
  missing.clear();
  await pass(60_000);
  expect(calls).toEqual([]);
});

it('who is where the key was last is called first', async () => {
  const { calls, pass, announce, unknown } = scene();
  for (let i = 2; i < 200; i += 1) announce(`stranger ${i}`, `10.0.0.${i}`);
  announce('X@h1', '10.0.0.1');
  await pass(1000);
  expect(calls).toEqual(['X@h1']);
  expect(unknown.size).toBe(199);
});

it('a flood of strangers brings six calls a minute, and none of them hides who is looked for', async () => {
  const { calls, pass, announce, missing, answers, unknown } = scene();
  for (let i = 0; i < 60; i += 1) announce(`stranger ${i}`, '10.0.9.9');
  announce('X@h1', '10.0.0.7');
  answers((name) => {
    unknown.delete(name); // it has shown its key
    if (name === 'X@h1') missing.clear();
    return Promise.resolve();
  });
  await pass(60_000);
  expect(calls.length).toBeLessThanOrEqual(60_000 / PAUSE + 1);
  await pass(61 * PAUSE);
  expect(calls.at(-1)).toBe('X@h1');
  expect(new Set(calls).size).toBe(calls.length);
});

it('one that cannot be reached is called again, less and less often', async () => {
  const { calls, pass, announce } = scene();
  announce('X@h1', '10.0.0.1');
  await pass(3_600_000);
  expect(calls.length).toBe(6); // after 0, 1, 3, 7, 15, 31 minutes
});

it('there is one call at a time, and none after the end', async () => {
  const { calls, pass, announce, answers, search } = scene();
  announce('X@h1', '10.0.0.1');
  announce('Y@h1', '10.0.0.1');
  let hangUp = (): void => undefined;
  answers(() => new Promise<void>((resolve) => { hangUp = resolve; }));
  await pass(60_000);
  expect(calls.length).toBe(1);
  hangUp();
  await settled();
  await pass(PAUSE);
  expect(calls.length).toBe(2);
  hangUp();
  search.close();
  await pass(600_000);
  expect(calls.length).toBe(2);
});
