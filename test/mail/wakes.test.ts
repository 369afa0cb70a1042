import { expect, test } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { Wakes } from '../../src/mail/wakes.ts';

test('wakes at once for some changes in a row, then for all of half a second together; the last is never missed', () => {
  const clock = createTestClock();
  let woken = 0;
  const wakes = new Wakes(clock, () => { woken += 1; });
  for (let i = 0; i < 16; i++) wakes.changed();
  expect(woken).toBe(16);
  for (let i = 0; i < 1000; i++) wakes.changed();
  expect(woken).toBe(16);
  clock.advance(500);
  expect(woken).toBe(17);
  for (let ms = 0; ms < 10_000; ms++) {
    wakes.changed();
    clock.advance(1);
  }
  expect(woken).toBeLessThanOrEqual(17 + 21);
  clock.advance(500);
  const before = woken;
  clock.advance(60_000);
  expect(woken).toBe(before);
  for (let i = 0; i < 16; i++) wakes.changed();
  expect(woken).toBe(before + 16);
  wakes.changed();
  wakes.stop();
  clock.advance(1000);
  expect(woken).toBe(before + 16);
});
