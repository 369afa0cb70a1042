import { describe, expect, it } from 'vitest';
import { isFrom } from '../../nodes/shared/sender-address.ts';

describe('what a field names is', () => {
  it.each([
    ['link:bob@pc', 'link:bob@pc'], ['bob@pc', 'link:bob@pc'],
    ['xmpp:a@b.test', 'xmpp:a@b.test'], ['a@b.test', 'xmpp:a@b.test/desk'], ['xmpp:A@B.test.', 'xmpp:a@b.test/desk'],
    ['xmpp:A@b.test/Desk', 'xmpp:a@b.test/Desk'], ['b.test', 'xmpp:b.test'],
    ['device:boiler', 'device:boiler'], ['device:boiler@link:hall', 'device:boiler@link:hall'], ['device:boiler@hall', 'device:boiler@link:hall'],
    ['device:boiler@xmpp:a@b.test', 'device:boiler@xmpp:a@b.test/x'],
  ])('%s of %s', (wanted, from) => expect(isFrom(wanted, from)).toBe(true));
});

describe('what a field names is not', () => {
  it.each([
    ['link:Bob@pc', 'link:bob@pc'], ['link:a@b.test', 'xmpp:a@b.test'], ['xmpp:bob@pc', 'link:bob@pc'], ['a@b.test/desk', 'xmpp:a@b.test/phone'], ['a@b.test/desk', 'xmpp:a@b.test/Desk'],
    ['a@b.test/desk', 'xmpp:a@b.test'], ['b.test', 'xmpp:a@b.test'], ['a@b.test', 'device:boiler@xmpp:a@b.test/x'], ['device:hall@a@b.test', 'device:boiler@xmpp:a@b.test'],
  ])('%s of %s', (wanted, from) => expect(isFrom(wanted, from)).toBe(false));
});
