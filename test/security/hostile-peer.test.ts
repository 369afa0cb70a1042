// What even a peer that is allowed much, or announces whatever it likes, cannot make a box do.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OWNER } from '../../src/pubsub/actor.ts';
import { BOX_TEXT } from '../../src/link/claims.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { parseElement, xml, type Element } from '../../src/xmpp/element.ts';
import { seen, SimulatedLan } from '../link/fixtures.ts';
import { plainPeer, purpleHeader } from '../link/plain-peer.ts';
import { serviceBox, type ServiceBox } from '../link/service-box.ts';
import { quiet } from '../support/quiet.ts';

let lan: SimulatedLan;
let a: ServiceBox;
let b: ServiceBox;
beforeEach(async () => {
  lan = new SimulatedLan();
  [a, b] = [await serviceBox(lan, 1, 'a'), await serviceBox(lan, 2, 'b')];
  await Promise.all([seen(a, b.link.name), seen(b, a.link.name)]);
});
afterEach(() => lan.close());

const bodies = async (box: ServiceBox): Promise<string[]> => {
  const found: string[] = [];
  for (const { name } of box.log.topics()) {
    if (!name.startsWith('$inbox/')) continue;
    for (const { kind, payload } of await box.log.items(name, { last: 100 })) if (kind === 'publish') found.push(new TextDecoder().decode(payload?.bytes));
  }
  return found;
};
const outboxes = (box: ServiceBox): string[] => [...box.log.topics()].map(({ name }) => name).filter((name) => name.startsWith('$mail/'));

describe('a stanza for somebody else', () => {
  const chat = (to: string): Element => xml('message', { to, type: 'chat' }, xml('body', {}, `for ${to}`));

  test.each(['c@h3', 'juliet@example.org', 'xmpp:juliet@example.org', 'link:c@h3'])('for %s goes no further than the box it came to', async (to) => {
    const c = await serviceBox(lan, 3, 'c');
    await Promise.all([seen(a, c.link.name), seen(c, a.link.name)]);
    await b.link.prove(a.link.name);
    await a.trust.pair(b.identity.fingerprint);
    const dials = lan.dials.length;
    const stream = b.link;
    await (await stream.send(a.link.name, chat(to))).delivered;
    // `to` is set by the sending box; in the clear it is what the peer likes.
    const alice = await plainPeer(lan, 4, 'alice@h4');
    await seen(a, alice.name);
    const clear = await alice.dial('10.77.0.1', a.link.status().port ?? 0);
    clear.write(`${purpleHeader(alice.name, to)}<message to='${to}' from='b@h2'><body>in the clear for ${to}</body></message><iq type='get' id='last' to='${to}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`);
    expect(await clear.reads('</iq>')).toMatch(/<iq [^>]*from='a@h1'/);
    await quiet();
    expect(await bodies(c)).toEqual([]);
    expect(outboxes(a)).toEqual([]);
    expect(lan.dials.slice(dials).filter((dial) => dial.startsWith('1>'))).toEqual([]);
    expect((await bodies(a)).toSorted()).toEqual([`for ${to}`, `in the clear for ${to}`]);
    const reader = a.mail.messages({ last: 10 });
    for (let i = 0; i < 2; i += 1) expect((await reader.next()).value).toMatchObject({ to: 'link:a@h1' });
    await reader.close();
  });
});

describe('an address on which nothing of the link can be', () => {
  test.each(['127.0.0.1', '0.0.0.0', '224.0.0.251', '255.255.255.255', '10.77.0.255', '10.78.0.1', '8.8.8.8', '169.254.1.1', '::1', '::', 'ff02::fb', '2001:db8::1', '::ffff:127.0.0.1', 'not an address'])('%s is not connected to, whoever announces it', async (address) => {
    const before = lan.dials.length;
    lan.announce({
      instance: 'lure@h9', host: 'h9.local', port: 22, text: BOX_TEXT,
      addresses: [{ address, family: address.includes(':') ? 6 : 4, interface: 'eth0' }],
    });
    await seen(a, 'lure@h9');
    await expect(a.link.send('lure@h9', xml('message', {}, xml('body', {}, 'x')))).rejects.toMatchObject({ code: 'unreachable' });
    await expect(a.link.prove('lure@h9')).rejects.toMatchObject({ code: 'unreachable' });
    expect(lan.dials.length).toBe(before);
  });

  test('nor one of an interface that the box does not have', async () => {
    const before = lan.dials.length;
    lan.announce({ instance: 'lure@h9', host: 'h9.local', port: 22, text: '', addresses: [{ address: '10.77.0.9', family: 4, interface: 'eth7' }] });
    await seen(a, 'lure@h9');
    await expect(a.link.send('lure@h9', xml('message', {}, xml('body', {}, 'x')))).rejects.toMatchObject({ code: 'unreachable' });
    expect(lan.dials.length).toBe(before);
  });
});

