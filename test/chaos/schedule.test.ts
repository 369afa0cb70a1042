import { describe, expect, it } from 'vitest';
import { seeded } from '../support/seeded.ts';
import { FAULTS, type Fault, NAMES, schedule } from './faults.ts';

const orderOf = (seed: number, rounds: number, faults: readonly Fault[] = NAMES): Fault[] => schedule(rounds, seeded(seed), faults);

describe('the faults of a run', () => {
  it('are the same for one seed, and others for another', () => {
    expect(orderOf(1, 50)).toEqual(orderOf(1, 50));
    expect(new Set(Array.from({ length: 20 }, (_, seed) => orderOf(seed, NAMES.length).join())).size).toBe(20);
  });

  it('are each there once before any comes again', () => {
    for (let seed = 0; seed < 20; seed++) {
      const order = orderOf(seed, 2 * NAMES.length + 3);
      for (const from of [0, NAMES.length]) expect(order.slice(from, from + NAMES.length).toSorted()).toEqual([...NAMES].toSorted());
      expect(new Set(order.slice(-3)).size).toBe(3);
    }
    expect(orderOf(1, 4, ['a bad wire'])).toEqual(['a bad wire', 'a bad wire', 'a bad wire', 'a bad wire']);
  });

  it('are all that a home and the way to it are known to do', () => {
    expect(Object.keys(FAULTS).toSorted()).toEqual([
      'Debian\'s rate limits', 'a bad wire', 'cut of the other box', 'cut without a word', 'disk full', 'disk of the other box full', 'kill the box', 'kill the other box',
      'kill the server', 'newest items lost', 'node deleted', 'password revoked', 'readings expire',
    ]);
  });
});
