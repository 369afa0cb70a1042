import { describe, expect, it } from 'vitest';
import { Attempts, FREE_TRIES, MOST_SOURCES, TRIES_OF_ALL } from '../../src/front/attempts.ts';

function rig(): { attempts: Attempts; pass: (ms: number) => void; tries: (address: string, n: number) => number[] } {
  let time = 0;
  const attempts = new Attempts(() => time);
  return { attempts, pass: (ms) => { time += ms; }, tries: (address, n) => Array.from({ length: n }, () => attempts.begin(address)) };
}

describe('wrong passwords', () => {
  it('are free for a few times, then each costs twice the wait of the one before', () => {
    const { attempts, pass, tries } = rig();
    expect(tries('192.0.2.1', FREE_TRIES)).toEqual([0, 0, 0, 0, 0]);
    for (const wait of [2000, 4000, 8000]) {
      expect(attempts.begin('192.0.2.1')).toBe(wait);
      pass(wait);
      expect(attempts.begin('192.0.2.1')).toBe(0);
    }
    expect(attempts.begin('192.0.2.1')).toBe(16_000);
  });

  it('never wait longer than a quarter of an hour, and are forgotten after an hour', () => {
    const { attempts, pass } = rig();
    for (let n = 0; n < 40; n++) pass(attempts.begin('192.0.2.1'));
    pass(attempts.begin('192.0.2.1'));
    attempts.begin('192.0.2.1');
    const wait = attempts.begin('192.0.2.1');
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(15 * 60_000);
    pass(3_600_001 + wait);
    expect(attempts.begin('192.0.2.1')).toBe(0);
    expect(attempts.begin('192.0.2.1')).toBe(0);
  });

  it('of one address lock out no other; those of one IPv6 network count as one', () => {
    const { attempts, tries } = rig();
    tries('2001:db8::1', FREE_TRIES);
    expect(attempts.begin('2001:db8:0:0:ffff::7')).toBeGreaterThan(0);
    expect(attempts.begin('2001:db8:0:1::1')).toBe(0);
    expect(attempts.begin('192.0.2.2')).toBe(0);
    tries('192.0.2.2', FREE_TRIES - 1);
    expect(attempts.begin('::ffff:192.0.2.2')).toBeGreaterThan(0);
  });

  it('of very many addresses are bounded together', () => {
    const { attempts, pass } = rig();
    for (let n = 0; n < TRIES_OF_ALL; n++) expect(attempts.begin(`10.0.0.${n}`)).toBe(0);
    expect(attempts.begin('10.0.1.1')).toBeGreaterThan(0);
    pass(30_000);
    expect(attempts.begin('10.0.1.1')).toBe(0);
    expect(attempts.begin('10.0.1.2')).toBeGreaterThan(0);
  });

  it('are forgotten when the right one is given', () => {
    const { attempts, tries } = rig();
    tries('192.0.2.1', FREE_TRIES);
    attempts.passed('192.0.2.1');
    expect(attempts.begin('192.0.2.1')).toBe(0);
  });

  it('are remembered of a bounded number of addresses', () => {
    const { attempts, pass } = rig();
    for (let n = 0; n < FREE_TRIES; n++) attempts.begin('192.0.2.1');
    for (let n = 0; n < MOST_SOURCES; n++) {
      pass(30_000);
      attempts.begin(`10.1.${n >> 8}.${n & 255}`);
    }
    expect(attempts.begin('192.0.2.1')).toBe(0);
  });
});
