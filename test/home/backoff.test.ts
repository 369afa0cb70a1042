import { describe, expect, it } from 'vitest';
import { Backoff } from '../../src/home/backoff.ts';

const delays = (backoff: Backoff, ...args: Parameters<Backoff['lost']>): number[] => Array.from({ length: 12 }, () => backoff.lost(...args).delay);

describe('after a lost link', () => {
  it('the most that may be waited doubles to 300 s; half a second is the least', () => {
    expect(delays(new Backoff(() => 1), 'link', 0)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300].map((s) => s * 1000));
    expect(delays(new Backoff(() => 0), 'link', 0).every((ms) => ms === 500)).toBe(true);
  });
  it('a minute online begins anew, a session that got something done nearly so', () => {
    const backoff = new Backoff(() => 1);
    delays(backoff, 'link', 0);
    expect(backoff.lost('link', 5_000).delay).toBe(300_000);
    expect(backoff.lost('link', 5_000, true).delay).toBe(4_000);
    delays(backoff, 'link', 0);
    expect(backoff.lost('link', 60_000).delay).toBe(1_000);
  });
  it('another session with our name is left alone for a minute', () => {
    expect(new Backoff(() => 0).lost('conflict', 10).delay).toBe(60_000);
  });
});

describe('after a refusal', () => {
  it('fewer than 20 tries an hour: 1, 5, 30 minutes, then hourly', () => {
    expect(delays(new Backoff(() => 0), 'auth', 0).slice(0, 5)).toEqual([1, 5, 30, 60, 60].map((m) => m * 60_000));
    expect(new Backoff().lost('auth', 0).refused).toBe(true);
  });
  it('a ban is waited out, a wrong set-up tried rarely', () => {
    expect(new Backoff().lost('banned', 0)).toEqual({ delay: 3_600_000, refused: true });
    expect(new Backoff(() => 0).lost('config', 0)).toEqual({ delay: 150_000, refused: true });
  });
});
