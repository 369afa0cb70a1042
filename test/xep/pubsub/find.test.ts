import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OWNER } from '../../../src/pubsub/actor.ts';
import { attr, type Element, parseElement } from '../../../src/xmpp/element.ts';
import { all, pubsubClient, type PubsubClient } from '../../conformance/xep-0060/client.ts';
import { seen, SimulatedLan } from '../../link/fixtures.ts';
import { serviceBox, type ServiceBox } from '../../link/service-box.ts';

describe('finding nodes over a stream', () => {
  let lan: SimulatedLan;
  let box: ServiceBox;
  let client: PubsubClient;
  beforeEach(async () => {
    lan = new SimulatedLan();
    box = await serviceBox(lan, 1, 'a');
    client = await pubsubClient(lan, box, 2, 'francisco');
    await box.broker.create(OWNER, 'attic', { title: 'Attic', tags: ['north'], contentType: 'application/json', accessModel: 'open', schema: { required: ['temp'] } });
    await box.broker.create(OWNER, 'secret', { title: 'The other attic', tags: ['north'] });
  });
  afterEach(() => lan.close());
  const nodes = (answer: Element): string[] => all(answer, 'topic').map((topic) => attr(topic, 'node') ?? '');
  const reasons = (answer: Element): string[] => all(answer, 'reason').map((reason) => [attr(reason, 'kind'), attr(reason, 'value')].filter(Boolean).join(' '));

  it('by words and tags, with what each is, of what may be read', async () => {
    const found = await client.query(`<find xmlns='urn:lanpost:0' filter='#'><text>attic</text><tag>NORTH</tag></find>`);
    expect(nodes(found)).toEqual(['attic']);
    const form = Object.fromEntries(all(found, 'field').map((field) => [attr(field, 'var'), all(field, 'value').map((value) => value.getText()).join()]));
    expect(form).toMatchObject({ FORM_TYPE: 'http://jabber.org/protocol/pubsub#meta-data', 'pubsub#title': 'Attic', '{urn:lanpost:0}tags': 'north', '{urn:lanpost:0}content_type': 'application/json' });
    expect(nodes(await client.query(`<find xmlns='urn:lanpost:0' content-type='image/*'/>`))).toEqual([]);
    expect(nodes(await client.query(`<find xmlns='urn:lanpost:0' limit='1'/>`))).toEqual(['attic']);
  });

  it('by an item, with what speaks for each', async () => {
    const found = await client.query(`<classify xmlns='urn:lanpost:0'><tag>north</tag><item><json xmlns='urn:xmpp:json:0'>{"temp":1}</json></item></classify>`);
    expect(nodes(found)).toEqual(['attic']);
    expect(reasons(found)).toEqual(['schema', 'contentType application/json', 'tag north']);
    expect(nodes(await client.query(`<classify xmlns='urn:lanpost:0'><item><json xmlns='urn:xmpp:json:0'>{}</json></item></classify>`))).toEqual([]);
  });

  it('at a peer, as a box asks: what it may read and fits, and nothing that is no topic', async () => {
    const other = await serviceBox(lan, 3, 'b');
    await Promise.all([seen(other, box.link.name), seen(box, other.link.name)]);
    const at = box.link.name;
    const attic = { name: 'attic', title: 'Attic', tags: ['north'], contentType: 'application/json', accessModel: 'open', publishModel: 'publishers' };
    expect(await other.service.topics(at, {})).toEqual([attic]);
    expect(await other.service.topics(`link:${at}`, { text: 'ATTIC', tags: ['North'], contentType: 'application/*', filter: '+', limit: 1000 })).toEqual([attic]);
    expect(await other.service.topics(at, { type: 'urn:x' })).toEqual([]);
    await box.trust.allow(other.identity.fingerprint, 'read', '#');
    expect((await other.service.topics(at, { tags: ['north'], limit: 1 })).map(({ name }) => name)).toEqual(['attic']);
    expect((await other.service.topics(at, {})).map(({ name }) => name)).toEqual(['attic', 'secret']);
    await expect(other.service.topics(at, { limit: 0 })).rejects.toMatchObject({ code: 'invalid-value' });
    await expect(other.service.topics('nobody@nowhere', {})).rejects.toMatchObject({ code: 'unreachable' });
    await expect(other.service.topics(client.name, {})).rejects.toMatchObject({ code: 'unsupported' });
  });

  it('what a peer says of its topics is looked at before it is believed', async () => {
    client.box.dispatcher.iq('get', 'urn:lanpost:0', 'find', () => Promise.resolve(parseElement(`<found xmlns='urn:lanpost:0'><topic node='a/#'/><topic/><other node='b'/>
      <topic node='ok'><x xmlns='jabber:x:data' type='result'><field var='pubsub#access_model'><value>constructor</value></field><field var='{urn:lanpost:0}content_type'><value>no type</value></field></x></topic>
      ${"<topic node='t'/>".repeat(200)}</found>`)));
    const other = await serviceBox(lan, 3, 'b');
    await seen(other, client.name);
    const found = await other.service.topics(client.name, {});
    expect(found[0]).toEqual({ name: 'ok', tags: [] });
    expect(found.length).toBeLessThanOrEqual(100);
  });

  it.each([
    `<find xmlns='urn:lanpost:0' limit='x'/>`, `<find xmlns='urn:lanpost:0' filter='a/#/b'/>`, `<classify xmlns='urn:lanpost:0'/>`,
    `<classify xmlns='urn:lanpost:0'><item/></classify>`, `<classify xmlns='urn:lanpost:0'><item><a xmlns='urn:a'/><b xmlns='urn:b'/></item></classify>`,
  ])('%s is a bad request', async (asked) => {
    await expect(client.query(asked)).rejects.toMatchObject({ condition: 'bad-request' });
  });

  it('is announced, and one answer is bounded', async () => {
    const info = await client.query(`<query xmlns='http://jabber.org/protocol/disco#info'/>`);
    expect(all(info, 'feature').map((feature) => attr(feature, 'var'))).toContain('urn:lanpost:0#find');
    for (let i = 0; i < 110; i++) await box.broker.create(OWNER, `many/${i}`, { accessModel: 'open', description: '\u{1f600}'.repeat(500), title: '\u{1f600}'.repeat(500) });
    const some = nodes(await client.query(`<find xmlns='urn:lanpost:0' filter='many/#'/>`));
    expect(some.length).toBeGreaterThan(10);
    expect(some.length).toBeLessThan(100);
  });
});
