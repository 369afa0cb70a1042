import { expect, test } from 'vitest';
import { checkJid } from '../../src/home/checked-jid.ts';
import { parseAddress } from '../../src/mail/address.ts';

const isHomeDomain = (domain: string): boolean => domain === 'plant';

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
