// oxlint-disable vitest/warn-todo -- what is not done stays visible
// XEP-0060 1.30 §8: what owners are asked (§8.6, §8.7.4) and told, and subscribers by what owners do, over a stream.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toPayload } from '../../../src/payload/payload.ts';
import { OWNER } from '../../../src/pubsub/actor.ts';
import { attr, type Element, parseElement } from '../../../src/xmpp/element.ts';
import { MemoryDatabase } from '../../../src/log/memory-database.ts';
import { SimulatedLan } from '../../link/fixtures.ts';
import { serviceBox, type ServiceBox } from '../../link/service-box.ts';
import { all, answered, find, form, PUBSUB, pubsubClient, type PubsubClient, said } from './client.ts';

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

describe('XEP-0060 §8.7.4 Per-Node Request', () => {
  it('an owner gets all that waits at a node, also what it was asked before, and its answer counts', async () => {
    await subscribe();
    await request(hamlet);
    const chosen = `<x xmlns='jabber:x:data' type='submit'><field var='pubsub#node'><value>${NODE}</value></field></x>`;
    await hamlet.request('set', parseElement(`<command xmlns='http://jabber.org/protocol/commands' node='${PUBSUB}#get-pending' action='execute'>${chosen}</command>`));
    const message = await request(hamlet);
    expect(answered(message)).toMatchObject({ FORM_TYPE: [AUTHORIZATION], node: [NODE], subscriber_jid: [horatio.name] });
    await answer(hamlet, message, '1');
    expect(state()).toEqual(['subscribed']);
  });
});

describe('XEP-0060 §8 what an owner does by a request is told', () => {
  it.todo('§8.9.4 telling somebody that its affiliation is another: a MAY');

  const owner = (inner: string) => hamlet.ask('set', inner, OWNERS);
  const configure = (fields: Record<string, string>) => owner(`<configure node='${NODE}'>${form(`${PUBSUB}#node_config`, fields)}</configure>`);

  beforeEach(async () => {
    await a.broker.configure(OWNER, NODE, { accessModel: 'open' });
    await subscribe();
  });

  it('§8.2.5.3 a configuration, with the form when there are payloads', async () => {
    await configure({ title: 'New' });
    const message = await horatio.next();
    expect(said(message)).toBe(`configuration ${NODE}`);
    expect(answered(message)).toMatchObject({ FORM_TYPE: [`${PUBSUB}#node_config`], title: ['New'], access_model: ['open'] });
    await configure({ deliver_payloads: '0' });
    expect(find(await horatio.next(), 'x')).toBeUndefined();
  });

  it('§8.4.2 a deletion, and where it went', async () => {
    await owner(`<delete node='${NODE}'><redirect uri='xmpp:hamlet@denmark.lit?;node=blog'/></delete>`);
    const message = await horatio.next();
    expect(said(message)).toBe(`delete ${NODE}`);
    expect(find(message, 'redirect')?.attrs).toMatchObject({ uri: 'xmpp:hamlet@denmark.lit?;node=blog' });
  });

  it('§8.5.2 a purge, once for all items', async () => {
    for (const id of ['1', '2']) await publish(id);
    await owner(`<purge node='${NODE}'/>`);
    expect([await horatio.next(), await horatio.next(), await horatio.next()].map((one) => said(one).split(' ')[0])).toEqual(['item', 'item', 'purge']);
  });

  it('§8.8.4, §12.14 the end of a subscription, and nothing more then', async () => {
    await owner(`<subscriptions node='${NODE}'><subscription jid='${horatio.name}' subscription='none'/></subscriptions>`);
    expect(said(await horatio.next())).toBe(`subscription ${NODE} none`);
    await publish('x');
    await hamlet.ask('get', `<subscriptions node='${NODE}'/>`, OWNERS);
    expect(horatio.waiting).toEqual([]);
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
