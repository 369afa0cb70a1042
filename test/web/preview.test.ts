import { describe, expect, it } from 'vitest';
import type { Value } from '../../src/index.ts';
import { preview } from '../../src/web/preview.ts';

describe('the beginning of a value', () => {
  it.each([
    ['text', 'text'], [21.5, '21.5'], [-0, '0'], [true, 'true'], [null, 'null'], ['', ''],
    [{ a: 1, b: ['x', null] }, '{"a":1,"b":["x",null]}'], [[], '[]'], [{}, '{}'],
    [new Uint8Array([1, 255]), '2 bytes: 01 ff'], [new Uint8Array([0]), '1 byte: 00'],
  ])('%j is said as %s', (value, words) => {
    expect(preview(value, 100)).toBe(words);
  });

  it('ends where there is no more room, whatever comes behind', () => {
    expect(preview('x'.repeat(1e6), 10)).toBe('xxxxxxxxxx…');
    let deep: Value = 'x'.repeat(100);
    for (let n = 0; n < 50_000; n++) deep = [deep];
    expect(preview(deep, 40)).toMatch(/^\[+…$/);
    for (const value of [{ a: 'y'.repeat(1e6) }, Array.from({ length: 1e5 }, () => 1), { ['k'.repeat(1e5)]: 1, b: 2 }, new Uint8Array(1e6), [[['z'.repeat(1e5)]]]]) {
      const words = preview(value, 40);
      expect(words).toHaveLength(41);
      expect(words.endsWith('…')).toBe(true);
    }
  });

  it('looks at no more of it than it says', () => {
    let asked = 0;
    const value = { get a() { asked++; return 'x'.repeat(100); }, get b() { asked++; return 1; }, get c() { asked++; return 1; } };
    preview(value, 20);
    expect(asked).toBeLessThan(3);
  });
});
