// XEP-0060 1.30 §6.3 and §6.4.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OWNER } from '../../../src/pubsub/actor.ts';
import { attr, type Element } from '../../../src/xmpp/element.ts';
import { SimulatedLan } from '../../link/fixtures.ts';
import { serviceBox, type ServiceBox } from '../../link/service-box.ts';
import { all, answered, type Asker, find, form, PUBSUB, SUBSCRIBE_OPTIONS, TRANSPORTS } from './client.ts';

describe.each(TRANSPORTS)('XEP-0060 §6.3 Configure Subscription Options, %s', (_, connect) => {
  let lan: SimulatedLan;
  let a: ServiceBox;
  let c: Asker;
  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await serviceBox(lan, 1, 'a');
    c = await connect(lan, a, 2, 'francisco');
    await a.broker.create(OWNER, 'open', { accessModel: 'open' });
  });
  afterEach(() => lan.close());
  const subscribe = (node: string, more = ''): Promise<Element> => c.ask('set', `<subscribe node='${node}' jid='${c.name}'/>${more}`);
  const options = (fields: Record<string, string | string[]>): string => `<options>${form(SUBSCRIBE_OPTIONS, fields)}</options>`;
  const submitted = (fields: Record<string, string | string[]>, more = ''): string => `<options node='open' jid='${c.name}'${more}>${form(SUBSCRIBE_OPTIONS, fields)}</options>`;
  const set = async (): Promise<Record<string, string[]>> => answered(await c.ask('get', `<options node='open' jid='${c.name}'/>`));

  it('§6.3.1 it is announced', async () => {
    const info = await c.query("<query xmlns='http://jabber.org/protocol/disco#info'/>");
    expect(all(info, 'feature').map((feature) => attr(feature, 'var'))).toContain(`${PUBSUB}#subscription-options`);
  });

  it('§6.3.3 the form has what there is, with its values', async () => {
    await subscribe('open');
    expect(await set()).toEqual({
      FORM_TYPE: [SUBSCRIBE_OPTIONS], deliver: ['1'], include_body: ['0'], 'show-values': ['away', 'chat', 'dnd', 'online', 'xa'], expire: [],
    });
  });

  it('§6.3.5, §6.3.6.1 what is submitted holds; what it does not name stays; what is cancelled changes nothing', async () => {
    await subscribe('open');
    await c.ask('set', submitted({ deliver: '0', 'show-values': ['chat', 'online'] }));
    await c.ask('set', submitted({ include_body: 'true', digest: '0' }));
    expect(await set()).toMatchObject({ deliver: ['0'], include_body: ['1'], 'show-values': ['chat', 'online'] });
    await c.ask('set', `<options node='open' jid='${c.name}'><x xmlns='jabber:x:data' type='cancel'/></options>`);
    expect(await set()).toMatchObject({ deliver: ['0'], include_body: ['1'] });
  });

  it.each([['digest', '1'], ['deliver', 'perhaps'], ['show-values', 'asleep'], ['expire', 'tomorrow'], ['expire', '2006-02-28T11:59:59Z']])('§6.3.6.2 %s %s → bad-request / invalid-options', async (name, value) => {
    await subscribe('open');
    expect(await c.refused('set', submitted({ [name]: value }))).toBe('modify bad-request / invalid-options');
  });

  it('§6.3.6.2 no form, or another → bad-request / invalid-options', async () => {
    await subscribe('open');
    for (const inner of ['', form(`${PUBSUB}#node_config`, {})]) expect(await c.refused('set', `<options node='open' jid='${c.name}'>${inner}</options>`)).toBe('modify bad-request / invalid-options');
  });

  it('§6.3.4.1 somebody else\'s → forbidden, to get and to set', async () => {
    expect(await c.refused('get', `<options node='open' jid='bernardo@h3'/>`)).toBe('auth forbidden');
    expect(await c.refused('set', submitted({ deliver: '0' }).replace(c.name, 'bernardo@h3/barracks'))).toBe('auth forbidden');
  });

  it('§6.3.4.2 not subscribed → unexpected-request / not-subscribed', async () => {
    expect(await c.refused('get', `<options node='open' jid='${c.name}'/>`)).toBe('modify unexpected-request / not-subscribed');
    expect(await c.refused('set', submitted({ deliver: '0' }))).toBe('modify unexpected-request / not-subscribed');
  });

  it('§6.3.4.3 no JID → bad-request / jid-required', async () => {
    expect(await c.refused('get', `<options node='open'/>`)).toBe('modify bad-request / jid-required');
  });

  it('§6.3.4.1 no node: the root', async () => {
    await subscribe('');
    expect(find(await c.ask('get', `<options jid='${c.name}'/>`), 'options')?.attrs).toMatchObject({ node: '', jid: c.name });
  });

  it('§6.3.4.4 several and no SubID → bad-request / subid-required; by its SubID it is one of them', async () => {
    await subscribe('open');
    const subid = attr(find(await subscribe('open', options({ include_body: '1' })), 'subscription')!, 'subid');
    expect(await c.refused('get', `<options node='open' jid='${c.name}'/>`)).toBe('modify bad-request / subid-required');
    expect(await c.refused('set', submitted({ deliver: '0' }))).toBe('modify bad-request / subid-required');
    const got = await c.ask('get', `<options node='open' jid='${c.name}' subid='${String(subid)}'/>`);
    expect(find(got, 'options')?.attrs).toMatchObject({ subid });
    expect(answered(got)).toMatchObject({ include_body: ['1'] });
  });

  it('§6.3.4.5 a SubID that is not valid → not-acceptable / invalid-subid', async () => {
    await subscribe('open');
    expect(await c.refused('get', `<options node='open' jid='${c.name}' subid='x'/>`)).toBe('modify not-acceptable / invalid-subid');
    expect(await c.refused('set', submitted({}, " subid='x'"))).toBe('modify not-acceptable / invalid-subid');
  });

  it('§6.3.4.7 a node that is not there → item-not-found', async () => {
    await a.trust.allow(c.fingerprint, 'read', '#');
    expect(await c.refused('get', `<options node='gone' jid='${c.name}'/>`)).toBe('cancel item-not-found');
  });

  it('§6.3.7 subscribe and configure: the answer has the options that hold', async () => {
    const answer = await subscribe('open', options({ include_body: 'true', 'show-values': ['chat', 'online'] }));
    expect(find(answer, 'subscription')?.attrs['subscription']).toBe('subscribed');
    expect(answered(answer)).toMatchObject({ include_body: ['1'], 'show-values': ['chat', 'online'] });
  });

  it('§6.3.7 options that stand before it, or have a node or JID of their own → bad-request, and nothing is subscribed to', async () => {
    const fields = form(SUBSCRIBE_OPTIONS, {});
    const self = `<subscribe node='open' jid='${c.name}'/>`;
    expect(await c.refused('set', `${self}<options node='open'>${fields}</options>`)).toBe('modify bad-request');
    expect(await c.refused('set', `${self}<options jid='${c.name}'>${fields}</options>`)).toBe('modify bad-request');
    expect(await c.refused('set', `<options>${fields}</options>${self}`)).toMatch(/^modify bad-request/);
    expect(all(await c.ask('get', '<subscriptions/>'), 'subscription')).toEqual([]);
  });

  it('§6.3.7 options that cannot be → bad-request / invalid-options, and nothing is subscribed to', async () => {
    expect(await c.refused('set', `<subscribe node='open' jid='${c.name}'/>${options({ digest: '1' })}`)).toBe('modify bad-request / invalid-options');
    expect(all(await c.ask('get', '<subscriptions/>'), 'subscription')).toEqual([]);
  });

  it('§6.4.1, §6.4.2 defaults, of the service and of a node', async () => {
    expect(answered(await c.ask('get', '<default/>'))).toMatchObject({ deliver: ['1'] });
    expect(answered(await c.ask('get', `<default node='open'/>`))).toMatchObject({ deliver: ['1'], include_body: ['0'] });
    expect(answered(await c.ask('get', `<default node='lamp/'/>`))).toMatchObject({ subscription_type: ['nodes'], subscription_depth: ['1'] });
  });
});
