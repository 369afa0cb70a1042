import { describe, expect, it, test } from 'vitest';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import { homeInWords } from '../../src/cli/home-in-words.ts';
import { Budget } from '../../src/home/budget.ts';
import type { Registry } from '../../src/log/registry.ts';
import { TrustedTime } from '../../src/log/trusted-time.ts';
import { serialize, type Element } from '../../src/xmpp/element.ts';
import { quiet } from '../support/quiet.ts';
import { createRig, type Rig } from './rig.ts';

const HOUR = 3_600_000;
const MINUTE = 60_000;

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
  it('lets a tenth through at once, and wakes when there is some again', () => {
    const clock = createTestClock();
    let woken = 0;
    const budget = open(clock, registry(), () => { woken++; });
    expect(budget.admits(360_000)).toBe(true);
    budget.spend(360_000);
    expect(budget.wait).toBe(0);
    expect([budget.admits(1), budget.wait]).toEqual([false, 6 * MINUTE + 6_000]);
    clock.advance(6 * MINUTE + 5_999);
    expect(woken).toBe(0);
    clock.advance(1);
    expect([woken, budget.admits(1), budget.wait]).toEqual([1, true, 0]);
  });
  it('what is larger than a tenth goes alone, and what is larger than the whole keeps the rest waiting for as many hours', () => {
    const clock = createTestClock();
    const budget = open(clock, registry());
    expect(budget.admits(1_800_000)).toBe(true);
    budget.spend(1_800_000);
    clock.advance(29 * MINUTE);
    expect(budget.admits(1)).toBe(false);
    clock.advance(2 * MINUTE);
    expect(budget.admits(1)).toBe(true);
    clock.advance(2 * HOUR);
    expect(budget.admits(9_000_000)).toBe(true);
    budget.spend(9_000_000);
    clock.advance(2 * HOUR + 2 * MINUTE);
    expect([budget.admits(1_800_001), budget.admits(1)]).toEqual([false, false]);
    clock.advance(HOUR);
    expect(budget.admits(1)).toBe(true);
  });
  it('an hour in which nothing went is not saved up', () => {
    const clock = createTestClock();
    const budget = open(clock, registry());
    clock.advance(HOUR);
    let went = 0;
    for (let second = 0; second < 3_600; second++) {
      if (budget.admits(36_000)) {
        budget.spend(36_000);
        went += 36_000;
      }
      clock.advance(1_000);
    }
    expect(went).toBe(3_600_000);
  });
  it('outlives a restart; the time between counts', async () => {
    const clock = createTestClock();
    const kept = registry();
    const budget = open(clock, kept);
    budget.spend(3_600_000);
    clock.advance(20 * MINUTE);
    await budget.close();
    clock.advance(20 * MINUTE);
    const again = open(clock, kept);
    expect([again.admits(36_000), again.wait]).toEqual([false, 21 * MINUTE]);
    clock.advance(21 * MINUTE);
    expect(again.admits(36_000)).toBe(true);
  });
  it('what a version before wrote down counts as well', async () => {
    const clock = createTestClock();
    const kept = registry();
    await kept.set('home-budget:a@b.c', [0, clock.wall()]);
    const budget = open(clock, kept);
    expect(budget.admits(1)).toBe(false);
    clock.advance(HOUR);
    expect(budget.admits(1)).toBe(true);
  });
  it('a clock that jumps back or is not set gives nothing away', async () => {
    const clock = createTestClock();
    const kept = registry();
    const budget = open(clock, kept);
    budget.spend(3_600_000);
    await budget.close();
    clock.jump(-HOUR);
    expect(open(clock, kept).admits(36_000)).toBe(false);
    clock.jump(-80 * 365 * 86_400_000);
    expect(open(clock, kept).admits(36_000)).toBe(false);
  });
});

