// oxlint-disable vitest/warn-todo -- what is not done stays visible
// XEP-0060 1.30 §7.1 and §7.2, over a stream. What subscribers are told is in 07-12-notifications.test.ts.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TopicSettings } from '../../../src/api.ts';
import { toPayload } from '../../../src/payload/payload.ts';
import { OWNER } from '../../../src/pubsub/actor.ts';
import { attr } from '../../../src/xmpp/element.ts';
import { SimulatedLan } from '../../link/fixtures.ts';
import { serviceBox, type ServiceBox } from '../../link/service-box.ts';
import { find, PUBSUB, pubsubClient, type PubsubClient, said } from './client.ts';

let lan: SimulatedLan;
let a: ServiceBox;
let hamlet: PubsubClient;
let horatio: PubsubClient;

beforeEach(async () => {
  lan = new SimulatedLan();
  a = await serviceBox(lan, 1, 'a', { limits: { itemBytes: 2000 } });
  hamlet = await pubsubClient(lan, a, 2, 'hamlet');
  horatio = await pubsubClient(lan, a, 3, 'horatio');
  await a.trust.allow(hamlet.fingerprint, 'write', 'hamlet/#');
});
afterEach(() => lan.close());

const NODE = 'hamlet/musings';
const make = (settings: TopicSettings = {}) => a.broker.create(OWNER, NODE, { accessModel: 'open', ...settings });
const entry = "<entry xmlns='http://www.w3.org/2005/Atom'/>";
const publish = (item: string, more = '') => `<publish node='${NODE}'>${item}</publish>${more}`;
const ids = async (): Promise<string[]> => (await a.broker.items(OWNER, NODE)).map((item) => ('id' in item ? item.id : ''));
const options = (fields: Record<string, string>, about = `${PUBSUB}#publish-options`): string => `<publish-options><x xmlns='jabber:x:data' type='submit'>`
  + `<field var='FORM_TYPE' type='hidden'><value>${about}</value></field>`
  + `${Object.entries(fields).map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`).join('')}</x></publish-options>`;

describe('XEP-0060 §7.1 Publish an Item to a Node', () => {
  it.todo('§7.1.3.2 a node that takes no items: every topic does');

  it('§7.1.2 without an ItemID the service makes one and says it', async () => {
    await make();
    const id = attr(find(await hamlet.ask('set', publish(`<item>${entry}</item>`)), 'item')!, 'id');
    expect(await ids()).toEqual([id]);
  });

  it('§7.1.3 the ItemID of an item that is there: it is overwritten', async () => {
    await make();
    for (const text of ['one', 'two']) await hamlet.ask('set', publish(`<item id='x'><e xmlns='urn:x'>${text}</e></item>`));
    expect(await ids()).toEqual(['x']);
    expect(String(await horatio.ask('get', `<items node='${NODE}'/>`))).toContain('two');
  });

  it('§7.1.3.1 not entitled → forbidden, whatever else is wrong with it', async () => {
    await make();
    for (const item of [`<item>${entry}</item>`, '', '<item/>']) expect(await horatio.refused('set', publish(item))).toBe('forbidden');
  });

  it('§7.1.3.3, §7.1.4 a node that is not there is made for who may write one, with the default configuration', async () => {
    await hamlet.ask('set', publish(`<item>${entry}</item>`));
    expect(a.broker.topic(NODE)).toMatchObject({ accessModel: 'whitelist' });
    expect(a.broker.affiliations(OWNER, NODE)).toEqual([]); // publishing alone makes nobody its owner
    expect(await horatio.refused('set', `<publish node='horatio/x'><item>${entry}</item></publish>`)).toBe('forbidden');
  });

  it('§12.11 several items at once, which there is not → not-allowed / max-items-exceeded, and none is published', async () => {
    await make();
    expect(await hamlet.refused('set', publish(`<item id='1'>${entry}</item><item id='2'>${entry}</item>`))).toBe('not-allowed / max-items-exceeded');
    expect(await ids()).toEqual([]);
  });

  it('§7.1.3.4 full, and rejecting → conflict / node-full', async () => {
    await make({ maxItems: 1, full: 'reject' });
    await hamlet.ask('set', publish(`<item id='1'>${entry}</item>`));
    expect(await hamlet.refused('set', publish(`<item id='2'>${entry}</item>`))).toBe('conflict / node-full');
  });

  it('§7.1.3.5 too big, by the service or the node → not-acceptable / payload-too-big', async () => {
    await make({ maxPayload: 100 });
    const item = (length: number): string => publish(`<item><e xmlns='urn:x'>${'x'.repeat(length)}</e></item>`);
    expect(await hamlet.refused('set', item(101))).toBe('not-acceptable / payload-too-big');
    await a.broker.configure(OWNER, NODE, { maxPayload: null });
    await hamlet.ask('set', item(101));
    expect(await hamlet.refused('set', item(2000))).toBe('not-acceptable / payload-too-big');
  });

  it('§7.1.3.6 several payloads, or one of another namespace → bad-request / invalid-payload', async () => {
    await make({ type: 'http://www.w3.org/2005/Atom' });
    expect(await hamlet.refused('set', publish(`<item>${entry}${entry}</item>`))).toBe('bad-request / invalid-payload');
    expect(await hamlet.refused('set', publish("<item><e xmlns='urn:x'/></item>"))).toBe('bad-request / invalid-payload');
    await hamlet.ask('set', publish(`<item id='1'>${entry}</item>`));
    expect(await ids()).toEqual(['1']);
  });

  it('another media type than the topic\'s → bad-request / invalid-payload', async () => {
    await make({ contentType: 'application/json' });
    expect(await hamlet.refused('set', publish(`<item>${entry}</item>`))).toBe('bad-request / invalid-payload');
    await hamlet.ask('set', publish("<item id='1'><json xmlns='urn:xmpp:json:0'>[1]</json></item>"));
    expect(await ids()).toEqual(['1']);
  });

  it('§7.1.3.7 persistent: no item → item-required; payloads: none → payload-required', async () => {
    await make();
    expect(await hamlet.refused('set', publish(''))).toBe('bad-request / item-required');
    expect(await hamlet.refused('set', publish("<item id='1'/>"))).toBe('bad-request / payload-required');
    expect(await hamlet.refused('set', '<publish><item/></publish>')).toBe('bad-request / nodeid-required');
    expect(await hamlet.refused('set', publish(`<item>${entry}</item><item>${entry}</item>`))).toBe('not-allowed / max-items-exceeded');
  });

  it('§7.1.3.7 persistent without payloads: an item may be empty', async () => {
    await make({ deliverPayloads: false });
    await hamlet.ask('set', publish("<item id='1'/>"));
    expect(await ids()).toEqual(['1']);
  });

  it('§7.1.3.7 transient without payloads: an item → item-forbidden, none is published', async () => {
    await make({ persist: false, deliverPayloads: false });
    expect(await hamlet.refused('set', publish('<item/>'))).toBe('bad-request / item-forbidden');
    await horatio.ask('set', `<subscribe node='${NODE}' jid='${horatio.name}'/>`);
    expect(find(await hamlet.ask('set', publish('')), 'item')).toBeUndefined();
    expect(find(await horatio.next(), 'event')?.toString()).toBe(`<event xmlns="${PUBSUB}#event"><items node="${NODE}"/></event>`);
  });
});

describe('XEP-0060 §7.1.5 Publishing Options', () => {
  it('a precondition that is met: it is published', async () => {
    await make();
    await hamlet.ask('set', publish(`<item id='1'>${entry}</item>`, options({ 'pubsub#access_model': 'open', 'pubsub#persist_items': 'true' })));
    expect(await ids()).toEqual(['1']);
  });

  it('one that is not → conflict / precondition-not-met, and nothing is published', async () => {
    await make();
    expect(await hamlet.refused('set', publish(`<item>${entry}</item>`, options({ 'pubsub#access_model': 'whitelist' })))).toBe('conflict / precondition-not-met');
    expect(await ids()).toEqual([]);
  });

  it('one that is not known is not met', async () => {
    await make();
    expect(await hamlet.refused('set', publish(`<item>${entry}</item>`, options({ 'pubsub#colour': 'red' })))).toBe('conflict / precondition-not-met');
  });

  it('no node: it is made with these, and who made it is its owner', async () => {
    await hamlet.ask('set', publish(`<item id='1'>${entry}</item>`, options({ 'pubsub#access_model': 'open', 'pubsub#max_items': '5' })));
    expect(a.broker.topic(NODE)).toMatchObject({ accessModel: 'open', maxItems: 5, publishModel: 'publishers' });
    expect(a.broker.affiliations(OWNER, NODE)).toEqual([[`key:${hamlet.fingerprint}`, 'owner']]);
    expect(await ids()).toEqual(['1']);
  });

  it('no node, and an item that would be refused: none is made', async () => {
    const item = `<item><e xmlns='urn:x'>${'x'.repeat(20)}</e></item>`;
    expect(await hamlet.refused('set', publish(item, options({ 'pubsub#max_payload_size': '10' })))).toBe('not-acceptable / payload-too-big');
    expect(a.broker.topic(NODE)).toBeUndefined();
    expect(await horatio.refused('set', publish(item, options({ 'pubsub#access_model': 'open' })))).toBe('forbidden');
  });

  it('another form → bad-request', async () => {
    await make();
    expect(await hamlet.refused('set', publish(`<item>${entry}</item>`, options({}, `${PUBSUB}#node_config`)))).toBe('bad-request / invalid-options');
    expect(await hamlet.refused('set', publish(`<item>${entry}</item>`, '<publish-options/>'))).toBe('bad-request');
  });
});

