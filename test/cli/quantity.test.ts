import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSize, parseSpan, sizeAsTyped, spanAsTyped } from '../../src/cli/quantity.ts';
import { UsageError } from '../../src/cli/usage-error.ts';

describe('a span', () => {
  it.each([['500ms', 500], ['90s', 90_000], ['15min', 900_000], ['15m', 900_000], ['12h', 43_200_000], ['7d', 604_800_000], ['2w', 1_209_600_000], ['1.5h', 5_400_000], ['7 d', 604_800_000]])('%s is %i ms', (text, ms) => {
    expect(parseSpan('--max-age', text)).toBe(ms);
  });
  it.each(['7', 'd', '-7d', '7 fortnights', '', '1e9d', '999999999999999w', 'constructor'])('%j is refused', (text) => {
    expect(() => parseSpan('--max-age', text)).toThrow(UsageError);
  });
});

describe('a size', () => {
  it.each([['512', 512], ['512B', 512], ['64KiB', 65_536], ['10MB', 10_000_000], ['10mb', 10_000_000], ['1.5 GiB', 1_610_612_736]])('%s is %i bytes', (text, bytes) => {
    expect(parseSize('--max-bytes', text)).toBe(bytes);
  });
  it.each(['x', '10 XB', '-1', '10m'])('%j is refused', (text) => {
    expect(() => parseSize('--max-bytes', text)).toThrow(UsageError);
  });
});

it('what is shown can be typed again', () => {
  fc.assert(fc.property(fc.maxSafeNat(), (value) => {
    expect(parseSpan('x', spanAsTyped(value))).toBe(value);
    expect(parseSize('x', sizeAsTyped(value))).toBe(value);
  }));
  expect([spanAsTyped(0), spanAsTyped(604_800_000), sizeAsTyped(10_000_000), sizeAsTyped(65_536), sizeAsTyped(7)]).toEqual(['0ms', '1w', '10MB', '64KiB', '7B']);
});
