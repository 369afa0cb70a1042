// XEP-0060 1.30 §8.6 to §8.8, with §6.1.4 and §6.1.3.7, over a stream.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toPayload } from '../../../src/payload/payload.ts';
import { OWNER } from '../../../src/pubsub/actor.ts';
import { StanzaError } from '../../../src/xmpp/stanza-error.ts';
import { attr, type Element, parseElement } from '../../../src/xmpp/element.ts';
import { MemoryDatabase } from '../../../src/log/memory-database.ts';
import { SimulatedLan } from '../../link/fixtures.ts';
import { serviceBox, type ServiceBox } from '../../link/service-box.ts';
import { all, answered, find, PUBSUB, pubsubClient, type PubsubClient, said } from './client.ts';

const OWNERS = `${PUBSUB}#owner`;
const AUTHORIZATION = `${PUBSUB}#subscribe_authorization`;
const NODE = 'hamlet/musings';

let lan: SimulatedLan;
let a: ServiceBox;
let hamlet: PubsubClient;
let horatio: PubsubClient;

/** The next thing that the service asks of an owner, in a message that people can read. */
async function request({ box }: PubsubClient): Promise<Element> {
  await lan.until(() => box.messages.length > 0);
  return box.messages.shift()!.stanza;
}

const verdict = (message: Element, allow: string, type = 'submit'): Element => {
  const { subid: [subid] = [], node: [node] = [], subscriber_jid: [jid] = [] } = answered(message);
  const field = (name: string, value = ''): string => `<field var='pubsub#${name}'><value>${value}</value></field>`;
  return parseElement(`<message id='${attr(message, 'id') ?? ''}'><x xmlns='jabber:x:data' type='${type}'><field var='FORM_TYPE' type='hidden'><value>${AUTHORIZATION}</value></field>`
    + `${field('subid', subid)}${field('node', node)}${field('subscriber_jid', jid)}${field('allow', allow)}</x></message>`);
};
const answer = async (client: PubsubClient, message: Element, allow: string, type?: string): Promise<void> => {
  const { delivered } = await client.box.link.send(a.link.name, verdict(message, allow, type));
  await delivered;
};
const state = (): string[] => Array.from(a.service.subscriptions.of(horatio.fingerprint, NODE), (row) => row.state);
const subscribe = (client = horatio): Promise<Element> => client.ask('set', `<subscribe node='${NODE}' jid='${client.name}'/>`);
const publish = (id: string) => a.broker.publish(OWNER, NODE, toPayload(id), { id });

beforeEach(async () => {
  lan = new SimulatedLan();
  a = await serviceBox(lan, 1, 'a', { database: new MemoryDatabase() });
  hamlet = await pubsubClient(lan, a, 2, 'hamlet');
  horatio = await pubsubClient(lan, a, 3, 'horatio');
  await a.trust.allow(hamlet.fingerprint, 'write', 'hamlet/#');
  await hamlet.ask('set', `<create node='${NODE}'/>`);
  await a.broker.configure(OWNER, NODE, { accessModel: 'authorize' });
  await horatio.ask('get', '<affiliations/>');
});
afterEach(() => lan.close());

