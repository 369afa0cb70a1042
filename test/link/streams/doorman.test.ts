import { expect, test } from 'vitest';
import { createTestClock } from '../../../src/clock.ts';
import { Doorman } from '../../../src/link/streams/doorman.ts';

test('an address may call in a burst, then a few times a second', () => {
  const clock = createTestClock();
  const doorman = new Doorman(clock);
  const call = (): boolean => {
    const admitted = doorman.admits('10.0.0.2');
    if (admitted) doorman.left('10.0.0.2');
    return admitted;
  };
  expect(Array.from({ length: 25 }, call).filter(Boolean)).toHaveLength(20);
  expect(doorman.admits('10.0.0.3')).toBe(true);
  clock.advance(3_000);
  expect(Array.from({ length: 25 }, call).filter(Boolean)).toHaveLength(12);
});

test('an address may hold so many connections, and no more until it lets go of one', () => {
  const clock = createTestClock();
  const doorman = new Doorman(clock);
  let open = 0;
  for (let i = 0; i < 60; i += 1) {
    if (doorman.admits('10.0.0.2')) open += 1;
    clock.advance(1_000);
  }
  expect(open).toBe(24);
  doorman.left('10.0.0.2');
  expect(doorman.admits('10.0.0.2')).toBe(true);
});

test('addresses are forgotten, open ones last', () => {
  const doorman = new Doorman(createTestClock());
  for (let i = 0; i < 20; i += 1) { doorman.admits('1'); doorman.left('1'); }
  for (let i = 0; i < 5_000; i += 1) { doorman.admits(`10.0.${i >> 8}.${i & 255}`); doorman.left(`10.0.${i >> 8}.${i & 255}`); }
  expect(doorman.admits('1')).toBe(true);
});
