// XEP-0060 1.30 §7.1 and §7.2. What subscribers are told is in 07-12-notifications.test.ts.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TopicSettings } from '../../../src/api.ts';
import { toPayload } from '../../../src/payload/payload.ts';
import { OWNER } from '../../../src/pubsub/actor.ts';
import { attr } from '../../../src/xmpp/element.ts';
import { SimulatedLan } from '../../link/fixtures.ts';
import { serviceBox, type ServiceBox } from '../../link/service-box.ts';
import { answered, type Asker, find, form, PUBSUB, TRANSPORTS } from './client.ts';
import { MemoryDatabase } from '../../../src/log/memory-database.ts';
import { createTestClock, type TestClock } from '../../../src/clock.ts';

describe.each(TRANSPORTS)('XEP-0060 §7 Publisher Use Cases, %s', (_, connect) => {
  let lan: SimulatedLan;
  let a: ServiceBox;
  let clock: TestClock;
  let database: MemoryDatabase;
  let hamlet: Asker;
  let horatio: Asker;

  beforeEach(async () => {
    lan = new SimulatedLan();
    clock = createTestClock();
    database = new MemoryDatabase();
    a = await serviceBox(lan, 1, 'a', { clock, database, limits: { itemBytes: 2000 } });
    hamlet = await connect(lan, a, 2, 'hamlet');
    horatio = await connect(lan, a, 3, 'horatio');
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

  describe('§7.1 Publish an Item to a Node', () => {
    it('§7.1.2 without an ItemID the service makes one and says it', async () => {
      await make();
      const id = attr(find(await hamlet.ask('set', publish(`<item>${entry}</item>`)), 'item')!, 'id');
      expect(await ids()).toEqual([id]);
    });

    it('§7.1.1 no NodeID → bad-request / nodeid-required', async () => {
      expect(await hamlet.refused('set', `<publish><item>${entry}</item></publish>`)).toBe('modify bad-request / nodeid-required');
    });

    it('§7.1.1, §12.9 without ItemIDs each item has another', async () => {
      await make();
      for (let i = 0; i < 3; i += 1) await hamlet.ask('set', publish(`<item>${entry}</item>`));
      expect(new Set(await ids()).size).toBe(3);
    });

    it('§7.1.3 the ItemID of an item that is there: it is overwritten', async () => {
      await make();
      for (const text of ['one', 'two']) await hamlet.ask('set', publish(`<item id='x'><e xmlns='urn:x'>${text}</e></item>`));
      expect(await ids()).toEqual(['x']);
      expect(String(await horatio.ask('get', `<items node='${NODE}'/>`))).toContain('two');
    });

    it('§7.1.3.1 not entitled → forbidden, whatever else is wrong with it', async () => {
      await make();
      for (const item of [`<item>${entry}</item>`, '', '<item/>']) expect(await horatio.refused('set', publish(item))).toBe('auth forbidden');
    });

    it('§7.1.3.3, §7.1.4 a node that is not there is made for who may write one, with the default configuration', async () => {
      await hamlet.ask('set', publish(`<item>${entry}</item>`));
      expect(a.broker.topic(NODE)).toMatchObject({ accessModel: 'whitelist' });
      expect(a.broker.affiliations(OWNER, NODE)).toEqual([]); // publishing alone makes nobody its owner
      expect(await horatio.refused('set', `<publish node='horatio/x'><item>${entry}</item></publish>`)).toBe('auth forbidden');
    });

    it('§12.11 several items at once, which there is not → not-allowed / max-items-exceeded, and none is published', async () => {
      await make();
      expect(await hamlet.refused('set', publish(`<item id='1'>${entry}</item><item id='2'>${entry}</item>`))).toBe('cancel not-allowed / max-items-exceeded');
      expect(await ids()).toEqual([]);
    });

    describe('§7.1.2.5 a node that is full', () => {
      const full = (value: string): string => `<create node='${NODE}'/><configure>${form(`${PUBSUB}#node_config`, { max_items: '1', publish_node_full: value })}</configure>`;
      const configured = async (): Promise<unknown> => answered(await hamlet.ask('get', `<configure node='${NODE}'/>`, `${PUBSUB}#owner`))['publish_node_full'];

      it.each(['retract-oldest', 'discard-oldest'])('%s: the oldest item goes, and the new one is there', async (value) => {
        await hamlet.ask('set', full(value));
        for (const id of ['1', '2']) await hamlet.ask('set', publish(`<item id='${id}'>${entry}</item>`));
        expect(await ids()).toEqual(['2']);
        expect(await configured()).toEqual(['retract-oldest']); // both are one here, and the XEP's default is its name
        await hamlet.ask('set', publish(`<item id='3'>${entry}</item>`, options({ 'pubsub#publish_node_full': value })));
        expect(await ids()).toEqual(['3']);
      });

      it('§7.1.3.4 reject → conflict / node-full, and what is there stays; it may still be overwritten', async () => {
        await hamlet.ask('set', full('reject'));
        await hamlet.ask('set', publish(`<item id='1'>${entry}</item>`));
        expect(await hamlet.refused('set', publish(`<item id='2'>${entry}</item>`))).toBe('cancel conflict / node-full');
        await hamlet.ask('set', publish("<item id='1'><e xmlns='urn:x'/></item>"));
        expect(await ids()).toEqual(['1']);
        expect(await configured()).toEqual(['reject']);
        expect(await hamlet.refused('set', publish(`<item id='1'>${entry}</item>`, options({ 'pubsub#publish_node_full': 'discard-oldest' })))).toBe('cancel conflict / precondition-not-met');
      });

      it('retract-oldest is what holds where nothing is said', async () => {
        await hamlet.ask('set', `<create node='${NODE}'/>`);
        expect(await configured()).toEqual(['retract-oldest']);
      });

      it.each(['drop-oldest', 'retract-newest', ''])('anything else, as "%s" → not-acceptable, and no node', async (value) => {
        expect(await hamlet.refused('set', full(value))).toBe('modify not-acceptable');
        expect(a.broker.topic(NODE)).toBeUndefined();
      });
    });

    it('where the disk is full → resource-constraint, and it may be tried again', async () => {
      await make();
      database.freeBytes = 0;
      clock.advance(1000);
      expect(await hamlet.refused('set', publish(`<item id='1'>${entry}</item>`))).toBe('wait resource-constraint');
      database.freeBytes = Number.MAX_SAFE_INTEGER;
      clock.advance(1000);
      await lan.until(() => a.log.state === 'open');
      await hamlet.ask('set', publish(`<item id='1'>${entry}</item>`));
      expect(await ids()).toEqual(['1']);
    });

    it('§7.1.3.2 a collection → feature-not-implemented / unsupported publish', async () => {
      expect(await hamlet.refused('set', `<publish node='hamlet/'><item>${entry}</item></publish>`)).toBe('cancel feature-not-implemented / unsupported publish');
    });

    it('§7.1.3.5 too big, by the service or the node → not-acceptable / payload-too-big', async () => {
      await make({ maxPayload: 100 });
      const item = (length: number): string => publish(`<item><e xmlns='urn:x'>${'x'.repeat(length)}</e></item>`);
      expect(await hamlet.refused('set', item(101))).toBe('modify not-acceptable / payload-too-big');
      await a.broker.configure(OWNER, NODE, { maxPayload: null });
      await hamlet.ask('set', item(101));
      expect(await hamlet.refused('set', item(2000))).toBe('modify not-acceptable / payload-too-big');
    });

    it('§7.1.3.6 several payloads, or one of another namespace → bad-request / invalid-payload', async () => {
      await make({ type: 'http://www.w3.org/2005/Atom' });
      expect(await hamlet.refused('set', publish(`<item>${entry}${entry}</item>`))).toBe('modify bad-request / invalid-payload');
      expect(await hamlet.refused('set', publish("<item><e xmlns='urn:x'/></item>"))).toBe('modify bad-request / invalid-payload');
      await hamlet.ask('set', publish(`<item id='1'>${entry}</item>`));
      expect(await ids()).toEqual(['1']);
    });

    it('another media type than the topic\'s → bad-request / invalid-payload', async () => {
      await make({ contentType: 'application/json' });
      expect(await hamlet.refused('set', publish(`<item>${entry}</item>`))).toBe('modify bad-request / invalid-payload');
      await hamlet.ask('set', publish("<item id='1'><json xmlns='urn:xmpp:json:0'>[1]</json></item>"));
      expect(await ids()).toEqual(['1']);
    });

    it('§7.1.3.7 persistent: no item → item-required; payloads: none → payload-required', async () => {
      await make();
      expect(await hamlet.refused('set', publish(''))).toBe('modify bad-request / item-required');
      expect(await hamlet.refused('set', publish("<item id='1'/>"))).toBe('modify bad-request / payload-required');
    });

    it('§7.1.3.7 persistent without payloads: an item may be empty', async () => {
      await make({ deliverPayloads: false });
      await hamlet.ask('set', publish("<item id='1'/>"));
      expect(await ids()).toEqual(['1']);
    });

    it('§4.3, §7.1.3.7 transient with payloads: an item with one is needed, and none is kept', async () => {
      await make({ persist: false });
      expect(await hamlet.refused('set', publish(''))).toBe('modify bad-request / item-required');
      expect(await hamlet.refused('set', publish('<item/>'))).toBe('modify bad-request / payload-required');
      await hamlet.ask('set', publish(`<item id='1'>${entry}</item>`));
      expect(await hamlet.refused('get', `<items node='${NODE}'/>`)).toBe('cancel feature-not-implemented / unsupported persistent-items');
    });

    it('§4.3, §7.1.3.7 transient without payloads: an item → item-forbidden; without one it is published, and has no ItemID', async () => {
      await make({ persist: false, deliverPayloads: false });
      expect(await hamlet.refused('set', publish('<item/>'))).toBe('modify bad-request / item-forbidden');
      expect(find(await hamlet.ask('set', publish('')), 'item')).toBeUndefined();
    });
  });

  describe('§7.1.5 Publishing Options', () => {
    it('a precondition that is met: it is published', async () => {
      await make();
      await hamlet.ask('set', publish(`<item id='1'>${entry}</item>`, options({ 'pubsub#access_model': 'open', 'pubsub#persist_items': 'true' })));
      expect(await ids()).toEqual(['1']);
    });

    it('one that is not → conflict / precondition-not-met, and nothing is published', async () => {
      await make();
      expect(await hamlet.refused('set', publish(`<item>${entry}</item>`, options({ 'pubsub#access_model': 'whitelist' })))).toBe('cancel conflict / precondition-not-met');
      expect(await ids()).toEqual([]);
    });

    it('one that is not known is not met', async () => {
      await make();
      expect(await hamlet.refused('set', publish(`<item>${entry}</item>`, options({ 'pubsub#colour': 'red' })))).toBe('cancel conflict / precondition-not-met');
    });

    it('no node: it is made with these, and who made it is its owner', async () => {
      await hamlet.ask('set', publish(`<item id='1'>${entry}</item>`, options({ 'pubsub#access_model': 'open', 'pubsub#max_items': '5' })));
      expect(a.broker.topic(NODE)).toMatchObject({ accessModel: 'open', maxItems: 5, publishModel: 'publishers' });
      expect(a.broker.affiliations(OWNER, NODE)).toEqual([[`key:${hamlet.fingerprint}`, 'owner']]);
      expect(await ids()).toEqual(['1']);
    });

    it('no node, and an item that would be refused: none is made', async () => {
      const item = `<item><e xmlns='urn:x'>${'x'.repeat(20)}</e></item>`;
      expect(await hamlet.refused('set', publish(item, options({ 'pubsub#max_payload_size': '10' })))).toBe('modify not-acceptable / payload-too-big');
      expect(a.broker.topic(NODE)).toBeUndefined();
      expect(await horatio.refused('set', publish(item, options({ 'pubsub#access_model': 'open' })))).toBe('auth forbidden');
    });

    it('another form → bad-request', async () => {
      await make();
      expect(await hamlet.refused('set', publish(`<item>${entry}</item>`, options({}, `${PUBSUB}#node_config`)))).toBe('modify bad-request / invalid-options');
      expect(await hamlet.refused('set', publish(`<item>${entry}</item>`, '<publish-options/>'))).toBe('modify bad-request');
    });
  });

  describe('§7.2 Delete an Item from a Node', () => {
    const retract = (item: string, attributes = `node='${NODE}'`): string => `<retract ${attributes}>${item}</retract>`;

    it('§7.2.1, §7.2.2 it is gone', async () => {
      await make();
      await hamlet.ask('set', publish(`<item id='1'>${entry}</item>`));
      await hamlet.ask('set', retract("<item id='1'/>"));
      expect(await ids()).toEqual([]);
    });

    it('§7.2.3.1 not entitled → forbidden', async () => {
      await make();
      await a.broker.publish(OWNER, NODE, toPayload(1), { id: 'of the box' });
      expect(await horatio.refused('set', retract("<item id='of the box'/>"))).toBe('auth forbidden');
      expect(await hamlet.refused('set', retract("<item id='of the box'/>"))).toBe('auth forbidden');
      await a.service.rules.setAffiliation(NODE, hamlet.fingerprint, 'owner');
      await hamlet.ask('set', retract("<item id='of the box'/>"));
    });

    it('§7.2.3.2 no such node or item → item-not-found', async () => {
      expect(await hamlet.refused('set', retract("<item id='1'/>"))).toBe('cancel item-not-found');
      await make();
      expect(await hamlet.refused('set', retract("<item id='1'/>"))).toBe('cancel item-not-found');
    });

    it('§7.2.3.3, §7.2.3.4 no NodeID → nodeid-required; no item, or no ItemID → item-required', async () => {
      await make();
      expect(await hamlet.refused('set', retract("<item id='1'/>", ''))).toBe('modify bad-request / nodeid-required');
      expect(await hamlet.refused('set', retract(''))).toBe('modify bad-request / item-required');
      expect(await hamlet.refused('set', retract('<item/>'))).toBe('modify bad-request / item-required');
    });

    it('§12.11 several items at once → bad-request, and none is taken back', async () => {
      await make();
      for (const id of ['1', '2']) await hamlet.ask('set', publish(`<item id='${id}'>${entry}</item>`));
      expect(await hamlet.refused('set', retract("<item id='1'/><item id='2'/>"))).toBe('modify bad-request');
      expect(await ids()).toEqual(['1', '2']);
    });

    it('§7.2.3.5 a collection → feature-not-implemented / unsupported persistent-items', async () => {
      expect(await hamlet.refused('set', retract("<item id='1'/>", "node='hamlet/'"))).toBe('cancel feature-not-implemented / unsupported persistent-items');
    });

    it('§7.2.3.5 a node that keeps no items → feature-not-implemented / unsupported persistent-items', async () => {
      await make({ persist: false });
      await hamlet.ask('set', publish(`<item id='1'>${entry}</item>`));
      expect(await hamlet.refused('set', retract("<item id='1'/>"))).toBe('cancel feature-not-implemented / unsupported persistent-items');
      expect(await horatio.refused('get', `<items node='${NODE}'/>`)).toBe('cancel feature-not-implemented / unsupported persistent-items');
    });
  });
});
