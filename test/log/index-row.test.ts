import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeIndex, encodeIndex, type IndexRow } from '../../src/log/index-row.ts';
import { longIndex } from './format-three.ts';

const index: fc.Arbitrary<IndexRow> = fc.record({
  state: fc.constantFrom('live', 'superseded', 'retracted'), item: fc.boolean(), size: fc.nat(2 ** 32 - 1), ordinal: fc.maxSafeNat(), expires: fc.maxSafeNat(),
  id: fc.string({ unit: 'grapheme', maxLength: 40 }), key: fc.string({ unit: 'grapheme', maxLength: 40 }),
}, { requiredKeys: ['state', 'item', 'size', 'ordinal'] });

it('gives back what was put in', () => {
  fc.assert(fc.property(index, (row) => { expect(decodeIndex(encodeIndex(row))).toEqual(row); }));
});

it('reads what formats up to 3 have written', () => {
  fc.assert(fc.property(index, (row) => { expect(decodeIndex(longIndex(row))).toEqual({ ...row, expires: undefined }); }));
});

it('has few bytes where the numbers are small', () => {
  expect(encodeIndex({ state: 'live', item: true, size: 240, ordinal: 1_000_000 }).length).toBe(6);
});
