// What a topic with a schema takes: at the broker, over a stream, after a restart, and through the control socket.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { attachBox, createBox } from '../../../src/index.ts';
import { toPayload } from '../../../src/payload/payload.ts';
import { OWNER } from '../../../src/pubsub/actor.ts';
import { pubsubClient, type PubsubClient } from '../../conformance/xep-0060/client.ts';
import { SimulatedLan } from '../../link/fixtures.ts';
import { serviceBox, type ServiceBox } from '../../link/service-box.ts';

const NUMBER = { type: 'object', properties: { temp: { type: 'number' } }, required: ['temp'] };

describe('a topic with a schema', () => {
  let lan: SimulatedLan;
  let box: ServiceBox;
  let client: PubsubClient;
  beforeEach(async () => {
    lan = new SimulatedLan();
    box = await serviceBox(lan, 1, 'a');
    client = await pubsubClient(lan, box, 2, 'francisco');
    await box.broker.create(OWNER, 't', { accessModel: 'open', publishModel: 'open', schema: NUMBER });
  });
  afterEach(() => lan.close());
  const publish = (value: unknown, id?: string) => box.broker.publish(OWNER, 't', toPayload(value as never), id === undefined ? {} : { id });

  it('refuses what does not fit, and keeps nothing of it', async () => {
    await expect(publish({ temp: 'x' })).rejects.toMatchObject({ code: 'invalid-value', message: 'the item does not fit the schema of t: /temp must be number' });
    await publish({ temp: 1 });
    expect(await box.broker.items(OWNER, 't')).toMatchObject([{ value: { temp: 1 } }]);
  });

  it('keeps the order of what is published at once', async () => {
    await Promise.all(Array.from({ length: 50 }, (_, temp) => publish({ temp }, `i${temp}`)));
    expect((await box.broker.items(OWNER, 't', { from: 'start' })).map((item) => item.kind === 'item' && item.id)).toEqual(Array.from({ length: 50 }, (_, i) => `i${i}`));
  });

  it('XEP-0060 §7.1.3.6 the payload does not match its schema → bad-request / invalid-payload, with the place', async () => {
    const item = (json: string): string => `<publish node='t'><item id='1'><json xmlns='urn:xmpp:json:0'>${json}</json></item></publish>`;
    await client.ask('set', item('{"temp":1}'));
    expect(await client.refused('set', item('{"temp":"x"}'))).toBe('modify bad-request / invalid-payload');
    await expect(client.ask('set', item('{}'))).rejects.toMatchObject({ text: expect.stringContaining('it must have "temp"') });
    expect(await client.refused('set', `<publish node='t'><item><a xmlns='urn:a'/></item></publish>`)).toBe('modify bad-request / invalid-payload');
  });

  it('what another box accepted first is not checked again', async () => {
    await box.broker.publish(OWNER, 't', toPayload(1), { origin: { box: 'b'.repeat(16), epoch: '1.00000000', seq: 1 } });
    expect(await box.broker.items(OWNER, 't')).toMatchObject([{ value: 1 }]);
  });

  it('changes what it takes at once, loses the schema by null, and keeps it when another setting changes', async () => {
    await box.broker.configure(OWNER, 't', { title: 'T' });
    await expect(publish(1)).rejects.toMatchObject({ code: 'invalid-value' });
    await box.broker.configure(OWNER, 't', { schema: { type: 'integer' } });
    await publish(1);
    await box.broker.configure(OWNER, 't', { schema: null });
    await publish('anything');
    expect(box.broker.topic('t')).not.toHaveProperty('schema');
  });

  it('refuses a schema that is none, and stays as it was', async () => {
    await expect(box.broker.configure(OWNER, 't', { schema: { type: 'float' } })).rejects.toMatchObject({ code: 'invalid-value', message: expect.stringContaining('/type must be') });
    await expect(box.broker.configure(OWNER, 't', { schema: { $ref: '#' } })).rejects.toMatchObject({ code: 'invalid-value' });
    await expect(box.broker.create(OWNER, 'u', { schema: { pattern: '(' } })).rejects.toMatchObject({ code: 'invalid-value' });
    expect(box.broker.topic('u')).toBeUndefined();
    expect(box.broker.topic('t')?.schema).toEqual(NUMBER);
  });
});

describe('a box', () => {
  it('keeps the schema over a restart, and says the same through its socket', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'lanpost-schema-'));
    try {
      await using first = await createBox({ dir, link: false });
      await using attached = await attachBox({ dir });
      expect((await attached.topics.create('t', { schema: NUMBER })).schema).toEqual(NUMBER);
      await expect(attached.publish('t', { temp: null })).rejects.toMatchObject({ code: 'invalid-value', message: expect.stringContaining('/temp must be number') });
      await first.close();
      await using second = await createBox({ dir, link: false });
      const published = Promise.allSettled([second.publish('t', { temp: 1 }), second.publish('t', { temp: 'x' }), second.publish('t', { temp: 2 })]);
      expect((await published).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(await second.items('t')).toMatchObject([{ value: { temp: 1 } }, { value: { temp: 2 } }]);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
