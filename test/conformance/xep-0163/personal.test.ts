// oxlint-disable vitest/warn-todo -- what is not done stays visible
// XEP-0163 1.2.2, of the box itself, over a stream.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryDatabase } from '../../../src/log/memory-database.ts';
import { toPayload } from '../../../src/payload/payload.ts';
import { OWNER } from '../../../src/pubsub/actor.ts';
import { personalNode, personalTopic } from '../../../src/pubsub/personal.ts';
import { attr } from '../../../src/xmpp/element.ts';
import * as fc from 'fast-check';
import { quiet } from '../../support/quiet.ts';
import { acquainted, SimulatedLan } from '../../link/fixtures.ts';
import { serviceBox, type ServiceBox } from '../../link/service-box.ts';
import { all, find, pubsubClient, type PubsubClient, said } from '../xep-0060/client.ts';

const TUNE = 'http://jabber.org/protocol/tune';
const GEO = 'http://jabber.org/protocol/geoloc';

describe('XEP-0163 Personal Eventing Protocol', () => {
  it.todo('§4.3.1.3 replyto with the publishing resource: a box has none');
  it.todo('§4.3 the account owner\'s own resources: it has none but itself');

  let lan: SimulatedLan;
  let a: ServiceBox;
  let database: MemoryDatabase;
  beforeEach(async () => {
    lan = new SimulatedLan();
    database = new MemoryDatabase();
    a = await serviceBox(lan, 1, 'juliet', { database });
  });
  afterEach(() => lan.close());
  const restarted = async (): Promise<ServiceBox> => {
    await a.close();
    return serviceBox(lan, 1, 'juliet', { database, identity: a.identity });
  };
  const publish = (node: string, value: unknown) => a.broker.publish(OWNER, personalTopic(node), toPayload(value as never), { id: 'current' });
  /** A friend who wants those nodes, and whose capabilities are known. */
  const friend = async (host: number, ...nodes: string[]): Promise<PubsubClient> => {
    const c = await pubsubClient(lan, a, host, `friend${host}`);
    await a.service.rules.allow(c.fingerprint, 'chat');
    c.box.disco.add(nodes.map((node) => `${node}+notify`));
    await c.box.link.prove(a.link.name);
    await a.link.features(c.name);
    await lan.until(() => nodes.every((node) => a.link.peers.describe(c.name)?.features?.includes(`${node}+notify`)));
    return c;
  };

  it('§3 a node is made by what is published first, and only friends may read it', async () => {
    await publish(TUNE, 'Allegro');
    expect(a.broker.topic(personalTopic(TUNE))).toMatchObject({ accessModel: 'presence', sendLast: 'on-sub-and-presence' });
    const c = await pubsubClient(lan, a, 2, 'stranger');
    expect(await c.refused('get', `<items node='${TUNE}'/>`)).toBe('auth not-authorized / presence-subscription-required');
    await a.service.rules.allow(c.fingerprint, 'chat');
    const items = await c.ask('get', `<items node='${TUNE}'/>`);
    expect(find(items, 'items')?.attrs['node']).toBe(TUNE);
    expect(find(items, 'text')?.getText()).toBe('Allegro');
  });

  it('§6.1 that it is one is announced, with what that means: nodes by themselves, open to presence, told without subscribing', async () => {
    const c = await pubsubClient(lan, a, 2, 'friend');
    const info = await c.query("<query xmlns='http://jabber.org/protocol/disco#info'/>");
    expect(all(info, 'identity').map(({ attrs }) => `${String(attrs['category'])}/${String(attrs['type'])}`)).toContain('pubsub/pep');
    const features = all(info, 'feature').map((feature) => attr(feature, 'var'));
    const wanted = ['access-presence', 'auto-create', 'auto-subscribe', 'config-node', 'create-and-configure', 'create-nodes', 'filtered-notifications', 'persistent-items', 'publish', 'retrieve-items', 'subscribe'];
    expect(features).toEqual(expect.arrayContaining(wanted.map((feature) => `http://jabber.org/protocol/pubsub#${feature}`)));
    // XEP-0060 §4.3: it would say of topics, too, that their newest item goes to whoever comes.
    expect(features).not.toContain('http://jabber.org/protocol/pubsub#last-published');
  });

  it('§5 of its nodes presence, open, roster and whitelist are the access models, and the newest item goes to whoever comes', async () => {
    await publish(TUNE, 'Allegro');
    expect(a.broker.topic(personalTopic(TUNE))).toMatchObject({ accessModel: 'presence', sendLast: 'on-sub-and-presence', deliverNotifications: true, deliverPayloads: true });
    for (const accessModel of ['open', 'roster', 'whitelist', 'presence'] as const) {
      await a.broker.configure(OWNER, personalTopic(TUNE), { accessModel });
      expect(a.broker.topic(personalTopic(TUNE))).toMatchObject({ accessModel });
    }
  });

  it('§4.1, §4.2 a friend gets what its capabilities ask for, without subscribing, from the box\'s own address', async () => {
    const c = await friend(2, TUNE);
    await publish(GEO, 'not asked for');
    await publish(TUNE, 'Allegro');
    const message = await c.next();
    expect(said(message)).toBe(`item ${TUNE} current Allegro`);
    expect(attr(message, 'from')).toBe(a.link.name);
    expect(attr(message, 'type')).toBe('headline');
    await publish(TUNE, 'Largo');
    expect(said(await c.next())).toBe(`item ${TUNE} current Largo`);
    await quiet();
    expect(c.waiting).toEqual([]);
  });

  it('§4.3.4 whoever comes gets the last item once', async () => {
    await publish(TUNE, 'Allegro');
    await publish(TUNE, 'Largo');
    const c = await friend(2, TUNE);
    const message = await c.next();
    expect(said(message)).toBe(`item ${TUNE} current Largo`);
    expect(find(message, 'delay')).toBeDefined();
    await c.box.own.setStatus('away');
    await lan.until(() => a.link.peers.get(c.name)?.claims.status === 'away');
    await quiet();
    expect(c.waiting).toEqual([]);
  });

  it('§4.1 whoever may not read it gets nothing, whatever it asks for', async () => {
    const c = await friend(2, TUNE);
    await a.service.rules.revoke(c.fingerprint);
    await publish(TUNE, 'Allegro');
    await quiet();
    expect(c.waiting).toEqual([]);
  });

  it('§5 it can be subscribed to like any node; then it comes by that alone', async () => {
    await publish(TUNE, 'Allegro');
    const c = await pubsubClient(lan, a, 2, 'friend');
    await a.service.rules.allow(c.fingerprint, 'chat');
    const answer = await c.ask('set', `<subscribe node='${TUNE}' jid='${c.name}'/>`);
    expect(find(answer, 'subscription')?.attrs['node']).toBe(TUNE);
    expect(said(await c.next())).toBe(`item ${TUNE} current Allegro`);
    await publish(TUNE, 'Largo');
    expect(said(await c.next())).toBe(`item ${TUNE} current Largo`);
    expect(all(await c.ask('get', '<subscriptions/>'), 'subscription').map(({ attrs }) => attrs['node'])).toEqual([TUNE]);
  });

  describe('§7.1 whoever loses access is no subscriber any more', () => {
    const TOPIC = personalTopic(TUNE);
    let c: PubsubClient;
    beforeEach(async () => {
      await publish(TUNE, 'Allegro');
      c = await pubsubClient(lan, a, 2, 'friend');
      await a.service.rules.allow(c.fingerprint, 'chat');
    });
    const subscribe = async (): Promise<void> => {
      await c.ask('set', `<subscribe node='${TUNE}' jid='${c.name}'/>`);
      expect(said(await c.next())).toBe(`item ${TUNE} current Allegro`);
    };
    const left = (box = a): unknown[] => [...box.service.subscriptions.of(c.fingerprint)];
    const places = (box = a): unknown[] => [...box.log.cursors()];
    /** What is told of a subscription that is over. */
    const over = { node: TUNE, jid: 'friend@h2', subscription: 'none' };

    it('to presence: it is told so, and gets nothing until it is a friend again and subscribes', async () => {
      await subscribe();
      await a.service.rules.revoke(c.fingerprint);
      expect(find(await c.next(), 'subscription')?.attrs).toMatchObject(over);
      expect([left(), places()]).toEqual([[], []]);
      await a.service.rules.allow(c.fingerprint, 'chat');
      await publish(TUNE, 'Allegro');
      await quiet();
      expect(c.waiting).toEqual([]);
      await subscribe();
    });

    it('also what it may read is denied, while it is away: it hears of it when it is back, and what it has not had is written down', async () => {
      await subscribe();
      await c.box.close();
      await lan.until(() => a.link.peers.get(c.name) === undefined);
      await publish(TUNE, 'Largo');
      await a.service.rules.deny(c.fingerprint, 'read', TOPIC);
      await lan.until(() => left().length === 0 && places().length === 0);
      expect(await a.broker.items(OWNER, '$ledger')).toMatchObject([{ value: { topic: TOPIC, reason: 'dropped' } }]);
      c = await pubsubClient(lan, a, 2, 'friend', { identity: c.box.identity });
      await c.box.link.prove(a.link.name);
      expect(find(await c.next(), 'subscription')?.attrs).toMatchObject(over);
    });

    it('to a class that it is not of any more', async () => {
      await a.broker.configure(OWNER, TOPIC, { accessModel: 'roster', rosterGroups: ['class:paired'] });
      await subscribe();
      await a.service.rules.revoke(c.fingerprint);
      expect(find(await c.next(), 'subscription')?.attrs).toMatchObject(over);
      expect(left()).toEqual([]);
    });

    it('of a box that reads it, too', async () => {
      const reads = await serviceBox(lan, 3, 'reads');
      await acquainted(reads, a);
      await a.service.rules.allow(reads.identity.fingerprint, 'chat');
      await reads.service.subscribe(a.link.name, TOPIC, { durable: 'r' }).ready;
      expect(places()).toHaveLength(1);
      await a.service.rules.revoke(reads.identity.fingerprint);
      await lan.until(() => places().length === 0);
      expect(a.broker.mayRead({ kind: 'peer', name: 'reads', fingerprint: reads.identity.fingerprint }, TOPIC)).toBe(false);
    });

    it('a subscription that was still being made is over as well', async () => {
      const asked = c.ask('set', `<subscribe node='${TUNE}' jid='${c.name}'/>`).catch(() => undefined);
      await lan.until(() => a.trust.level(c.fingerprint) === 'paired');
      await Promise.all([asked, a.service.rules.revoke(c.fingerprint)]);
      await lan.until(() => left().length === 0);
      expect(places()).toEqual([]);
    });

    it('over a power cut between the loss and what follows from it', async () => {
      await subscribe();
      await c.box.close();
      // As far as it had come: the key is not paired any more, and the subscription is there.
      await a.trust.revoke(c.fingerprint);
      expect(left()).toHaveLength(1);
      const again = await restarted();
      await lan.until(() => left(again).length === 0);
      expect(places(again)).toEqual([]);
      expect([...again.service.subscriptions.untold(c.fingerprint)]).toMatchObject([{ node: TOPIC, state: 'none' }]);
    });

    it('not what only a setting of the node leaves out, whose owner may change it back: its place is kept', async () => {
      await subscribe();
      await a.broker.configure(OWNER, TOPIC, { notifyConfig: false, accessModel: 'roster', rosterGroups: [] });
      await publish(TUNE, 'Largo');
      await a.broker.configure(OWNER, TOPIC, { accessModel: 'whitelist' });
      await publish(TUNE, 'Presto');
      await quiet();
      expect(c.waiting).toEqual([]);
      await a.broker.configure(OWNER, TOPIC, { accessModel: 'presence' });
      expect([await c.next(), await c.next()].map(said)).toEqual([`item ${TUNE} current Largo`, `item ${TUNE} current Presto`]);
    });

    it('a friend whose stream breaks, or whose box restarts, loses nothing', async () => {
      await subscribe();
      await c.box.close();
      await publish(TUNE, 'Largo');
      a = await restarted();
      await quiet();
      expect(left()).toHaveLength(1);
      c = await pubsubClient(lan, a, 2, 'friend', { identity: c.box.identity });
      await c.box.link.prove(a.link.name);
      // The newest for whoever comes, and what it has not had.
      const both = [await c.next(), await c.next()];
      expect(both.map(said)).toEqual([`item ${TUNE} current Largo`, `item ${TUNE} current Largo`]);
      expect(both.filter((message) => find(message, 'delay'))).toHaveLength(1);
    });
  });

  it('§6.2 nodes are discovered by who may read them; nobody on the link publishes them', async () => {
    await publish(TUNE, 'Allegro');
    const c = await pubsubClient(lan, a, 2, 'friend');
    const nodes = async (): Promise<unknown[]> => all(await c.query("<query xmlns='http://jabber.org/protocol/disco#items'/>"), 'item').map(({ attrs }) => attrs['node']);
    expect(await nodes()).toEqual([]);
    await a.service.rules.allow(c.fingerprint, 'chat');
    await a.service.rules.allow(c.fingerprint, 'write', '#');
    expect(await nodes()).toEqual([TUNE]);
    expect(await c.refused('set', `<publish node='${TUNE}'><item><x xmlns='urn:x'/></item></publish>`)).toBe('auth forbidden');
  });

  it('any name stands for a node of its own, and only for that', () => {
    fc.assert(fc.property(fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }), (node) => {
      const topic = personalTopic(node);
      expect(topic.split('/')).toHaveLength(2);
      expect(personalNode(topic)).toBe(node);
    }));
  });
});
