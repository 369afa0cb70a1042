import { expect, test } from 'vitest';
import { matches, validFilter } from '../../src/log/filter.ts';
import { childOf, filterOf, isSubtree, isWithin, parentOf } from '../../src/pubsub/subtree.ts';

const TOPICS = ['lamp', 'lamp/hue', 'lamp/hue/raw', 'lamps/x', '$mail/a', '$pep/x'];
const read = (node: string, depth: number | 'all'): string[] => TOPICS.filter((topic) => matches(filterOf(node, depth), topic) && isWithin(node, topic, depth));

test('a subtree holds what lies below its topic, to the depth that is asked for, and never the box\'s own', () => {
  expect(read('lamp', 'all')).toEqual(['lamp']);
  expect(read('lamp/', 'all')).toEqual(['lamp/hue', 'lamp/hue/raw']);
  expect(read('lamp/', 1)).toEqual(['lamp/hue']);
  expect(read('', 1)).toEqual(['lamp']);
  expect(read('', 2)).toEqual(['lamp', 'lamp/hue', 'lamps/x']);
  expect(read('', 'all')).toEqual(['lamp', 'lamp/hue', 'lamp/hue/raw', 'lamps/x']);
  for (const node of ['', 'lamp/', 'a/b/']) for (const depth of [1, 2, 'all'] as const) expect(validFilter(filterOf(node, depth))).toBe(true);
});

test('what lies right in a subtree is a topic, or a subtree with more in it', () => {
  expect([childOf('', 'lamp'), childOf('', 'lamp/hue'), childOf('lamp/', 'lamp/hue'), childOf('lamp/', 'lamp/hue/raw')]).toEqual(['lamp', 'lamp/', 'lamp/hue', 'lamp/hue/']);
  expect([parentOf('lamp'), parentOf('lamp/hue'), parentOf('lamp/hue/'), parentOf('')]).toEqual(['', 'lamp/', 'lamp/', undefined]);
  expect([isSubtree(''), isSubtree('lamp/'), isSubtree('lamp')]).toEqual([true, true, false]);
});
