import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OWNER } from '../../src/pubsub/actor.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { xml } from '../../src/xmpp/element.ts';
import { seen, SimulatedLan } from './fixtures.ts';
import { plainPeer, purpleHeader, type PlainStream } from './plain-peer.ts';
import { serviceBox, type ServiceBox } from './service-box.ts';

let lan: SimulatedLan;
let a: ServiceBox;
let b: ServiceBox;
beforeEach(async () => {
  lan = new SimulatedLan();
  [a, b] = [await serviceBox(lan, 1, 'a'), await serviceBox(lan, 2, 'b')];
  await Promise.all([seen(a, b.link.name), seen(b, a.link.name)]);
  await a.broker.publish(OWNER, 'public/x', toPayload('one'), { id: 'one' });
});
afterEach(() => lan.close());

const plain = async (): Promise<PlainStream> => {
  const alice = await plainPeer(lan, 3, 'alice@h3');
  await seen(a, alice.name);
  const stream = await alice.dial('10.77.0.1', a.link.status().port ?? 0);
  stream.write(purpleHeader(alice.name, a.link.name));
  await stream.reads('<stream:stream');
  return stream;
};
const items = (node: string): string => `<iq type='get' id='i'><pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='${node}'/></pubsub></iq>`;
const publish = (node: string): string =>
  `<iq type='set' id='p'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='${node}'><item id='x'><json xmlns='urn:xmpp:json:0'>1</json></item></publish></pubsub></iq>`;

describe('peers without a key', () => {
  test('read and publish what the owner opens to them, and nothing beside it', async () => {
    const stream = await plain();
    stream.write(items('public/x'));
    expect(await stream.reads('</iq>')).toContain('forbidden');
    await a.service.rules.allow('class:plain', 'read', 'public/#');
    await a.service.rules.allow('class:plain', 'write', 'guests');
    stream.write(items('public/x'));
    expect(await stream.reads('</iq>')).toContain("id='one'");
    stream.write(publish('guests'));
    expect(await stream.reads('</iq>')).toMatch(/type=.result/);
    for (const asked of [publish('public/x'), items('private'), items('$inbox/keyless'), publish('$inbox/keyless')]) {
      stream.write(asked);
      expect(await stream.reads('</iq>')).toMatch(/type=.error/);
    }
    await a.service.rules.revoke('class:plain');
    stream.write(items('public/x'));
    expect(await stream.reads('</iq>')).toContain('forbidden');
  });

  test('do not chat when the owner does not want that, and are told', async () => {
    await a.service.rules.deny('class:plain', 'chat');
    const stream = await plain();
    stream.write("<message type='chat' id='m1'><body>hello</body></message>");
    expect(await stream.reads('</message>')).toMatch(/type=.error[^]*forbidden/);
    expect(a.log.topic('$inbox/keyless')).toBeUndefined();
    stream.write("<iq type='get' id='last'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    await stream.reads(/id='last'/);
  });
});

describe('boxes nobody vouched for', () => {
  test('read what the owner opens to their class, as long as it is open', async () => {
    await expect(b.service.subscribe(a.link.name, 'public/#', { from: 'start' }).ready).rejects.toMatchObject({ code: 'forbidden' });
    await a.service.rules.allow('class:seen', 'read', 'public/#');
    const reading = b.service.subscribe(a.link.name, 'public/#', { durable: 'r', from: 'start' });
    expect((await reading.next()).value).toMatchObject({ id: 'one' });
    await a.service.rules.deny(b.link.name, 'read', '#');
    await a.broker.publish(OWNER, 'public/x', toPayload('two'), { id: 'two' });
    await expect(b.service.publish(a.link.name, 'public/x', toPayload('mine'), undefined)).rejects.toMatchObject({ code: 'forbidden' });
    await a.service.rules.allow(b.link.name, 'read', '#');
    expect((await reading.next()).value).toMatchObject({ id: 'two' });
    await reading.close();
  });

  test('are told that their mail is not wanted, and not that it was delivered', async () => {
    await a.service.rules.deny('class:seen', 'chat');
    const receipt = await b.mail.send(`link:${a.link.name}`, 'hello');
    await expect(receipt.delivered).rejects.toMatchObject({ code: 'forbidden' });
    expect(await b.mail.state(receipt.id)).toBe('refused');
    expect(a.log.topic('$inbox/seen')).toBeUndefined();
    await a.service.rules.revoke('class:seen');
    await (await b.mail.send(`link:${a.link.name}`, 'hello')).delivered;
  });
});

test('nobody but who was sent a letter can say that it is refused', async () => {
  const c = await serviceBox(lan, 4, 'c');
  await Promise.all([seen(c, a.link.name), seen(a, c.link.name)]);
  let release = (): void => undefined;
  const disk = new Promise<void>(resolve => { release = resolve; });
  const append = b.log.append.bind(b.log);
  b.log.append = async (draft) => { lan.bell.ring(); await disk; return append(draft); };
  const receipt = await a.mail.send(`link:${b.link.name}`, 'hello', { id: 'm1' });
  await receipt.handed;
  const { delivered } = await c.link.send(a.link.name, xml('message', { type: 'error', id: 'm1' }, xml('error', { type: 'cancel' }, xml('forbidden', { xmlns: 'urn:ietf:params:xml:ns:xmpp-stanzas' }))));
  await delivered;
  release();
  await expect(receipt.delivered).resolves.toBeUndefined();
});

test('nobody but who was sent a letter can say that it has come', async () => {
  const c = await serviceBox(lan, 4, 'c');
  await Promise.all([seen(a, c.link.name), seen(c, a.link.name)]);
  await a.trust.pair(c.identity.fingerprint);
  await b.link.prove(a.link.name);
  await a.trust.pair(b.identity.fingerprint);
  const { name } = b.link;
  await b.close();
  await lan.until(() => a.link.peers.get(name) === undefined);
  const receipt = await a.mail.send(`link:${name}`, 'for b alone', { id: 'm2' });
  const forged = [
    xml('received', { xmlns: 'urn:xmpp:receipts', id: 'm2' }),
    xml('received', { xmlns: 'urn:lanpost:0', id: receipt.id, key: b.identity.fingerprint, signature: 'AAAA' }),
    xml('received', { xmlns: 'urn:lanpost:0', id: receipt.id, key: c.identity.fingerprint, signature: 'AAAA' }),
  ];
  for (const received of forged) await (await c.link.send(a.link.name, xml('message', { type: 'headline', from: name }, received))).delivered;
  expect(await a.mail.state(receipt.id)).toBe('accepted');
  expect(await a.mail.state('m2')).toBe('accepted');
});

describe('a peer that is allowed something again by its name, over the stream it has', () => {
  test('is protected by that name as before: it can be revoked by it, mail is held for it, and it is not spoken to in the clear', async () => {
    const { name } = b.link;
    await b.link.prove(a.link.name);
    for (let round = 0; round < 2; round += 1) {
      await a.service.rules.allow(name, 'read', 'public/#');
      expect(a.trust.impostor(name, 'f'.repeat(64))).toBe('impostor');
      expect(a.trust.insists(name, [])).toBe(true);
      await a.service.rules.revoke(name);
      await expect(a.service.rules.revoke(name)).rejects.toMatchObject({ code: 'not-found' });
    }
    await a.service.rules.allow(name, 'read', 'public/#');
    await b.close();
    await lan.until(() => a.link.peers.get(name) === undefined);
    expect(await a.mail.state((await a.mail.send(`link:${name}`, 'for later')).id)).toBe('accepted');
  });
});

describe('what is said of a key right before it is revoked', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['a grant', () => a.service.rules.allow('b@h2', 'files')],
    ['a denial', () => a.service.rules.deny('b@h2', 'chat')],
    ['an affiliation', () => a.service.rules.setAffiliation('public/x', 'b@h2', 'publisher')],
  ])('is taken back with it: %s that is still being written', async (_, say) => {
    await a.link.prove('b@h2');
    const saying = say();
    await Promise.all([saying, a.service.rules.revoke('b@h2')]);
    expect(a.trust.list()).toMatchObject([{ level: 'seen', grants: [], denials: [] }]);
    expect(await a.service.rules.affiliations('public/x')).toEqual([]);
  });
});