describe('XEP-0060 §8.6 Manage Subscription Requests', () => {
  it('§6.1.4 a subscription that needs approval is pending, and nothing is told', async () => {
    expect(find(await subscribe(), 'subscription')?.attrs).toMatchObject({ node: NODE, jid: horatio.name, subscription: 'pending' });
    await publish('secret');
    expect(await horatio.refused('get', `<items node='${NODE}'/>`)).toBe('not-authorized / not-subscribed');
    expect(horatio.waiting).toEqual([]);
  });

  it('§6.1.3.7 asked for again → not-authorized / pending-subscription', async () => {
    await subscribe();
    expect(await horatio.refused('set', `<subscribe node='${NODE}' jid='${horatio.name}'/>`)).toBe('not-authorized / pending-subscription');
  });

  it('§8.6 the owner is asked in a form', async () => {
    await subscribe();
    const message = await request(hamlet);
    expect(attr(message, 'id')).toBeDefined();
    expect(answered(message)).toMatchObject({ FORM_TYPE: [AUTHORIZATION], node: [NODE], subscriber_jid: [horatio.name], allow: ['0'] });
  });

  it('§8.6 allowed: the subscriber is told, and gets what is published from then on', async () => {
    await subscribe();
    await publish('before');
    await answer(hamlet, await request(hamlet), 'true');
    expect(said(await horatio.next())).toBe(`subscription ${NODE} subscribed`);
    await publish('after');
    expect(said(await horatio.next())).toContain(`item ${NODE} after`);
    expect(all(await horatio.ask('get', `<items node='${NODE}'/>`), 'item')).toHaveLength(2);
  });

  it('§8.6 denied: the subscriber is told, and has no subscription', async () => {
    await subscribe();
    await answer(hamlet, await request(hamlet), '0');
    expect(said(await horatio.next())).toBe(`subscription ${NODE} none`);
    expect(state()).toEqual([]);
  });

  it('§8.6 cancelled: it stays pending', async () => {
    await subscribe();
    await answer(hamlet, await request(hamlet), 'true', 'cancel');
    expect(state()).toEqual(['pending']);
  });

  it('§8.6 of several owners the first answer counts', async () => {
    const bernardo = await pubsubClient(lan, a, 4, 'bernardo');
    await bernardo.ask('get', '<affiliations/>');
    await a.service.rules.setAffiliation(NODE, bernardo.name, 'owner');
    await subscribe();
    const [first, second] = [await request(hamlet), await request(bernardo)];
    await answer(hamlet, first, '1');
    await answer(bernardo, second, '0');
    expect(said(await horatio.next())).toBe(`subscription ${NODE} subscribed`);
    expect(state()).toEqual(['subscribed']);
  });

  it('§8.6 nobody but an owner answers, also not for itself', async () => {
    await subscribe();
    const message = await request(hamlet);
    await answer(horatio, message, '1');
    expect(state()).toEqual(['pending']);
  });

  it('an owner that comes later is asked then, and one that is made one later', async () => {
    const { identity } = hamlet.box;
    await hamlet.box.close();
    await lan.until(() => a.link.peers.get(hamlet.name) === undefined);
    await subscribe();
    const again = await pubsubClient(lan, a, 4, 'hamlet', { identity });
    await again.ask('get', '<affiliations/>');
    expect(answered(await request(again))).toMatchObject({ node: [NODE], subscriber_jid: [horatio.name] });
    const bernardo = await pubsubClient(lan, a, 5, 'bernardo');
    await bernardo.ask('get', '<affiliations/>');
    await a.service.rules.setAffiliation(NODE, bernardo.name, 'owner');
    expect(answered(await request(bernardo))).toMatchObject({ node: [NODE] });
  });

  it('the box\'s owner sees who waits, and says', async () => {
    await subscribe();
    expect(await a.service.rules.requests()).toEqual([{ topic: NODE, peer: horatio.name, fingerprint: horatio.fingerprint }]);
    await a.service.rules.decide(NODE, horatio.name, true);
    expect(state()).toEqual(['subscribed']);
    await expect(a.service.rules.decide(NODE, horatio.name, false)).rejects.toMatchObject({ code: 'not-found' });
  });

  it.each([['publisher', ['subscribed']], ['owner', ['subscribed']], ['member', ['subscribed']], ['outcast', []]] as const)('§8.7.4 made %s, it does not wait any more', async (affiliation, states) => {
    await subscribe();
    await a.service.rules.setAffiliation(NODE, horatio.name, affiliation);
    expect(state()).toEqual(states);
  });
});

