import { expect, test } from 'vitest';
import { checkJid, formatAddress, parseAddress } from '../../src/mail/address.ts';
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

test.each([
  ['xmpp:a@@b', '"xmpp:a@@b" is no JID, NAME@DOMAIN: after the @ there is "@"'],
  ['xmpp:@home.test', '"xmpp:@home.test" is no JID, NAME@DOMAIN: before the @ there is nothing'],
  ['xmpp:a b@home.test', '"xmpp:a b@home.test" is no JID, NAME@DOMAIN: before the @ there is " "'],
  ['xmpp:a@home.test/', '"xmpp:a@home.test/" is no JID, NAME@DOMAIN: after the / there is nothing'],
  ['xmpp:two words', '"xmpp:two words" is no JID, NAME@DOMAIN: in its domain there is " "'],
  [`xmpp:a@[home.test`, '"xmpp:a@[home.test" is no JID, NAME@DOMAIN: after the @ there is "["'],
  ['john doe@pc.local', '"john doe@pc.local" is no JID, NAME@DOMAIN: before the @ there is " ". A peer that is called so is link:john doe@pc.local'],
])('%s is no JID, and it is said why', (text, message) => {
  expect(() => checkJid(parseAddress(text, isHomeDomain), text)).toThrow(expect.objectContaining({ code: 'invalid-value', message }));
});

test.each(['xmpp:home.test', 'a@plant', 'xmpp:a@[::1]', 'xmpp:ä.b@höme.test./x y', 'link:@@'])('%s may be somewhere', (text) => {
  expect(() => checkJid(parseAddress(text, isHomeDomain), text)).not.toThrow();
});

test('an address over its limit is refused', () => {
  expect(() => parseAddress('x'.repeat(161), isHomeDomain)).toThrow(expect.objectContaining({ code: 'too-large' }));
});

test.each(['link:a/b+c#d%e', 'link:é'.padEnd(150, '/')])('the mail topic of %s is one level of its own', (text) => {
  const topic = mailTopic(parseAddress(text, isHomeDomain));
  expect(() => validTopic(topic)).not.toThrow();
  expect(topic.split('/')).toHaveLength(2);
});
