import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../support/root.ts';

/** What a hostile peer cannot do, and the tests that say so: file and title, as it is written there. */
const CLAIMS: Readonly<Record<string, readonly (readonly [file: string, title: string])[]>> = {
  'crash a box': [
    ['link/hostile.test.ts', 'the box lives, and answers the next'], ['link/hostile.test.ts', 'who asks and hangs up at once does no harm'],
    ['mdns/hostile.test.ts', 'whatever it says'], ['control/fuzz.test.ts', 'lives through any bytes'], ['control/fuzz.test.ts', 'lives through any frames'], ['control/fuzz.test.ts', 'lives through any requests'],
    ['xmpp/xml-stream.test.ts', 'never throws, says the same however it is cut, and nothing after its end'], ['xmpp/xml-stream.test.ts', 'a stanza about to be too large holds what the documented limit allows'],
  ],
  'fill its memory': [
    ['link/hostile.test.ts', 'cannot fill the memory while it is being found out who calls'], ['link/hostile.test.ts', 'of many strangers take no more memory than of a few, and a friend\'s is let through'],
    ['link/hostile.test.ts', 'who confirms none of the answers is given up'], ['link/streams/sessions.test.ts', 'of a stranger gives way to those of others when too many wait'],
    ['security/strangers-flood.test.ts', '%s, made up by strangers, and of callers and keys, leaves the memory of the whole link of a box as it was after a quarter of it'],
  ],
  'fill its disk': [
    ['security/hostile-peer.test.ts', 'is filled by mail of keys that are %s no further than their inbox, while its reader is away'], ['security/hostile-peer.test.ts', 'holds no more for a peer than it may subscribe, and nothing for one that may not'],
    ['link/pubsub.test.ts', 'fills no more topics here than the box may have'], ['trust/trust.test.ts', 'a flood of keys is written as one batch, and only what is still known of it'],
  ],
  'impersonate a paired key': [
    ['trust/trust.test.ts', 'has it again when it is %s, without a new stream, also after a restart'], ['trust/trust.test.ts', 'takes it from a key that is only seen, which does not have it after a restart either'],
    ['link/policy.test.ts', 'is protected by that name as before: it can be revoked by it, mail is held for it, and it is not spoken to in the clear'],
    ['link/link.test.ts', 'a name of a paired key is closed to any other key: nothing is sent, nothing is taken'], ['trust/trust.test.ts', 'the name of a paired key is kept from the clear for ever, and passes to nobody'],
    ['conformance/xep-0198/resumption.test.ts', '§5 another key cannot resume it, and takes nothing from who can'], ['conformance/xep-0178/external.test.ts', '§2 a name that is not its own is no authorization identity'],
  ],
  'read or publish topics': [
    ['link/strangers.test.ts', 'without a key can publish, subscribe and read nothing'], ['link/strangers.test.ts', 'cannot %s'], ['trust/trust.test.ts', 'is chat and nothing else by default, whatever its key'],
  ],
  'forge events, receipts or senders': [
    ['link/strangers.test.ts', 'cannot pass off events as those of a subscription'], ['link/policy.test.ts', 'nobody but who was sent a letter can say that it is refused'],
    ['link/policy.test.ts', 'nobody but who was sent a letter can say that it has come'],
    ['link/plain.test.ts', 'its messages are taken from their body, and are from the stream, whatever they say'], ['security/hostile-peer.test.ts', 'an item published by a peer says whose it is, whatever the peer says'],
    ['security/hostile-peer.test.ts', 'an answer counts only from whoever was asked'],
  ],
  'have a stanza relayed to a third party or a home': [['security/hostile-peer.test.ts', 'for %s goes no further than the box it came to']],
  'make the box connect elsewhere': [
    ['security/hostile-peer.test.ts', '%s is not connected to, whoever announces it'], ['security/hostile-peer.test.ts', 'nor one of an interface that the box does not have'],
    ['link/link.test.ts', 'an address that is not on the link is never dialled'],
  ],
  'take mail held for another': [['link/mail-road.test.ts', 'is not taken by another key under its name; the sender is told, and goes on'], ['link/mail-road.test.ts', 'is not taken in the clear']],
  'pass for the owner of an account': [
    ['link/jid-proofs.test.ts', 'is not believed of a nonce that was made up'], ['link/jid-proofs.test.ts', 'is not believed when another key has signed it'], ['link/jid-proofs.test.ts', 'is believed once'],
    ['link/jid-proofs.test.ts', 'is not believed of another peer, who does not use the nonce up by that'], ['link/jid-proofs.test.ts', 'is not believed of another account'],
    ['link/jid-proofs.test.ts', 'is not taken of a peer that is not paired, nor of one without a key'], ['link/jid-proofs.test.ts', 'is not believed after two minutes, as when a server kept the nonce'],
    ['link/jid-proofs.test.ts', 'cannot be had by asking another box for it: what that signs is for who asks, and goes to it alone'],
    ['link/mail-road.test.ts', 'is held while the peer is away, and goes to no other key, not under its name either'], ['link/mail-road.test.ts', 'that says it is from an account that is another\'s is from the link'],
    ['link/mail-road.test.ts', 'that says it is to an account of somebody else is to this box'],
  ],
  'learn from a box through its home, or wear it out': [
    ['link/jid-proofs.test.ts', 'of a stranger, however many there are, is not answered, and leaves nothing behind'], ['link/jid-proofs.test.ts', 'in the name of a paired key is answered four times a minute'],
    ['link/jid-proofs.test.ts', 'in the name of a paired key that is not on the link is not answered'], ['home/sealed-letters.test.ts', 'signed by a key that is not paired is a stranger\'s message, and is not confirmed'],
  ],
  'use up the numbers of a box, or change its letters, through a home': [
    ['home/sealed-letters.test.ts', 'that %s is not kept, and who is not known to have that key does not learn that it is paired'], ['home/sealed-letters.test.ts', 'with a number of another box is refused: it uses up nobody\'s'],
    ['home/sealed-letters.test.ts', 'that is %s is a stranger\'s message, without a number'], ['home/mail-road.test.ts', 'is delivered when that key says so, and no sooner'],
  ],
  'squat a name to lock a peer out': [
    ['link/plain.test.ts', 'somebody with a key of his own who uses the name of a plain client once does not lock the client out'],
    ['trust/trust.test.ts', 'a key under a name that does not say that it is a box keeps it from nobody'], ['link/link.test.ts', 'a name of a key that was only seen may change hands, and that is told'],
  ],
  'have a box that was seen spoken with in the clear': [
    ['link/plain.test.ts', 'a name that has shown a key is not spoken to in the clear, also when its record no longer says it is a box'], ['link/plain.test.ts', 'a box that has been seen for a day is not spoken to in the clear, wherever somebody announces it without its mark'], ['trust/trust.test.ts', 'a key that was only seen keeps its name from the clear where it was shown; after a day, everywhere; after a month, no more'],
  ],
  'stand between two boxes that are being paired': [
    ['security/pairing-relay.test.ts', 'has a guess a try, and three tries a window, of 2^33; then the owners see words that differ'], ['security/pairing-relay.test.ts', 'cannot choose its nonce once it has seen the other one'],
    ['security/pairing-relay.test.ts', 'cannot look for a connection on which the words fit: over another stream nothing is revealed, and the try is used up'],
    ['security/pairing-relay.test.ts', 'that reconnects for the two minutes of a window, until one word in 16 would fit, gets three tries and no words'],
    ['security/pairing-relay.test.ts', 'once words are shown, shows no others for the same nonce over another stream'], ['security/pairing-grinding.test.ts', 'a relay that grinds before it commits hits as often as one that does not'],
    ['security/pairing-grinding.test.ts', 'a relay that grinds once it knows both nonces finds what fits, and each is refused: it is not what it committed to'],
    ['security/pairing-grinding.test.ts', 'hits with none of 200,000 nonces that it chose before it knew theirs: each of the three words is alike once in 2,048'],
    ['security/pairing-relay.test.ts', 'that has seen both nonces finds others with which the whole words are alike, by the hundred thousand, and none of them is taken'],
  ],
};

/** `test('…',`, `it('…',`, with `.each(…)` between, whose table may be many lines that are indented more. What is skipped is none. */
const TEST = /^( *)(?:test|it)(?:\.each\((.*|.*\n(?:\1 +.*\n)+\1\].*)\))?\('((?:\\.|[^'\\])*)', /gm;

/** As they are written, and for each line of a table that begins with a text. */
function titles(file: string): string[] {
  return [...readFileSync(join(ROOT, 'test', file), 'utf8').matchAll(TEST)].flatMap(([, , table = '', literal = '']) => {
    const title = literal.replaceAll("\\'", "'");
    return [title, ...[...table.matchAll(/^ +\['([^']*)'/gm)].map(([, row = '']) => title.replace('%s', row))];
  });
}

test.each(Object.entries(CLAIMS))('a hostile peer cannot %s: each test that says so is there', (_, tests) => {
  for (const [file, title] of tests) expect({ [file]: titles(file) }).toEqual({ [file]: expect.arrayContaining([title]) });
});
