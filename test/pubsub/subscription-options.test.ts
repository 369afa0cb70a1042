import { expect, test } from 'vitest';
import { changedOptions, defaultOptions, isSameOptions } from '../../src/pubsub/subscription-options.ts';

const LEAF = defaultOptions('t');

test('what is not named stays; order and repetition of shows do not matter', () => {
  const changed = changedOptions(LEAF, { show: ['online', 'away', 'online'] });
  expect(changed).toEqual({ ...LEAF, show: ['away', 'online'] });
  expect(isSameOptions(changed, changedOptions(LEAF, { show: ['away', 'online'] }))).toBe(true);
  expect(isSameOptions(changed, LEAF)).toBe(false);
});

test.each([
  { deliver: 'yes' }, { includeBody: 1 }, { show: ['asleep'] }, { kind: 'leaves' }, { depth: 0 }, { depth: 1.5 }, { depth: 33 }, { expire: Number.NaN }, { expire: 'soon' },
])('%j is refused by the name that XEP-0060 has for it', (change) => {
  expect(() => changedOptions(LEAF, change as never)).toThrow(expect.objectContaining({ code: 'invalid-value', reason: 'invalid-options' }));
});
