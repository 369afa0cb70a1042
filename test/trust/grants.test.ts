import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { matches } from '../../src/log/filter.ts';
import { checkedGrant, covers, overlaps } from '../../src/trust/grants.ts';

describe('two filters overlap', () => {
  const level = fc.constantFrom('a', 'b', 'c');
  const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map(levels => levels.join('/'));
  const filter = fc.tuple(fc.array(fc.constantFrom('a', 'b', 'c', '+'), { minLength: 1, maxLength: 3 }), fc.boolean())
    .map(([levels, tail]) => (tail ? [...levels, '#'] : levels).join('/'));

  test('when some topic is matched by both, whichever is first', () => {
    fc.assert(fc.property(filter, filter, topic, (one, other, name) => {
      expect(overlaps(one, other)).toBe(overlaps(other, one));
      expect(covers(one, name) && covers(other, name) && !overlaps(one, other)).toBe(false);
    }), { numRuns: 2_000 });
  });

  test.each([['a/b', 'a/c'], ['a', 'a/b'], ['a/+', 'a'], ['+/b', 'a/c']])('%s and %s do not', (one, other) => { expect(overlaps(one, other)).toBe(false); });
});

describe('filters with names that begin alike', () => {
  const level = fc.constantFrom('a', 'ab', 'b', '+', '$s');
  const filter = fc.tuple(fc.array(level, { minLength: 1, maxLength: 4 }), fc.boolean()).map(([levels, tail]) => (tail ? [...levels, '#'] : levels).join('/'));
  const topic = fc.array(fc.constantFrom('a', 'ab', 'b', '$s'), { minLength: 1, maxLength: 4 }).map(levels => levels.join('/'));

  test('cover and overlap as what they match says', () => {
    fc.assert(fc.property(filter, topic, (one, name) => {
      expect(covers(one, name)).toBe(matches(one, name));
      expect(name.startsWith('$') || overlaps(one, name) === matches(one, name)).toBe(true);
    }), { numRuns: 5_000 });
  });
});

test('a right to topics needs a filter, another has none', () => {
  expect(checkedGrant('chat', undefined)).toEqual({ right: 'chat' });
  expect(() => checkedGrant('chat', 'a')).toThrow(TypeError);
  expect(() => checkedGrant('read', undefined)).toThrow(TypeError);
  expect(() => checkedGrant('toString', undefined)).toThrow(TypeError);
});

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
