import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OWNER } from '../../../src/pubsub/actor.ts';
import { attr, type Element } from '../../../src/xmpp/element.ts';
import { all, pubsubClient, type PubsubClient } from '../../conformance/xep-0060/client.ts';
import { SimulatedLan } from '../../link/fixtures.ts';
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