describe('a home with a budget of bytes', () => {
  const BUDGET = 40_000;
  const COUNT = 150;
  /** What of items came to the home, and when. */
  const counting = (rig: Rig, clock: TestClock): { at: number; bytes: number }[] => {
    const came: { at: number; bytes: number }[] = [];
    rig.home.set.before = (stanza: Element) => {
      if (stanza.getChild('pubsub')?.getChild('publish')) came.push({ at: clock.mono(), bytes: Buffer.byteLength(serialize(stanza)) });
    };
    return came;
  };
  const mostInAnHour = (came: readonly { at: number; bytes: number }[]): number => Math.max(...came.map(({ at }) => came.filter((one) => one.at >= at && one.at < at + HOUR).reduce((sum, { bytes }) => sum + bytes, 0)));
  const pass = async (clock: TestClock, ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 10_000) {
      clock.advance(10_000);
      await quiet();
    }
  };

  test('sends no more in any hour, says why the rest waits and for how long, and goes on by itself until all is there', async () => {
    const clock = createTestClock();
    await using rig = await createRig({ clock });
    const came = counting(rig, clock);
    await rig.add({ budget: BUDGET });
    await rig.state('online');
    // An hour that was not used is not there later.
    await pass(clock, HOUR);
    await rig.publish('t', ...Array.from({ length: COUNT }, (_, i) => `<${String(i).padStart(40, '&')}>`));
    await pass(clock, HOUR);
    const used = mostInAnHour(came);
    expect(used).toBeLessThanOrEqual(BUDGET);
    expect(used).toBeGreaterThan(BUDGET * 0.9);
    expect(rig.count('t')).toBeLessThan(COUNT / 2);
    const status = (await rig.status())!;
    expect(status).toMatchObject({ state: 'online', reason: expect.stringMatching(/^the byte budget is used up for \d+ s$/) as string });
    expect(status.queued).toBeGreaterThan(COUNT / 2);
    expect(homeInWords(status)).toMatch(/online since .* \(the byte budget is used up for \d+ s\), \d+ waiting/);
    const seconds = Number(/(\d+) s$/.exec(status.reason ?? '')?.[1]);
    expect(seconds).toBeGreaterThan(0);
    const before = came.length;
    await pass(clock, seconds * 1_000 + 10_000);
    expect(came.length).toBeGreaterThan(before);
    for (let hour = 0; hour < 6 && rig.count('t') < COUNT; hour++) await pass(clock, HOUR);
    expect(rig.count('t')).toBe(COUNT);
    expect(mostInAnHour(came)).toBeLessThanOrEqual(BUDGET);
    await pass(clock, 60_000);
    expect((await rig.status())?.reason).toBeUndefined();
  }, 60_000);

  test.each([['taken up again', true], ['lost', false]])('what goes again after its session was %s has gone twice', async (_how, resumable) => {
    const clock = createTestClock();
    await using rig = await createRig({ time: clock });
    const came = counting(rig, clock);
    const count = rig.home.set.before;
    const cuts = 6;
    let left = cuts;
    rig.home.set.before = (stanza) => {
      count(stanza);
      // What is on its way when the path dies.
      return left > 0 && stanza.getChild('pubsub')?.getChild('publish') ? 'drop' : undefined;
    };
    rig.home.set.resumable = resumable;
    await rig.add({ budget: BUDGET });
    await rig.state('online');
    await rig.publish('t', ...Array.from({ length: COUNT }, (_, i) => String(i).padStart(400, ' ')));
    await rig.until(() => came.length > 0);
    await quiet();
    while (left > 0) {
      const before = came.length;
      rig.home.cut();
      await rig.state('waiting');
      clock.advance(1_000);
      await rig.state('online');
      for (let i = 0; i < 100 && came.length === before; i++) await pass(clock, 10_000);
      expect(came.length).toBeGreaterThan(before);
      await quiet();
      left -= 1;
    }
    expect(rig.home.resumed > 0).toBe(resumable);
    expect(rig.home.resumed + rig.home.sessions).toBe(cuts + 1);
    await pass(clock, HOUR);
    const used = mostInAnHour(came);
    expect(used).toBeLessThanOrEqual(BUDGET);
    expect(used).toBeGreaterThan(BUDGET * 0.8);
    for (let hour = 0; hour < 6 && rig.count('t') < COUNT; hour++) await pass(clock, HOUR);
    expect(rig.count('t')).toBe(COUNT);
    expect(mostInAnHour(came)).toBeLessThanOrEqual(BUDGET);
  }, 60_000);

  test('over restarts, too', async () => {
    const clock = createTestClock();
    await using rig = await createRig({ time: clock });
    const came = counting(rig, clock);
    await rig.add({ budget: BUDGET });
    await rig.state('online');
    await rig.publish('t', ...Array.from({ length: COUNT }, (_, i) => String(i).padStart(400, ' ')));
    for (let part = 0; part < 4; part++) {
      await pass(clock, HOUR / 4);
      await rig.restart();
      await rig.state('online');
    }
    expect(came.length).toBeGreaterThan(10);
    expect(mostInAnHour(came)).toBeLessThanOrEqual(BUDGET);
    // As soon as it has looked what of it is at home.
    await rig.until(async () => (await rig.status())?.reason !== undefined);
    expect((await rig.status())?.reason).toMatch(/^the byte budget is used up/);
    for (let hour = 0; hour < 6 && rig.count('t') < COUNT; hour++) await pass(clock, HOUR);
    expect(rig.count('t')).toBe(COUNT);
    expect(new Set(came.map(({ at }) => at)).size).toBeGreaterThan(10);
    expect(mostInAnHour(came)).toBeLessThanOrEqual(BUDGET);
  }, 60_000);
});
