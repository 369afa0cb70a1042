import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Message, Receipt } from '../../src/api.ts';
import { createTestClock } from '../../src/clock.ts';
import { LanpostError } from '../../src/errors.ts';
import type { HomeAccounts } from '../../src/link/jid-proofs.ts';
import { MailRoad } from '../../src/link/mail-road.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import type { Letter } from '../../src/mail/letter.ts';
import { StanzaError } from '../../src/xmpp/stanza-error.ts';
import { acquainted, seen, SimulatedLan } from './fixtures.ts';
import { plainPeer, purpleHeader } from './plain-peer.ts';
import { serviceBox, type ServiceBox } from './service-box.ts';

const letter: Letter = { id: 'm1', to: 'link:x@h1', body: 'hello', recordId: 'r', chain: 'c', time: 0 };

describe('a letter for a name', () => {
  const present = new Set<string>();
  const names = new Map<string, string>();
  let paired = false;
  let speaking: string | undefined;
  const sent: string[] = [];
  const road = new MailRoad({
    streams: { send: async (name) => { sent.push(name); return {}; } },
    isPresent: (name) => present.has(name),
    holder: (name) => (name === 'x@h1' ? 'key' : undefined),
    isPaired: () => paired,
    speaking: () => speaking,
    nameOf: (fingerprint) => names.get(fingerprint),
    ownName: () => 'a@h9',
  });
  const address = { kind: 'link', name: 'x@h1' } as const;
  beforeEach(() => { present.clear(); names.clear(); sent.length = 0; paired = false; speaking = undefined; });

  test('follows its key to the name it has now', async () => {
    expect(road.reaches(address)).toBe(false);
    expect(road.holds(address)).toBe(true);
    names.set('key', 'y@h1');
    present.add('y@h1');
    expect(road.reaches(address)).toBe(true);
    await road.deliver(address, letter);
    expect(sent).toEqual(['y@h1']);
  });

  test('is for the key that is vouched for, that speaks, or that is away', () => {
    expect(road.recipient(address)).toBe('key');
    present.add('x@h1');
    expect(road.recipient(address)).toBeUndefined();
    speaking = 'other';
    expect(road.recipient(address)).toBe('other');
    paired = true;
    expect(road.recipient(address)).toBe('key');
  });

  test('accepted for a key follows that key, also when others have its name', async () => {
    names.set('key', 'y@h1');
    present.add('y@h1').add('x@h1');
    await road.deliver(address, { ...letter, key: 'key' });
    expect(sent).toEqual(['y@h1']);
  });

  test('goes to a paired key, not to whoever took its name; a name that was only seen goes by itself', async () => {
    names.set('key', 'y@h1');
    present.add('y@h1').add('x@h1');
    await road.deliver(address, letter);
    paired = true;
    await road.deliver(address, letter);
    expect(sent).toEqual(['x@h1', 'y@h1']);
  });
});

test('of two letters with one id each is refused, or delivered, for itself', async () => {
  const confirm: (() => void)[] = [];
  const road = new MailRoad({
    streams: { send: () => Promise.resolve({ delivered: new Promise<void>((resolve) => { confirm.push(resolve); }) }) },
    isPresent: () => true, holder: () => undefined, isPaired: () => false, speaking: () => undefined, nameOf: () => undefined, ownName: () => 'a@h9',
  });
  const address = { kind: 'link', name: 'x@h1' } as const;
  const letters = [await road.deliver(address, letter), await road.deliver(address, letter), await road.deliver(address, letter)];
  const became = letters.map(async ({ delivered }) => delivered?.then(() => 'delivered', () => 'refused'));
  confirm[0]?.();
  await became[0];
  const refusal = new StanzaError('not-acceptable', { type: 'modify' });
  road.refused('m1', { name: 'x@h1', trust: 'none' }, refusal);
  road.refused('m1', { name: 'x@h1', trust: 'none' }, refusal);
  expect(await Promise.all(became)).toEqual(['delivered', 'refused', 'refused']);
});

test('an empty text reaches the other box, which says that it has it', async () => {
  const lan = new SimulatedLan();
  const [a, b] = await Promise.all([serviceBox(lan, 1, 'a'), serviceBox(lan, 2, 'b')]);
  await acquainted(a, b);
  const inbox = b.mail.messages({ name: 'all' });
  await (await a.mail.send('link:b@h2', '')).delivered;
  await (await a.mail.send('link:b@h2', 'behind it')).delivered;
  expect([(await inbox.next()).value, (await inbox.next()).value]).toMatchObject([{ body: '' }, { body: 'behind it' }]);
  await lan.close();
});