describe('a name that two keys have shown', () => {
  test('is not taken for either by what vouches for a key, and the fingerprints are listed; what is said of one of them makes the name its own', async () => {
    await a.link.prove('b@h2');
    await b.close();
    await lan.until(() => a.link.peers.get('b@h2') === undefined);
    const other = await serviceBox(lan, 2, 'b');
    await seen(a, 'b@h2');
    await a.link.prove('b@h2');
    const keys = [other, b].map(({ identity }) => identity.fingerprint.slice(0, 16));
    const refused = { code: 'conflict', message: expect.stringContaining(keys.join(', ')) };
    for (const name of ['b@h2', 'link:b@h2']) await expect(a.service.rules.allow(name, 'files')).rejects.toMatchObject(refused);
    await expect(a.service.rules.setAffiliation('public/x', 'b@h2', 'publisher')).rejects.toMatchObject(refused);
    await expect(a.service.rules.deny('b@h2', 'chat')).rejects.toMatchObject(refused);
    await expect(a.service.rules.decide('public/x', 'b@h2', true)).rejects.toMatchObject(refused);
    expect(a.trust.list()).toMatchObject([{ level: 'seen', grants: [] }, { level: 'seen', grants: [] }]);
    await a.service.rules.allow(keys[1] ?? '', 'files');
    await a.service.rules.allow('b@h2', 'chat');
    expect(a.trust.find('b@h2')).toMatchObject({ fingerprint: b.identity.fingerprint, level: 'paired', grants: [{ right: 'files' }, { right: 'chat' }] });
  });

  test('is not taken for the last to show it, whatever that has called itself since', async () => {
    await a.link.prove('b@h2');
    const other = await serviceBox(lan, 7, 'm');
    for (const name of ['b@h2', 'else@h7']) a.trust.seen(other.identity.spki, name);
    await expect(a.service.rules.allow('b@h2', 'files')).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining(b.identity.fingerprint.slice(0, 16)) });
  });
});