describe('XEP-0060 §8.7 Process Pending Subscription Requests', () => {
  const COMMANDS = 'http://jabber.org/protocol/commands';
  const GET_PENDING = `${PUBSUB}#get-pending`;
  /** The command's answer, or the condition of the error. */
  const run = (client: PubsubClient, inner = '', attrs = "action='execute'", node = GET_PENDING): Promise<Element> =>
    client.box.link.request(a.link.name, parseElement(`<iq type='set'><command xmlns='${COMMANDS}' node='${node}' ${attrs}>${inner}</command></iq>`))
      .then((iq) => iq.getChild('command', COMMANDS)!);
  const chosen = (node: string, type = 'submit'): string => `<x xmlns='jabber:x:data' type='${type}'><field var='pubsub#node'><value>${node}</value></field></x>`;

  it('§8.7.1, §8.7.2, §8.7.4 in two steps an owner gets all that waits at a node, also what it was asked before', async () => {
    await subscribe();
    await request(hamlet);
    const first = await run(hamlet);
    expect(first.attrs).toMatchObject({ node: GET_PENDING, status: 'executing', sessionid: expect.any(String) as string });
    const field = all(first, 'field').find((one) => attr(one, 'var') === 'pubsub#node')!;
    expect(all(field, 'value').map((value) => value.getText())).toEqual([NODE]);
    const second = await run(hamlet, chosen(NODE), `action='execute' sessionid='${attr(first, 'sessionid') ?? ''}'`);
    expect(second.attrs).toMatchObject({ status: 'completed', sessionid: attr(first, 'sessionid') });
    const message = await request(hamlet);
    expect(answered(message)).toMatchObject({ FORM_TYPE: [AUTHORIZATION], node: [NODE], subscriber_jid: [horatio.name] });
    await answer(hamlet, message, '1');
    expect(state()).toEqual(['subscribed']);
  });

  it('§8.7.2 nobody waits: there is nothing to choose', async () => {
    expect(all(await run(hamlet), 'option')).toEqual([]);
  });

  // §8.7.3.2 is for services that do not know get-pending; of other commands see XEP-0050.
  it('§8.7.3.3, §8.7.3.4 no owner → forbidden; not there → item-not-found', async () => {
    await expect(run(horatio)).rejects.toMatchObject({ condition: 'forbidden' });
    await expect(run(horatio, chosen(NODE))).rejects.toMatchObject({ condition: 'forbidden' });
    await a.broker.create(OWNER, 'others');
    await expect(run(hamlet, chosen('others'))).rejects.toMatchObject({ condition: 'forbidden' });
    await expect(run(hamlet, chosen('hamlet/nothing'))).rejects.toMatchObject({ condition: 'item-not-found' });
  });

  it('XEP-0050 §2.2 it is listed for owners, §2.4.3 cancelled, and §4.4 refuses what is no action', async () => {
    const list = (client: PubsubClient) => client.query(`<query xmlns='http://jabber.org/protocol/disco#items' node='${COMMANDS}'/>`);
    expect(all(await list(hamlet), 'item').map(({ attrs }) => attrs['node'])).toEqual([GET_PENDING]);
    expect(all(await list(horatio), 'item')).toEqual([]);
    const info = await hamlet.query(`<query xmlns='http://jabber.org/protocol/disco#info' node='${GET_PENDING}'/>`);
    expect(all(info, 'identity').map(({ attrs }) => attrs['type'])).toEqual(['command-node']);
    expect(attr(await run(hamlet, '', "action='cancel'"), 'status')).toBe('canceled');
    await expect(run(hamlet, '', "action='prev'")).rejects.toMatchObject({ condition: 'bad-request', application: { name: 'bad-action' } });
    await expect(run(hamlet, '', "action='dance'")).rejects.toMatchObject({ condition: 'bad-request', application: { name: 'malformed-action' } });
  });
});

