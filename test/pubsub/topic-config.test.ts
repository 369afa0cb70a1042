import { expect, test } from 'vitest';
import { configured, DEFAULT_CONFIG } from '../../src/pubsub/topic-config.ts';

test('the default lets nobody but the owner in', () => {
  expect(DEFAULT_CONFIG).toMatchObject({ accessModel: 'whitelist', publishModel: 'publishers' });
});

test('a change keeps what it does not name', () => {
  const before = configured(DEFAULT_CONFIG, { title: 'Hall', maxItems: 5 });
  expect(configured(before, { lane: 'latest' })).toEqual({ ...DEFAULT_CONFIG, title: 'Hall', maxItems: 5, lane: 'latest' });
});

test('an empty text takes back what has no default', () => {
  const before = configured(DEFAULT_CONFIG, { title: 'Hall', type: 'urn:x' });
  expect(configured(before, { title: '' })).toEqual({ ...DEFAULT_CONFIG, type: 'urn:x' });
});

test.each([
  [{ maxItems: 0 }, 'maxItems'],
  [{ maxItems: 1.5 }, 'maxItems'],
  [{ lane: 'newest' as never }, 'lane'],
  [{ full: 'refuse' as never }, 'full'],
  [{ maxBytes: -1 }, 'maxBytes'],
  [{ maxAge: 0.5 }, 'maxAge'],
  [{ lane: 'latest' as const, key: 'sensor' }, 'key'],
  [{ key: '/sensor' }, 'key'],
  [{ accessModel: 'everyone' as never }, 'accessModel'],
  [{ title: 'x'.repeat(1025) }, 'title'],
  // No road could carry it: whoever asked what the topic is would lose its stream.
  [{ title: 'a\u0000b' }, 'title'],
  [{ description: 'a\uFFFE' }, 'description'],
  [{ tags: ['a\u001B'] }, 'tags'],
  [{ language: 'not a language' }, 'language'],
  [{ contentType: 'json' }, 'contentType'],
  [{ tags: 'hall' as never }, 'tags'],
  [{ tags: ['hall', 'hall'] }, 'tags'],
  [{ tags: Array.from({ length: 33 }, (_, i) => `t${i}`) }, 'tags'],
  [{ rosterGroups: ['friends'] }, 'rosterGroups'],
  [{ notifySub: 1 as never }, 'notifySub'],
  [{ notificationType: 'chat' as never }, 'notificationType'],
  [{ sendLast: 'always' as never }, 'sendLast'],
  [{ maxPayload: -1 }, 'maxPayload'],
  [{ itemReply: 'me' as never }, 'itemReply'],
  [{ accessModel: '' as never }, 'accessModel'],
  [{ constructor: 'x' } as never, 'constructor'],
  [{ title: 'a\ud800' }, 'title'],
  [{ maxItems: '5' as never }, 'maxItems'],
  [{ colour: 'red' } as never, 'colour'],
])('%j is refused, naming the field', (change, field) => {
  expect(() => configured(DEFAULT_CONFIG, change)).toThrow(expect.objectContaining({ code: 'invalid-value', message: expect.stringContaining(field) }));
});

test('what has no default is taken back by what is empty', () => {
  const before = configured(DEFAULT_CONFIG, { title: 'Hall', language: 'de-CH', maxPayload: 10, itemReply: 'owner', tags: ['a'] });
  expect(configured(before, { title: '', language: '', maxPayload: 0, itemReply: '' as never, tags: [] })).toEqual(DEFAULT_CONFIG);
});

test('null takes back to the default', () => {
  const before = configured(DEFAULT_CONFIG, { accessModel: 'open', maxItems: 7, title: 'Hall' });
  expect(configured(before, { accessModel: null, maxItems: null, title: null })).toEqual(DEFAULT_CONFIG);
});

test('what is undefined is left as it was, and nothing but an object is a configuration', () => {
  const before = configured(DEFAULT_CONFIG, { title: 'Hall' });
  const nothing: object = { title: undefined };
  expect(configured(before, nothing)).toEqual(before);
  expect(() => configured(before, 'open' as never)).toThrow(TypeError);
});
