import { describe, expect, it } from 'vitest';
import { SendWindow } from '../../src/home/window.ts';

describe('the window', () => {
  it('starts at 4 and grows with quick answers to 32', () => {
    const window = new SendWindow();
    expect(window.size).toBe(4);
    for (let i = 0; i < 40; i++) {
      window.sent(100);
      window.left(100, 10);
    }
    expect(window.size).toBe(32);
  });
  it('does not grow on slow answers and halves on very slow ones', () => {
    const window = new SendWindow();
    for (const [latency, size] of [[10, 5], [100, 5], [6000, 2], [6000, 1], [6000, 1], [10, 2]] as const) {
      window.sent(1);
      window.left(1, latency);
      expect(window.size).toBe(size);
    }
  });
  it('bounds bytes as well as items, but one may always go', () => {
    const window = new SendWindow();
    expect(window.admits(1_000_000)).toBe(true);
    window.sent(30_000);
    expect([window.admits(2_000), window.admits(3_000)]).toEqual([true, false]);
    window.left(30_000);
    expect(window.admits(3_000)).toBe(true);
  });
});
