// XEP-0060 1.30 §6.1, §6.2 and §5.6. What subscribers are told is in 06-1-told.test.ts; what needs no XML is in test/pubsub.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toPayload } from '../../../src/payload/payload.ts';
import { keyAddress, OWNER } from '../../../src/pubsub/actor.ts';
import { attr, type Element } from '../../../src/xmpp/element.ts';
import { SimulatedLan } from '../../link/fixtures.ts';
import { secureCaller } from '../../link/secure-caller.ts';
import { serviceBox, type ServiceBox } from '../../link/service-box.ts';
import { all, anonymous, type Asker, find, form, SUBSCRIBE_OPTIONS, TRANSPORTS } from './client.ts';

describe.each(TRANSPORTS)('XEP-0060 §6.1 Subscribe to a Node, %s', (_how, connect) => {
  let lan: SimulatedLan;
  let a: ServiceBox;
  let c: Asker;
  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await serviceBox(lan, 1, 'a');
    c = await connect(lan, a, 2, 'francisco');
    await a.broker.create(OWNER, 'open', { accessModel: 'open' });
    await a.broker.create(OWNER, 'closed');
  });
  afterEach(() => lan.close());
  const publish = (topic: string, value: unknown) => a.broker.publish(OWNER, topic, toPayload(value as never));
  const subscribe = (node: string, more = ''): Promise<Element> => c.ask('set', `<subscribe node='${node}' jid='${c.name}'/>${more}`);
  const options = (fields: Record<string, string>): string => `<options>${form(SUBSCRIBE_OPTIONS, fields)}</options>`;

  it('§6.1.2 success says node, jid, subid and state', async () => {
    const subscription = find(await subscribe('open'), 'subscription')!;
    expect(subscription.attrs).toMatchObject({ node: 'open', jid: c.name, subscription: 'subscribed' });
    expect(attr(subscription, 'subid')).toMatch(/^[0-9a-f]{20}$/);
    expect(find(subscription, 'subscribe-options')).toBeDefined(); // §6.1.5: there are some, and nobody has to set them
  });

  it.each([['bare', ''], ['full', '/barracks']])('§6.1.1 by a %s JID, and left by the same', async (_, resource) => {
    const jid = `${c.name}${resource}`;
    expect(find(await c.ask('set', `<subscribe node='open' jid='${jid}'/>`), 'subscription')?.attrs).toMatchObject({ jid, subscription: 'subscribed' });
    expect(find(await c.ask('get', `<options node='open' jid='${jid}'/>`), 'options')?.attrs).toMatchObject({ jid });
    expect(find(await c.ask('set', `<unsubscribe node='open' jid='${jid}'/>`), 'subscription')?.attrs).toMatchObject({ jid, subscription: 'none' });
    expect(all(await c.ask('get', '<subscriptions/>'), 'subscription')).toEqual([]);
  });

  it('§6.1.1 one <subscribe/> and no more → bad-request, and none of them is done', async () => {
    await a.broker.create(OWNER, 'other', { accessModel: 'open' });
    expect(await c.refused('set', `<subscribe node='open' jid='${c.name}'/><subscribe node='other' jid='${c.name}'/>`)).toBe('modify bad-request');
    expect(all(await c.ask('get', '<subscriptions/>'), 'subscription')).toEqual([]);
  });

  it('§6.1.3.1 JIDs do not match → bad-request / invalid-jid, bare and full', async () => {
    for (const jid of ['bernardo@h3', 'bernardo@h3/barracks', `${c.name}x/barracks`]) expect(await c.refused('set', `<subscribe node='open' jid='${jid}'/>`)).toBe('modify bad-request / invalid-jid');
  });

  it('§6.1.1, §6.2.1 no JID → bad-request / jid-required', async () => {
    expect(await c.refused('set', `<subscribe node='open'/>`)).toBe('modify bad-request / jid-required');
    await subscribe('open');
    expect(await c.refused('set', `<unsubscribe node='open'/>`)).toBe('modify bad-request / jid-required');
  });

  it.each([
    ['§6.1.3.2, §6.5.9.6', { accessModel: 'presence' }, 'auth not-authorized / presence-subscription-required'],
    ['§6.1.3.3, §6.5.9.7', { accessModel: 'roster', rosterGroups: ['class:paired'] }, 'auth not-authorized / not-in-roster-group'],
    ['§6.1.3.4, §6.5.9.8', { accessModel: 'whitelist' }, 'cancel not-allowed / closed-node'],
  ] as const)('%s whom the access model %j does not let in → %s, also for its items', async (_, config, error) => {
    await a.broker.create(OWNER, 'limited', config);
    expect(await c.refused('set', `<subscribe node='limited' jid='${c.name}'/>`)).toBe(error);
    expect(await c.refused('get', `<items node='limited'/>`)).toBe(error);
  });

  it('§6.1.3.2 whoever is paired is let in by presence', async () => {
    await a.broker.create(OWNER, 'limited', { accessModel: 'presence' });
    await a.service.rules.allow(c.fingerprint, 'chat');
    expect(find(await subscribe('limited'), 'subscription')?.attrs['subscription']).toBe('subscribed');
  });

  it('§6.1.3.7, §6.1.4 where an owner has to say: pending; asked for again, that it is pending; nothing is kept for it meanwhile', async () => {
    await a.broker.create(OWNER, 'asked', { accessModel: 'authorize' });
    expect(find(await subscribe('asked'), 'subscription')?.attrs).toMatchObject({ node: 'asked', jid: c.name, subscription: 'pending' });
    expect(await c.refused('set', `<subscribe node='asked' jid='${c.name}'/>`)).toBe('auth not-authorized / pending-subscription');
    await publish('asked', 1);
    expect([...a.log.cursors()]).toEqual([]);
  });

  it('§6.1.3.8 whoever is an outcast → forbidden', async () => {
    await a.broker.affiliate(OWNER, 'open', new Map([[keyAddress(c.fingerprint), 'outcast']]));
    expect(await c.refused('set', `<subscribe node='open' jid='${c.name}'/>`)).toBe('auth forbidden');
  });

  it('§6.1.3.9 too many subscriptions → policy-violation / too-many-subscriptions', async () => {
    for (let i = 0; i < 256; i += 1) await a.broker.create(OWNER, `t/${i}`, { accessModel: 'open' });
    await Promise.all(Array.from({ length: 256 }, (_, i) => subscribe(`t/${i}`)));
    expect(await c.refused('set', `<subscribe node='open' jid='${c.name}'/>`)).toBe('wait policy-violation / too-many-subscriptions');
    await subscribe('t/0'); // what it has it keeps
  });

  it('§6.1.3.11 a node that has moved → gone, with where it is', async () => {
    await a.broker.delete(OWNER, 'open', 'xmpp:hamlet@h9?;node=open');
    expect(await subscribe('open').catch((refusal: unknown) => refusal)).toMatchObject({ type: 'modify', condition: 'gone', uri: 'xmpp:hamlet@h9?;node=open' });
  });

  it('§6.1.3.12 a node that is not there → item-not-found, for who may know that', async () => {
    await a.trust.allow(c.fingerprint, 'read', 'gone/#');
    expect(await c.refused('set', `<subscribe node='gone/x' jid='${c.name}'/>`)).toBe('cancel item-not-found');
  });

  it('§6.1.6 a repeat is the subscription that is there; other options are another beside it, told apart by SubID', async () => {
    const subid = async (more = ''): Promise<string | undefined> => attr(find(await subscribe('open', more), 'subscription')!, 'subid');
    const first = await subid();
    expect(await subid()).toBe(first);
    const second = await subid(options({ include_body: '1' }));
    expect(second).not.toBe(first);
    expect(new Set(all(await c.ask('get', `<subscriptions node='open'/>`), 'subscription').map((one) => attr(one, 'subid')))).toEqual(new Set([first, second]));
  });

  it('§6.1.6 by another resource it is the subscription that is there, for the peer is the same', async () => {
    const subids = [];
    for (const resource of ['', '/barracks', '/orchard']) subids.push(attr(find(await c.ask('set', `<subscribe node='open' jid='${c.name}${resource}'/>`), 'subscription')!, 'subid'));
    expect(new Set(subids).size).toBe(1);
    expect(all(await c.ask('get', '<subscriptions/>'), 'subscription')).toHaveLength(1);
  });

  it('§5.6 own subscriptions, of the service and of one node', async () => {
    expect(all(await c.ask('get', '<subscriptions/>'), 'subscription')).toEqual([]);
    await subscribe('open');
    await subscribe('');
    const list = all(await c.ask('get', '<subscriptions/>'), 'subscription');
    expect(list.map(({ attrs }) => [attrs['node'], attrs['subscription']])).toEqual([['open', 'subscribed'], ['', 'subscribed']]);
    expect(all(await c.ask('get', `<subscriptions node='open'/>`), 'subscription')).toHaveLength(1);
  });

  describe('§6.2 Unsubscribe from a Node', () => {
    it('§6.2.2 it says so, by its SubID, and nothing is kept for it', async () => {
      const subid = attr(find(await subscribe('open'), 'subscription')!, 'subid');
      const answer = await c.ask('set', `<unsubscribe node='open' jid='${c.name}'/>`);
      expect(find(answer, 'subscription')?.attrs).toMatchObject({ node: 'open', jid: c.name, subid, subscription: 'none' });
      await publish('open', 1);
      expect([...a.log.cursors()]).toEqual([]);
    });

    it('§6.2.3.1 several subscriptions and no SubID → bad-request / subid-required', async () => {
      await subscribe('open');
      await subscribe('open', options({ include_body: '1' }));
      expect(await c.refused('set', `<unsubscribe node='open' jid='${c.name}'/>`)).toBe('modify bad-request / subid-required');
    });

    it('§6.2.3.2 no such subscriber → unexpected-request / not-subscribed', async () => {
      expect(await c.refused('set', `<unsubscribe node='open' jid='${c.name}'/>`)).toBe('cancel unexpected-request / not-subscribed');
    });

    it('§6.2.3.3 somebody else → forbidden, bare and full', async () => {
      for (const jid of ['bernardo@h3', 'bernardo@h3/barracks']) expect(await c.refused('set', `<unsubscribe node='open' jid='${jid}'/>`)).toBe('auth forbidden');
    });

    it('§6.2.3.4 a node that is not there → item-not-found', async () => {
      await a.trust.allow(c.fingerprint, 'read', '#');
      expect(await c.refused('set', `<unsubscribe node='gone' jid='${c.name}'/>`)).toBe('cancel item-not-found');
    });

    it('§6.2.3.5 a SubID that is not valid → not-acceptable / invalid-subid', async () => {
      await subscribe('open');
      expect(await c.refused('set', `<unsubscribe node='open' jid='${c.name}' subid='x'/>`)).toBe('modify not-acceptable / invalid-subid');
    });
  });

  describe('§6.5.9.3 items of a node that is read by consent', () => {
    beforeEach(() => a.broker.create(OWNER, 'asked', { accessModel: 'authorize' }));
    const refusal = (): Promise<string> => c.refused('get', `<items node='asked'/>`);

    it('not subscribed, and not yet → not-authorized / not-subscribed', async () => {
      expect(await refusal()).toBe('auth not-authorized / not-subscribed');
      await subscribe('asked');
      expect(await refusal()).toBe('auth not-authorized / not-subscribed');
    });

    it('the same for a box whose reader waits for an owner\'s word; once that is given it has the items', async () => {
      await publish('asked', 1);
      await c.ask('set', `<subscribe node='asked' jid='${c.name}'/><reader xmlns='urn:lanpost:0' name='r'/>`);
      expect(await refusal()).toBe('auth not-authorized / not-subscribed');
      await a.service.rules.decide('asked', c.name, true);
      expect(find(await c.ask('get', `<items node='asked'/>`), 'items')?.getChildElements()).toHaveLength(1);
    });
  });

  it('§12.12 owners and publishers may subscribe and retrieve without being subscribed, whatever the model', async () => {
    await publish('closed', 1);
    for (const affiliation of ['owner', 'publisher', 'member'] as const) {
      await a.broker.affiliate(OWNER, 'closed', new Map([[keyAddress(c.fingerprint), affiliation]]));
      expect(all(await c.ask('get', `<items node='closed'/>`), 'item')).toHaveLength(1);
    }
    expect(find(await subscribe('closed'), 'subscription')?.attrs['subscription']).toBe('subscribed');
  });
});

