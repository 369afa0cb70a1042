// XEP-0060 1.30 §8. §8.7 and §8.8 are in 08-7-subscriptions.test.ts, what owners and subscribers are told in 08-6-told.test.ts.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toPayload } from '../../../src/payload/payload.ts';
import { OWNER } from '../../../src/pubsub/actor.ts';
import { StanzaError } from '../../../src/xmpp/stanza-error.ts';
import { attr } from '../../../src/xmpp/element.ts';
import { TOPIC_FIELDS } from '../../../src/topic-fields.ts';
import { SimulatedLan } from '../../link/fixtures.ts';
import { serviceBox, type ServiceBox } from '../../link/service-box.ts';
import { all, answered, type Asker, find, form, PUBSUB, TRANSPORTS } from './client.ts';
import { shown } from './shown-error.ts';

const OWNERS = `${PUBSUB}#owner`;
const CONFIG = `${PUBSUB}#node_config`;

describe.each(TRANSPORTS)('XEP-0060 §8 Owner Use Cases, %s', (_, connect) => {
  let lan: SimulatedLan;
  let a: ServiceBox;
  /** May write what begins with `hamlet/`. */
  let hamlet: Asker;
  /** Has a key, and nothing else. */
  let horatio: Asker;

  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await serviceBox(lan, 1, 'a');
    hamlet = await connect(lan, a, 2, 'hamlet');
    horatio = await connect(lan, a, 3, 'horatio');
    await a.trust.allow(hamlet.fingerprint, 'write', 'hamlet/#');
  });
  afterEach(() => lan.close());

  const NODE = 'hamlet/musings';
  const owner = (client: Asker, type: 'get' | 'set', inner: string) => client.ask(type, inner, OWNERS);
  const refused = (client: Asker, type: 'get' | 'set', inner: string) => client.refused(type, inner, OWNERS);
  const create = (node = NODE, fields: Record<string, string | string[]> = {}) =>
    hamlet.ask('set', `<create node='${node}'/>${Object.keys(fields).length === 0 ? '' : `<configure>${form(CONFIG, fields)}</configure>`}`);
  const configure = (fields: Record<string, string | string[]>, client = hamlet) => owner(client, 'set', `<configure node='${NODE}'>${form(CONFIG, fields)}</configure>`);
  const failure = async (asked: Promise<unknown>): Promise<StanzaError> => {
    const error: unknown = await asked.then(() => undefined, (thrown: unknown) => thrown);
    if (error instanceof StanzaError) return error;
    throw new Error(`not refused: ${String(error)}`);
  };

  describe('§8.1 Create a Node', () => {
    it('§8.1.1 who creates it is its owner; it has the default configuration', async () => {
      await create();
      expect(a.broker.topic(NODE)).toMatchObject({ accessModel: 'whitelist', publishModel: 'publishers' });
      expect(a.broker.affiliations(OWNER, NODE)).toEqual([[`key:${hamlet.fingerprint}`, 'owner']]);
    });

    it('§8.1.1 not entitled to create → forbidden, also by a name that is taken for another\'s', async () => {
      expect(await horatio.refused('set', `<create node='${NODE}'/>`)).toBe('auth forbidden');
      expect(await hamlet.refused('set', "<create node='horatio/x'/>")).toBe('auth forbidden');
      expect(await hamlet.refused('set', "<create node='$mail/x'/>")).toBe('auth forbidden');
    });

    it('§8.1.1 NodeID exists → conflict, also of two at once', async () => {
      const both = await Promise.allSettled([create(), create()]);
      expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
      expect(await hamlet.refused('set', `<create node='${NODE}'/>`)).toBe('cancel conflict');
    });

    it('§8.1.1 an instant node gets a name, for who may have one', async () => {
      expect(await hamlet.refused('set', '<create/>')).toBe('auth forbidden');
      await a.trust.allow(hamlet.fingerprint, 'write', 'instant/#');
      const node = attr(find(await hamlet.ask('set', '<create/>'), 'create')!, 'node') ?? '';
      expect(node).toMatch(/^instant\/[0-9a-f]{20}$/);
      expect(a.broker.topic(node)).toBeDefined();
    });

    it('§8.1.2 an access model that is not there → not-acceptable / unsupported-access-model, and no node', async () => {
      expect(await hamlet.refused('set', `<create node='${NODE}'/><configure>${form(CONFIG, { access_model: 'friends' })}</configure>`))
        .toBe('modify not-acceptable / unsupported-access-model');
      expect(a.broker.topic(NODE)).toBeUndefined();
    });

    it('§8.1.3 created and configured in one', async () => {
      await create(NODE, {
        title: 'Princely Musings', access_model: 'open', publish_model: 'publishers', max_items: '10', persist_items: '1', deliver_payloads: 'true',
        notify_retract: '0', notification_type: 'normal', send_last_published_item: 'on_sub', max_payload_size: '1028', item_expire: '604800',
        type: 'urn:example:e2ee:bundle', body_xslt: 'http://example.com/body.xslt', publish_node_full: 'reject',
      });
      expect(a.broker.topic(NODE)).toMatchObject({
        title: 'Princely Musings', accessModel: 'open', maxItems: 10, notifyRetract: false, notificationType: 'normal', sendLast: 'on-sub',
        maxPayload: 1028, itemExpire: 604_800_000, type: 'urn:example:e2ee:bundle', full: 'reject',
      });
    });

    it('§8.1.3 <configure/> before <create/>, or with a node → bad-request, and no node', async () => {
      const fields = form(CONFIG, { title: 'x' });
      expect(await hamlet.refused('set', `<configure>${fields}</configure><create node='${NODE}'/>`)).toBe('modify bad-request');
      expect(await hamlet.refused('set', `<create node='${NODE}'/><configure node='${NODE}'>${fields}</configure>`)).toBe('modify bad-request');
      expect(a.broker.topic(NODE)).toBeUndefined();
    });

    it.each([
      ['subscribe', '0'], ['tempsub', '1'], ['max_items', '0'], ['max_items', '-1'], ['deliver_payloads', 'perhaps'],
    ])('§8.1.3 %s %s, which cannot be kept, is refused and not ignored', async (field, value) => {
      expect(await hamlet.refused('set', `<create node='${NODE}'/><configure>${form(CONFIG, { [field]: value })}</configure>`)).toBe('modify not-acceptable');
      expect(a.broker.topic(NODE)).toBeUndefined();
    });
  });

  describe('§8.2 Configure a Node', () => {
    it('§8.2.2 the form says how it is now', async () => {
      await create(NODE, { title: 'Musings', access_model: 'roster', roster_groups_allowed: ['class:paired'], max_items: 'max' });
      const configuration = await owner(hamlet, 'get', `<configure node='${NODE}'/>`);
      expect(attr(find(configuration, 'configure')!, 'node')).toBe(NODE);
      expect(attr(find(configuration, 'x')!, 'type')).toBe('form');
      expect(answered(configuration)).toMatchObject({
        FORM_TYPE: [CONFIG], title: ['Musings'], access_model: ['roster'], roster_groups_allowed: ['class:paired'], max_items: ['max'],
        deliver_payloads: ['1'], notify_sub: ['0'], send_last_published_item: ['never'], node_type: ['leaf'], publish_node_full: ['retract-oldest'],
      });
      const model = all(configuration, 'field').find((field) => attr(field, 'var') === 'pubsub#access_model');
      expect(all(model!, 'option').map((option) => find(option, 'value')?.getText() ?? '').toSorted()).toEqual(['authorize', 'open', 'presence', 'roster', 'whitelist']);
    });

    it('§16.3 config-node-max: max is taken for max_items and item_expire, and is as much as there may be', async () => {
      await create(NODE, { max_items: 'max', item_expire: 'max' });
      expect(a.broker.settings(OWNER, NODE)).toMatchObject({ maxItems: TOPIC_FIELDS.maxItems.kind === 'count' ? TOPIC_FIELDS.maxItems.most : 0 });
      expect(a.broker.settings(OWNER, NODE).itemExpire).toBeGreaterThan(50 * 365 * 86_400_000);
    });

    it('§8.2.3.2 not an owner → forbidden', async () => {
      await create(NODE, { access_model: 'open' });
      expect(await refused(horatio, 'get', `<configure node='${NODE}'/>`)).toBe('auth forbidden');
      expect(await refused(horatio, 'set', `<configure node='${NODE}'>${form(CONFIG, { title: 'x' })}</configure>`)).toBe('auth forbidden');
      expect(await refused(horatio, 'set', `<configure node='${NODE}'><x xmlns='jabber:x:data' type='cancel'/></configure>`)).toBe('auth forbidden');
    });

    it('§8.2.3.3 no NodeID → bad-request / nodeid-required', async () => {
      expect(await refused(hamlet, 'get', '<configure/>')).toBe('modify bad-request / nodeid-required');
      expect(await refused(hamlet, 'set', `<configure>${form(CONFIG, { title: 'x' })}</configure>`)).toBe('modify bad-request / nodeid-required');
    });

    it('§8.2.3.4 a collection, which has nothing to configure → not-allowed', async () => {
      await create();
      expect(await refused(hamlet, 'get', "<configure node='hamlet/'/>")).toBe('cancel not-allowed');
      expect(await refused(hamlet, 'set', `<configure node='hamlet/'>${form(CONFIG, { title: 'x' })}</configure>`)).toBe('cancel not-allowed');
    });

    it('§8.2.3.5 a node that is not there → item-not-found; to whom may not know that, forbidden', async () => {
      expect(await refused(hamlet, 'get', `<configure node='${NODE}'/>`)).toBe('cancel item-not-found');
      expect(await refused(horatio, 'get', `<configure node='${NODE}'/>`)).toBe('auth forbidden');
    });

    it('§8.2.4, §8.2.5.1 a form in part keeps the other values, a cancelled one all', async () => {
      await create(NODE, { title: 'Musings', access_model: 'open' });
      await configure({ max_items: '7' });
      expect(a.broker.topic(NODE)).toMatchObject({ title: 'Musings', accessModel: 'open', maxItems: 7 });
      await owner(hamlet, 'set', `<configure node='${NODE}'><x xmlns='jabber:x:data' type='cancel'><field var='pubsub#title'><value>No</value></field></x></configure>`);
      expect(a.broker.topic(NODE)).toMatchObject({ title: 'Musings' });
      await configure({ title: '' });
      expect(a.broker.topic(NODE)).not.toHaveProperty('title');
    });

    it('§8.2.5.2 what cannot be → not-acceptable, and nothing of it is done', async () => {
      await create();
      expect(await refused(hamlet, 'set', `<configure node='${NODE}'>${form(CONFIG, { title: 'New', max_items: 'many' })}</configure>`)).toBe('modify not-acceptable');
      expect(await refused(hamlet, 'set', `<configure node='${NODE}'>${form(CONFIG, { roster_groups_allowed: 'friends' })}</configure>`)).toBe('modify not-acceptable');
      expect(a.broker.topic(NODE)).not.toHaveProperty('title');
      expect(await refused(hamlet, 'set', `<configure node='${NODE}'/>`)).toBe('modify bad-request');
    });


    it('a grant to write is none to configure', async () => {
      await a.broker.create(OWNER, 'hamlet/of-the-box');
      expect(await refused(hamlet, 'get', "<configure node='hamlet/of-the-box'/>")).toBe('auth forbidden');
    });
  });

  describe('§14.2 Authorization', () => {
    it.each([
      ['get', `<configure node='${NODE}'/>`], ['set', `<configure node='${NODE}'>${form(CONFIG, { title: 'x' })}</configure>`], ['set', `<delete node='${NODE}'/>`], ['set', `<purge node='${NODE}'/>`],
      ['get', `<subscriptions node='${NODE}'/>`], ['set', `<subscriptions node='${NODE}'/>`], ['get', `<affiliations node='${NODE}'/>`], ['set', `<affiliations node='${NODE}'/>`],
    ] as const)('who is no owner, though it may publish and is subscribed, does not %s %s → forbidden', async (type, inner) => {
      await create(NODE, { access_model: 'open', publish_model: 'open' });
      await horatio.ask('set', `<subscribe node='${NODE}' jid='${horatio.name}'/>`);
      expect(await refused(horatio, type, inner)).toBe('auth forbidden');
      await a.service.rules.setAffiliation(NODE, horatio.name, 'publisher');
      expect(await refused(horatio, type, inner)).toBe('auth forbidden');
    });
  });

  describe('§8.3 Request Default Node Configuration Options', () => {
    it('§8.3.1, §8.3.3 are those that a node gets of which nothing is said', async () => {
      const defaults = await owner(horatio, 'get', '<default/>');
      await create();
      const configuration = await owner(hamlet, 'get', `<configure node='${NODE}'/>`);
      expect(answered(defaults)).toEqual(answered(configuration));
      expect(find(defaults, 'default')).toBeDefined();
    });

    it('§8.3.2 of the type leaf, which is meant where none is said; §8.3.4.2 of another there are none', async () => {
      expect(answered(await owner(horatio, 'get', "<default type='leaf'/>"))).toEqual(answered(await owner(horatio, 'get', '<default/>')));
      expect(await refused(horatio, 'get', "<default type='collection'/>")).toBe('cancel feature-not-implemented / unsupported retrieve-default');
      expect(await refused(horatio, 'get', "<default type='branch'/>")).toBe('modify bad-request');
    });
  });

  describe('§8.4 Delete a Node', () => {

    it('§6.1.3.11 whoever asks for it later hears where it went, until there is one of that name again', async () => {
      await create(NODE, { access_model: 'open' });
      await owner(hamlet, 'set', `<delete node='${NODE}'><redirect uri='xmpp:hamlet@denmark.lit?;node=blog'/></delete>`);
      const gone = await failure(horatio.ask('set', `<subscribe node='${NODE}' jid='${horatio.name}'/>`));
      expect(shown(gone)).toBe('modify gone');
      expect(gone.uri).toBe('xmpp:hamlet@denmark.lit?;node=blog');
      await create();
      await owner(hamlet, 'set', `<delete node='${NODE}'/>`);
      expect(await refused(hamlet, 'get', `<configure node='${NODE}'/>`)).toBe('cancel item-not-found');
    });

    it('§8.4.1, §8.4.2 it is gone, with all its items', async () => {
      await create(NODE, { access_model: 'open' });
      await a.broker.publish(OWNER, NODE, toPayload(1));
      await owner(hamlet, 'set', `<delete node='${NODE}'/>`);
      expect(a.broker.topic(NODE)).toBeUndefined();
      await create(NODE, { access_model: 'open' });
      expect(await a.broker.items(OWNER, NODE)).toEqual([]);
    });

    it('§8.4.3 the root, or another collection → not-allowed', async () => {
      for (const which of ['', " node=''", " node='hamlet/'"]) expect(await refused(hamlet, 'set', `<delete${which}/>`)).toBe('cancel not-allowed');
    });

    it('§8.4.3.1, §8.4.3.2 not an owner → forbidden; not there → item-not-found', async () => {
      await create(NODE, { access_model: 'open', publish_model: 'open' });
      expect(await refused(horatio, 'set', `<delete node='${NODE}'/>`)).toBe('auth forbidden');
      expect(await refused(hamlet, 'set', "<delete node='hamlet/nothing'/>")).toBe('cancel item-not-found');
      expect(await refused(hamlet, 'set', `<delete node='${NODE}'><redirect uri='no uri'/></delete>`)).toBe('modify not-acceptable');
      expect(a.broker.topic(NODE)).toBeDefined();
    });

    it('who makes one of that name again has it, and nobody of before', async () => {
      await create(NODE);
      await owner(hamlet, 'set', `<delete node='${NODE}'/>`);
      await a.broker.publish(OWNER, NODE, toPayload(1));
      expect(await refused(hamlet, 'get', `<configure node='${NODE}'/>`)).toBe('auth forbidden');
    });
  });

  describe('§8.5 Purge All Node Items', () => {
    it('§8.5.2 it is empty', async () => {
      await create(NODE, { access_model: 'open' });
      for (const id of ['1', '2']) await a.broker.publish(OWNER, NODE, toPayload(id), { id });
      await owner(hamlet, 'set', `<purge node='${NODE}'/>`);
      expect(await a.broker.items(OWNER, NODE)).toEqual([]);
    });

    it('§8.5.3.3 a collection → feature-not-implemented / unsupported persistent-items', async () => {
      expect(await refused(hamlet, 'set', "<purge node='hamlet/'/>")).toBe('cancel feature-not-implemented / unsupported persistent-items');
    });

    it('§8.5.3.2, §8.5.3.3, §8.5.3.4 not an owner → forbidden; keeps no items → feature-not-implemented / unsupported persistent-items; not there → item-not-found', async () => {
      await create(NODE, { persist_items: '0', publish_model: 'open' });
      expect(await refused(horatio, 'set', `<purge node='${NODE}'/>`)).toBe('auth forbidden');
      expect(await refused(hamlet, 'set', `<purge node='${NODE}'/>`)).toBe('cancel feature-not-implemented / unsupported persistent-items');
      expect(await refused(hamlet, 'set', "<purge node='hamlet/nothing'/>")).toBe('cancel item-not-found');
    });
  });

  describe('§8.9 Manage Affiliations', () => {
    const affiliations = async (client = hamlet): Promise<Record<string, string>> => Object.fromEntries(
      all(await owner(client, 'get', `<affiliations node='${NODE}'/>`), 'affiliation').map((one) => [attr(one, 'jid') ?? '', attr(one, 'affiliation') ?? '']));
    const set = (...changes: readonly (readonly [string, string])[]) =>
      `<affiliations node='${NODE}'>${changes.map(([jid, affiliation]) => `<affiliation jid='${jid}' affiliation='${affiliation}'/>`).join('')}</affiliations>`;

    beforeEach(async () => {
      await create();
      await horatio.ask('get', '<affiliations/>'); // so that it has shown its key under its name
    });

    it('§8.9.1.1, §8.9.1.2 lists who has one, the box among the owners', async () => {
      await owner(hamlet, 'set', set([horatio.name, 'outcast']));
      expect(await affiliations()).toEqual({ [a.link.name]: 'owner', [hamlet.name]: 'owner', [horatio.name]: 'outcast' });
    });

    it.each([['member'], ['publisher'], ['publish-only'], ['owner'], ['outcast']])('§8.9.2.2 %s is set, by key, and none takes it back', async (affiliation) => {
      await owner(hamlet, 'set', set([horatio.name, affiliation]));
      expect(a.broker.rights.affiliation(NODE, `key:${horatio.fingerprint}`)).toBe(affiliation);
      expect(find(await horatio.ask('get', `<affiliations node='${NODE}'/>`), 'affiliation')?.attrs).toMatchObject({ node: NODE, affiliation });
    });

    it('§8.9.3 none takes it away', async () => {
      await owner(hamlet, 'set', set([horatio.name, 'publisher']));
      await horatio.ask('set', `<publish node='${NODE}'><item><x xmlns='urn:x'/></item></publish>`);
      await owner(hamlet, 'set', set([horatio.name, 'none']));
      expect(await affiliations()).not.toHaveProperty([horatio.name]);
      expect(await horatio.refused('set', `<publish node='${NODE}'><item><x xmlns='urn:x'/></item></publish>`)).toBe('auth forbidden');
    });

    it('§8.9.2.1 without an affiliation it stays', async () => {
      await owner(hamlet, 'set', set([horatio.name, 'member']));
      await owner(hamlet, 'set', `<affiliations node='${NODE}'><affiliation jid='${horatio.name}'/></affiliations>`);
      expect(await affiliations()).toHaveProperty([horatio.name], 'member');
    });

    it('§8.9.1.3.2, §8.9.1.3.3, §8.9.2.3.3, §8.9.2.3.4 not an owner → forbidden; not there → item-not-found', async () => {
      await owner(hamlet, 'set', set([horatio.name, 'publisher']));
      expect(await refused(horatio, 'get', `<affiliations node='${NODE}'/>`)).toBe('auth forbidden');
      expect(await refused(horatio, 'set', set([horatio.name, 'owner']))).toBe('auth forbidden');
      expect(await refused(hamlet, 'get', "<affiliations node='hamlet/nothing'/>")).toBe('cancel item-not-found');
      expect(await refused(hamlet, 'set', `<affiliations node='hamlet/nothing'><affiliation jid='${horatio.name}' affiliation='member'/></affiliations>`)).toBe('cancel item-not-found');
      expect(await refused(hamlet, 'set', set([horatio.name, 'emperor']))).toBe('modify bad-request');
    });

    it('§8.9.2.4 one that cannot be → not-acceptable with it as it is; the others are done', async () => {
      const error = await failure(owner(hamlet, 'set', set([a.link.name, 'none'], ['bernardo@nowhere', 'owner'], [horatio.name, 'publisher'])));
      expect(shown(error)).toBe('modify not-acceptable');
      expect(await affiliations()).toEqual({ [a.link.name]: 'owner', [hamlet.name]: 'owner', [horatio.name]: 'publisher' });
      expect(all(error.beside!, 'affiliation').map(({ attrs }) => attrs)).toEqual([{ jid: a.link.name, affiliation: 'owner' }, { jid: 'bernardo@nowhere', affiliation: 'none' }]);
    });

    it('§8.9.2.4 a name for which no key is known gets nothing, nor does whoever comes to have it', async () => {
      expect(await refused(hamlet, 'set', set(['bernardo@h4', 'owner']))).toBe('modify not-acceptable');
      const bernardo = await connect(lan, a, 4, 'bernardo');
      expect(bernardo.name).toBe('bernardo@h4');
      expect(await refused(bernardo, 'get', `<configure node='${NODE}'/>`)).toBe('auth forbidden');
    });

    it('§8.9.2.4 the same entity twice → bad-request, also by its name and its key', async () => {
      expect(await refused(hamlet, 'set', set([horatio.name, 'member'], [horatio.fingerprint, 'owner']))).toBe('modify bad-request');
      expect(await affiliations()).not.toHaveProperty([horatio.name]);
    });

    it('§4.1 an owner resigns, and is not made something else by another one', async () => {
      await owner(hamlet, 'set', set([horatio.name, 'owner']));
      expect(await refused(horatio, 'set', set([hamlet.name, 'outcast']))).toBe('modify not-acceptable');
      expect(await refused(horatio, 'set', set([hamlet.name, 'none']))).toBe('modify not-acceptable');
      await owner(hamlet, 'set', set([hamlet.name, 'none']));
      expect(await affiliations(horatio)).toEqual({ [a.link.name]: 'owner', [horatio.name]: 'owner' });
    });

    it('the box\'s owner says what it will', async () => {
      await a.service.rules.setAffiliation(NODE, hamlet.name, 'outcast');
      expect(await refused(hamlet, 'get', `<affiliations node='${NODE}'/>`)).toBe('auth forbidden');
      expect(await a.service.rules.affiliations(NODE)).toEqual([{ peer: hamlet.name, fingerprint: hamlet.fingerprint, affiliation: 'outcast' }]);
    });

    it('what is said follows the key through a change of its name, and revoking the key takes it back', async () => {
      await a.service.rules.setAffiliation(NODE, horatio.fingerprint, 'owner');
      await a.service.rules.revoke(horatio.name);
      expect(a.broker.affiliations(OWNER, NODE)).toEqual([[`key:${hamlet.fingerprint}`, 'owner']]);
    });
  });
});
