// XEP-0060 1.30 §5. §5.6 is in 06-1-subscribe.test.ts.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toPayload } from '../../../src/payload/payload.ts';
import { OWNER } from '../../../src/pubsub/actor.ts';
import { attr } from '../../../src/xmpp/element.ts';
import { StanzaError } from '../../../src/xmpp/stanza-error.ts';
import { SimulatedLan } from '../../link/fixtures.ts';
import { serviceBox, type ServiceBox } from '../../link/service-box.ts';
import { all, answered, type Asker, PUBSUB, TRANSPORTS } from './client.ts';
import { shown } from './shown-error.ts';

const INFO = 'http://jabber.org/protocol/disco#info';
const ITEMS = 'http://jabber.org/protocol/disco#items';

describe.each(TRANSPORTS)('XEP-0060 §5 Entity Use Cases, %s', (_, connect) => {
  let lan: SimulatedLan;
  let a: ServiceBox;
  let c: Asker;
  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await serviceBox(lan, 1, 'a');
    c = await connect(lan, a, 2, 'francisco');
    await a.broker.create(OWNER, 'open', { accessModel: 'open', title: 'For all', description: 'd', type: 'urn:x', language: 'en', maxItems: 120 });
    await a.broker.create(OWNER, 'secret');
  });
  afterEach(() => lan.close());
  const publish = (topic: string, id: string) => a.broker.publish(OWNER, topic, toPayload(1), { id });

  it('§5.1, §10, §16.3 the service says what works, and nothing else', async () => {
    const info = await c.query(`<query xmlns='${INFO}'/>`);
    const features = all(info, 'feature').map((feature) => attr(feature, 'var') ?? '');
    const own = features.filter((feature) => feature.startsWith(PUBSUB)).map((feature) => feature.slice(PUBSUB.length));
    expect(new Set(own)).toEqual(new Set(['', ...[
      // `access-…` and `last-published` say what the defaults are (§10): whitelist and never of topics; presence of the account's own nodes (XEP-0163 §5).
      'access-presence', 'access-whitelist', 'auto-create', 'auto-subscribe', 'config-node', 'config-node-max', 'create-and-configure', 'create-nodes', 'delete-items', 'delete-nodes',
      'filtered-notifications', 'get-pending', 'instant-nodes', 'item-ids', 'leased-subscription', 'manage-subscriptions', 'member-affiliation', 'meta-data',
      'modify-affiliations', 'multi-items', 'multi-subscribe', 'outcast-affiliation', 'persistent-items', 'presence-notifications', 'presence-subscribe',
      'publish', 'publish-node-full', 'publish-only-affiliation', 'publish-options', 'publisher-affiliation', 'purge-nodes', 'retract-items',
      'retrieve-affiliations', 'retrieve-default', 'retrieve-default-sub', 'retrieve-items', 'retrieve-subscriptions',
      'subscribe', 'subscription-notifications', 'subscription-options',
      // Not in the list of §10: XEP-0248 §5; §9; §6.5.4.
      'collections', 'pubsub-on-a-jid', 'rsm',
    ].map((name) => `#${name}`)]));
    // Data versioning was taken out of the XEP before 1.30: what there is of it is said in a name of our own.
    expect(features).toContain('urn:lanpost:0#versioning');
  });

  it('§5.1, §16.2 it is a service, and, as an account with nodes of its own, pep (XEP-0163 §6.1)', async () => {
    const info = await c.query(`<query xmlns='${INFO}'/>`);
    expect(all(info, 'identity').map(({ attrs }) => [attrs['category'], attrs['type']])).toEqual([['pubsub', 'service'], ['pubsub', 'pep']]);
  });

  it('§8.2.2 every access model can be chosen; §10 the one announced is the default', async () => {
    const field = all(await c.ask('get', '<default/>', `${PUBSUB}#owner`), 'field').find((one) => attr(one, 'var') === 'pubsub#access_model')!;
    expect(all(field, 'option').map((option) => option.getChildText('value'))).toEqual(['open', 'presence', 'roster', 'authorize', 'whitelist']);
    expect(field.getChildText('value')).toBe('whitelist');
  });

  it('§5.2 the nodes that the asker may read, with their titles', async () => {
    const items = all(await c.query(`<query xmlns='${ITEMS}'/>`), 'item');
    expect(items.map(({ attrs }) => attrs)).toEqual([{ jid: a.link.name, node: 'open', name: 'For all' }]);
  });

  it('§4.6.2, §5.3 a node, by the name that requests have for it, is a leaf; one that may not be read is not there', async () => {
    const info = await c.query(`<query xmlns='${INFO}' node='open'/>`);
    expect(all(info, 'identity').map(({ attrs }) => attrs)).toEqual([{ category: 'pubsub', type: 'leaf', name: 'For all' }]);
    for (const node of ['secret', 'nothing']) await expect(c.query(`<query xmlns='${INFO}' node='${node}'/>`)).rejects.toMatchObject({ condition: 'item-not-found' });
  });

  it('§5.4 metadata is its configuration, and who reads it', async () => {
    await c.ask('set', `<subscribe node='open' jid='${c.name}'/>`);
    expect(answered(await c.query(`<query xmlns='${INFO}' node='open'/>`))).toEqual({
      FORM_TYPE: ['http://jabber.org/protocol/pubsub#meta-data'], title: ['For all'], description: ['d'], type: ['urn:x'], language: ['en'],
      access_model: ['open'], publish_model: ['publishers'], max_items: ['120'], owner: [a.link.name], num_subscribers: ['1'],
    });
  });

  it('§5.7 own affiliations, of the service and of one node; none says nothing', async () => {
    const own = async (inner: string): Promise<unknown[]> => all(await c.ask('get', inner), 'affiliation').map(({ attrs }) => attrs);
    expect(await own('<affiliations/>')).toEqual([]);
    await a.service.rules.setAffiliation('open', c.name, 'publisher');
    await a.service.rules.setAffiliation('secret', c.name, 'outcast');
    const found = [{ node: 'open', affiliation: 'publisher' }, { node: 'secret', affiliation: 'outcast' }];
    expect(await own('<affiliations/>')).toEqual(expect.arrayContaining(found));
    expect(await own("<affiliations node='open'/>")).toEqual([found[0]]);
  });

  it('§17.2 what the XEP does not know → feature-not-implemented, and no feature for it; what it knows as another request → bad-request', async () => {
    expect(await c.refused('set', "<frobnicate node='open'/>")).toBe('cancel feature-not-implemented');
    expect(await c.refused('get', "<publish node='open'/>")).toBe('modify bad-request');
    expect(await c.refused('set', "<purge node='open'/>")).toBe('modify bad-request');
    expect(await c.refused('get', '')).toBe('modify bad-request');
  });

  it('§5.5 items have a name and no node', async () => {
    await publish('open', 'i1');
    await publish('open', 'i2');
    const items = all(await c.query(`<query xmlns='${ITEMS}' node='open'/>`), 'item');
    expect(items.map(({ attrs }) => attrs)).toEqual([{ jid: a.link.name, name: 'i1' }, { jid: a.link.name, name: 'i2' }]);
    await expect(c.query(`<query xmlns='${ITEMS}' node='secret'/>`)).rejects.toMatchObject({ condition: 'item-not-found' });
    await a.broker.create(OWNER, 'passing', { accessModel: 'open', persist: false });
    const error: unknown = await c.query(`<query xmlns='${ITEMS}' node='passing'/>`).catch((refusal: unknown) => refusal);
    expect(error instanceof StanzaError && shown(error)).toBe('cancel feature-not-implemented / unsupported persistent-items');
  });
});
