import { describe, expect, it } from 'vitest';
import { SendWindow, WINDOW } from '../../src/home/window.ts';

/** A server that takes so many bytes a second, after a burst; gives the latencies once it has settled. */
function shaped(window: SendWindow, { rate, burst, item }: { rate: number; burst: number; item: number }, seconds: number): number[] {
  const flight: { at: number; done: number }[] = [];
  const latencies: number[] = [];
  let free = -burst / rate;
  for (let now = 0; now < seconds; now += 0.01) {
    while (flight[0] && flight[0].done <= now) {
      const { at, done } = flight.shift() ?? { at: 0, done: 0 };
      window.left(item, (done - at) * 1000 + 1);
      if (now > seconds / 2) latencies.push(done - at);
    }
    while (window.admits(item)) {
      window.sent(item);
      free = Math.max(free, now - burst / rate) + item / rate;
      flight.push({ at: now, done: Math.max(now, free) });
    }
  }
  return latencies;
}

describe('the window', () => {
  it('starts at 16 items and grows with quick answers to 384, and in bytes as far as they are used', () => {
    const window = new SendWindow();
    expect([window.size, window.limit]).toEqual([16, 32_768]);
    for (let i = 0; i < 400; i++) {
      window.sent(100);
      window.left(100, 10);
    }
    expect([window.size, window.limit]).toEqual([384, 32_768]);
    for (let i = 0; i < 100; i++) {
      while (window.admits(30_000)) window.sent(30_000);
      window.left(30_000, 10);
    }
    expect(window.limit).toBeGreaterThan(500_000);
    expect(window.limit).toBeLessThanOrEqual(WINDOW.mostBytes);
  });
  it('does not grow on slow answers, and halves on very slow ones, once for all that was in flight', () => {
    const window = new SendWindow();
    for (const [latency, size] of [[10, 17], [1_000, 17], [6000, 8], [6000, 4], [6000, 2], [6000, 1], [6000, 1], [10, 2]] as const) {
      window.sent(1);
      window.left(1, latency);
      expect(window.size).toBe(size);
    }
    const many = new SendWindow();
    for (let i = 0; i < 4; i++) many.sent(1);
    for (let i = 0; i < 4; i++) many.left(1, 6000);
    expect(many.size).toBe(8);
  });
  it('narrowed it is one, and grows again only when it may', () => {
    const window = new SendWindow();
    const sizes: number[] = [];
    const answer = (): void => {
      window.sent(1);
      window.left(1, 10);
      sizes.push(window.size);
    };
    window.narrow();
    answer();
    window.reset();
    answer();
    window.widen();
    answer();
    expect(sizes).toEqual([1, 1, 2]);
  });
  it('bounds bytes as well as items, but one may always go', () => {
    const window = new SendWindow();
    expect(window.admits(1_000_000)).toBe(true);
    window.sent(30_000);
    expect([window.admits(2_000), window.admits(3_000)]).toEqual([true, false]);
    window.left(30_000);
    expect(window.admits(3_000)).toBe(true);
  });
  it.each([
    ['ejabberd as Debian ships it (3 kB/s, burst 20 kB)', { rate: 3_000, burst: 20_000, item: 1_200 }],
    ['Prosody as Debian ships it (10 kB/s)', { rate: 10_000, burst: 20_000, item: 1_200 }],
    ['a link of 64 kbit/s', { rate: 8_000, burst: 1, item: 500 }],
  ])('on %s answers take no longer than 4 s, and the rate is used', (_name, server) => {
    const latencies = shaped(new SendWindow(), server, 600);
    expect(Math.max(...latencies)).toBeLessThan(4);
    expect(latencies.length * server.item).toBeGreaterThan(0.95 * 300 * server.rate);
  });
  it('asks for smaller packs where answers are slow', () => {
    const window = new SendWindow();
    const before = window.packBytes;
    shaped(window, { rate: 3_000, burst: 20_000, item: 4_096 }, 300);
    expect(window.packBytes).toBeLessThan(before);
  });
});
