// XEP-0060 1.30 §8.7 and §8.8. What is told of it is in 08-6-told.test.ts.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OWNER } from '../../../src/pubsub/actor.ts';
import { StanzaError } from '../../../src/xmpp/stanza-error.ts';
import { attr, type Element, parseElement } from '../../../src/xmpp/element.ts';
import { SimulatedLan } from '../../link/fixtures.ts';
import { serviceBox, type ServiceBox } from '../../link/service-box.ts';
import { all, type Asker, form, PUBSUB, SUBSCRIBE_OPTIONS, TRANSPORTS } from './client.ts';
import { shown } from './shown-error.ts';

const OWNERS = `${PUBSUB}#owner`;
const NODE = 'hamlet/musings';

describe.each(TRANSPORTS)('XEP-0060 §8 Owner Use Cases, %s', (_, connect) => {
  let lan: SimulatedLan;
  let a: ServiceBox;
  let hamlet: Asker;
  let horatio: Asker;

  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await serviceBox(lan, 1, 'a');
    hamlet = await connect(lan, a, 2, 'hamlet');
    horatio = await connect(lan, a, 3, 'horatio');
    await a.trust.allow(hamlet.fingerprint, 'write', 'hamlet/#');
    await hamlet.ask('set', `<create node='${NODE}'/>`);
    await a.broker.configure(OWNER, NODE, { accessModel: 'authorize' });
    await horatio.ask('get', '<affiliations/>');
  });
  afterEach(() => lan.close());

  const state = (): string[] => Array.from(a.service.subscriptions.of(horatio.fingerprint, NODE), (row) => row.state);
  const subscribe = (client = horatio): Promise<Element> => client.ask('set', `<subscribe node='${NODE}' jid='${client.name}'/>`);
  const failure = async (asked: Promise<unknown>): Promise<StanzaError> => {
    const error: unknown = await asked.then(() => undefined, (thrown: unknown) => thrown);
    if (error instanceof StanzaError) return error;
    throw new Error(`not refused: ${String(error)}`);
  };

  describe('§8.7 Process Pending Subscription Requests', () => {
    const COMMANDS = 'http://jabber.org/protocol/commands';
    const GET_PENDING = `${PUBSUB}#get-pending`;
    const run = (client: Asker, inner = '', attrs = "action='execute'", node = GET_PENDING): Promise<Element> =>
      client.request('set', parseElement(`<command xmlns='${COMMANDS}' node='${node}' ${attrs}>${inner}</command>`));
    const refused = (...asked: Parameters<typeof run>): Promise<string> => failure(run(...asked)).then(shown);
    const chosen = (node: string, type = 'submit'): string => `<x xmlns='jabber:x:data' type='${type}'><field var='pubsub#node'><value>${node}</value></field></x>`;

    it('§8.7.1, §8.7.2, §8.7.4 in two steps: the nodes at which somebody waits, then one of them', async () => {
      await subscribe();
      const first = await run(hamlet);
      expect(first.attrs).toMatchObject({ node: GET_PENDING, status: 'executing', sessionid: expect.any(String) as string });
      const fields = all(first, 'field').filter((one) => attr(one, 'type') !== 'hidden');
      expect(fields.map((one) => [attr(one, 'var'), ...all(one, 'value').map((value) => value.getText())])).toEqual([['pubsub#node', NODE]]);
      const second = await run(hamlet, chosen(NODE), `action='execute' sessionid='${attr(first, 'sessionid') ?? ''}'`);
      expect(second.attrs).toMatchObject({ status: 'completed', sessionid: attr(first, 'sessionid') });
    });

    it('§8.7.2 nobody waits: there is nothing to choose', async () => {
      expect(all(await run(hamlet), 'option')).toEqual([]);
    });

    it('§8.7.3.3, §8.7.3.4 no owner → forbidden; not there → item-not-found', async () => {
      expect(await refused(horatio)).toBe('cancel forbidden');
      expect(await refused(horatio, chosen(NODE))).toBe('cancel forbidden');
      await a.broker.create(OWNER, 'others');
      expect(await refused(hamlet, chosen('others'))).toBe('auth forbidden');
      expect(await refused(hamlet, chosen('hamlet/nothing'))).toBe('cancel item-not-found');
    });

    it('XEP-0050 §2.2 it is listed for owners, §2.4.3 cancelled, and §4.4 refuses what is no action', async () => {
      const list = (client: Asker) => client.query(`<query xmlns='http://jabber.org/protocol/disco#items' node='${COMMANDS}'/>`);
      expect(all(await list(hamlet), 'item').map(({ attrs }) => attrs['node'])).toEqual([GET_PENDING]);
      expect(all(await list(horatio), 'item')).toEqual([]);
      const info = await hamlet.query(`<query xmlns='http://jabber.org/protocol/disco#info' node='${GET_PENDING}'/>`);
      expect(all(info, 'identity').map(({ attrs }) => attrs['type'])).toEqual(['command-node']);
      expect(attr(await run(hamlet, '', "action='cancel'"), 'status')).toBe('canceled');
      await expect(run(hamlet, '', "action='prev'")).rejects.toMatchObject({ condition: 'bad-request', application: { name: 'bad-action' } });
      await expect(run(hamlet, '', "action='dance'")).rejects.toMatchObject({ condition: 'bad-request', application: { name: 'malformed-action' } });
    });
  });

  describe('§8.8 Manage Subscriptions', () => {
    const owner = (type: 'get' | 'set', inner: string, client = hamlet) => client.ask(type, inner, OWNERS);
    const list = async (): Promise<unknown[]> => all(await owner('get', `<subscriptions node='${NODE}'/>`), 'subscription').map(({ attrs }) => [attrs['jid'], attrs['subscription']]);
    const set = (jid: string, subscription?: string, subid?: string) =>
      `<subscriptions node='${NODE}'><subscription jid='${jid}'${subscription === undefined ? '' : ` subscription='${subscription}'`}${subid === undefined ? '' : ` subid='${subid}'`}/></subscriptions>`;

    beforeEach(() => a.broker.configure(OWNER, NODE, { accessModel: 'open' }));

    it('§8.8.1.1, §8.8.1.2 lists those there are, and not those that wait', async () => {
      await subscribe();
      await hamlet.ask('set', `<subscribe node='${NODE}' jid='${hamlet.name}'/><reader xmlns='urn:lanpost:0' name='r'/>`);
      await a.broker.configure(OWNER, NODE, { accessModel: 'authorize' });
      const bernardo = await connect(lan, a, 4, 'bernardo');
      await subscribe(bernardo);
      expect(await list()).toEqual([[horatio.name, 'subscribed'], [hamlet.name, 'subscribed']]);
    });

    it('§8.8.1.3.2, §8.8.1.3.3, §8.8.2.3.2, §8.8.2.3.3 not an owner → forbidden; not there → item-not-found', async () => {
      expect(await horatio.refused('get', `<subscriptions node='${NODE}'/>`, OWNERS)).toBe('auth forbidden');
      expect(await horatio.refused('set', set(horatio.name, 'none'), OWNERS)).toBe('auth forbidden');
      expect(await hamlet.refused('get', "<subscriptions node='hamlet/nothing'/>", OWNERS)).toBe('cancel item-not-found');
      expect(await hamlet.refused('set', set(horatio.name, 'none').replace(NODE, 'hamlet/nothing'), OWNERS)).toBe('cancel item-not-found');
    });

    it('§8.8.3 none ends it', async () => {
      await subscribe();
      await owner('set', set(horatio.name, 'none'));
      expect(await list()).toEqual([]);
      expect(state()).toEqual([]);
    });

    it('§8.8.3 none ends a box\'s reader, too', async () => {
      await horatio.ask('set', `<subscribe node='${NODE}' jid='${horatio.name}'/><reader xmlns='urn:lanpost:0' name='r'/>`);
      await owner('set', set(horatio.name, 'none', 'r'));
      expect(a.log.hasCursor(`peer:${horatio.fingerprint}:r`)).toBe(false);
    });

    it('§8.8.2.1 without a state it stays; subscribed lets in who waits', async () => {
      await a.broker.configure(OWNER, NODE, { accessModel: 'authorize' });
      await subscribe();
      await owner('set', set(horatio.name));
      expect(state()).toEqual(['pending']);
      await owner('set', set(horatio.name, 'subscribed'));
      expect(state()).toEqual(['subscribed']);
    });

    it('§8.8.2.4 what cannot be → not-acceptable with it as it is, and the rest is done: nobody subscribes anybody else', async () => {
      await subscribe();
      const both = `<subscriptions node='${NODE}'><subscription jid='bernardo@h4' subscription='subscribed'/><subscription jid='${horatio.name}' subscription='none'/></subscriptions>`;
      const failed = await failure(owner('set', both));
      expect(shown(failed)).toBe('modify not-acceptable');
      expect(all(failed.beside!, 'subscription').map(({ attrs }) => attrs)).toEqual([{ jid: 'bernardo@h4', subscription: 'none' }]);
      expect(state()).toEqual([]);
    });

    it('§8.8.1.2 of one entity with several each has a SubID of its own; §8.8.2.4 which of them becomes another state has to be said', async () => {
      await subscribe();
      await horatio.ask('set', `<subscribe node='${NODE}' jid='${horatio.name}'/><options>${form(SUBSCRIBE_OPTIONS, { include_body: '1' })}</options>`);
      const subids = all(await owner('get', `<subscriptions node='${NODE}'/>`), 'subscription').map((one) => attr(one, 'subid'));
      expect(new Set(subids).size).toBe(2);
      expect(shown(await failure(owner('set', set(horatio.name, 'subscribed'))))).toBe('modify not-acceptable');
      await owner('set', set(horatio.name, 'none', subids[0]));
      expect(all(await owner('get', `<subscriptions node='${NODE}'/>`), 'subscription').map((one) => attr(one, 'subid'))).toEqual([subids[1]]);
    });
  });
});
