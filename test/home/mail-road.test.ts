import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Letter } from '../../src/mail/letter.ts';
import { letterReceived, letterRefused, letterStatement, parseLetterRecord, receivedStatement } from '../../src/xep/letter-record.ts';
import { isSealed } from '../../src/trust/seal.ts';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import type { Home } from '../../src/home/home.ts';
import { toAccount } from '../../src/home/account.ts';
import { HomeRoad } from '../../src/home/mail-road.ts';
import type { Handed } from '../../src/mail/road.ts';
import { attr, type Element } from '../../src/xmpp/element.ts';
import { buildMessage } from '../../src/xmpp/stanza.ts';
import { StanzaError } from '../../src/xmpp/stanza-error.ts';
import { keyPair } from '../trust/fixtures.ts';
import { quiet } from '../support/quiet.ts';

type Key = Awaited<ReturnType<typeof keyPair>>;
const B = 'b@home.test';
const ADDRESS = { kind: 'xmpp', jid: B } as const;
const MINUTE = 60_000;

describe('mail through home for a box that has an account alone', () => {
  let clock: TestClock;
  let a: Key, b: Key;
  let claim: { fingerprint: string; proven: boolean } | undefined;
  let road: HomeRoad;
  /** What the server was sent, and how it says that it has it. */
  let sent: { readonly stanza: Element; readonly has: () => void; readonly dropped: (error: Error) => void }[];
  const letter = (n: number, more: Partial<Letter> = {}): Letter => ({ id: `m${n}`, to: `xmpp:${B}`, body: `letter ${n}`, recordId: `${a.boxId}-1.00000001-${n}`, chain: `xmpp:${B}`, time: 1, ...more });
  const receipt = (n: number, { by = b, of = a.fingerprint, from = B } = {}): void => {
    const id = letter(n).recordId;
    const message = letterReceived('a@home.test/x', id, by.seal.seal('lanpost receipt 1', receivedStatement(id, of, by.fingerprint)));
    road.received(message.getChild('received', 'urn:lanpost:0')!, `${from}/lanpost`);
  };
  const first = (): Element => sent[0]?.stanza ?? buildMessage({});
  const deliver = async (one: Letter): Promise<Handed> => {
    const handed = await road.deliver(ADDRESS, one);
    handed.delivered?.catch(() => undefined); // not all of them are waited for
    return handed;
  };
  const state = async ({ delivered }: Handed): Promise<string> => {
    let now = 'open';
    const note = (what: string): void => { now = what; };
    delivered?.then(() => note('delivered'), (error: { code?: string }) => note(error.code ?? 'failed'));
    await quiet();
    return now;
  };

  beforeEach(async () => {
    [clock, a, b, sent] = [createTestClock(), await keyPair(), await keyPair(), []];
    claim = { fingerprint: b.fingerprint, proven: true };
    // A session with a server, as the road sees it.
    const home: Pick<Home, 'account' | 'online' | 'send'> = {
      account: toAccount({ jid: 'a@home.test', password: 'x' }), online: true,
      send: (build) => new Promise((resolve, reject) => { sent.push({ stanza: build(), has: resolve, dropped: reject }); }),
    };
    road = new HomeRoad({ homes: () => [home as Home], stanzaBytes: 200_000, clock, boxes: { seal: a.seal, fingerprint: a.fingerprint, claimed: () => claim } });
  });
  afterEach(() => road.close());

  test('is signed, for that box and from the own account', async () => {
    await deliver(letter(7, { previous: 4, after: letter(4).recordId, subject: 's' }));
    const stanza = first();
    expect(attr(stanza, 'type')).toBe('chat');
    const record = parseLetterRecord(stanza)!;
    expect(record).toMatchObject({ id: letter(7).recordId, previous: 4, after: letter(4).recordId, accounts: { from: 'a@home.test', to: B }, recipient: b.fingerprint });
    expect(isSealed(record.signed!, 'lanpost letter 1', letterStatement(record, { body: 'letter 7', subject: 's' }))).toBe(true);
  });

  test('is delivered when that key says so, and no sooner', async () => {
    const handed = await deliver(letter(1));
    sent[0]?.has();
    await handed.handed;
    const c = await keyPair();
    receipt(1, { by: c });
    receipt(1, { of: c.fingerprint });
    receipt(1, { from: 'mallory@home.test' });
    receipt(2);
    expect(await state(handed)).toBe('open');
    receipt(1);
    expect(await state(handed)).toBe('delivered');
  });

  test.each(['a\uffff@home.test', 'a@home.test/\ufdd0', 'a@h\ufffe.test'])('does not go to %j, which ends the stream that it is said on', async (jid) => {
    await expect(road.deliver({ kind: 'xmpp', jid }, letter(1))).rejects.toMatchObject({ code: 'invalid-value' });
    expect(sent).toEqual([]);
  });

  test('goes on to the next letter although the session is being taken up again', async () => {
    const one = await deliver(letter(1));
    const second = await deliver(letter(2));
    expect(sent.length).toBe(2);
    expect([await state(one), await state(second)]).toEqual(['open', 'open']);
  });

  test('and so it does for whoever confirms nothing', async () => {
    claim = undefined;
    const one = await deliver(letter(1));
    await deliver(letter(2));
    expect(sent.length).toBe(2);
    sent[0]?.dropped(new Error('over'));
    await expect(one.taken).rejects.toThrow('over');
  });

  test('is given up for lost a minute after the server has it, then ever later, until something is heard', async () => {
    const lostAfter = async (): Promise<number> => {
      const handed = await deliver(letter(1));
      sent.at(-1)?.has();
      await quiet();
      for (let minutes = 1; ; minutes++) {
        clock.advance(MINUTE);
        if (await state(handed) !== 'open') return minutes;
      }
    };
    expect([await lostAfter(), await lostAfter(), await lostAfter()]).toEqual([1, 2, 4]);
    await deliver(letter(1));
    receipt(1);
    expect(await lostAfter()).toBe(1);
  });

  test('of many letters that are silent together one counts', async () => {
    const all = await Promise.all([1, 2, 3].map((n) => deliver(letter(n))));
    for (const { has } of sent) has();
    const states = all.map(state);
    await Promise.all(states);
    clock.advance(MINUTE);
    expect(await Promise.all(all.map(state))).toEqual(['timeout', 'timeout', 'timeout']);
    const again = await deliver(letter(1));
    sent.at(-1)?.has();
    await quiet();
    clock.advance(2 * MINUTE);
    expect(await state(again)).toBe('timeout');
  });

  test('that comes back because nobody is there stays on its way; what the box cannot take ends', async () => {
    const handed = await deliver(letter(1));
    const id = letter(1).recordId;
    const refused = (label: 'lanpost refusal 1' | 'lanpost receipt 1', { by = b, of = a.fingerprint, about = id } = {}): StanzaError =>
      new StanzaError('not-acceptable', { application: letterRefused(id, by.seal.seal(label, receivedStatement(about, of, by.fingerprint))) });
    // A server can say all this by itself, in anybody's name.
    for (const condition of ['service-unavailable', 'recipient-unavailable', 'not-acceptable', 'forbidden'] as const) road.returned(`${B}/lanpost`, new StanzaError(condition), 'm1');
    const other = await keyPair();
    for (const forged of [refused('lanpost receipt 1'), refused('lanpost refusal 1', { by: other }), refused('lanpost refusal 1', { of: other.fingerprint }), refused('lanpost refusal 1', { about: letter(2).recordId })]) {
      road.returned(`${B}/lanpost`, forged, 'm1');
    }
    road.returned('mallory@home.test', refused('lanpost refusal 1'), 'm1');
    road.received(letterRefused(id, b.seal.seal('lanpost refusal 1', receivedStatement(id, a.fingerprint, b.fingerprint))), `${B}/lanpost`);
    expect(await state(handed)).toBe('open');
    road.returned(`${B}/lanpost`, refused('lanpost refusal 1'), 'm1');
    expect(await state(handed)).toBe('forbidden');
  });

  test('whose session is over goes again', async () => {
    const handed = await deliver(letter(1));
    handed.handed?.catch(() => undefined);
    sent[0]?.dropped(new Error('over'));
    expect(await state(handed)).toBe('disconnected');
  });

  test('is signed before the account is proven, too, but nobody has to say that it came', async () => {
    claim = { fingerprint: b.fingerprint, proven: false };
    const { taken, delivered } = await deliver(letter(1));
    sent[0]?.has();
    await taken;
    expect(delivered).toBeUndefined();
    expect(parseLetterRecord(first())?.signed).toBeDefined();
  });

  test.each([
    ['resource-constraint', `${B}/phone`, 'm1', 'unreachable'], ['service-unavailable', B, 'm1', 'forbidden'], ['remote-server-not-found', 'home.test', 'm1', 'forbidden'],
    ['service-unavailable', 'mallory@home.test', 'm1', undefined], ['service-unavailable', 'ome.test', 'm1', undefined], ['service-unavailable', B, 'm2', undefined], ['service-unavailable', B, undefined, undefined],
  ] as const)('to whoever confirms nothing: %s from %s of %s within a minute is %s', async (condition, from, id, code) => {
    claim = undefined;
    const { taken, stays } = await deliver(letter(1));
    let came: unknown = 'open';
    const note = (what: unknown): void => { came = what; };
    stays?.then(() => note(undefined), (error: { code?: string }) => note(error.code));
    sent[0]?.has();
    await taken;
    clock.advance(MINUTE - 1);
    await quiet();
    expect(came).toBe('open');
    road.returned(from, new StanzaError(condition), id);
    clock.advance(1);
    await quiet();
    expect(came).toBe(code);
  });

  test('for an account that is nobody\'s alone says nothing of keys and numbers', async () => {
    claim = undefined;
    void deliver(letter(1));
    await quiet();
    expect(sent[0]?.stanza.getChild('record', 'urn:lanpost:0')).toBeUndefined();
  });
});
