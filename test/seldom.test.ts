import { expect, test } from 'vitest';
import type { Trouble } from '../src/api.ts';
import { createTestClock } from '../src/clock.ts';
import { Seldom } from '../src/seldom.ts';

test('of each kind one is told in a while, with the others counted in', () => {
  const clock = createTestClock();
  const told: Trouble[] = [];
  const seldom = new Seldom(clock, (trouble) => void told.push(trouble), 1000);
  for (let i = 0; i < 4; i++) seldom.tell({ kind: 'a', message: `a${i}` });
  seldom.tell({ kind: 'b', message: 'b', code: 'impostor' });
  clock.advance(1000);
  seldom.tell({ kind: 'a', message: 'a4' });
  clock.advance(1000);
  seldom.tell({ kind: 'a', message: 'a5' });
  expect(told).toEqual([
    { kind: 'a', message: 'a0' }, { kind: 'b', message: 'b', code: 'impostor' }, { kind: 'a', message: 'a4 (and 3 more since)' }, { kind: 'a', message: 'a5' },
  ]);
});
