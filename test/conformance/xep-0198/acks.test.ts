import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HandledCountTooHigh, parseH, StreamManagement } from '../../../src/xmpp/stream-management.ts';

describe('XEP-0198 §4 Acks', () => {
  it('h confirms in order what was sent', () => {
    const sm = new StreamManagement<string>();
    for (const p of ['a', 'b', 'c']) sm.sent(p);
    expect(sm.ack(2)).toEqual(['a', 'b']);
    expect(sm.ack(2)).toEqual([]);
    expect(sm.unacked()).toEqual(['c']);
    expect(sm.ack(3)).toEqual(['c']);
  });

  it('an h above what was sent, or below what was acknowledged, is the peer\'s fault', () => {
    const sm = new StreamManagement<number>();
    sm.sent(1);
    sm.sent(2);
    sm.ack(1);
    for (const h of [3, 0, -1, 2 ** 32, 1.5, Number.NaN]) expect(() => sm.ack(h)).toThrow(HandledCountTooHigh);
    expect(sm.ack(2)).toEqual([2]);
  });

  it('counters wrap from 2^32 - 1 to 0', () => {
    const sm = new StreamManagement<number>({ start: 2 ** 32 - 2 });
    for (const n of [1, 2, 3, 4]) {
      sm.sent(n);
      sm.handled(sm.arrived());
    }
    expect(sm.h).toBe(2);
    expect(sm.ack(2 ** 32 - 1)).toEqual([1]);
    expect(sm.ack(1)).toEqual([2, 3]);
    expect(sm.ack(2)).toEqual([4]);
  });

  it('<r/> is due every so many stanzas', () => {
    const sm = new StreamManagement<number>({ askEvery: 3 });
    expect([1, 2, 3, 4, 5, 6].map((n) => sm.sent(n))).toEqual([false, false, true, false, false, true]);
  });

  it('only the handled prefix is acknowledged, in whatever order things get done', () => {
    fc.assert(fc.property(fc.shuffledSubarray(Array.from({ length: 20 }, (_, i) => i)), (order) => {
      const sm = new StreamManagement<never>();
      for (let i = 0; i < 20; i++) sm.arrived();
      const done = new Set<number>();
      for (const n of order) {
        sm.handled(n);
        sm.handled(n);
        done.add(n);
        let prefix = 0;
        while (done.has(prefix)) prefix++;
        expect(sm.h).toBe(prefix);
      }
      expect(sm.unhandled).toBe(20 - sm.h);
    }));
  });

  it('h is an unsigned 32-bit integer', () => {
    expect(['0', '4294967295', '007'].map(parseH)).toEqual([0, 4294967295, 7]);
    expect([undefined, '', '-1', '4294967296', '1.5', 'x', ' 1'].map(parseH)).toEqual(Array.from({ length: 7 }));
  });

  it('§5 what was not acknowledged comes again under the numbers it had', () => {
    const sm = new StreamManagement<string>();
    for (const one of ['a', 'b', 'c']) sm.sent(one);
    expect(sm.ack(1)).toEqual(['a']);
    expect([0, 1, 2, 3, 4].map(h => sm.admits(h))).toEqual([false, true, true, true, false]);
    expect(sm.retract()).toEqual(['b', 'c']);
    expect([1, 2].map(h => sm.admits(h))).toEqual([true, false]);
    sm.sent('b');
    expect(sm.ack(2)).toEqual(['b']);
  });
});
