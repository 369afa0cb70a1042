import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matches, validFilter, validTopic } from '../../src/log/filter.ts';

describe('validTopic', () => {
  it.each(['a', 'a/b', '$mail/xmpp:a@b.c', 'Räume/Küche', 'a b/c.d', '$at/abcdefghijklmnop/x/y'])('takes %s', (name) => {
    expect(validTopic(name)).toBe(true);
  });

  it.each(['', '/', 'a/', '/a', 'a//b', 'a/+', '#', 'a#', 'a\nb', 'a\0', '\uD800', 'x'.repeat(513), 'ü'.repeat(257), Array.from({ length: 33 }, () => 'a').join('/')])('refuses %j', (name) => {
    expect(validTopic(name)).toBe(false);
  });

  it('takes 512 bytes and 32 levels', () => {
    expect(validTopic('x'.repeat(512))).toBe(true);
    expect(validTopic(Array.from({ length: 32 }, () => 'a').join('/'))).toBe(true);
  });
});

describe('validFilter', () => {
  it.each(['#', '+', 'a/#', '+/b/+', 'a', '$at/#'])('takes %s', (filter) => {
    expect(validFilter(filter)).toBe(true);
  });

  it.each(['#/a', 'a/b#', 'a+', '', 'a//#', '++'])('refuses %j', (filter) => {
    expect(validFilter(filter)).toBe(false);
  });
});

describe('matches', () => {
  it.each([
    ['#', 'a', true], ['#', 'a/b/c', true], ['a/#', 'a', true], ['a/#', 'a/b/c', true], ['a/#', 'ab', false],
    ['+', 'a', true], ['+', 'a/b', false], ['a/+', 'a/b', true], ['a/+', 'a', false], ['+/b', 'a/b', true],
    ['a/+/c', 'a/b/c', true], ['a/+/c', 'a/b/d', false], ['#', '$mail/x', false], ['+/x', '$mail/x', false],
    ['$mail/#', '$mail/x', true], ['a/+', 'a/$x', true], ['a', 'a', true], ['a', 'A', false],
  ])('%s on %s is %s', (filter, topic, expected) => {
    expect(matches(filter, topic)).toBe(expected);
  });

  it('agrees with replacing levels', () => {
    const level = fc.constantFrom('a', 'b', 'c');
    fc.assert(fc.property(fc.array(level, { minLength: 1, maxLength: 5 }), fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }), fc.nat(5), (levels, plus, cut) => {
      const topic = levels.join('/');
      const filter = levels.map((l, i) => (plus[i] ? '+' : l));
      expect(matches(filter.join('/'), topic)).toBe(true);
      expect(matches([...filter.slice(0, cut), '#'].join('/'), topic)).toBe(true);
      expect(matches([...filter, 'more'].join('/'), topic)).toBe(false);
    }));
  });
});
