// What was once allowed to somebody, and is not any more: by no order of events, and by no detour, does it go on.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { toPayload } from '../../src/payload/payload.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { all, form, PUBSUB, type PubsubClient, pubsubClient, said, SUBSCRIBE_OPTIONS } from '../conformance/xep-0060/client.ts';
import { seen, SimulatedLan } from '../link/fixtures.ts';
import { plainPeer } from '../link/plain-peer.ts';
import { serviceBox, type ServiceBox } from '../link/service-box.ts';
import { quiet } from '../support/quiet.ts';

let lan: SimulatedLan;
let a: ServiceBox;
let mallory: PubsubClient;

const publish = (topic: string, value: string) => a.broker.publish(OWNER, topic, toPayload(value), { id: value });
const subscribe = (node = 't', client = mallory) => client.ask('set', `<subscribe node='${node}' jid='${client.name}'/>`);
const items = async (node = 't', client = mallory): Promise<unknown> => client.ask('get', `<items node='${node}'/>`).then((found) => all(found, 'item').map(({ attrs }) => attrs['id']), () => 'refused');
const rows = (client = mallory, topic?: string): string[] => Array.from(a.service.subscriptions.of(client.fingerprint, topic), ({ node, state }) => `${node} ${state}`);

beforeEach(async () => {
  lan = new SimulatedLan();
  a = await serviceBox(lan, 1, 'a');
  mallory = await pubsubClient(lan, a, 2, 'mallory');
  await mallory.ask('get', '<affiliations/>');
});
afterEach(() => lan.close());

describe('a subscription that an owner has ended', () => {
  test.each([
    ['changing its options', `<options node='t' jid='JID'>${form(SUBSCRIBE_OPTIONS, { include_body: '1' })}</options>`],
    ['subscribing', "<subscribe node='t' jid='JID'/>"],
  ])('is not brought back by %s all the time', async (_, request) => {
    await a.broker.create(OWNER, 't', { accessModel: 'authorize' });
    await subscribe();
    await a.service.rules.decide('t', mallory.name, true);
    await publish('t', 'one');
    expect(await items()).toEqual(['one']);
    const asking = Array.from({ length: 60 }, () => mallory.ask('set', request.replace('JID', mallory.name)).catch(() => undefined));
    for (const row of a.service.subscriptions.of(mallory.fingerprint)) await a.service.subscriptions.decide(row, 'none');
    await Promise.all(asking);
    expect(rows().filter((row) => row !== 't pending')).toEqual([]);
    expect(await items()).toBe('refused');
  });

  test('is not read any more through a collection', async () => {
    await a.broker.create(OWNER, 'c/t', { accessModel: 'authorize' });
    await a.broker.create(OWNER, 'c/open', { accessModel: 'open' });
    await subscribe('c/t');
    await a.service.rules.decide('c/t', mallory.name, true);
    await mallory.ask('set', `<subscribe node='c/' jid='${mallory.name}'/><options>${form(SUBSCRIBE_OPTIONS, { subscription_type: 'items' })}</options>`);
    await publish('c/t', 'one');
    await lan.until(() => mallory.waiting.filter((message) => said(message).startsWith('item')).length === 2);
    const before = mallory.waiting.length;
    for (const row of a.service.subscriptions.of(mallory.fingerprint, 'c/t')) await a.service.subscriptions.decide(row, 'none');
    await publish('c/t', 'secret');
    await publish('c/open', 'last');
    await lan.until(() => mallory.waiting.some((message) => said(message).includes('last')));
    expect(mallory.waiting.slice(before).map(said).filter((one) => one.startsWith('item'))).toEqual(['item c/open last last']);
  });
});