describe('XEP-0060 §6.1.3.6 Anonymous Subscriptions Not Allowed', () => {
  const subscribe = "<subscribe node='open' jid='mallory@h3'/>";
  let lan: SimulatedLan;
  let a: ServiceBox;
  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await serviceBox(lan, 1, 'a');
    await a.broker.create(OWNER, 'open', { accessModel: 'open' });
    // A grant to those without a key lets them read; to subscribe they would have to be somebody.
    await a.service.rules.allow('class:plain', 'read', 'open');
  });
  afterEach(() => lan.close());

  it('over a stream → forbidden', async () => {
    const stream = await secureCaller(lan, a, { host: 3, key: null });
    stream.write(`<iq type='set' id='1' to='${a.link.name}'><pubsub xmlns='http://jabber.org/protocol/pubsub'>${subscribe}</pubsub></iq>`);
    expect(await stream.reads('</iq>')).toContain("<error type='cancel'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>");
    expect([a.log.cursorCount, a.service.subscriptions.count('open')]).toEqual([0, 0]);
  });

  it('through the engine → forbidden', async () => {
    expect(await anonymous(a, 'mallory@h3').refused('set', subscribe)).toBe('cancel forbidden');
    expect([a.log.cursorCount, a.service.subscriptions.count('open')]).toEqual([0, 0]);
  });
});
