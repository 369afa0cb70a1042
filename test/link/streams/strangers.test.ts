import { expect, test } from 'vitest';
import { createTestClock, type TestClock } from '../../../src/clock.ts';
import { Strangers } from '../../../src/link/streams/strangers.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** Streams that send all they can, from an address each or from one; bytes that came of each of them within so many seconds. */
function flood(clock: TestClock, strangers: Strangers, streams: readonly { readonly address: string; readonly bytes: number }[], seconds: number): number[] {
  const taken = streams.map(() => 0);
  const readAt = streams.map(() => clock.mono());
  for (const until = clock.mono() + seconds * 1_000; clock.mono() < until; clock.advance(1)) {
    for (const [index, { address, bytes }] of streams.entries()) {
      while ((readAt[index] ?? 0) <= clock.mono()) {
        taken[index] = (taken[index] ?? 0) + bytes;
        readAt[index] = clock.mono() + strangers.pace(address, bytes);
        if (readAt[index] === clock.mono() && (taken[index] ?? 0) > 100 * MiB) throw new Error('no pace at all');
      }
    }
  }
  return taken;
}
const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

test('a burst of some thousand short letters is not felt, what comes beyond it is read at a rate', () => {
  const clock = createTestClock();
  const strangers = new Strangers(clock);
  const pauses = Array.from({ length: 2_304 }, () => strangers.pace('10.0.0.2', 2 * KiB));
  expect(pauses.slice(0, 2_048).every((pause) => pause === 0)).toBe(true);
  expect(pauses.at(-1)).toBe(1_000);
  clock.advance(60_000);
  expect(strangers.pace('10.0.0.2', 2 * KiB)).toBe(0);
});

test('one address has no more with many streams, and none of its debts is longer than ten seconds', () => {
  const clock = createTestClock();
  const strangers = new Strangers(clock);
  const streams = Array.from({ length: 24 }, () => ({ address: '10.0.0.2', bytes: 96 * KiB }));
  expect(sum(flood(clock, strangers, streams, 60))).toBeLessThan(4 * MiB + 60 * 512 * KiB + 24 * 96 * KiB);
  for (let i = 0; i < 1_000; i += 1) strangers.pace('10.0.0.2', 256 * KiB);
  expect(strangers.pace('10.0.0.2', 1)).toBe(10_000);
});

test('a stream that begins where others have come too far waits as they do', () => {
  const clock = createTestClock();
  const strangers = new Strangers(clock);
  expect(strangers.pace('10.0.0.2', 0)).toBe(0);
  strangers.pace('10.0.0.2', 5 * MiB);
  expect(strangers.pace('10.0.0.2', 0)).toBe(2_000);
  clock.advance(2_000);
  expect(strangers.pace('10.0.0.2', 0)).toBe(0);
});

test('many addresses together have what one has, and a newcomer no burst beyond it', () => {
  const clock = createTestClock();
  const strangers = new Strangers(clock);
  const streams = Array.from({ length: 100 }, (_, i) => ({ address: `10.0.0.${i}`, bytes: 8 * KiB }));
  flood(clock, strangers, streams, 20);
  const taken = sum(flood(clock, strangers, streams, 60));
  expect(taken).toBeGreaterThan(0.8 * 60 * 512 * KiB);
  expect(taken).toBeLessThan(1.2 * 60 * 512 * KiB);
  const newcomers = Array.from({ length: 1_000 }, (_, i) => strangers.pace(`10.1.${i >> 8}.${i & 255}`, 64 * KiB));
  expect(newcomers.filter((pause) => pause === 0)).toEqual([]);
});

test('an honest one beside floods from other addresses waits for its own share only', () => {
  const clock = createTestClock();
  const strangers = new Strangers(clock);
  const streams = Array.from({ length: 10 }, (_, i) => ({ address: `10.0.0.${i}`, bytes: 256 * KiB }));
  flood(clock, strangers, streams, 60);
  // A letter a second.
  const pauses = Array.from({ length: 30 }, () => {
    flood(clock, strangers, streams, 1);
    return strangers.pace('10.0.1.1', 2 * KiB);
  });
  expect(Math.max(...pauses)).toBeLessThan(50);
});

test('addresses are forgotten, the longest unused first', () => {
  const clock = createTestClock();
  const strangers = new Strangers(clock);
  strangers.pace('10.0.0.2', 6 * MiB);
  for (let i = 0; i < 1_023; i += 1) strangers.pace(`10.1.${i >> 8}.${i & 255}`, 0);
  expect(strangers.pace('10.0.0.2', 0)).toBe(4_000);
  for (let i = 0; i < 1_024; i += 1) strangers.pace(`10.1.${i >> 8}.${i & 255}`, 0);
  expect(strangers.pace('10.0.0.2', 0)).toBe(0);
});
