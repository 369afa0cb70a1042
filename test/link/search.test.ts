import { describe, expect, it, test } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { PAUSE, Search, type SearchPlace, type Unknown } from '../../src/link/search.ts';

const settled = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

function scene(before: { address: string; port?: number } = { address: '10.0.0.1', port: 5298 }) {
  const clock = createTestClock();
  const calls: string[] = [];
  const unknown = new Map<string, Unknown>();
  const missing = new Set(['k1']);
  let answer: (place: string) => Promise<unknown> = () => Promise.reject(new Error('nobody there'));
  // The same in each run: what comes by chance is to be measured, not to be hoped for.
  let seed = 1;
  const random = (): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const search = new Search({
    clock, random, missing: () => missing, placeOf: (key) => (key === 'k1' ? before : undefined), unknown: () => unknown.values(),
    seek: ({ address, port }: SearchPlace) => {
      calls.push(`${address}:${port}`);
      return answer(`${address}:${port}`);
    },
  });
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 1000) {
      clock.advance(Math.min(left, 1000));
      void search.look();
      await settled();
    }
  };
  const announce = (name: string, ...places: string[]): void => void unknown.set(name, { name, places: places.map((place) => {
    const [address = '', port = '5298'] = place.split(':');
    return { address, port: Number(port) };
  }) });
  /** Seconds until the key was found there. */
  const found = async (at: string): Promise<number> => {
    answer = (place) => {
      if (place !== at) return Promise.reject(new Error('nobody there'));
      missing.clear();
      return Promise.resolve();
    };
    let seconds = 0;
    for (; missing.size > 0 && seconds < 100_000; seconds += 5) {
      void search.look();
      await settled();
      clock.advance(5_000);
    }
    return seconds;
  };
  return { calls, unknown, missing, search, pass, announce, found, answers: (how: typeof answer) => { answer = how; } };
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
  expect(calls).toEqual(['10.0.0.1:5298']);
  expect(unknown.size).toBe(199);
});

it('who is at the address where the key was last is called before others, where no port is known', async () => {
  const { calls, pass, announce } = scene({ address: '10.0.0.1' });
  for (let i = 2; i < 200; i += 1) announce(`stranger ${i}`, `10.0.0.${i}`);
  announce('X@h1', '10.0.0.1:40000');
  await pass(1000);
  expect(calls).toEqual(['10.0.0.1:40000']);
});

it('a flood of strangers brings six calls a minute, and none of them hides who is looked for', async () => {
  const { calls, pass, announce, missing, answers, unknown } = scene();
  for (let i = 0; i < 60; i += 1) announce(`stranger ${i}`, `10.0.9.9:${1000 + i}`);
  announce('X@h1', '10.0.0.7');
  answers((place) => {
    for (const [name, { places: [only] }] of unknown) if (`${only?.address}:${only?.port}` === place) unknown.delete(name); // it has gone
    if (place !== '10.0.0.7:5298') return Promise.reject(new Error('another'));
    missing.clear();
    return Promise.resolve();
  });
  await pass(60_000);
  expect(calls.length).toBeLessThanOrEqual(60_000 / PAUSE + 1);
  await pass(61 * PAUSE);
  expect(calls.at(-1)).toBe('10.0.0.7:5298');
  expect(new Set(calls).size).toBe(calls.length);
});

it('one that cannot be reached is called again, less and less often', async () => {
  const { calls, pass, announce } = scene();
  announce('X@h1', '10.0.0.1');
  await pass(3_600_000);
  expect(calls.length).toBe(6); // after 0, 1, 3, 7, 15, 31 minutes
});

it('names that lead to one place have one turn together', async () => {
  const { calls, pass, announce } = scene();
  for (let i = 0; i < 50; i += 1) announce(`stranger ${i}`, '10.0.0.9');
  await pass(3_600_000);
  expect(calls.length).toBe(6);
});

it('a name with many places keeps a turn no longer than four of them take, and the others have theirs later', async () => {
  const { calls, pass, announce } = scene();
  announce('X@h1', ...Array.from({ length: 6 }, (_, i) => `10.0.9.${i}`));
  await pass(1000);
  expect(calls.length).toBe(4);
  await pass(PAUSE);
  expect(new Set(calls).size).toBe(6);
});

describe.each([10, 300, 1000])('among %i names of strangers', (count) => {
  const strangers = Array.from({ length: count }, (_, n) => n);

  test('that say to be at the address where the key was last, it is found at once where it was', async () => {
    const { announce, found } = scene();
    for (const n of strangers) announce(`stranger ${n}`, `10.0.0.1:${10_000 + n}`);
    announce('b-1@h2', '10.0.0.1:5298');
    expect(await found('10.0.0.1:5298')).toBeLessThanOrEqual(5);
  });

  test('that say to be in the very place where the key was last, it is found there at once', async () => {
    const { announce, found } = scene();
    for (const n of strangers) announce(`stranger ${n}`, '10.0.0.1:5298', `10.0.9.9:${10_000 + n}`);
    announce('b-1@h2', '10.0.0.1:5298');
    expect(await found('10.0.0.1:5298')).toBeLessThanOrEqual(5);
  });

  test('that say to be in one place at that address, it is found at another port within a minute', async () => {
    const { announce, found } = scene();
    for (const n of strangers) announce(`stranger ${n}`, '10.0.0.1:5298');
    announce('b-1@h2', '10.0.0.1:40000');
    expect(await found('10.0.0.1:40000')).toBeLessThanOrEqual(60);
  });

  test('that say to be there and elsewhere, it is found elsewhere not much later than by chance', async () => {
    const { announce, found } = scene();
    for (const n of strangers) announce(`stranger ${n}`, '10.0.0.1:5298', `10.0.0.1:${10_000 + n}`);
    announce('b-1@h2', '10.0.0.7');
    // By chance it is the last of all at the worst. One turn of four may go to where it was.
    expect(await found('10.0.0.7:5298')).toBeLessThanOrEqual((count + 2) * 10 * 4 / 3 + 60);
  });
});

it('there is one call at a time, and none after the end', async () => {
  const { calls, pass, announce, answers, search } = scene();
  announce('X@h1', '10.0.0.1');
  announce('Y@h1', '10.0.0.1:40000');
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