describe('a peer with an account that is announced and was not reached', () => {
  const clock = createTestClock();
  const road = new MailRoad({
    streams: { send: () => Promise.reject(new LanpostError('unreachable')) },
    isPresent: () => true, holder: () => 'key', isPaired: () => true, speaking: () => undefined, nameOf: () => 'b@h1', ownName: () => 'a@h9',
    accounts: { clock, holder: () => 'key', accountFor: () => 'a@home.test' },
  });
  const address = { kind: 'xmpp', jid: 'b@home.test' } as const;

  test('is passed over for a minute, unless it calls; that its name is announced again and again has no mail turn round each time', async () => {
    const fail = async (): Promise<void> => {
      await expect(road.deliver(address, letter)).rejects.toMatchObject({ code: 'unreachable' });
      expect(road.reaches(address)).toBe(false);
    };
    expect(road.reaches(address)).toBe(true);
    await fail();
    clock.advance(60_000);
    expect(road.reaches(address)).toBe(true);
    await fail();
    road.appeared('key', 'stream');
    expect(road.reaches(address)).toBe(true);
    await fail();
    for (let n = 0; n < 9; n++) {
      clock.advance(1000);
      road.appeared('key', 'announcement');
      expect(road.reaches(address)).toBe(false);
    }
    clock.advance(1000);
    road.appeared('key', 'announcement');
    expect(road.reaches(address)).toBe(true);
  });
});

describe('mail that is held for a key', () => {
  let lan: SimulatedLan;
  beforeEach(() => { lan = new SimulatedLan(); });
  afterEach(() => lan.close());

  const held = async (): Promise<{ a: ServiceBox; name: string; receipt: Receipt }> => {
    const a = await serviceBox(lan, 1, 'a');
    const b = await serviceBox(lan, 2, 'b');
    const { name } = b.link;
    await seen(a, name);
    await a.link.prove(name);
    await b.close();
    await lan.until(() => a.link.peers.get(name) === undefined);
    return { a, name, receipt: await a.mail.send(`link:${name}`, 'for b alone') };
  };

  test('is not taken by another key under its name; the sender is told, and goes on', async () => {
    const { a, name, receipt } = await held();
    const thief = await serviceBox(lan, 2, 'b');
    await expect(receipt.delivered).rejects.toMatchObject({ code: 'forbidden' });
    expect(thief.log.topic('$inbox/seen')).toBeUndefined();
    expect(await a.mail.state(receipt.id)).toBe('refused');
    // What is sent from now on is for whoever has the name now.
    await (await a.mail.send(`link:${name}`, 'hello')).delivered;
  });

  test('and expires there leaves a hole in the numbers, which a paired recipient does not wait for', async () => {
    const a = await serviceBox(lan, 1, 'a');
    const database = new MemoryDatabase();
    let b = await serviceBox(lan, 2, 'b', { database });
    const { identity } = b;
    await acquainted(a, b);
    await a.link.prove(b.link.name);
    await b.link.prove(a.link.name);
    await a.trust.pair(identity.fingerprint);
    await b.trust.pair(a.identity.fingerprint);
    const send = (body: string, expires?: number): Promise<Receipt> => a.mail.send(`link:${b.link.name}`, body, expires === undefined ? {} : { expires });
    await (await send('1')).delivered;
    await b.close();
    await lan.until(() => a.link.peers.get(b.link.name) === undefined);
    const [lost, kept] = [await send('2, too late', 20), await send('3')];
    await expect(lost.delivered).rejects.toMatchObject({ code: 'expired' });
    b = await serviceBox(lan, 2, 'b', { database, identity });
    await kept.delivered;
    await (await send('4')).delivered;
    const bodies = (await b.log.items('$inbox/paired', { last: 10 })).flatMap(({ kind, payload }) => (kind === 'publish' ? [new TextDecoder().decode(payload?.bytes)] : []));
    expect(bodies).toEqual(['1', '3', '4']);
  });

  test('is not taken in the clear', async () => {
    const { a, name, receipt } = await held();
    const thief = await plainPeer(lan, 3, name);
    const stream = await thief.incoming();
    stream.write(purpleHeader(name, a.link.name));
    await expect(receipt.delivered).rejects.toMatchObject({ code: 'forbidden' });
    expect(stream.text).not.toContain('for b alone');
  });
});

describe('the inbox of peers without a key', () => {
  let lan: SimulatedLan;
  let a: ServiceBox;
  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await serviceBox(lan, 1, 'a');
  });
  afterEach(() => lan.close());

  test('when it is full tells the sender, on a stream that lives on', async () => {
    const reader = a.mail.messages({ name: 'flow' });
    const fill = () => a.mail.receive({ from: 'link:m', to: 'link:a', trust: 'none', body: 'x'.repeat(250_000) });
    await fill();
    await reader.next();
    await expect((async () => { for (let i = 0; i < 60; i++) await fill(); })()).rejects.toMatchObject({ code: 'topic-full' });
    const mallory = await plainPeer(lan, 2, 'mallory@h2');
    await seen(a, mallory.name);
    const stream = await mallory.dial('10.77.0.1', a.link.status().port ?? 0);
    stream.write(purpleHeader('mallory@h2', a.link.name));
    stream.write("<message type='chat' id='m1'><body>hello</body></message>");
    expect(await stream.reads(/<message type='error' id='m1'[^]*<\/message>/)).toMatch(/resource-constraint/);
    stream.write("<iq type='get' id='last'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    await stream.reads(/id='last'/);
    await reader.close();
  });
});