describe('XEP-0060 §8.8 Manage Subscriptions', () => {
  const owner = (type: 'get' | 'set', inner: string, client = hamlet) => client.ask(type, inner, OWNERS);
  const list = async (): Promise<unknown[]> => all(await owner('get', `<subscriptions node='${NODE}'/>`), 'subscription').map(({ attrs }) => [attrs['jid'], attrs['subscription']]);
  const set = (jid: string, subscription?: string, subid?: string) =>
    `<subscriptions node='${NODE}'><subscription jid='${jid}'${subscription === undefined ? '' : ` subscription='${subscription}'`}${subid === undefined ? '' : ` subid='${subid}'`}/></subscriptions>`;

  beforeEach(() => a.broker.configure(OWNER, NODE, { accessModel: 'open' }));

  it('§8.8.1.2 lists those there are, and not those that wait', async () => {
    await subscribe();
    await hamlet.ask('set', `<subscribe node='${NODE}' jid='${hamlet.name}'/><reader xmlns='urn:lanpost:0' name='r'/>`);
    await a.broker.configure(OWNER, NODE, { accessModel: 'authorize' });
    const bernardo = await pubsubClient(lan, a, 4, 'bernardo');
    await subscribe(bernardo);
    expect(await list()).toEqual([[horatio.name, 'subscribed'], [hamlet.name, 'subscribed']]);
  });

  it('§8.8.1.3 not an owner → forbidden; not there → item-not-found', async () => {
    expect(await horatio.refused('get', `<subscriptions node='${NODE}'/>`, OWNERS)).toBe('forbidden');
    expect(await horatio.refused('set', set(horatio.name, 'none'), OWNERS)).toBe('forbidden');
    expect(await hamlet.refused('get', "<subscriptions node='hamlet/nothing'/>", OWNERS)).toBe('item-not-found');
  });

  it('§8.8.3 none ends it, and §8.8.4 the subscriber is told', async () => {
    await subscribe();
    await owner('set', set(horatio.name, 'none'));
    expect(said(await horatio.next())).toBe(`subscription ${NODE} none`);
    expect(await list()).toEqual([]);
    await publish('x');
    await owner('get', `<subscriptions node='${NODE}'/>`);
    expect(horatio.waiting).toEqual([]);
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

  it('§8.8.2.4 what cannot be → not-acceptable with it as it is: nobody subscribes anybody else', async () => {
    const failed: unknown = await owner('set', set('bernardo@h4', 'subscribed')).then(() => undefined, (error: unknown) => error);
    expect(failed).toBeInstanceOf(StanzaError);
    expect(failed).toMatchObject({ condition: 'not-acceptable' });
    expect(all((failed as StanzaError).beside!, 'subscription').map(({ attrs }) => attrs)).toEqual([{ jid: 'bernardo@h4', subscription: 'none' }]);
  });
});

describe('XEP-0060 §8.2 pubsub#notify_sub', () => {
  const READER = "<reader xmlns='urn:lanpost:0' name='r'/>";
  const told = async (client = hamlet): Promise<unknown[]> => {
    const { attrs } = find(await client.next(), 'subscription')!;
    return [attrs['node'], attrs['jid'], attrs['subscription']];
  };
  const here = `node='${NODE}' jid='`;

  beforeEach(async () => {
    await a.broker.configure(OWNER, NODE, { accessModel: 'open', notifySub: true });
    await hamlet.ask('get', '<affiliations/>');
  });

  it('owners who are there hear of a new subscriber, and of one that leaves', async () => {
    await subscribe();
    expect(await told()).toEqual([NODE, horatio.name, 'subscribed']);
    await horatio.ask('set', `<unsubscribe ${here}${horatio.name}'/>`);
    expect(await told()).toEqual([NODE, horatio.name, 'none']);
    expect(horatio.waiting).toEqual([]);
  });

  it('of a box\'s readers, too, once each', async () => {
    const read = () => horatio.ask('set', `<subscribe ${here}${horatio.name}'/>${READER}`);
    await read();
    await read();
    await horatio.ask('set', `<unsubscribe ${here}${horatio.name}' subid='r'/>${READER}`);
    expect([await told(), await told()]).toEqual([[NODE, horatio.name, 'subscribed'], [NODE, horatio.name, 'none']]);
    expect(hamlet.waiting).toEqual([]);
  });

  it('of who was let in; who waits is asked about, and is no subscriber yet', async () => {
    await a.broker.configure(OWNER, NODE, { accessModel: 'authorize' });
    await subscribe();
    await answer(hamlet, await request(hamlet), '1');
    expect(await told()).toEqual([NODE, horatio.name, 'subscribed']);
    await a.service.rules.setAffiliation(NODE, horatio.name, 'outcast');
    expect(await told()).toEqual([NODE, horatio.name, 'none']);
  });

  it('nobody but owners is told, no owner of itself, and nobody without the setting', async () => {
    await a.service.rules.setAffiliation(NODE, horatio.name, 'publisher');
    await subscribe(hamlet);
    await a.broker.configure(OWNER, NODE, { notifySub: false });
    expect(said(await hamlet.next())).toBe(`configuration ${NODE}`);
    await subscribe();
    await publish('x');
    expect([said(await hamlet.next()), said(await horatio.next())]).toEqual([expect.stringContaining('item'), expect.stringContaining('item')]);
  });
});
