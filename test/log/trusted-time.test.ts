import { describe, expect, it } from 'vitest';
import { type TestClock, createTestClock } from '../../src/clock.ts';
import { TrustedTime } from '../../src/log/trusted-time.ts';

describe('trusted time', () => {
  it('begins when the clock is set, does not jump ahead, and follows it back', () => {
    const clock: TestClock = createTestClock(1000);
    const time = new TrustedTime(clock);
    expect(time.now()).toBeUndefined();
    clock.jump(Date.UTC(2027, 0, 1));
    const begin = time.now() ?? 0;
    expect(begin).toBe(clock.wall());
    clock.jump(1e12);
    clock.advance(10);
    expect(time.now()).toBe(begin + 10);
    clock.jump(-1e12 - 500);
    expect(time.now()).toBe(begin + 10 - 500);
  });

  it('is not set back by a clock that forgot the time', () => {
    const clock = createTestClock();
    const time = new TrustedTime(clock);
    const begin = time.now() ?? 0;
    clock.jump(-50 * 365 * 86_400_000);
    clock.advance(10);
    expect(time.now()).toBe(begin + 10);
  });

  it('takes no fifty years for the time that the box was off, and no clock that is not set', () => {
    const noted = Date.UTC(2026, 10, 1);
    for (const jump of [-50, 50]) {
      const time = new TrustedTime(createTestClock(noted + jump * 365 * 86_400_000));
      time.resume(noted);
      expect(time.now()).toBe(noted);
    }
    const time = new TrustedTime(createTestClock(noted + 86_400_000));
    time.resume(noted);
    expect(time.now()).toBe(noted + 86_400_000);
  });
});
