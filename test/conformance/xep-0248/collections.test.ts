// oxlint-disable vitest/warn-todo -- what is not done stays visible
// XEP-0248 0.5.0, with XEP-0496's rule: what lies in a collection is no wider for that. Over a stream.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toPayload } from '../../../src/payload/payload.ts';
import { OWNER } from '../../../src/pubsub/actor.ts';
import { attr, type Element } from '../../../src/xmpp/element.ts';
import { quiet } from '../../support/quiet.ts';
import type { SimulatedLan } from '../../link/fixtures.ts';
import type { ServiceBox } from '../../link/service-box.ts';
import { all, find, form, headers, PUBSUB, type PubsubClient, said, serviceAndClient, SUBSCRIBE_OPTIONS } from '../xep-0060/client.ts';

const ITEMS = 'http://jabber.org/protocol/disco#items';
const INFO = 'http://jabber.org/protocol/disco#info';

describe('XEP-0248 Collection Nodes', () => {
  it.todo('§5.3.2 association and dissociation: a node lies where its name says, always');
  it.todo('§7.5, §7.6 associate and dissociate: likewise');

  let lan: SimulatedLan;
  let a: ServiceBox;
  let c: PubsubClient;
  beforeEach(async () => {
    ({ lan, a, c } = await serviceAndClient('francisco'));
    for (const topic of ['lamp', 'lamp/hue', 'lamp/hue/raw', 'plant/a']) await a.broker.create(OWNER, topic, { accessModel: 'open' });
    await a.broker.create(OWNER, 'lamp/secret');
  });
  afterEach(() => lan.close());
  const publish = (topic: string, value: unknown, id?: string) => a.broker.publish(OWNER, topic, toPayload(value as never), id === undefined ? {} : { id });
  const subscribe = (node: string, fields?: Record<string, string>): Promise<Element> => c.ask('set',
    `<subscribe node='${node}' jid='${c.name}'/>${fields ? `<options>${form(SUBSCRIBE_OPTIONS, fields)}</options>` : ''}`);
  const nodes = async (node?: string): Promise<unknown[]> => all(await c.query(`<query xmlns='${ITEMS}'${node === undefined ? '' : ` node='${node}'`}/>`), 'item').map(({ attrs }) => attrs['node']);

  it('§5.2 the root, then level by level: a topic with children is a leaf and a collection', async () => {
    expect(await nodes()).toEqual(['lamp', 'lamp/', 'plant/']);
    expect(await nodes('lamp/')).toEqual(['lamp/hue', 'lamp/hue/']);
    expect(await nodes('lamp/hue/')).toEqual(['lamp/hue/raw']);
    const type = async (node: string): Promise<unknown> => find(await c.query(`<query xmlns='${INFO}' node='${node}'/>`), 'identity')?.attrs['type'];
    expect([await type('lamp'), await type('lamp/')]).toEqual(['leaf', 'collection']);
    await expect(nodes('dark/')).rejects.toMatchObject({ condition: 'item-not-found' });
  });

  it('§5.3.1 an item names the leaf, and SHIM the collection', async () => {
    await subscribe('lamp/', { subscription_type: 'items', subscription_depth: 'all' });
    await publish('lamp/hue', 'red', 'i1');
    const message = await c.next();
    expect(said(message)).toBe('item lamp/hue i1 red');
    expect(headers(message)).toEqual({ Collection: ['lamp/'] });
    await publish('lamp', 'not in it');
    await publish('lamp/hue/raw', 'deep', 'i2');
    expect(said(await c.next())).toBe('item lamp/hue/raw i2 deep');
  });

  it('§5.3.1 of topics in memory it gets what comes while it is there, once', async () => {
    await a.broker.create(OWNER, 'lamp/raw', { accessModel: 'open', storage: 'memory' });
    await publish('lamp/raw', 'before');
    await subscribe('lamp/', { subscription_type: 'items' });
    await publish('lamp/raw', 1, 'm1');
    await publish('lamp/hue', 1, 'd1');
    await publish('lamp/raw', 2, 'm2');
    const got = [said(await c.next()), said(await c.next()), said(await c.next())];
    expect(got.toSorted()).toEqual(['item lamp/hue d1 1', 'item lamp/raw m1 1', 'item lamp/raw m2 2']);
    await a.broker.configure(OWNER, 'lamp/raw', { accessModel: 'whitelist' });
    await publish('lamp/raw', 'secret');
    await publish('lamp/hue', 2, 'd2');
    expect(said(await c.next())).toBe('item lamp/hue d2 2');
    await c.ask('set', `<unsubscribe node='lamp/' jid='${c.name}'/>`);
    await a.broker.configure(OWNER, 'lamp/raw', { accessModel: 'open' });
    await publish('lamp/raw', 3);
    await quiet();
    expect(c.waiting).toEqual([]);
  });

  it('§6.1 depth 1 is what lies right in it, another number so many levels', async () => {
    await subscribe('lamp/', { subscription_type: 'items', subscription_depth: '1' });
    await publish('lamp/hue/raw', 'too deep');
    await publish('lamp/hue', 1, 'i1');
    expect(said(await c.next())).toBe('item lamp/hue i1 1');
    await subscribe('', { subscription_type: 'items', subscription_depth: '2' });
    await publish('lamp/hue/raw', 'too deep');
    await publish('plant/a', 1, 'i2');
    expect(said(await c.next())).toBe('item plant/a i2 1');
  });

  it('§6.1 by default it is told of the nodes right in it: made, set up, deleted', async () => {
    await subscribe('lamp/');
    await publish('lamp/hue', 'no node');
    await a.broker.create(OWNER, 'lamp/new', { accessModel: 'open' });
    await a.broker.configure(OWNER, 'lamp/new', { title: 'New' });
    await a.broker.delete(OWNER, 'lamp/new');
    const messages = [await c.next(), await c.next(), await c.next()];
    expect(messages.map(said)).toEqual(['create lamp/new', 'configuration lamp/new', 'delete lamp/new']);
    const [created] = messages;
    expect(created && headers(created)).toEqual({ Collection: ['lamp/'] });
  });

  it('§6.1 a node that a first item makes is a new node, too', async () => {
    await a.service.rules.allow(c.fingerprint, 'read', 'lamp/#');
    await subscribe('lamp/');
    await publish('lamp/made', 1);
    await publish('lamp/made', 2);
    expect(said(await c.next())).toBe('create lamp/made');
    await a.broker.configure(OWNER, 'lamp/made', { title: 'Made' });
    expect(said(await c.next())).toBe('configuration lamp/made');
  });

  it('§6.1.3 of one kind twice, with another depth → conflict; of both kinds, two', async () => {
    await subscribe('lamp/', { subscription_type: 'items', subscription_depth: '1' });
    await expect(subscribe('lamp/', { subscription_type: 'items', subscription_depth: 'all' })).rejects.toMatchObject({ condition: 'conflict' });
    await subscribe('lamp/', { subscription_type: 'nodes', subscription_depth: '1' });
    expect(all(await c.ask('get', `<subscriptions node='lamp/'/>`), 'subscription')).toHaveLength(2);
  });

  it('§6.1 kinds and depths that there are not → bad-request / invalid-options', async () => {
    for (const fields of [{ subscription_type: 'leaves' }, { subscription_depth: '-1' }, { subscription_depth: 'deep' }]) {
      const options = form(SUBSCRIBE_OPTIONS, fields as Record<string, string>);
      expect(await c.refused('set', `<subscribe node='lamp/' jid='${c.name}'/><options>${options}</options>`)).toBe('modify bad-request / invalid-options');
    }
  });

  it('§6.2 items of a collection come leaf by leaf', async () => {
    await publish('lamp', 0, 'i0');
    await publish('lamp/hue', 1, 'i1');
    await publish('lamp/hue', 2, 'i2');
    await publish('lamp/hue/raw', 3, 'i3');
    await publish('lamp/secret', 4, 'i4');
    const leaves = (answer: Element): unknown[] => all(answer, 'items').map((items) => [attr(items, 'node'), ...all(items, 'item').map((item) => attr(item, 'id'))]);
    expect(leaves(await c.ask('get', `<items node='lamp/'/>`))).toEqual([['lamp/hue', 'i1', 'i2'], ['lamp/hue/raw', 'i3']]);
    expect(leaves(await c.ask('get', `<items node='lamp/' max_items='1'/>`))).toEqual([['lamp/hue', 'i2'], ['lamp/hue/raw', 'i3']]);
  });

  it('§7.1.3.2 collections cannot be made → not-allowed', async () => {
    await a.service.rules.allow(c.fingerprint, 'write', '#');
    const config = (type: string): string => `<configure>${form(`${PUBSUB}#node_config`, { node_type: type })}</configure>`;
    expect(await c.refused('set', `<create node='made'/>${config('collection')}`)).toBe('cancel not-allowed');
    expect(await c.refused('set', `<create/>${config('collection')}`)).toBe('cancel not-allowed');
    expect(await c.refused('set', `<create node='made/'/>`)).toBe('cancel not-allowed');
    await c.ask('set', `<create node='made'/>${config('leaf')}`);
    expect(a.broker.topic('made')).toBeDefined();
  });

  it('§7.4.3.1 the root cannot be deleted → not-allowed; nor can what lies below a name, or be set up', async () => {
    await a.service.rules.allow(c.fingerprint, 'write', '#');
    const owner = `${PUBSUB}#owner`;
    expect(await c.refused('set', '<delete/>', owner)).toBe('cancel not-allowed');
    expect(await c.refused('set', "<delete node='lamp/'/>", owner)).toBe('cancel not-allowed');
    expect(await c.refused('get', "<configure node='lamp/'/>", owner)).toBe('cancel not-allowed');
    expect(a.broker.topic('lamp/hue')).toBeDefined();
  });

  it('§8.1 the root has no name', async () => {
    await c.ask('set', `<subscribe jid='${c.name}'/><options>${form(SUBSCRIBE_OPTIONS, { subscription_type: 'items', subscription_depth: 'all' })}</options>`);
    await publish('plant/a', 1, 'i1');
    expect(said(await c.next())).toBe('item plant/a i1 1');
  });

  describe('XEP-0496: a collection never widens what a leaf lets be read', () => {
    beforeEach(() => subscribe('', { subscription_type: 'items', subscription_depth: 'all' }));

    it('of a leaf that it may not read it is told nothing, nor that there is one', async () => {
      await publish('lamp/secret', 'hidden');
      await publish('lamp/hue', 1, 'i1');
      expect(said(await c.next())).toBe('item lamp/hue i1 1');
      expect(await nodes('lamp/')).not.toContain('lamp/secret');
    });

    it('a leaf that is opened joins, one that is closed is gone, at once', async () => {
      await a.broker.configure(OWNER, 'lamp/secret', { accessModel: 'open' });
      await publish('lamp/secret', 'now', 'i1');
      expect(said(await c.next())).toBe('item lamp/secret i1 now');
      await a.broker.configure(OWNER, 'lamp/secret', { accessModel: 'whitelist' });
      await publish('lamp/secret', 'never');
      await publish('lamp/hue', 2, 'i2');
      expect(said(await c.next())).toBe('item lamp/hue i2 2');
    });

    it('and of the same leaf by itself: closed, nothing; opened again, on it goes', async () => {
      await a.broker.create(OWNER, 'door', { accessModel: 'open', notifyConfig: false });
      await c.ask('set', `<subscribe node='door' jid='${c.name}'/>`);
      await a.broker.configure(OWNER, 'door', { accessModel: 'whitelist' });
      await publish('door', 'closed', 'i1');
      await quiet();
      expect(c.waiting).toEqual([]);
      await a.broker.configure(OWNER, 'door', { accessModel: 'open' });
      expect(said(await c.next())).toBe('item door i1 closed');
    });

    it('rights that are taken away take effect before the next record', async () => {
      await a.service.rules.allow(c.fingerprint, 'read', 'lamp/secret');
      await publish('lamp/secret', 'allowed', 'i1');
      expect(said(await c.next())).toBe('item lamp/secret i1 allowed');
      await a.service.rules.deny(c.fingerprint, 'read', 'lamp/#');
      await publish('lamp/secret', 'never');
      await publish('lamp/hue', 'never');
      await publish('plant/a', 2, 'i2');
      expect(said(await c.next())).toBe('item plant/a i2 2');
      await quiet();
      expect(c.waiting).toEqual([]);
    });
  });

  it('of a collection in which nothing may be read → forbidden', async () => {
    expect(await c.refused('set', `<subscribe node='lamp/secret/' jid='${c.name}'/>`)).toBe('auth forbidden');
  });
});
