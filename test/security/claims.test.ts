import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../support/root.ts';

/** What a hostile peer cannot do, and the tests that say so: file and (the beginning of) their titles. */
const CLAIMS: Readonly<Record<string, readonly (readonly [file: string, title: string])[]>> = {
  'crash a box': [
    ['link/hostile.test.ts', 'the box lives, and answers the next'], ['link/hostile.test.ts', 'who asks and hangs up at once does no harm'],
    ['mdns/hostile.test.ts', 'whatever it says'], ['control/fuzz.test.ts', ''], ['xmpp/xml-stream.test.ts', ''],
  ],
  'fill its memory': [
    ['link/hostile.test.ts', 'cannot fill the memory while it is being found out who calls'], ['link/hostile.test.ts', 'of many strangers take no more memory than of a few'],
    ['link/hostile.test.ts', 'who confirms none of the answers is given up'], ['link/sessions.test.ts', 'of a stranger gives way to those of others'],
    ['security/strangers-flood.test.ts', 'a day of made-up records'],
  ],
  'fill its disk': [
    ['security/hostile-peer.test.ts', 'is filled by mail of keys that are %s no further than their inbox'], ['security/hostile-peer.test.ts', 'holds no more for a peer than it may subscribe'],
    ['link/pubsub.test.ts', 'fills no more topics here than the box may have'], ['trust/trust.test.ts', 'a flood of keys is written as one batch'],
  ],
  'impersonate a paired key': [
    ['link/link.test.ts', 'a name of a paired key is closed to any other key'], ['trust/trust.test.ts', 'the name of a paired key is kept from the clear for ever'],
    ['conformance/xep-0198/resumption.test.ts', '§5 another key cannot resume it'], ['conformance/xep-0178/external.test.ts', 'a name that is not its own is no authorization identity'],
  ],
  'read or publish topics': [
    ['link/strangers.test.ts', 'without a key can publish, subscribe and read nothing'], ['link/strangers.test.ts', 'cannot %s'], ['trust/trust.test.ts', 'is chat and nothing else by default'],
  ],
  'forge events, receipts or senders': [
    ['link/strangers.test.ts', 'cannot pass off events as those of a subscription'], ['link/policy.test.ts', 'nobody but who was sent a letter can say that it is refused'],
    ['link/plain.test.ts', 'its messages are taken from their body, and are from the stream, whatever they say'], ['security/hostile-peer.test.ts', 'an item published by a peer says whose it is'],
    ['security/hostile-peer.test.ts', 'an answer counts only from whoever was asked'],
  ],
  'have a stanza relayed to a third party or a home': [['security/hostile-peer.test.ts', 'for %s goes no further than the box it came to']],
  'make the box connect elsewhere': [
    ['security/hostile-peer.test.ts', '%s is not connected to, whoever announces it'], ['security/hostile-peer.test.ts', 'nor one of an interface that the box does not have'],
    ['link/link.test.ts', 'an address that is not on the link is never dialled'],
  ],
  'take mail held for another': [['link/mail-road.test.ts', 'is not taken by another key under its name'], ['link/mail-road.test.ts', 'is not taken in the clear']],
  'squat a name to lock a peer out': [
    ['link/plain.test.ts', 'somebody with a key of his own who uses the name of a plain client once does not lock the client out'],
    ['trust/trust.test.ts', 'a key under a name that does not say that it is a box keeps it from nobody'], ['link/link.test.ts', 'a name of a key that was only seen may change hands'],
  ],
  'have a box that was seen spoken with in the clear': [
    ['link/plain.test.ts', 'a name that has shown a key is not spoken to in the clear'], ['link/plain.test.ts', 'a box that has been seen for a day is not spoken to in the clear'], ['trust/trust.test.ts', 'a key that was only seen keeps its name from the clear where it was shown'],
  ],
  'stand between two boxes that are being paired': [
    ['security/pairing-relay.test.ts', 'has a guess a try, and three tries a window'], ['security/pairing-relay.test.ts', 'cannot choose its nonce once it has seen the other one'],
    ['security/pairing-relay.test.ts', 'a relay that grinds before it commits hits as often as one that does not'],
  ],
};

test.each(Object.entries(CLAIMS))('a hostile peer cannot %s: each test that says so is there', (_, tests) => {
  for (const [file, title] of tests) expect(readFileSync(join(ROOT, 'test', file), 'utf8')).toContain(title);
});