describe('XEP-0060 §7.2 Delete an Item from a Node', () => {
  const retract = (item: string, attributes = `node='${NODE}'`): string => `<retract ${attributes}>${item}</retract>`;

  it('§7.2.2 it is gone', async () => {
    await make();
    await hamlet.ask('set', publish(`<item id='1'>${entry}</item>`));
    await hamlet.ask('set', retract("<item id='1'/>"));
    expect(await ids()).toEqual([]);
  });

  it('§7.2.2.1 with notify subscribers are told, whatever the node says', async () => {
    await make({ notifyRetract: false });
    for (const id of ['1', '2']) await hamlet.ask('set', publish(`<item id='${id}'>${entry}</item>`));
    await horatio.ask('set', `<subscribe node='${NODE}' jid='${horatio.name}'/>`);
    await hamlet.ask('set', retract("<item id='1'/>"));
    await hamlet.ask('set', retract("<item id='2'/>", `node='${NODE}' notify='true'`));
    expect(said(await horatio.next())).toBe(`retract ${NODE} 2`);
  });

  it('§7.2.3.1 not entitled → forbidden', async () => {
    await make();
    await a.broker.publish(OWNER, NODE, toPayload(1), { id: 'of the box' });
    expect(await horatio.refused('set', retract("<item id='of the box'/>"))).toBe('forbidden');
    expect(await hamlet.refused('set', retract("<item id='of the box'/>"))).toBe('forbidden');
    await a.service.rules.setAffiliation(NODE, hamlet.fingerprint, 'owner');
    await hamlet.ask('set', retract("<item id='of the box'/>"));
  });

  it('§7.2.3.2 no such node or item → item-not-found', async () => {
    expect(await hamlet.refused('set', retract("<item id='1'/>"))).toBe('item-not-found');
    await make();
    expect(await hamlet.refused('set', retract("<item id='1'/>"))).toBe('item-not-found');
  });

  it('§7.2.3.3, §7.2.3.4 no NodeID → nodeid-required; no item, or no ItemID → item-required', async () => {
    await make();
    expect(await hamlet.refused('set', retract("<item id='1'/>", ''))).toBe('bad-request / nodeid-required');
    expect(await hamlet.refused('set', retract(''))).toBe('bad-request / item-required');
    expect(await hamlet.refused('set', retract('<item/>'))).toBe('bad-request / item-required');
  });

  it('§7.2.3.5 a node that keeps no items → feature-not-implemented / unsupported persistent-items', async () => {
    await make({ persist: false });
    await hamlet.ask('set', publish(`<item id='1'>${entry}</item>`));
    expect(await hamlet.refused('set', retract("<item id='1'/>"))).toBe('feature-not-implemented / unsupported persistent-items');
    expect(await horatio.refused('get', `<items node='${NODE}'/>`)).toBe('feature-not-implemented / unsupported persistent-items');
  });
});
