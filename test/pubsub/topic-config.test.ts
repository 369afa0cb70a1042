import { expect, test } from 'vitest';
import { configured, DEFAULT_CONFIG } from '../../src/pubsub/topic-config.ts';

test('the default lets nobody but the owner in', () => {
  expect(DEFAULT_CONFIG).toMatchObject({ accessModel: 'whitelist', publishModel: 'publishers' });
});

test('a change keeps what it does not name', () => {
  const before = configured(DEFAULT_CONFIG, { title: 'Hall', maxItems: 5 });
  expect(configured(before, { lane: 'latest' })).toEqual({ ...DEFAULT_CONFIG, title: 'Hall', maxItems: 5, lane: 'latest' });
});

test.each([
  [{ maxItems: 0 }, 'maxItems'],
  [{ maxItems: 1.5 }, 'maxItems'],
  [{ lane: 'newest' as never }, 'lane'],
  [{ accessModel: 'everyone' as never }, 'accessModel'],
  [{ title: 'x'.repeat(1025) }, 'title'],
  [{ colour: 'red' } as never, 'colour'],
])('%j is refused, naming the field', (change, field) => {
  expect(() => configured(DEFAULT_CONFIG, change)).toThrow(expect.objectContaining({ code: 'invalid-value', message: expect.stringContaining(field) }));
});
