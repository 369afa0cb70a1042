import { expect, it } from 'vitest';
import { ageInWords } from '../../nodes/shared/age-in-words.ts';

it('an age is said in the unit of which there are two at least', () => {
  expect([0, 999, 119_000, 120_000, 3_600_000, 7_200_000, 200_000_000].map(ageInWords)).toEqual(['0 s', '1 s', '119 s', '2 min', '60 min', '2 h', '2 d']);
});