describe('mail for an account that a peer has alone', () => {
  const [A, B] = ['a@home.test', 'b@home.test'] as const;
  let lan: SimulatedLan;
  let a: ServiceBox, b: ServiceBox;
  const home = (jid: string): HomeAccounts => ({ has: (one) => one === jid, accountFor: () => jid, reaches: () => false, send: () => Promise.reject(new Error('no home')) });
  beforeEach(async () => {
    lan = new SimulatedLan();
    [a, b] = [await serviceBox(lan, 1, 'a', { home: home(A) }), await serviceBox(lan, 2, 'b', { home: home(B) })];
    await acquainted(a, b);
    for (const [one, other] of [[a, b], [b, a]] as const) await one.service.rules.allow(other.link.name, 'chat');
  });
  afterEach(() => lan.close());

  const prove = async (at: ServiceBox, jid: string, of: ServiceBox): Promise<void> => {
    await at.claims.claim(jid, of.identity.fingerprint);
    await at.claims.proven(jid, of.identity.fingerprint);
  };
  const next = async (box: ServiceBox): Promise<Message | undefined> => {
    const reader = box.mail.messages({ name: 'test' });
    const { value } = await reader.next();
    value?.ack();
    await reader.close();
    return value;
  };

  test('goes over the link, and is to the account; from the own one when that is proven, too', async () => {
    await prove(a, B, b);
    await (await a.mail.send(`xmpp:${B}`, 'one')).delivered;
    expect(await next(b)).toMatchObject({ from: `link:${a.link.name}`, to: `xmpp:${B}`, trust: 'paired', body: 'one' });
    await prove(b, A, a);
    await (await a.mail.send(`xmpp:${B}/phone`, 'two')).delivered;
    expect(await next(b)).toMatchObject({ from: `xmpp:${A}`, to: `xmpp:${B}`, body: 'two' });
  });

  test('takes no other road before it is proven', async () => {
    await a.claims.claim(B, b.identity.fingerprint);
    await expect(a.mail.send(`xmpp:${B}`, 'too early')).rejects.toMatchObject({ code: 'unreachable' });
  });

  test('is held while the peer is away, and goes to no other key, not under its name either', async () => {
    await prove(a, B, b);
    const { name } = b.link;
    await b.close();
    await lan.until(() => a.link.peers.get(name) === undefined);
    const receipt = await a.mail.send(`xmpp:${B}`, 'for b alone');
    const mallory = await serviceBox(lan, 3, 'b', { home: home(B) });
    await seen(a, mallory.link.name);
    await a.link.prove(mallory.link.name).catch(() => undefined); // an impostor, if it has b's name
    expect(await a.mail.state(receipt.id)).toBe('accepted');
    const back = await serviceBox(lan, 2, 'b', { home: home(B), identity: b.identity });
    await receipt.delivered;
    expect(await next(back)).toMatchObject({ body: 'for b alone' });
    expect(mallory.log.topic('$inbox/paired') ?? mallory.log.topic('$inbox/seen')).toBeUndefined();
  });

  test('is held when the peer is revoked, and its account nobody\'s any more', async () => {
    await prove(a, B, b);
    await a.service.rules.revoke(b.link.name);
    expect(a.service.rules.trusted().flatMap(({ claims }) => claims ?? [])).toEqual([]);
    await expect(a.mail.send(`xmpp:${B}`, 'to nobody')).rejects.toMatchObject({ code: 'unreachable' });
  });

  test('that says it is to an account of somebody else is to this box', async () => {
    await prove(a, 'other@home.test', b);
    await (await a.mail.send('xmpp:other@home.test', 'whose')).delivered;
    expect(await next(b)).toMatchObject({ from: `link:${a.link.name}`, to: `link:${b.link.name}`, body: 'whose' });
  });

  test('that says it is from an account that is another\'s is from the link', async () => {
    const c = await serviceBox(lan, 4, 'c', { home: home(A) });
    await acquainted(b, c);
    await b.service.rules.allow(c.link.name, 'chat');
    await c.service.rules.allow(b.link.name, 'chat');
    await prove(b, A, a);
    await prove(c, B, b);
    await (await c.mail.send(`xmpp:${B}`, 'I am a')).delivered;
    expect(await next(b)).toMatchObject({ from: `link:${c.link.name}`, to: `xmpp:${B}` });
  });

  test('an account of the own box, or of a class, or of a peer that is not paired, is claimed for nobody', async () => {
    await expect(a.service.rules.claim(b.link.name, `xmpp:${A}`)).rejects.toMatchObject({ code: 'invalid-value' });
    await expect(a.service.rules.claim(b.link.name, 'xmpp:home.test')).rejects.toMatchObject({ code: 'invalid-value' });
    await expect(a.service.rules.claim('class:seen', `xmpp:${B}`)).rejects.toMatchObject({ code: 'not-found' });
    const c = await serviceBox(lan, 4, 'c');
    await seen(a, c.link.name);
    await a.link.prove(c.link.name);
    await expect(a.service.rules.claim(c.link.name, `xmpp:${B}`)).rejects.toMatchObject({ code: 'forbidden' });
  });
});
