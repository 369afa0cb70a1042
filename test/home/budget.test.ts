import { describe, expect, it } from 'vitest';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import { Budget } from '../../src/home/budget.ts';
import type { Registry } from '../../src/log/registry.ts';
import { TrustedTime } from '../../src/log/trusted-time.ts';

function registry(): Registry {
  const values = new Map<string, unknown>();
  return {
    get: (key) => values.get(key),
    set: (key, value) => {
      values.set(key, value);
      return Promise.resolve();
    },
    setAll: () => Promise.reject(new Error('not asked for')),
    entries: () => [],
  };
}
const open = (clock: TestClock, kept: Registry, wake = (): void => undefined): Budget => {
  const time = new TrustedTime(clock);
  return new Budget({ jid: 'a@b.c', budget: 3_600_000, clock, registry: kept, trustedNow: () => time.now(), wake });
};

describe('a budget of bytes', () => {
  it('lets through what is left of the hour, and wakes when there is some again', () => {
    const clock = createTestClock();
    let woken = 0;
    const budget = open(clock, registry(), () => { woken++; });
    expect(budget.admits()).toBe(true);
    budget.spend(3_610_000);
    expect([budget.admits(), budget.wait]).toEqual([false, 11_000]);
    clock.advance(10_999);
    expect(woken).toBe(0);
    clock.advance(1);
    expect([woken, budget.admits()]).toEqual([1, true]);
  });
  it('outlives a restart, filled up for the time between', async () => {
    const clock = createTestClock();
    const kept = registry();
    const budget = open(clock, kept);
    budget.spend(3_600_000);
    await budget.close();
    clock.advance(60_000);
    const again = open(clock, kept);
    again.spend(59_000);
    expect(again.admits()).toBe(true);
    again.spend(2_000);
    expect(again.admits()).toBe(false);
  });
  it('a clock that jumps back or is not set gives nothing away', async () => {
    const clock = createTestClock();
    const kept = registry();
    const budget = open(clock, kept);
    budget.spend(3_600_001);
    await budget.close();
    clock.jump(-3_600_000);
    expect(open(clock, kept).admits()).toBe(false);
    clock.jump(-80 * 365 * 86_400_000);
    expect(open(clock, kept).admits()).toBe(false);
  });
});
