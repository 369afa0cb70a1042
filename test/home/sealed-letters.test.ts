import { beforeEach, describe, expect, test } from 'vitest';
import type { TrustLevel } from '../../src/api.ts';
import { createTestClock } from '../../src/clock.ts';
import { LanpostError } from '../../src/errors.ts';
import { createReceiver } from '../../src/home/receiver.ts';
import { SealedLetters } from '../../src/home/sealed-letters.ts';
import type { Incoming } from '../../src/mail/inbox.ts';
import type { Letter } from '../../src/mail/letter.ts';
import { isSealed } from '../../src/trust/seal.ts';
import { deviceElements } from '../../src/xep/device.ts';
import { letterRecord, letterStatement, parseLetterRecord, parseReceived, parseRefused, receivedStatement } from '../../src/xep/letter-record.ts';
import { parseElement } from '../../src/xml/parse.ts';
import { serialize } from '../../src/xml/serialize.ts';
import type { Element } from '../../src/xmpp/element.ts';
import { buildMessage } from '../../src/xmpp/stanza.ts';
import { stanzaErrorOf } from '../../src/xmpp/stanza-error.ts';
import { keyPair } from '../trust/fixtures.ts';

type Key = Awaited<ReturnType<typeof keyPair>>;
const [A, B] = ['a@home.test', 'b@home.test'] as const;

