import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { covers } from '../../src/trust/grants.ts';

describe('a granted filter covers', () => {
  test.each([
    ['plant/#', 'plant/a'], ['plant/#', 'plant/+/temp'], ['plant/#', 'plant/#'], ['plant/#', 'plant'],
    ['plant/+', 'plant/a'], ['plant/+', 'plant/+'], ['#', 'a/b'], ['#', '#'], ['+/b', 'a/b'],
    ['$at/x/#', '$at/x/y'], ['$at/#', '$at/+/y'], ['a/+/c', 'a/b/c'], ['a/+/#', 'a/b/c/d'],
  ])('%s covers %s', (granted, asked) => { expect(covers(granted, asked)).toBe(true); });

  test.each([
    ['plant/#', 'plants/a'], ['plant/+', 'plant/a/b'], ['plant/+', 'plant/#'], ['plant/a', 'plant/+'],
    ['plant/a', '#'], ['+', '#'], ['#', '$inbox'], ['#', '$at/x'], ['+/x', '$at/x'], ['a', 'a/b'], ['a/b', 'a'],
  ])('%s does not cover %s', (granted, asked) => { expect(covers(granted, asked)).toBe(false); });

  test('never more than it matches itself', () => {
    const level = fc.constantFrom('a', 'b', '$s');
    const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map(levels => levels.join('/'));
    const filter = fc.tuple(fc.array(fc.constantFrom('a', 'b', '+', '$s'), { minLength: 1, maxLength: 3 }), fc.boolean())
      .map(([levels, tail]) => (tail ? [...levels, '#'] : levels).join('/'));
    fc.assert(fc.property(filter, filter, topic, (granted, asked, name) => {
      expect(covers(granted, asked) && covers(asked, name) && !covers(granted, name)).toBe(false);
    }), { numRuns: 2_000 });
  });
});