/** As long as the body of a message may be. */
const BODY = 131_072;

describe('the disk', () => {
  test.each([['seen', 32], ['none', 8]] as const)('is filled by mail of keys that are %s no further than their inbox, while its reader is away', async (trust, most) => {
    const mail = (n: number): Promise<void> => a.mail.receive({ from: 'link:m@h9', to: 'link:a@h1', trust, body: `${n} ${'x'.repeat(BODY)}` });
    await mail(0);
    const inbox = trust === 'seen' ? '$inbox/seen' : '$inbox/keyless';
    const reader = a.mail.messages({ name: 'flow' });
    await reader.next();
    await expect((async () => { for (let n = 0; n < 10 * most; n += 1) await mail(n); })()).rejects.toMatchObject({ code: 'topic-full' });
    expect(a.log.topic(inbox)?.bytes).toBeLessThan((most + 2) << 20);
    await reader.close();
  });

  test('holds no more for a peer than it may subscribe, and nothing for one that may not', async () => {
    await b.link.prove(a.link.name);
    const cursors = (): number => [...a.log.cursors()].length;
    const subscribe = (i: number): Promise<Element> => b.link.request(a.link.name, parseElement(
      `<iq type='set'><pubsub xmlns='http://jabber.org/protocol/pubsub'><subscribe node='t' jid='b@h2'/></pubsub></iq>`.replace('</pubsub>', `<reader xmlns='urn:lanpost:0' name='r${i}' from='start'/></pubsub>`)));
    await expect(subscribe(0)).rejects.toMatchObject({ condition: 'not-allowed' }); // §6.1.3.4: whitelist
    expect(cursors()).toBe(0);
    await a.trust.allow(b.identity.fingerprint, 'read', 't');
    let refused = 0;
    for (let i = 0; i < 300; i += 1) await subscribe(i).catch(() => { refused += 1; });
    expect(cursors()).toBeLessThanOrEqual(256);
    expect(refused).toBeGreaterThanOrEqual(44);
  });
});

describe('what is said in the name of another', () => {
  test('an item published by a peer says whose it is, whatever the peer says', async () => {
    await b.link.prove(a.link.name);
    await a.trust.allow(b.identity.fingerprint, 'write', 't');
    await a.broker.publish(OWNER, 't', toPayload('mine'), { id: 'one' });
    await b.link.request(a.link.name, parseElement(
      "<iq type='set' from='a@h1'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='t'><item id='two' publisher='a@h1'><json xmlns='urn:xmpp:json:0'>1</json></item></publish></pubsub></iq>"));
    const items = await a.broker.items(OWNER, 't', { last: 2 });
    expect(items.map((item) => ('publisher' in item ? item.publisher : undefined))).toEqual([undefined, 'link:b@h2']);
    // Nor may it take back what is not its own.
    await expect(b.link.request(a.link.name, parseElement(
      "<iq type='set'><pubsub xmlns='http://jabber.org/protocol/pubsub'><retract node='t'><item id='one'/></retract></pubsub></iq>"))).rejects.toMatchObject({ condition: 'forbidden' });
  });

  test('an answer counts only from whoever was asked', async () => {
    const c = await serviceBox(lan, 3, 'c');
    await Promise.all([seen(a, c.link.name), seen(c, a.link.name)]);
    const asking = a.link.request(b.link.name, xml('iq', { type: 'get' }, xml('query', { xmlns: 'http://jabber.org/protocol/disco#info' })));
    // c guesses ids; none of its answers is one.
    await Promise.all(Array.from({ length: 20 }, (_, i) => c.link.send(a.link.name, xml('iq', { type: 'result', id: `${i}`, from: b.link.name }, xml('query', { xmlns: 'urn:forged' })))));
    expect((await asking).getChild('query')?.attrs['xmlns']).toBe('http://jabber.org/protocol/disco#info');
  });
});