describe('a letter of a box that comes by way of a home', () => {
  let a: Key, b: Key;
  let kept: Incoming[];
  let level: TrustLevel;
  let holder: string | undefined;
  let full: boolean;
  let never: boolean;
  let mark: number;
  let allowed: boolean;
  let troubles: string[];
  let letters: SealedLetters;
  let receive: (stanza: Element) => Promise<Element | undefined>;

  beforeEach(async () => {
    [a, b] = [await keyPair(), await keyPair()];
    allowed = true;
    [kept, level, holder, full, never, mark, troubles] = [[], 'paired', undefined, false, false, 0, []];
    letters = new SealedLetters({
      fingerprint: b.fingerprint, seal: b.seal, mayChat: () => true, clock: createTestClock(), trouble: ({ kind }) => void troubles.push(kind),
      level: (key) => (key === a.fingerprint ? level : 'seen'),
      holder: () => holder,
      mark: () => mark,
    });
    const receiver = createReceiver({
      version: '1', letters, challenged: () => undefined, received: () => undefined, returned: () => undefined,
      receive: async (incoming) => {
        if (never) throw new LanpostError('too-large', 'it is too large');
        if (full) throw Object.assign(new Error('closed'), { code: 'closed' });
        kept.push(incoming);
      },
      devices: { has: (name) => name === 'boiler', receive: async (name, incoming) => void kept.push({ ...incoming, to: name }), may: ({ fingerprint }) => fingerprint === a.fingerprint && allowed },
    });
    receive = (stanza) => receiver(stanza, { jid: B, session: `${B}/lanpost` });
  });

  const idOf = (seq: number, by: Key = a): string => `${by.boxId}-1.00000001-${seq}`;
  const letter = (seq: number, more: Partial<Letter> = {}): Letter => ({ id: `m${seq}`, to: `xmpp:${B}`, body: `letter ${seq}`, recordId: idOf(seq), chain: `xmpp:${B}`, time: 1, ...more });
  /** As it comes from the server. */
  const stanza = (sent: Letter, { by = a, recipient = b.fingerprint, from = A, body = sent.body }: { readonly by?: Key; readonly recipient?: string; readonly from?: string; readonly body?: string } = {}): Element => {
    const accounts = { from: A, to: B };
    const plain = parseLetterRecord(buildMessage({ extensions: [letterRecord(sent, accounts, recipient)] }))!;
    const record = letterRecord(sent, accounts, recipient, by.seal.seal('lanpost letter 1', letterStatement(plain, sent)));
    const message = buildMessage({ from: `${from}/lanpost`, to: B, type: 'chat', id: sent.id, body, extensions: [record] });
    message.attrs['xmlns'] = 'jabber:client';
    return parseElement(serialize(message));
  };
  const outcome = async (message: Element): Promise<string> => serialize(await receive(message) ?? '');

  test('counts as its key\'s, number and all, and is confirmed with this box\'s key', async () => {
    const reply = await receive(stanza(letter(7, { previous: 3 })));
    expect(kept).toEqual([{
      from: `xmpp:${A}/lanpost`, to: `xmpp:${B}`, trust: 'paired', body: 'letter 7', id: 'm7',
      origin: { box: a.boxId, epoch: '1.00000001', seq: 7, chain: `xmpp:${B}`, previous: 3 },
    }]);
    const { id, signed } = parseReceived(reply!.getChild('received', 'urn:lanpost:0')!);
    expect(id).toBe(idOf(7));
    expect(isSealed(signed, 'lanpost receipt 1', receivedStatement(id, a.fingerprint, b.fingerprint))).toBe(true);
  });

  const toDevice = (sent: Letter, { signed = 'boiler', said = signed }: { readonly signed?: string; readonly said?: string } = {}): Element => {
    const accounts = { from: A, to: B };
    const plain = parseLetterRecord(buildMessage({ extensions: [letterRecord(sent, accounts, b.fingerprint)] }))!;
    const record = letterRecord(sent, accounts, b.fingerprint, a.seal.seal('lanpost letter 1', letterStatement(plain, sent, { from: 'pump', to: signed })));
    const message = buildMessage({ from: `${A}/lanpost`, to: B, type: 'chat', id: sent.id, body: sent.body, extensions: [record, ...deviceElements({ from: 'pump', to: said })] });
    message.attrs['xmlns'] = 'jabber:client';
    return parseElement(serialize(message));
  };

  test('for a device is that device\'s, and its sender the device that its box says; no server makes it another\'s', async () => {
    expect(serialize((await receive(toDevice(letter(7))))!)).toContain('<received');
    expect(kept).toMatchObject([{ to: 'boiler', from: `device:pump@xmpp:${A}/lanpost`, trust: 'paired', origin: { seq: 7 } }]);
    await outcome(toDevice(letter(8), { said: 'door' }));
    await outcome(toDevice(letter(9), { signed: 'door', said: 'boiler' }));
    expect(kept).toHaveLength(1);
  });

  test('for a device that it may not write to is refused with this box\'s word, and so is the next, at once', async () => {
    allowed = false;
    for (const seq of [7, 8]) {
      const reply = await receive(toDevice(letter(seq, seq === 8 ? { after: idOf(7) } : {})));
      const { condition, application } = stanzaErrorOf(reply!);
      expect([condition, parseRefused(application)?.id]).toEqual(['forbidden', idOf(seq)]);
    }
    expect(kept).toEqual([]);
  });

  test('that can never be kept is refused with this box\'s word; one that was changed on its way is not', async () => {
    never = true;
    const reply = await receive(stanza(letter(7)));
    const refused = parseRefused(stanzaErrorOf(reply!).application)!;
    expect(refused.id).toBe(idOf(7));
    expect(isSealed(refused.signed, 'lanpost refusal 1', receivedStatement(idOf(7), a.fingerprint, b.fingerprint))).toBe(true);
    holder = a.fingerprint;
    expect(await outcome(stanza(letter(8), { body: 'rewritten' }))).not.toContain('refused');
  });

  test('is from the account when that is the key\'s alone', async () => {
    holder = a.fingerprint;
    await receive(stanza(letter(1)));
    expect(kept[0]?.from).toBe(`xmpp:${A}`);
  });

  test('means the same when a server makes one line end of another', async () => {
    await receive(stanza(letter(1, { body: 'one\r\ntwo\rthree' }), { body: 'one\ntwo\nthree' }));
    expect(kept).toMatchObject([{ trust: 'paired' }]);
  });

  test.each([
    ['has another text', () => stanza(letter(2), { body: 'pay the other one' })],
    ['comes from another account', () => stanza(letter(2), { from: 'mallory@home.test' })],
    ['was signed for another box', ({ other }) => {
      const message = stanza(letter(2), { recipient: other.fingerprint });
      message.getChild('record', 'urn:lanpost:0')!.attrs['recipient'] = b.fingerprint;
      return message;
    }],
  ] satisfies [string, (forge: { readonly other: Key }) => Element][])('that %s is not kept, and who is not known to have that key does not learn that it is paired', async (_what, forge) => {
    expect(await receive(forge({ other: await keyPair() }))).toBeUndefined();
    expect([kept, troubles]).toEqual([[], ['home.forged']]);
  });

  test('that was changed on its way is refused, so that its sender, who is known, is told', async () => {
    await receive(stanza(letter(1)));
    expect(await outcome(stanza(letter(2), { body: 'rewritten' }))).toContain('not-acceptable');
    expect(kept.length).toBe(1);
  });

  test('for another box that has the account as well is left to that', async () => {
    expect(await receive(stanza(letter(1), { recipient: (await keyPair()).fingerprint }))).toBeUndefined();
    expect([kept, troubles]).toEqual([[], []]);
  });

  test('with a number of another box is refused: it uses up nobody\'s', async () => {
    expect(await outcome(stanza(letter(1, { recordId: idOf(1, b) })))).toContain('bad-request');
    expect(await outcome(stanza(letter(1, { recordId: 'x' })))).toContain('bad-request');
    expect(kept).toEqual([]);
  });

  test.each([
    ['not signed at all', (message) => { const record = message.getChild('record', 'urn:lanpost:0')!; delete record.attrs['signature']; }],
    ['without a key', (message) => { const record = message.getChild('record', 'urn:lanpost:0')!; delete record.attrs['key']; }],
  ] satisfies [string, (message: Element) => void][])('that is %s is a stranger\'s message, without a number', async (_what, change) => {
    const message = stanza(letter(1));
    change(message);
    expect(await receive(message)).toBeUndefined();
    expect(kept).toEqual([{ from: `xmpp:${A}/lanpost`, to: `xmpp:${B}`, trust: 'none', body: 'letter 1', id: 'm1', repeat: expect.any(String) as string }]);
  });

  test('signed by a key that is not paired is a stranger\'s message, and is not confirmed', async () => {
    level = 'seen';
    expect(await receive(stanza(letter(1)))).toBeUndefined();
    expect(kept).toMatchObject([{ trust: 'none' }]);
    expect(kept[0]?.origin).toBeUndefined();
  });

  test('that comes before one that is on its way to us is left for its sender to send again', async () => {
    await receive(stanza(letter(1)));
    expect(await receive(stanza(letter(3, { after: idOf(2) })))).toBeUndefined();
    expect(kept.length).toBe(1);
    expect(await outcome(stanza(letter(2, { after: idOf(1) })))).toContain('received');
    expect(await outcome(stanza(letter(3, { after: idOf(2) })))).toContain('received');
    expect(kept.map(({ body }) => body)).toEqual(['letter 1', 'letter 2', 'letter 3']);
  });

  // It may turn out only later that the one before it cannot be kept.
  test('says to the log what it comes after, of the same outbox', async () => {
    await receive(stanza(letter(1)));
    await receive(stanza(letter(2, { after: idOf(1) })));
    expect(kept.map(({ after }) => after)).toEqual([undefined, { epoch: '1.00000001', seq: 1 }]);
  });

  test('after one that came over the link is in its place', async () => {
    mark = 5;
    expect(await outcome(stanza(letter(6, { after: idOf(5) })))).toContain('received');
  });

  test('that could not be kept is not confirmed, nor are those after it taken', async () => {
    full = true;
    await expect(receive(stanza(letter(1)))).rejects.toMatchObject({ code: 'closed' });
    full = false;
    expect(await receive(stanza(letter(2, { after: idOf(1) })))).toBeUndefined();
    expect(kept).toEqual([]);
  });
});
