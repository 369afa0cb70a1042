// oxlint-disable vitest/warn-todo -- what is not done stays visible
// XEP-0060 1.30 §6.1 to §6.3: what subscribers are told, over a stream.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toPayload } from '../../../src/payload/payload.ts';
import { OWNER } from '../../../src/pubsub/actor.ts';
import { attr, type Element } from '../../../src/xmpp/element.ts';
import { quiet } from '../../support/quiet.ts';
import { MemoryDatabase } from '../../../src/log/memory-database.ts';
import { seen, SimulatedLan } from '../../link/fixtures.ts';
import { serviceBox, type ServiceBox } from '../../link/service-box.ts';
import { find, form, headers, pubsubClient, type PubsubClient, said, SUBSCRIBE_OPTIONS } from './client.ts';

describe('XEP-0060 §6 what subscribers are told', () => {
  it.todo('§6.1.6 full JIDs that are told apart: a peer on the link is one, and whatever resource it says is itself');
  it.todo('§6.5.5 the last item of a node that keeps none: a MAY');

  let lan: SimulatedLan;
  let a: ServiceBox;
  let c: PubsubClient;
  let database: MemoryDatabase;
  beforeEach(async () => {
    lan = new SimulatedLan();
    database = new MemoryDatabase();
    a = await serviceBox(lan, 1, 'a', { database });
    c = await pubsubClient(lan, a, 2, 'francisco');
    await a.broker.create(OWNER, 'open', { accessModel: 'open' });
  });
  afterEach(() => lan.close());
  const publish = (topic: string, value: unknown, id?: string) => a.broker.publish(OWNER, topic, toPayload(value as never), id === undefined ? {} : { id });
  const subscribe = (node: string, more = ''): Promise<Element> => c.ask('set', `<subscribe node='${node}' jid='${c.name}'/>${more}`);
  const options = (fields: Record<string, string | string[]>): string => `<options>${form(SUBSCRIBE_OPTIONS, fields)}</options>`;

  it.each([['bare', ''], ['full', '/barracks']])('§6.1.2 by a %s JID: what is published, in words of the XEP alone', async (_, resource) => {
    await c.ask('set', `<subscribe node='open' jid='${c.name}${resource}'/>`);
    await publish('open', 'soliloquy', 'i1');
    const message = await c.next();
    expect(said(message)).toBe('item open i1 soliloquy');
    expect(find(message, 'records')).toBeUndefined();
  });

  it('§4.2, §6.1.4 nothing while an owner has not said', async () => {
    await a.broker.create(OWNER, 'asked', { accessModel: 'authorize' });
    await subscribe('asked');
    await publish('asked', 1);
    await quiet();
    expect(c.waiting).toEqual([]);
  });

  it('§14.3 whoever may not read it any more is told nothing of it', async () => {
    await a.broker.configure(OWNER, 'open', { notifyConfig: false });
    await subscribe('open');
    await a.broker.configure(OWNER, 'open', { accessModel: 'whitelist' });
    await publish('open', 'secret');
    await quiet();
    expect(c.waiting).toEqual([]);
  });

  it('§6.1.6 of two subscriptions §7.1.2.4, §7.2.2.2, §12.16 each thing is told once, an item and its retraction with the SubIDs of both; §12.8 a body if one of them wants it', async () => {
    const first = attr(find(await subscribe('open'), 'subscription')!, 'subid');
    const second = attr(find(await subscribe('open', options({ include_body: '1' })), 'subscription')!, 'subid');
    await publish('open', 'both', 'i1');
    const message = await c.next();
    expect(headers(message)['SubID']?.toSorted()).toEqual([String(first), String(second)].toSorted());
    expect(find(message, 'body')?.getText()).toBe('both');
    await a.broker.retract(OWNER, 'open', 'i1');
    const retracted = await c.next();
    expect(said(retracted)).toBe('retract open i1');
    expect(headers(retracted)['SubID']).toHaveLength(2);
    // What does not differ by subscription says none.
    await a.broker.configure(OWNER, 'open', { title: 'Open' });
    await a.broker.purge(OWNER, 'open');
    await a.broker.delete(OWNER, 'open');
    const rest = [await c.next(), await c.next(), await c.next()];
    expect(rest.map((one) => [said(one), headers(one)])).toEqual([['configuration open', {}], ['purge open', {}], ['delete open', {}]]);
  });

  it('§6.1.6 what was published before the second of them began is not for it', async () => {
    const first = attr(find(await subscribe('open'), 'subscription')!, 'subid');
    await publish('open', 1, 'i1');
    expect(headers(await c.next())).toEqual({});
    await subscribe('open', options({ include_body: '1' }));
    await publish('open', 2, 'i2');
    expect(headers(await c.next())['SubID']).toHaveLength(2);
    await c.ask('set', `<unsubscribe node='open' jid='${c.name}' subid='${first}'/>`);
    await publish('open', 3, 'i3');
    const last = await c.next();
    expect(said(last)).toBe('item open i3 3');
    expect(headers(last)).toEqual({});
  });

  it('§6.1.7 the last item is sent, with a delay, where the node says so', async () => {
    await a.broker.create(OWNER, 'last', { accessModel: 'open', sendLast: 'on-sub' });
    await publish('last', 1, 'i1');
    await publish('last', 2, 'i2');
    await subscribe('last');
    const message = await c.next();
    expect(said(message)).toBe('item last i2 2');
    expect(find(message, 'delay')?.attrs).toMatchObject({ stamp: expect.stringMatching(/^\d{4}-.*Z$/) });
    await publish('last', 3, 'i3');
    expect(said(await c.next())).toBe('item last i3 3');
  });

  it('§6.2.2 unsubscribe: nothing more comes', async () => {
    await subscribe('open');
    await c.ask('set', `<unsubscribe node='open' jid='${c.name}'/>`);
    await publish('open', 1);
    await c.ask('get', '<subscriptions/>');
    await quiet();
    expect(c.waiting).toEqual([]);
  });

  it('§6.1 a subscription survives a restart of the box: what was published meanwhile comes', async () => {
    await subscribe('open', options({ include_body: '1' }));
    await publish('open', 1, 'i1');
    expect(said(await c.next())).toBe('item open i1 1');
    await a.close();
    const again = await serviceBox(lan, 3, 'a', { database, identity: a.identity });
    await again.broker.publish(OWNER, 'open', toPayload(2), { id: 'i2' });
    await seen(c.box, again.link.name);
    await c.box.link.prove(again.link.name);
    const message = await c.next();
    expect(said(message)).toBe('item open i2 2');
    expect(find(message, 'body')?.getText()).toBe('2');
  });

  it('§6.3.5 what is submitted holds; what it does not name stays', async () => {
    await subscribe('open');
    await c.ask('set', `<options node='open' jid='${c.name}'>${form(SUBSCRIBE_OPTIONS, { deliver: '0' })}</options>`);
    await publish('open', 1, 'i1');
    await c.ask('set', `<options node='open' jid='${c.name}'>${form(SUBSCRIBE_OPTIONS, { deliver: 'true', digest: '0' })}</options>`);
    await publish('open', 2, 'i2');
    expect(said(await c.next())).toBe('item open i2 2');
  });
});
