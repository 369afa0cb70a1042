import { expect, test } from 'vitest';
import { formatAddress, parseAddress } from '../../src/mail/address.ts';
import { mailTopic } from '../../src/mail/letter.ts';
import { validTopic } from '../../src/log/filter.ts';

const isHomeDomain = (domain: string): boolean => domain === 'plant';

test.each([
  ['link:alice@h1', 'link:alice@h1'],
  ['xmpp:alice@home.test', 'xmpp:alice@home.test'],
  ['alice@h1', 'link:alice@h1'],
  ['alice@home.test', 'xmpp:alice@home.test'],
  ['alice@home.test/phone', 'xmpp:alice@home.test/phone'],
  ['alice@plant', 'xmpp:alice@plant'],
  ['wjt@bael (2)', 'link:wjt@bael (2)'],
  ['just a name', 'link:just a name'],
  ['link:john@home.test', 'link:john@home.test'],
])('%s is %s', (text, typed) => {
  expect(formatAddress(parseAddress(text, isHomeDomain))).toBe(typed);
});

test.each(['', 'link:', 'xmpp:', 'a\nb'])('%j is refused', (text) => {
  expect(() => parseAddress(text, isHomeDomain)).toThrow(expect.objectContaining({ code: 'invalid-value' }));
});

test('an address over its limit is refused', () => {
  expect(() => parseAddress('x'.repeat(161), isHomeDomain)).toThrow(expect.objectContaining({ code: 'too-large' }));
});

test.each(['link:a/b+c#d%e', 'link:é'.padEnd(150, '/')])('the mail topic of %s is one level of its own', (text) => {
  const topic = mailTopic(parseAddress(text, isHomeDomain));
  expect(() => validTopic(topic)).not.toThrow();
  expect(topic.split('/')).toHaveLength(2);
});
