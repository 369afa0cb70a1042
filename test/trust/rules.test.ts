import { expect, test } from 'vitest';
import { reaches } from '../../src/trust/rules.ts';

const read = (filter: string) => ({ right: 'read' as const, filter });

test('a grant reaches a filter that it overlaps, of that right only', () => {
  const rules = { grants: [read('public/#')], denials: [] };
  expect(reaches(rules, [], 'read', '#')).toBe(true);
  expect(reaches(rules, [], 'read', 'public/x')).toBe(true);
  expect(reaches(rules, [], 'read', 'plant/#')).toBe(false);
  expect(reaches(rules, [], 'write', '#')).toBe(false);
});

test('not one that a denial takes back whole, or where what is asked is denied whole', () => {
  const rules = { grants: [read('public/#')], denials: [] };
  expect(reaches(rules, [read('#')], 'read', 'public/#')).toBe(false);
  expect(reaches(rules, [read('public/#')], 'read', '#')).toBe(false);
  expect(reaches(rules, [read('public/x')], 'read', 'public/x')).toBe(false);
  expect(reaches(rules, [read('public/x')], 'read', 'public/#')).toBe(true);
});
