import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matches, validFilter } from '../../src/log/filter.ts';
import { FilterTree } from '../../src/log/filter-tree.ts';

const level = fc.constantFrom('a', 'b', '$x');
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'));
const filter = fc.array(fc.oneof(level, fc.constantFrom('+', '#')), { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/')).filter(validFilter);

describe('a tree of filters', () => {
  it('finds for every topic whoever has a filter that matches it, once, and nobody else', () => {
    fc.assert(fc.property(fc.array(filter, { maxLength: 20 }), fc.array(topic, { maxLength: 10 }), fc.array(fc.nat(19)), (filters, topics, gone) => {
      const tree = new FilterTree<number>();
      for (const [i, one] of filters.entries()) tree.add(one, i);
      const deleted = [...new Set(gone)].filter((i) => i < filters.length).map((i) => [tree.delete(filters[i] ?? '', i), tree.delete(filters[i] ?? '', i)]);
      expect(deleted.filter(([first, second]) => !first || second)).toEqual([]);
      for (const one of topics) {
        const wanted = filters.flatMap((f, i) => (matches(f, one) && !gone.includes(i) ? [i] : []));
        expect(tree.of(one).toSorted((a, b) => a - b)).toEqual(wanted);
      }
    }));
  });
});
