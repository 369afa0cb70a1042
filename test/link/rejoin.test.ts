import { expect, it } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { Rejoin } from '../../src/link/rejoin.ts';

const settled = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

function scene(wanted: readonly string[] = ['k1']) {
  const clock = createTestClock();
  const calls: string[] = [];
  const names = new Map([['k1', 'A@h1']]);
  let answer: () => Promise<unknown> = () => Promise.reject(new Error('refused'));
  const rejoin = new Rejoin({
    clock, random: () => 1, wanted: () => wanted, nameOf: (key) => names.get(key),
    prove: (name) => {
      calls.push(name);
      return answer();
    },
  });
  return { clock, calls, names, rejoin, answers: (how: () => Promise<unknown>) => { answer = how; } };
}

it('a peer that owes us something is called when it appears, and again with growing pauses', async () => {
  const { clock, calls, rejoin } = scene();
  rejoin.look('A@h1');
  await settled();
  expect(calls).toEqual(['A@h1']);
  for (const pause of [500, 1000, 2000]) {
    const before = calls.length;
    clock.advance(pause - 1);
    expect(calls).toHaveLength(before);
    clock.advance(1);
    expect(calls).toHaveLength(before + 1);
    await settled();
  }
  clock.advance(300_000);
  await settled();
  rejoin.look('A@h1'); // it came anew: no pause
  expect(calls).toHaveLength(6);
});

it('nobody is called who owes nothing, is not there, or has a stream', async () => {
  const { clock, calls, names, rejoin, answers } = scene(['k1', 'k2']);
  names.clear();
  names.set('k3', 'C@h3');
  rejoin.look();
  expect(calls).toEqual([]);
  names.set('k1', 'A@h1');
  answers(() => {
    rejoin.opened({ name: 'A@h1', fingerprint: 'k1' });
    return Promise.resolve();
  });
  rejoin.look();
  await settled();
  clock.advance(100_000);
  rejoin.look('A@h1');
  expect(calls).toEqual(['A@h1']);
  rejoin.closed({ name: 'A@h1', fingerprint: 'k1' });
  expect(calls).toEqual(['A@h1', 'A@h1']);
});

it('after close nobody is called', async () => {
  const { clock, calls, rejoin } = scene();
  rejoin.look();
  await settled();
  rejoin.close();
  clock.advance(100_000);
  rejoin.look('A@h1');
  expect(calls).toEqual(['A@h1']);
});

it('the end of a stream under a name that the key had before is not the end of that under its new one', async () => {
  const { calls, names, rejoin, clock } = scene();
  rejoin.opened({ name: 'A@h1', fingerprint: 'k1' });
  rejoin.opened({ name: 'B@h1', fingerprint: 'k1' });
  names.set('k1', 'B@h1');
  rejoin.closed({ name: 'A@h1', fingerprint: 'k1' });
  clock.advance(60_000);
  await settled();
  expect(calls).toEqual([]);
  rejoin.closed({ name: 'B@h1', fingerprint: 'k1' });
  expect(calls).toEqual(['B@h1']);
});

it('whose streams do not live long is called with growing pauses, whatever else changes', async () => {
  const { clock, calls, rejoin } = scene();
  const streamOf = (ms: number): void => {
    rejoin.opened({ name: 'A@h1', fingerprint: 'k1' });
    clock.advance(ms);
    rejoin.closed({ name: 'A@h1', fingerprint: 'k1' });
  };
  streamOf(20);
  expect(calls).toHaveLength(1); // it may have been chance
  for (const pause of [500, 1000, 2000]) {
    const before = calls.length;
    streamOf(20);
    rejoin.look();
    clock.advance(pause - 1);
    expect(calls).toHaveLength(before);
    clock.advance(1);
    expect(calls).toHaveLength(before + 1);
    await settled();
  }
  const before = calls.length;
  streamOf(30_000);
  expect(calls).toHaveLength(before + 1);
});
