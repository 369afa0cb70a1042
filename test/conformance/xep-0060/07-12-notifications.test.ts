// oxlint-disable vitest/warn-todo -- what is not done stays visible
// XEP-0060 1.30 §7.1.2, §7.2.2, §8.2.5.3, §8.4.2, §8.5.2 and §12: what subscribers are told, over a stream.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TopicConfig } from '../../../src/api.ts';
import { createTestClock, type TestClock } from '../../../src/clock.ts';
import { toPayload } from '../../../src/payload/payload.ts';
import { OWNER } from '../../../src/pubsub/actor.ts';
import { attr, type Element, parseElement } from '../../../src/xmpp/element.ts';
import { StanzaError } from '../../../src/xmpp/stanza-error.ts';
import { errorReply } from '../../../src/xmpp/stanza.ts';
import { quiet } from '../../support/quiet.ts';
import { SimulatedLan } from '../../link/fixtures.ts';
import { serviceBox, type ServiceBox } from '../../link/service-box.ts';
import { all, answered, find, form, PUBSUB, pubsubClient, type PubsubClient, said, SUBSCRIBE_OPTIONS } from './client.ts';

describe('XEP-0060 notifications', () => {
  it.todo('§12.11 several items in one request: 1.13 took them out (§7.1.1), and they are refused');
  it.todo('§12.19 a word before a lease ends: a MAY');

  let lan: SimulatedLan;
  let a: ServiceBox;
  let c: PubsubClient;
  let clock: TestClock;
  beforeEach(async () => {
    lan = new SimulatedLan();
    clock = createTestClock();
    a = await serviceBox(lan, 1, 'a', { clock });
    c = await pubsubClient(lan, a, 2, 'francisco');
  });
  afterEach(() => lan.close());
  const publish = (topic: string, value: unknown, id?: string) => a.broker.publish(OWNER, topic, toPayload(value as never), id === undefined ? {} : { id });
  const topic = async (config: Partial<TopicConfig> = {}, options?: Record<string, string | string[]>): Promise<Element> => {
    await a.broker.create(OWNER, 't', { accessModel: 'open', ...config });
    return subscribe(options);
  };
  const subscribe = (options?: Record<string, string | string[]>): Promise<Element> => c.ask('set',
    `<subscribe node='t' jid='${c.name}'/>${options ? `<options>${form(SUBSCRIBE_OPTIONS, options)}</options>` : ''}`);
  /** What was told has been confirmed, and not come back. */
  const confirmed = async (): Promise<void> => {
    for (let i = 0; i < 3; i += 1) {
      clock.advance(2_000);
      await quiet();
    }
  };
  /** It leaves, and what it had got is known to have arrived. */
  const away = async (): Promise<void> => {
    await confirmed();
    await c.box.close();
    await lan.until(() => a.link.peers.get(c.name) === undefined);
    clock.advance(60_000); // it might have come back to the same session
    await quiet();
  };
  const back = async (): Promise<void> => {
    c = await pubsubClient(lan, a, 2, 'francisco', { identity: c.box.identity });
    await c.box.link.prove(a.link.name);
  };

  it('§7.1.2 each has an id of its own, the type that the node says, and one item', async () => {
    await topic();
    await publish('t', 1, 'i1');
    await publish('t', 2, 'i2');
    const messages = [await c.next(), await c.next()];
    expect(messages.map(said)).toEqual(['item t i1 1', 'item t i2 2']);
    expect(new Set(messages.map((message) => attr(message, 'id'))).size).toBe(2);
    const [first] = messages;
    expect(first && attr(first, 'type')).toBe('headline');
    await a.broker.configure(OWNER, 't', { notificationType: 'normal', notifyConfig: false });
    await publish('t', 3, 'i3');
    expect(attr(await c.next(), 'type')).toBe('normal');
  });

  it('§7.1.2.2 without payload where the node says so', async () => {
    await topic({ deliverPayloads: false });
    await publish('t', 1, 'i1');
    const message = await c.next();
    expect(find(message, 'item')?.children).toEqual([]);
  });

  it('§4.3, §7.1.3.7 of a transient node without payloads: that something was published, and nothing of it', async () => {
    await topic({ persist: false, deliverPayloads: false, publishModel: 'open' });
    await c.ask('set', "<publish node='t'/>");
    expect(find(await c.next(), 'event')?.toString()).toBe('<event xmlns="http://jabber.org/protocol/pubsub#event"><items node="t"/></event>');
  });

  it('§6.5.6, §7.1.2.2 what was not in it is had by asking', async () => {
    await topic({ deliverPayloads: false });
    await publish('t', 'all of it', 'i1');
    const id = attr(find(await c.next(), 'item')!, 'id') ?? '';
    expect(find(await c.ask('get', `<items node='t'><item id='${id}'/></items>`), 'text')?.getText()).toBe('all of it');
  });

  it.each(['retract-oldest', 'discard-oldest'])('§7.1.2.5 %s: of what goes to make room nobody is told', async (full) => {
    await topic({ maxItems: 1, publishModel: 'open', notifyConfig: false });
    await a.service.rules.setAffiliation('t', c.name, 'owner');
    await c.ask('set', `<configure node='t'>${form(`${PUBSUB}#node_config`, { publish_node_full: full })}</configure>`, `${PUBSUB}#owner`);
    await publish('t', 1, 'i1');
    await publish('t', 2, 'i2');
    await a.broker.retract(OWNER, 't', 'i2');
    expect([await c.next(), await c.next(), await c.next()].map(said)).toEqual(['item t i1 1', 'item t i2 2', 'retract t i2']);
    expect(await a.broker.items(OWNER, 't')).toEqual([]);
  });

  it('§7.1.3.4 reject: of what was refused nobody is told', async () => {
    await topic({ maxItems: 1, publishModel: 'open', full: 'reject' });
    await publish('t', 1, 'i1');
    expect(await c.refused('set', "<publish node='t'><item id='i2'><x xmlns='urn:x'/></item></publish>")).toBe('cancel conflict / node-full');
    await publish('t', 'again', 'i1');
    expect([await c.next(), await c.next()].map(said)).toEqual(['item t i1 1', 'item t i1 again']);
  });

  it('§7.1.2.3, §12.17 the publisher, made by the service, where the node says so; then with items, too', async () => {
    await topic({ itemReply: 'publisher', publishModel: 'open' });
    await c.ask('set', `<publish node='t'><item id='i1' publisher='somebody@else'><x xmlns='urn:x'/></item></publish>`);
    expect(find(await c.next(), 'item')?.attrs['publisher']).toBe(c.name);
    expect(find(await c.ask('get', `<items node='t'/>`), 'item')?.attrs['publisher']).toBe(c.name);
    await publish('t', 1);
    expect(find(await c.next(), 'item')?.attrs['publisher']).toBe(a.link.name);
  });

  it('§7.1.2.3 and not where it does not', async () => {
    await topic({ publishModel: 'open' });
    await c.ask('set', `<publish node='t'><item id='i1'><x xmlns='urn:x'/></item></publish>`);
    expect(find(await c.next(), 'item')?.attrs['publisher']).toBeUndefined();
  });

  it('§7.2.2.1, §8.5.2, §8.4.2 retracted, purged, deleted; then the subscription is over', async () => {
    await topic();
    await publish('t', 1, 'i1');
    await a.broker.retract(OWNER, 't', 'i1');
    await a.broker.purge(OWNER, 't');
    await a.broker.delete(OWNER, 't');
    expect([await c.next(), await c.next(), await c.next(), await c.next()].map(said)).toEqual(['item t i1 1', 'retract t i1', 'purge t', 'delete t']);
    await confirmed();
    expect(all(await c.ask('get', '<subscriptions/>'), 'subscription')).toEqual([]);
    expect([...a.log.cursors()]).toEqual([]);
  });

  it('§8.4.2 of one that is away: it hears when it is back that its subscription is over, and what it has not had is written down', async () => {
    await a.service.rules.pair(c.fingerprint);
    await topic();
    await publish('t', 1, 'i1');
    expect(said(await c.next())).toBe('item t i1 1');
    await away();
    await publish('t', 2, 'i2');
    await publish('t', 3, 'i3');
    await a.broker.delete(OWNER, 't');
    expect([...a.log.cursors()]).toEqual([]);
    expect(await a.broker.items(OWNER, '$ledger')).toMatchObject([{ value: { topic: 't', count: 3, reason: 'dropped' } }]);
    await a.broker.create(OWNER, 't', { accessModel: 'open' });
    await publish('t', 4, 'i4');
    await back();
    expect(find(await c.next(), 'subscription')?.attrs).toMatchObject({ node: 't', subscription: 'none' });
    await confirmed();
    expect(c.waiting).toEqual([]);
  });

  it('§8.4.2 of one that is away and reads it by a wider filter: what it has not had of it is written down', async () => {
    await a.service.rules.pair(c.fingerprint);
    for (const name of ['s/1', 's/2', 'other']) await a.broker.create(OWNER, name, { accessModel: 'open', notifyConfig: false });
    await c.ask('set', `<subscribe node='s/#' jid='${c.name}'/>`);
    await publish('s/1', 1, 'i1');
    expect(said(await c.next())).toBe('item s/1 i1 1');
    await away();
    for (const name of ['s/1', 's/2', 'other']) await publish(name, 2, 'i2');
    for (const name of ['s/1', 'other']) await a.broker.delete(OWNER, name);
    expect(await a.broker.items(OWNER, '$ledger')).toMatchObject([{ value: { topic: 's/1', reason: 'dropped' } }]);
    await back();
    expect(said(await c.next())).toBe('item s/2 i2 2');
  });

  it('§7.2.2.1 whoever retracts with notify has it told, whatever the node says', async () => {
    await topic({ notifyRetract: false, publishModel: 'open' });
    for (const id of ['i1', 'i2']) await c.ask('set', `<publish node='t'><item id='${id}'><x xmlns='urn:x'/></item></publish>`);
    for (const notify of ['', " notify='true'"]) await c.ask('set', `<retract node='t'${notify}><item id='${notify === '' ? 'i1' : 'i2'}'/></retract>`);
    expect([await c.next(), await c.next(), await c.next()].map((message) => said(message).trim())).toEqual(['item t i1', 'item t i2', 'retract t i2']);
  });

  it('§8.2.5.3 what the node does not let be told is not', async () => {
    await topic({ notifyRetract: false, notifyConfig: false, notifyDelete: false });
    await publish('t', 1, 'i1');
    await a.broker.retract(OWNER, 't', 'i1');
    await a.broker.purge(OWNER, 't');
    await a.broker.configure(OWNER, 't', { title: 'T' });
    await publish('t', 2, 'i2');
    await a.broker.configure(OWNER, 't', { deliverNotifications: false });
    await publish('t', 3, 'i3');
    await a.broker.configure(OWNER, 't', { deliverNotifications: true });
    await publish('t', 4, 'i4');
    expect([await c.next(), await c.next(), await c.next()].map(said)).toEqual(['item t i1 1', 'item t i2 2', 'item t i4 4']);
  });

  it('§8.2.5.3 a changed configuration, with the form where payloads are sent', async () => {
    await topic({ notifyConfig: true });
    await a.broker.configure(OWNER, 't', { title: 'Musings' });
    const message = await c.next();
    expect(said(message)).toBe('configuration t');
    expect(answered(message)).toMatchObject({ title: ['Musings'] });
    await a.broker.configure(OWNER, 't', { deliverPayloads: false });
    expect(find(await c.next(), 'x')).toBeUndefined();
  });

  it('§8.4.2 deleted, with the place where it is now', async () => {
    await topic();
    await a.broker.delete(OWNER, 't', 'xmpp:hamlet@h9?;node=blog');
    expect(find(await c.next(), 'redirect')?.attrs['uri']).toBe('xmpp:hamlet@h9?;node=blog');
  });

  it('§16.4.4 purge_offline: what a publisher published goes when it does', async () => {
    await topic({ publishModel: 'open', purgeOffline: true });
    await c.ask('set', `<publish node='t'><item id='i1'><x xmlns='urn:x'/></item></publish>`);
    await publish('t', 'stays', 'i2');
    await away();
    await lan.until(() => a.broker.topic('t')?.items === 1);
    expect(await a.broker.items(OWNER, 't')).toMatchObject([{ id: 'i2' }]);
  });

  it('§6.3, §12.8 a body beside the payload, if it is wanted and people can read it', async () => {
    await topic({}, { include_body: '1' });
    await publish('t', 'for people');
    expect(find(await c.next(), 'body')?.getText()).toBe('for people');
    await publish('t', Uint8Array.of(1, 2));
    expect(find(await c.next(), 'body')).toBeUndefined();
  });

  it('§6.3, §12.3 only in the presence that it names', async () => {
    await topic({}, { 'show-values': ['online'] });
    await c.box.own.setStatus('dnd');
    await lan.until(() => a.link.peers.get(c.name)?.claims.status === 'dnd');
    await publish('t', 'not now');
    await quiet();
    await c.box.own.setStatus('available');
    await lan.until(() => a.link.peers.get(c.name)?.claims.status === 'available');
    await publish('t', 'now', 'i2');
    expect(said(await c.next())).toBe('item t i2 now');
  });

  it('what is published while the subscriber is away comes when it is back, once and in order', async () => {
    await topic();
    await publish('t', 0, 'i0');
    await c.next();
    await away();
    for (let i = 1; i <= 3; i += 1) await publish('t', i, `i${i}`);
    await back();
    expect([await c.next(), await c.next(), await c.next()].map(said)).toEqual(['item t i1 1', 'item t i2 2', 'item t i3 3']);
    await quiet();
    expect(c.waiting).toEqual([]);
  });

  it('§12.6 presence-based: what is published while it is away is not kept for it', async () => {
    await topic({ presenceBased: true });
    await publish('t', 0, 'i0');
    await c.next();
    expect([...a.log.cursors()]).toEqual([]);
    await away();
    await publish('t', 1, 'i1');
    await back();
    await quiet();
    await publish('t', 2, 'i2');
    expect(said(await c.next())).toBe('item t i2 2');
  });

  it('§12.6 presence-based and then no more: from then on it is kept, and nothing comes twice', async () => {
    await topic({ presenceBased: true, notifyConfig: false });
    await publish('t', 0, 'i0');
    expect(said(await c.next())).toBe('item t i0 0');
    await confirmed();
    await a.broker.configure(OWNER, 't', { presenceBased: false });
    await lan.until(() => a.log.cursorCount === 1);
    await publish('t', 1, 'i1');
    expect(said(await c.next())).toBe('item t i1 1');
    await away();
    await publish('t', 2, 'i2');
    await back();
    expect(said(await c.next())).toBe('item t i2 2');
    await quiet();
    expect(c.waiting).toEqual([]);
  });

  it('§12.6 presence-based from some time on: what waited is written down, and does not come later all the same', async () => {
    await topic({ notifyConfig: false });
    await a.service.rules.pair(c.fingerprint);
    await publish('t', 0, 'i0');
    expect(said(await c.next())).toBe('item t i0 0');
    await away();
    await publish('t', 1, 'i1');
    await a.broker.configure(OWNER, 't', { presenceBased: true });
    await back();
    await lan.until(() => a.log.cursorCount === 0);
    expect(await a.broker.items(OWNER, '$ledger')).toMatchObject([{ value: { topic: 't', reason: 'dropped' } }]);
    await a.broker.configure(OWNER, 't', { presenceBased: false });
    await lan.until(() => a.log.cursorCount === 1);
    await publish('t', 2, 'i2');
    expect(said(await c.next())).toBe('item t i2 2');
    await quiet();
    expect(c.waiting).toEqual([]);
  });

  it('§6.1.7 the last item when it is there again, where the node says so', async () => {
    await topic({ sendLast: 'on-sub-and-presence' });
    await publish('t', 0, 'i0');
    await c.next();
    await away();
    await back();
    const message = await c.next();
    expect(said(message)).toBe('item t i0 0');
    expect(find(message, 'delay')).toBeDefined();
  });

  it('§12.4 sent back: nothing more comes until it asks again, and then what it sent back, too; the owner is told', async () => {
    await topic();
    c.reply = (message) => void c.box.link.send(a.link.name, errorReply(message, new StanzaError('resource-constraint')));
    await publish('t', 1, 'i1');
    await lan.until(() => a.troubles.some(({ kind }) => kind === 'link.returned'));
    await publish('t', 2, 'i2');
    await quiet();
    c.reply = undefined;
    expect(c.waiting).toEqual([]);
    await subscribe();
    expect([await c.next(), await c.next()].map(said)).toEqual(['item t i1 1', 'item t i2 2']);
  });

  /** Sends bounce what it is told, with an error that says that. */
  const returns = (error: string): void => {
    c.reply = (message) => {
      const bounce = errorReply(message, new StanzaError('undefined-condition'));
      bounce.children = bounce.children.filter((child) => typeof child !== 'object' || child.getName() !== 'error');
      bounce.append(parseElement(error));
      void c.box.link.send(a.link.name, bounce);
    };
  };
  const condition = (name: string): string => `<${name} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>`;

  it.each([
    ['of the type cancel', `<error type='cancel'>${condition('item-not-found')}</error>`],
    ['with the condition gone, whatever its type', `<error type='modify'>${condition('gone')}</error>`],
  ])('§12.4 sent back with an error %s: the subscription is over, that is told, and what it has not had is written down', async (_, error) => {
    await a.service.rules.pair(c.fingerprint);
    await topic();
    returns(error);
    await publish('t', 1, 'i1');
    await lan.until(() => a.troubles.some(({ kind }) => kind === 'link.returned'));
    c.reply = undefined;
    await lan.until(() => [...a.log.cursors()].length === 0);
    await publish('t', 2, 'i2');
    expect(said(await c.next())).toBe('subscription t none');
    expect(all(await c.ask('get', '<subscriptions/>'), 'subscription')).toEqual([]);
    expect(await a.broker.items(OWNER, '$ledger')).toMatchObject([{ value: { topic: 't', count: 1, reason: 'dropped' } }]);
    await subscribe();
    await publish('t', 3, 'i3');
    expect(said(await c.next())).toBe('item t i3 3');
  });

  it.each([
    ['that may pass', `<error type='wait'>${condition('remote-server-timeout')}</error>`],
    ['of one message', `<error type='cancel'>${condition('not-acceptable')}</error>`],
    ['that says no type', `<error>${condition('item-not-found')}</error>`],
  ])('§12.4 sent back with an error %s: the subscription stays, and its place', async (_, error) => {
    await topic();
    returns(error);
    await publish('t', 1, 'i1');
    await lan.until(() => a.troubles.some(({ kind }) => kind === 'link.returned'));
    await publish('t', 2, 'i2');
    await quiet();
    c.reply = undefined;
    await subscribe();
    expect([await c.next(), await c.next()].map(said)).toEqual(['item t i1 1', 'item t i2 2']);
  });

  it('§12.4 several sent back at once: what it has not had is written down once', async () => {
    await a.service.rules.pair(c.fingerprint);
    await topic();
    returns(`<error type='cancel'>${condition('service-unavailable')}</error>`);
    await Promise.all([1, 2, 3, 4].map((i) => publish('t', i, `i${i}`)));
    await lan.until(() => [...a.log.cursors()].length === 0);
    await lan.until(() => [...a.service.subscriptions.untold(c.fingerprint)].length === 0);
    expect(await a.broker.items(OWNER, '$ledger')).toMatchObject([{ value: { topic: 't', count: 4, reason: 'dropped' } }]);
  });

  it('§12.4 what one client sends back ends nobody else\'s', async () => {
    await topic();
    const other = await pubsubClient(lan, a, 3, 'barnardo');
    await other.ask('set', `<subscribe node='t' jid='${other.name}'/>`);
    const ids: string[] = [];
    other.reply = (message) => { ids.push(attr(message, 'id') ?? ''); };
    await publish('t', 1, 'i1');
    await lan.until(() => ids.length === 1);
    await c.next();
    await c.box.link.send(a.link.name, parseElement(`<message type='error' id='${ids[0]}'><event xmlns='${PUBSUB}#event'/><error type='cancel'>${condition('gone')}</error></message>`));
    await quiet();
    expect([...a.service.subscriptions.of(other.fingerprint), ...a.service.subscriptions.of(c.fingerprint)]).toHaveLength(2);
  });

  it('§12.19 a lease: at its end the subscription is over, and that is told', async () => {
    const until = new Date(clock.wall() + 3_600_000).toISOString();
    await topic({}, { expire: until });
    await publish('t', 1, 'i1');
    await c.next();
    clock.advance(3_600_001);
    const message = await c.next();
    expect(said(message)).toBe('subscription t none');
    expect(all(await c.ask('get', '<subscriptions/>'), 'subscription')).toEqual([]);
  });

  it('§12.19 renewed, it goes on', async () => {
    await topic({}, { expire: new Date(clock.wall() + 1_000_000).toISOString() });
    await c.ask('set', `<options node='t' jid='${c.name}'>${form(SUBSCRIBE_OPTIONS, { expire: new Date(clock.wall() + 3_000_000).toISOString() })}</options>`);
    clock.advance(2_000_000);
    await publish('t', 1, 'i1');
    expect(said(await c.next())).toBe('item t i1 1');
  });

  it('§12.5 temporary: it ends when the subscriber leaves', async () => {
    await topic({}, { expire: 'presence' });
    await away();
    await lan.until(() => [...a.service.subscriptions.of(c.fingerprint)].length === 0);
    expect([...a.log.cursors()]).toEqual([]);
  });

  it('§12.14 a state that an owner changes is told, also to whoever was away then', async () => {
    await topic();
    const [row] = a.service.subscriptions.of(c.fingerprint);
    await away();
    if (row) await a.service.subscriptions.decide(row, 'none');
    await back();
    const message = await c.next();
    expect(find(message, 'subscription')?.attrs).toMatchObject({ node: 't', jid: c.name, subscription: 'none' });
    await lan.until(() => [...a.service.subscriptions.untold(c.fingerprint)].length === 0);
  });

  it('an item that no stanza can hold costs the subscriber that item alone', async () => {
    await topic();
    await publish('t', '&'.repeat(100_000));
    await publish('t', 2, 'i2');
    const first = await c.next();
    expect(find(first, 'gap')?.attrs).toMatchObject({ count: '1' });
    expect(said(await c.next())).toBe('item t i2 2');
  });
});
