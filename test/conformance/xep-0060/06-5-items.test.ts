// XEP-0060 1.30 §6.5; and what its source keeps of data versioning, which is not in 1.30: `urn:lanpost:0#versioning`.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toPayload } from '../../../src/payload/payload.ts';
import { keyAddress, OWNER } from '../../../src/pubsub/actor.ts';
import { attr, type Element } from '../../../src/xmpp/element.ts';
import { SimulatedLan } from '../../link/fixtures.ts';
import { serviceBox, type ServiceBox } from '../../link/service-box.ts';
import { all, type Asker, find, form, PUBSUB, SUBSCRIBE_OPTIONS, TRANSPORTS } from './client.ts';

describe.each(TRANSPORTS)('XEP-0060 §6.5 Retrieve Items from a Node, %s', (_, connect) => {
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
  const publish = (topic: string, value: unknown, id?: string) => a.broker.publish(OWNER, topic, toPayload(value as never), id === undefined ? {} : { id });
  const several = async (count: number): Promise<void> => { for (let i = 1; i <= count; i += 1) await publish('open', i, `i${i}`); };
  const ids = (answer: Element): string[] => all(answer, 'item').map((item) => attr(item, 'id') ?? '');
  const set = (answer: Element): Record<string, string | undefined> => {
    const found = find(answer, 'set');
    return Object.fromEntries(['first', 'last', 'count'].map((name) => [name, found?.getChildText(name) ?? undefined]).concat([['index', found?.getChild('first')?.attrs['index']]]));
  };
  const page = (rsm: string): Promise<Element> => c.ask('get', `<items node='open'/><set xmlns='http://jabber.org/protocol/rsm'>${rsm}</set>`);

  it('§6.5.2 and §6.5.3 all items, oldest first, with their payloads', async () => {
    await several(3);
    const answer = await c.ask('get', `<items node='open'/>`);
    expect(ids(answer)).toEqual(['i1', 'i2', 'i3']);
    expect(all(answer, 'json').map((json) => json.getText())).toEqual(['1', '2', '3']);
    expect(find(answer, 'set')).toBeUndefined();
  });

  it('§6.5.4 of more than one answer holds the newest come, and it says so', async () => {
    await several(120);
    const answer = await c.ask('get', `<items node='open'/>`);
    expect(ids(answer)).toHaveLength(100);
    expect(set(answer)).toEqual({ first: 'i21', last: 'i120', count: '120', index: '20' });
  });

  it('§6.5.4 by Result Set Management: pages forwards, backwards, the last one, from a place on, and the count', async () => {
    await several(5);
    expect(ids(await page('<max>2</max>'))).toEqual(['i1', 'i2']);
    const second = await page('<max>2</max><after>i2</after>');
    expect(ids(second)).toEqual(['i3', 'i4']);
    expect(set(second)).toEqual({ first: 'i3', last: 'i4', count: '5', index: '2' });
    expect(ids(await page('<max>2</max><after>i5</after>'))).toEqual([]);
    expect(ids(await page('<max>2</max><before>i3</before>'))).toEqual(['i1', 'i2']);
    const last = await page('<max>2</max><before/>');
    expect(ids(last)).toEqual(['i4', 'i5']);
    expect(set(last)).toMatchObject({ index: '3' });
    const jump = await page('<max>2</max><index>1</index>');
    expect(ids(jump)).toEqual(['i2', 'i3']);
    expect(set(jump)).toMatchObject({ index: '1' });
    expect(ids(await page('<max>2</max><index>9</index>'))).toEqual([]);
    expect(set(await page('<max>0</max>'))).toEqual({ first: undefined, last: undefined, count: '5', index: undefined });
    await expect(page('<max>2</max><after>gone</after>')).rejects.toMatchObject({ condition: 'item-not-found' });
    await expect(page('<max>-1</max>')).rejects.toMatchObject({ condition: 'bad-request' });
  });

  it('§6.5.4 what is published and retracted between two pages neither hides an item nor shows one twice', async () => {
    await several(6);
    expect(ids(await page('<max>2</max>'))).toEqual(['i1', 'i2']);
    await a.broker.retract(OWNER, 'open', 'i1');
    await publish('open', 7, 'i7');
    await publish('open', 'again', 'i3');
    const rest = ids(await page('<max>10</max><after>i2</after>'));
    expect(rest).toEqual(['i4', 'i5', 'i6', 'i7', 'i3']);
  });

  it('§6.5.6 of a node that sends no payloads they are had by asking', async () => {
    await a.broker.create(OWNER, 'short', { accessModel: 'open', deliverPayloads: false });
    await publish('short', 'all of it', 'i1');
    const answer = await c.ask('get', `<items node='short'><item id='i1'/><item id='gone'/></items>`);
    expect(find(answer, 'text')?.getText()).toBe('all of it');
  });

  it('§6.5.7 max_items: the most recent ones', async () => {
    await several(3);
    expect(ids(await c.ask('get', `<items node='open' max_items='2'/>`))).toEqual(['i2', 'i3']);
    expect(await c.refused('get', `<items node='open' max_items='0'/>`)).toBe('modify bad-request');
  });

  it('§6.5.8 particular items, by their ids', async () => {
    await several(3);
    const answer = await c.ask('get', "<items node='open'><item id='i3'/><item id='i1'/></items>");
    expect(ids(answer).toSorted()).toEqual(['i1', 'i3']);
    expect(all(answer, 'json').map((json) => json.getText()).toSorted()).toEqual(['1', '3']);
  });

  it('§6.5.8 all of them, or none: what is left out would look retracted', async () => {
    await several(150);
    const asked = [...Array(150).keys()].map((i) => `<item id='i${i + 1}'/>`).join('');
    expect(ids(await c.ask('get', `<items node='open'>${asked}</items>`))).toHaveLength(150);
    for (const id of ['i1', 'i2', 'i3']) await publish('open', 'x'.repeat(100_000), id);
    expect(await c.refused('get', "<items node='open'><item id='i1'/><item id='i2'/><item id='i3'/></items>")).toBe('wait resource-constraint');
  });

  it('§6.5.9.4 a node that keeps no items → feature-not-implemented / unsupported persistent-items', async () => {
    await a.broker.create(OWNER, 'passing', { accessModel: 'open', persist: false });
    expect(await c.refused('get', "<items node='passing'/>")).toBe('cancel feature-not-implemented / unsupported persistent-items');
  });

  it('§6.5.9.1 several subscriptions and no SubID → bad-request / subid-required; §6.5.9.2 another → not-acceptable / invalid-subid', async () => {
    await c.ask('set', `<subscribe node='open' jid='${c.name}'/>`);
    await c.ask('set', `<subscribe node='open' jid='${c.name}'/><options>${form(SUBSCRIBE_OPTIONS, { include_body: '1' })}</options>`);
    expect(await c.refused('get', `<items node='open'/>`)).toBe('modify bad-request / subid-required');
    expect(await c.refused('get', `<items node='open' subid='x'/>`)).toBe('modify not-acceptable / invalid-subid');
    const [subid] = all(await c.ask('get', `<subscriptions node='open'/>`), 'subscription').map(({ attrs }) => String(attrs['subid']));
    expect(ids(await c.ask('get', `<items node='open' subid='${subid}'/>`))).toEqual([]);
  });

  it('§6.5.9.10 an outcast → forbidden', async () => {
    await a.broker.affiliate(OWNER, 'open', new Map([[keyAddress(c.fingerprint), 'outcast']]));
    expect(await c.refused('get', `<items node='open'/>`)).toBe('auth forbidden');
  });

  it('§6.5.9.11 a node that is not there → item-not-found', async () => {
    await a.trust.allow(c.fingerprint, 'read', '#');
    expect(await c.refused('get', `<items node='gone'/>`)).toBe('cancel item-not-found');
  });

  it('§6.5.9.12 no such items: an empty answer', async () => {
    const answer = await c.ask('get', `<items node='open'><item id='gone'/></items>`);
    expect(find(answer, 'items')?.attrs['node']).toBe('open');
    expect(ids(answer)).toEqual([]);
  });

  it('§6.5.4 that pages are those of pubsub is announced', async () => {
    const info = await c.query("<query xmlns='http://jabber.org/protocol/disco#info'/>");
    expect(all(info, 'feature').map((feature) => attr(feature, 'var'))).toEqual(expect.arrayContaining([`${PUBSUB}#rsm`, 'http://jabber.org/protocol/rsm']));
  });

  describe('versions of a node', () => {
    const version = async (): Promise<string> => String(find(await c.ask('get', `<items node='open' max_items='1'/>`), 'items')?.attrs['ver']);
    const since = (ver: string): Promise<Element> => c.ask('get', `<items node='open' ver='${ver}'/>`);

    it('what was published and taken back since one is told; nothing when nothing was', async () => {
      await several(3);
      const before = await version();
      expect(find(await since(before), 'items')?.children).toEqual([]);
      await publish('open', 4, 'i4');
      await a.broker.retract(OWNER, 'open', 'i1');
      const answer = await since(before);
      expect(ids(answer)).toEqual(['i4']);
      expect(all(answer, 'retract').map(({ attrs }) => attrs['id'])).toEqual(['i1']);
      expect(await version()).not.toBe(before);
    });

    it('a publication is answered with the version that it makes', async () => {
      await a.service.rules.setAffiliation('open', c.name, 'publisher');
      const ver = String(find(await c.ask('set', "<publish node='open'><item id='mine'><x xmlns='urn:x'/></item></publish>"), 'publish')?.attrs['ver']);
      expect(ver).toBe(await version());
      await publish('open', 2, 'theirs');
      expect(ids(await since(ver))).toEqual(['theirs']);
    });

    it('a deletion, too', async () => {
      await publish('open', 1, 'i1');
      await publish('open', 2, 'i2');
      await a.service.rules.setAffiliation('open', c.name, 'owner');
      const ver = String(find(await c.ask('set', "<retract node='open'><item id='i1'/></retract>"), 'retract')?.attrs['ver']);
      expect(ver).toBe(await version());
      await publish('open', 3, 'theirs');
      expect(ids(await since(ver))).toEqual(['theirs']);
      expect(all(await since(ver), 'retract')).toEqual([]);
    });

    it('one that is not known, or behind which nobody can say what happened → item-not-found', async () => {
      await several(3);
      const before = await version();
      expect(await c.refused('get', `<items node='open' ver='x'/>`)).toBe('cancel item-not-found');
      expect(await c.refused('get', `<items node='open' ver='${Number(before) + 99}'/>`)).toBe('cancel item-not-found');
      await a.broker.purge(OWNER, 'open');
      expect(await c.refused('get', `<items node='open' ver='${before}'/>`)).toBe('cancel item-not-found');
    });
  });
});
