// oxlint-disable vitest/warn-todo -- what is not done stays visible
// XEP-0060 1.30 §6.1 to §6.4, over a stream; what of it needs none is in test/pubsub.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toPayload } from '../../../src/payload/payload.ts';
import { keyAddress, OWNER } from '../../../src/pubsub/actor.ts';
import { attr } from '../../../src/xmpp/element.ts';
import { quiet } from '../../support/quiet.ts';
import { MemoryDatabase } from '../../../src/log/memory-database.ts';
import { seen, SimulatedLan } from '../../link/fixtures.ts';
import { serviceBox, type ServiceBox } from '../../link/service-box.ts';
import { all, answered, find, form, headers, pubsubClient, type PubsubClient, said, SUBSCRIBE_OPTIONS } from './client.ts';

describe('XEP-0060 §6.1 Subscribe to a Node', () => {
  it.todo('§6.1.3.5 payment required: nothing is paid for here');
  it.todo('§6.1.5 configuration required: every subscription has options from the beginning');

  let lan: SimulatedLan;
  let a: ServiceBox;
  let c: PubsubClient;
  const database = (): MemoryDatabase => kept;
  let kept: MemoryDatabase;
  beforeEach(async () => {
    lan = new SimulatedLan();
    kept = new MemoryDatabase();
    a = await serviceBox(lan, 1, 'a', { database: kept });
    c = await pubsubClient(lan, a, 2, 'francisco');
    await a.broker.create(OWNER, 'open', { accessModel: 'open' });
    await a.broker.create(OWNER, 'closed');
  });
  afterEach(() => lan.close());
  const publish = (topic: string, value: unknown, id?: string) => a.broker.publish(OWNER, topic, toPayload(value as never), id === undefined ? {} : { id });
  const subscribe = (node: string, more = ''): Promise<import('../../../src/xmpp/element.ts').Element> => c.ask('set', `<subscribe node='${node}' jid='${c.name}'/>${more}`);
  const options = (fields: Record<string, string | string[]>): string => `<options>${form(SUBSCRIBE_OPTIONS, fields)}</options>`;

  it('§6.1.2 success says node, jid, subid and state, and events come', async () => {
    const subscription = find(await subscribe('open'), 'subscription')!;
    expect(subscription.attrs).toMatchObject({ node: 'open', jid: c.name, subscription: 'subscribed' });
    expect(attr(subscription, 'subid')).toMatch(/^[0-9a-f]{20}$/);
    await publish('open', 'soliloquy', 'i1');
    const message = await c.next();
    expect(said(message)).toBe('item open i1 soliloquy');
    expect(find(message, 'records')).toBeUndefined();
  });

  it('§6.1.3.1 JIDs do not match → bad-request / invalid-jid', async () => {
    expect(await c.refused('set', `<subscribe node='open' jid='bernardo@h3'/>`)).toBe('bad-request / invalid-jid');
  });

  it('§6.1.1, §6.2.1 no JID → bad-request / jid-required', async () => {
    expect(await c.refused('set', `<subscribe node='open'/>`)).toBe('bad-request / jid-required');
    await subscribe('open');
    expect(await c.refused('set', `<unsubscribe node='open'/>`)).toBe('bad-request / jid-required');
  });

  it.each([
    ['§6.1.3.2', { accessModel: 'presence' }, 'not-authorized / presence-subscription-required'],
    ['§6.1.3.3', { accessModel: 'roster', rosterGroups: ['class:paired'] }, 'not-authorized / not-in-roster-group'],
    ['§6.1.3.4', { accessModel: 'whitelist' }, 'not-allowed / closed-node'],
  ] as const)('%s whom the access model %j does not let in → %s; also for its items (§6.5.9)', async (_, config, error) => {
    await a.broker.create(OWNER, 'limited', config);
    expect(await c.refused('set', `<subscribe node='limited' jid='${c.name}'/>`)).toBe(error);
    expect(await c.refused('get', `<items node='limited'/>`)).toBe(error);
  });

  it('§6.1.3.2 whoever is paired is let in by presence', async () => {
    await a.broker.create(OWNER, 'limited', { accessModel: 'presence' });
    await a.service.rules.allow(c.fingerprint, 'chat');
    expect(find(await subscribe('limited'), 'subscription')?.attrs['subscription']).toBe('subscribed');
  });

  it('§6.1.3.7, §6.1.4 where an owner has to say: pending; asked for again, that it is pending; nothing is told meanwhile', async () => {
    await a.broker.create(OWNER, 'asked', { accessModel: 'authorize' });
    expect(find(await subscribe('asked'), 'subscription')?.attrs['subscription']).toBe('pending');
    expect(await c.refused('set', `<subscribe node='asked' jid='${c.name}'/>`)).toBe('not-authorized / pending-subscription');
    expect(await c.refused('get', `<items node='asked'/>`)).toBe('not-authorized / not-subscribed');
    await publish('asked', 1);
    await quiet();
    expect(c.waiting).toEqual([]);
    expect([...a.log.cursors()]).toEqual([]);
  });

  it('§6.5.9.3 the same for a box whose reader waits for an owner\'s word; once that is given it has the items', async () => {
    await a.broker.create(OWNER, 'asked', { accessModel: 'authorize' });
    await publish('asked', 1);
    await c.ask('set', `<subscribe node='asked' jid='${c.name}'/><reader xmlns='urn:lanpost:0' name='r'/>`);
    expect(await c.refused('get', `<items node='asked'/>`)).toBe('not-authorized / not-subscribed');
    await a.service.rules.decide('asked', c.name, true);
    expect(find(await c.ask('get', `<items node='asked'/>`), 'items')?.getChildElements()).toHaveLength(1);
  });

  it('§6.1.3.8 whoever is an outcast → forbidden', async () => {
    await a.broker.affiliate(OWNER, 'open', new Map([[keyAddress(c.fingerprint), 'outcast']]));
    expect(await c.refused('set', `<subscribe node='open' jid='${c.name}'/>`)).toBe('forbidden');
    expect(await c.refused('get', `<items node='open'/>`)).toBe('forbidden');
  });

  it('§6.1.3.11 a node that has moved → gone, with where it is', async () => {
    await a.broker.delete(OWNER, 'open', 'xmpp:hamlet@h9?;node=open');
    const error = await subscribe('open').catch((refusal: unknown) => refusal);
    expect(error).toMatchObject({ condition: 'gone', uri: 'xmpp:hamlet@h9?;node=open' });
  });

  it('§6.1.3.9 too many subscriptions → policy-violation / too-many-subscriptions', async () => {
    for (let i = 0; i < 256; i += 1) await a.broker.create(OWNER, `t/${i}`, { accessModel: 'open' });
    await Promise.all(Array.from({ length: 256 }, (_, i) => subscribe(`t/${i}`)));
    expect(await c.refused('set', `<subscribe node='open' jid='${c.name}'/>`)).toBe('policy-violation / too-many-subscriptions');
    await subscribe('t/0'); // what it has it keeps
  });

  it('§6.1.3.12 a node that is not there → item-not-found, for who may know that', async () => {
    await a.trust.allow(c.fingerprint, 'read', 'gone/#');
    expect(await c.refused('set', `<subscribe node='gone/x' jid='${c.name}'/>`)).toBe('item-not-found');
  });

  it('§6.1.6 a repeat is the subscription that is there; other options are another beside it, told apart by SubID', async () => {
    const first = attr(find(await subscribe('open'), 'subscription')!, 'subid');
    expect(attr(find(await subscribe('open'), 'subscription')!, 'subid')).toBe(first);
    const second = attr(find(await subscribe('open', options({ include_body: '1' })), 'subscription')!, 'subid');
    expect(second).not.toBe(first);
    await publish('open', 'both', 'i1');
    const message = await c.next();
    // One notification for one entity.
    expect(headers(message)['SubID']?.toSorted()).toEqual([String(first), String(second)].toSorted());
    expect(find(message, 'body')?.getText()).toBe('both');
    await publish('open', 'again', 'i2');
    expect(said(await c.next())).toBe('item open i2 again');
  });

  it('§6.1.6 what was published before the second of them began is not for it', async () => {
    const first = attr(find(await subscribe('open'), 'subscription')!, 'subid');
    await publish('open', 1, 'i1');
    expect(headers(await c.next())).toEqual({});
    await subscribe('open', options({ include_body: '1' }));
    await publish('open', 2, 'i2');
    expect(headers(await c.next())['SubID']).toHaveLength(2);
    await c.ask('set', `<unsubscribe node='open' jid='${c.name}' subid='${first}'/>`);
    await publish('open', 3, 'i3');
    const last = await c.next();
    expect(said(last)).toBe('item open i3 3');
    expect(headers(last)).toEqual({});
  });

  it('§6.1.7 the last item is sent, with a delay, where the node says so', async () => {
    await a.broker.create(OWNER, 'last', { accessModel: 'open', sendLast: 'on-sub' });
    await publish('last', 1, 'i1');
    await publish('last', 2, 'i2');
    await subscribe('last');
    const message = await c.next();
    expect(said(message)).toBe('item last i2 2');
    expect(find(message, 'delay')?.attrs).toMatchObject({ stamp: expect.stringMatching(/^\d{4}-.*Z$/) });
    await publish('last', 3, 'i3');
    expect(said(await c.next())).toBe('item last i3 3');
  });

  it('§6.2.2 unsubscribe: nothing more comes', async () => {
    await subscribe('open');
    const answer = await c.ask('set', `<unsubscribe node='open' jid='${c.name}'/>`);
    expect(find(answer, 'subscription')?.attrs).toMatchObject({ node: 'open', subscription: 'none' });
    await publish('open', 1);
    await c.ask('get', '<subscriptions/>');
    await quiet();
    expect(c.waiting).toEqual([]);
    expect([...a.log.cursors()]).toEqual([]);
  });

  it('§6.2.3.1 several subscriptions and no SubID → bad-request / subid-required', async () => {
    await subscribe('open');
    await subscribe('open', options({ include_body: '1' }));
    expect(await c.refused('set', `<unsubscribe node='open' jid='${c.name}'/>`)).toBe('bad-request / subid-required');
  });

  it('§6.2.3.2 no such subscriber → unexpected-request / not-subscribed', async () => {
    expect(await c.refused('set', `<unsubscribe node='open' jid='${c.name}'/>`)).toBe('unexpected-request / not-subscribed');
  });

  it('§6.2.3.3 somebody else → forbidden', async () => {
    expect(await c.refused('set', `<unsubscribe node='open' jid='bernardo@h3'/>`)).toBe('forbidden');
  });

  it('§6.2.3.4 a node that is not there → item-not-found', async () => {
    await a.trust.allow(c.fingerprint, 'read', '#');
    expect(await c.refused('set', `<unsubscribe node='gone' jid='${c.name}'/>`)).toBe('item-not-found');
  });

  it('§6.2.3.5 a SubID that is not valid → not-acceptable / invalid-subid', async () => {
    await subscribe('open');
    expect(await c.refused('set', `<unsubscribe node='open' jid='${c.name}' subid='x'/>`)).toBe('not-acceptable / invalid-subid');
  });

  it('§5.6 own subscriptions, of the service and of one node', async () => {
    expect(all(await c.ask('get', '<subscriptions/>'), 'subscription')).toEqual([]);
    await subscribe('open');
    await subscribe('');
    const list = all(await c.ask('get', '<subscriptions/>'), 'subscription');
    expect(list.map(({ attrs }) => [attrs['node'], attrs['subscription']])).toEqual([['open', 'subscribed'], ['', 'subscribed']]);
    expect(all(await c.ask('get', `<subscriptions node='open'/>`), 'subscription')).toHaveLength(1);
  });

  it('§6.1 a subscription survives a restart of the box: what was published meanwhile comes', async () => {
    await subscribe('open', options({ include_body: '1' }));
    await publish('open', 1, 'i1');
    expect(said(await c.next())).toBe('item open i1 1');
    await a.close();
    const again = await serviceBox(lan, 3, 'a', { database: database(), identity: a.identity });
    await again.broker.publish(OWNER, 'open', toPayload(2), { id: 'i2' });
    await seen(c.box, again.link.name);
    await c.box.link.prove(again.link.name);
    const message = await c.next();
    expect(said(message)).toBe('item open i2 2');
    expect(find(message, 'body')?.getText()).toBe('2');
  });

  describe('§6.3 options', () => {
    it('§6.3.3 the form has what there is, with its values', async () => {
      await subscribe('open');
      const got = await c.ask('get', `<options node='open' jid='${c.name}'/>`);
      expect(answered(got)).toEqual({
        FORM_TYPE: [SUBSCRIBE_OPTIONS], deliver: ['1'], include_body: ['0'], 'show-values': ['away', 'chat', 'dnd', 'online', 'xa'], expire: [],
      });
    });

    it('§6.3.5 what is submitted holds; what it does not name stays', async () => {
      await subscribe('open');
      await c.ask('set', `<options node='open' jid='${c.name}'>${form(SUBSCRIBE_OPTIONS, { deliver: '0' })}</options>`);
      await publish('open', 1, 'i1');
      await c.ask('set', `<options node='open' jid='${c.name}'>${form(SUBSCRIBE_OPTIONS, { deliver: 'true', digest: '0' })}</options>`);
      await publish('open', 2, 'i2');
      expect(said(await c.next())).toBe('item open i2 2');
    });

    it.each([['digest', '1'], ['deliver', 'perhaps'], ['show-values', 'asleep'], ['expire', 'tomorrow'], ['expire', '2006-02-28T11:59:59Z']])('§6.3.6.2 %s %s → bad-request / invalid-options', async (name, value) => {
      await subscribe('open');
      expect(await c.refused('set', `<options node='open' jid='${c.name}'>${form(SUBSCRIBE_OPTIONS, { [name]: value })}</options>`)).toBe('bad-request / invalid-options');
    });

    it('§6.3.4.1 somebody else\'s → forbidden', async () => {
      expect(await c.refused('get', `<options node='open' jid='bernardo@h3'/>`)).toBe('forbidden');
    });

    it('§6.3.4.2 not subscribed → unexpected-request / not-subscribed', async () => {
      expect(await c.refused('get', `<options node='open' jid='${c.name}'/>`)).toBe('unexpected-request / not-subscribed');
    });

    it('§6.3.4.3 no JID → bad-request / jid-required', async () => {
      expect(await c.refused('get', `<options node='open'/>`)).toBe('bad-request / jid-required');
    });

    it('§6.3.4.4 several and no SubID → bad-request / subid-required', async () => {
      await subscribe('open');
      await subscribe('open', options({ include_body: '1' }));
      expect(await c.refused('get', `<options node='open' jid='${c.name}'/>`)).toBe('bad-request / subid-required');
    });

    it('§6.3.4.5 a SubID that is not valid → not-acceptable / invalid-subid', async () => {
      await subscribe('open');
      expect(await c.refused('set', `<options node='open' jid='${c.name}' subid='x'>${form(SUBSCRIBE_OPTIONS, {})}</options>`)).toBe('not-acceptable / invalid-subid');
    });

    it('§6.3.4.7 a node that is not there → item-not-found', async () => {
      await a.trust.allow(c.fingerprint, 'read', '#');
      expect(await c.refused('get', `<options node='gone' jid='${c.name}'/>`)).toBe('item-not-found');
    });

    it('§6.3.7 subscribe and configure: the answer has the options that hold', async () => {
      const answer = await subscribe('open', options({ include_body: 'true', 'show-values': ['chat', 'online'] }));
      expect(find(answer, 'subscription')?.attrs['subscription']).toBe('subscribed');
      expect(answered(answer)).toMatchObject({ include_body: ['1'], 'show-values': ['chat', 'online'] });
    });

    it('§6.3.7 options before it, or with a node of their own → bad-request', async () => {
      const fields = form(SUBSCRIBE_OPTIONS, {});
      expect(await c.refused('set', `<subscribe node='open' jid='${c.name}'/><options node='open'>${fields}</options>`)).toBe('bad-request');
    });

    it('§6.4 defaults, of the service and of a node', async () => {
      expect(answered(await c.ask('get', '<default/>'))).toMatchObject({ deliver: ['1'] });
      expect(answered(await c.ask('get', `<default node='open'/>`))).toMatchObject({ deliver: ['1'], include_body: ['0'] });
      expect(answered(await c.ask('get', `<default node='lamp/'/>`))).toMatchObject({ subscription_type: ['nodes'], subscription_depth: ['1'] });
    });
  });
});