describe('a topic that is read by consent', () => {
  test('is not read by who could subscribe for another reason', async () => {
    await a.broker.create(OWNER, 't', { accessModel: 'open' });
    await subscribe();
    await a.broker.configure(OWNER, 't', { accessModel: 'authorize' });
    await publish('t', 'secret');
    expect(await items()).toBe('refused');
    expect(await a.service.rules.requests()).toEqual([]);
    await subscribe();
    expect(rows()).toEqual(['t pending']);
    await a.service.rules.decide('t', mallory.name, true);
    expect(await items()).toEqual(['secret']);
  });

  test.each(['grant', 'affiliation'])('is not read on when a %s is taken back', async (way) => {
    await a.broker.create(OWNER, 't', { accessModel: 'authorize' });
    await (way === 'grant' ? a.service.rules.allow(mallory.name, 'read', 't') : a.service.rules.setAffiliation('t', mallory.name, 'member'));
    await subscribe();
    await publish('t', 'one');
    expect(await items()).toEqual(['one']);
    await (way === 'grant' ? a.service.rules.revoke(mallory.name) : a.service.rules.setAffiliation('t', mallory.name, 'none'));
    expect(await items()).toBe('refused');
  });

  test('is not read on by whoever is revoked', async () => {
    await a.broker.create(OWNER, 't', { accessModel: 'authorize' });
    await subscribe();
    await a.service.rules.decide('t', mallory.name, true);
    expect(await items()).toEqual([]);
    await a.service.rules.revoke(mallory.name);
    expect(await items()).toBe('refused');
    expect(rows()).toEqual([]);
  });

  test.each(['there', 'suspended', 'waiting'])('that is made anew is not read by who was let read the one before, nor by who asked for that: %s', async (how) => {
    await a.broker.create(OWNER, 't', { accessModel: 'authorize' });
    await subscribe();
    if (how !== 'waiting') await a.service.rules.decide('t', mallory.name, true);
    if (how === 'suspended') for (const row of a.service.subscriptions.of(mallory.fingerprint)) await a.service.subscriptions.suspend(row, 'it came back');
    const hurrying = Array.from({ length: 30 }, () => subscribe().catch(() => undefined));
    await a.broker.delete(OWNER, 't');
    await a.broker.create(OWNER, 't', { accessModel: 'authorize' });
    await publish('t', 'secret');
    expect(await items()).toBe('refused');
    await Promise.all(hurrying);
    expect(await items()).toBe('refused');
    expect(a.service.subscriptions.isApproved(mallory.fingerprint, 't')).toBe(false);
  });
});

describe('what is left of a deleted topic', () => {
  test('is not for who was made an outcast before', async () => {
    await a.broker.create(OWNER, 't', { accessModel: 'open' });
    await publish('t', 'one');
    const readable = a.broker.readable({ kind: 'peer', name: mallory.name, fingerprint: mallory.fingerprint }, 't');
    expect(readable.some).toBe(true);
    await a.service.rules.setAffiliation('t', mallory.name, 'outcast');
    await publish('t', 'secret');
    await a.broker.delete(OWNER, 't');
    expect(readable.topic('t')).toBe(false);
  });

  test('is not for who could not read it any more when it was deleted, whatever it was before and is made again', async () => {
    const readable = a.broker.readable({ kind: 'peer', name: mallory.name, fingerprint: mallory.fingerprint }, '#');
    await a.broker.create(OWNER, 't', { accessModel: 'open' });
    expect(readable.topic('t')).toBe(true);
    await a.broker.configure(OWNER, 't', { accessModel: 'whitelist' });
    await publish('t', 'secret');
    await a.broker.delete(OWNER, 't');
    expect(readable.topic('t')).toBe(false);
    await a.broker.create(OWNER, 'u', { accessModel: 'open' });
    expect(readable.topic('u')).toBe(true);
    await a.broker.delete(OWNER, 'u');
    expect(readable.topic('u')).toBe(true); // of the deletion it is told
    await publish('u', 'secret'); // made by this, and closed
    await a.broker.delete(OWNER, 'u');
    expect(readable.topic('u')).toBe(false);
  });
});

describe('a topic that is closed, deleted and made anew, open', () => {
  test('shows nobody what it held before, however far back it asks', async () => {
    const keeper = await a.log.cursor({ name: 'away', filter: '#', from: 'start', durable: true });
    await keeper.close();
    await a.broker.create(OWNER, 't');
    await publish('t', 'secret');
    await a.broker.delete(OWNER, 't');
    await a.broker.create(OWNER, 't', { accessModel: 'open' });
    await publish('t', 'public');
    const b = await serviceBox(lan, 5, 'b');
    await Promise.all([seen(a, b.link.name), seen(b, a.link.name)]);
    const reading = b.service.subscribe(a.link.name, 't', { from: 'start' });
    const found: string[] = [];
    while (!found.includes('item public')) {
      const { value } = await reading.next();
      found.push(value?.kind === 'item' ? `item ${String(value.value)}` : String(value?.kind));
    }
    expect(found).toEqual(['delete', 'configure', 'item public']);
    await reading.close();
  });
});

