import { describe, expect, it } from 'vitest';
import { parseFrom, parseValue } from '../../src/cli/value-argument.ts';

describe('a VALUE', () => {
  it.each([['21.5', 21.5], ['-5', -5], ['true', true], ['null', null], ['"quoted"', 'quoted'], ['{"a":[1]}', { a: [1] }]])('that is JSON is that: %s', (text, value) => {
    expect(parseValue(text)).toEqual(value);
  });
  it.each(['ring', '21,5', '{a:1}', '', 'NaN', '1e', '"open'])('that is not JSON is text: %s', (text) => {
    expect(parseValue(text)).toBe(text);
  });
});

describe('--from', () => {
  it.each([
    ['new', 'new'], ['last', 'last'], ['start', 'start'], ['0', { seq: 0 }], ['1500', { seq: 1500 }],
    ['2026-11-23T05:00:00Z', { time: Date.UTC(2026, 10, 23, 5) }], ['2026-11-23', { time: Date.UTC(2026, 10, 23) }],
  ])('takes %s', (text, from) => expect(parseFrom(text)).toEqual(from));
  it.each(['yesterday', '-1', '1.5', '', '2026-99-99'])('refuses "%s" and says what it takes', (text) => {
    expect(() => parseFrom(text)).toThrow(/--from is new, last, start, a position such as 1500, or a time/);
  });
});