describe('a topic that is deleted and made anew', () => {
  test('belongs to who made it, whoever hurries', async () => {
    for (const peer of [mallory.fingerprint, 'b'.repeat(64)]) await a.trust.allow(peer, 'write', '#');
    const other = { kind: 'peer', name: 'other', fingerprint: 'b'.repeat(64) } as const;
    const self = { kind: 'peer', name: mallory.name, fingerprint: mallory.fingerprint } as const;
    for (const redirect of [undefined, 'xmpp:elsewhere']) {
      await a.broker.create(self, 't');
      const deleting = a.broker.delete(self, 't', redirect);
      let made: unknown;
      for (let tries = 0; made === undefined && tries < 100; tries += 1) {
        made = await a.broker.create(other, 't').catch(() => undefined);
        if (made === undefined) await new Promise((resolve) => { setImmediate(resolve); });
      }
      await deleting;
      expect(a.broker.rights.of('t')).toEqual([[`key:${other.fingerprint}`, 'owner']]);
      await a.broker.delete(OWNER, 't');
    }
  });
});

describe('somebody who takes a name that a key had, and leaves', () => {
  test('ends no lease of that key, and takes back nothing that it published', async () => {
    await a.broker.create(OWNER, 't', { accessModel: 'open', publishModel: 'open', purgeOffline: true });
    const before = mallory.name;
    lan.rename(before, 'renamed@h2');
    await seen(a, 'renamed@h2');
    await mallory.box.link.prove(a.link.name);
    await mallory.ask('set', "<publish node='t'><item id='hers'><json xmlns='urn:xmpp:json:0'>1</json></item></publish>");
    await mallory.ask('set', `<subscribe node='t' jid='renamed@h2'/><options>${form(SUBSCRIBE_OPTIONS, { expire: 'presence' })}</options>`);
    const imitator = await plainPeer(lan, 4, before);
    await seen(a, imitator.name);
    lan.withdraw(imitator.name);
    await lan.until(() => a.link.peers.get(before) === undefined);
    await quiet();
    expect(rows()).toEqual(['t subscribed']);
    expect((await a.log.items('t', { last: 10 })).map(({ id }) => id)).toEqual(['hers']);
  });
});

test('what a box says of itself is not found by asking for its name', async () => {
  await a.broker.publish(OWNER, '$pep/mood', toPayload('x'), { id: 'current' });
  const refusal = (type: 'get' | 'set', inner: string, ns?: string): Promise<string> => mallory.ask(type, inner, ns).then(String, (error: { text?: string; message: string }) => `${error.text ?? ''} ${error.message}`);
  for (const node of ['mood', 'nothing']) {
    for (const text of [
      await refusal('get', `<items node='${node}'/>`), await refusal('set', `<create node='${node}'/>`), await refusal('set', `<delete node='${node}'/>`, `${PUBSUB}#owner`),
      await refusal('set', `<subscribe node='${node}' jid='${mallory.name}'/>`),
    ]) expect(text).not.toContain('$pep');
  }
});

describe('keys that nobody vouched for, of which there are as many as somebody likes', () => {
  const stranger = (i: number): string => i.toString(16).padStart(64, '0');

  test('do not take all the subscriptions there may be', async () => {
    const small = await serviceBox(lan, 6, 'small', { limits: { subscriptions: 40 } });
    await small.broker.create(OWNER, 't', { accessModel: 'open' });
    const asked = await Promise.allSettled(Array.from({ length: 30 }, (_, i) => small.service.subscriptions.subscribe({ fingerprint: stranger(i), name: `s${i}` }, 't', undefined, 'subscribed', 0)));
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    await small.trust.pair(mallory.fingerprint);
    await small.service.subscriptions.subscribe({ fingerprint: mallory.fingerprint, name: mallory.name }, 't', undefined, 'subscribed', 0);
  });

  test('ask for the same as often as they like, and have it once', async () => {
    await a.broker.create(OWNER, 't', { accessModel: 'open' });
    await Promise.all(Array.from({ length: 50 }, () => subscribe()));
    expect(rows()).toEqual(['t subscribed']);
    await Promise.allSettled(Array.from({ length: 400 }, (_, i) => a.service.subscriptions.subscribe({ fingerprint: mallory.fingerprint, name: 'm' }, `u${i}`, undefined, 'subscribed', 0)));
    expect(rows()).toHaveLength(256);
  });
});
