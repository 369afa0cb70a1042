// XEP-0060 1.30 §9: the box itself as an account with nodes of its own, over a stream. The rest of it is XEP-0163.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TopicSettings } from '../../../src/api.ts';
import { toPayload } from '../../../src/payload/payload.ts';
import { OWNER } from '../../../src/pubsub/actor.ts';
import { personalTopic } from '../../../src/pubsub/personal.ts';
import { attr } from '../../../src/xmpp/element.ts';
import { quiet } from '../../support/quiet.ts';
import { SimulatedLan } from '../../link/fixtures.ts';
import { serviceBox, type ServiceBox } from '../../link/service-box.ts';
import { all, find, PUBSUB, pubsubClient, type PubsubClient, said } from './client.ts';

const TUNE = 'http://jabber.org/protocol/tune';
const ACTIVITY = 'http://jabber.org/protocol/activity';
const TOPIC = personalTopic(TUNE);

describe('XEP-0060 §9 IM Account Integration', () => {
  let lan: SimulatedLan;
  let a: ServiceBox;
  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await serviceBox(lan, 1, 'juliet');
  });
  afterEach(() => lan.close());
  const publish = (value: unknown, node = TUNE) => a.broker.publish(OWNER, personalTopic(node), toPayload(value as never), { id: 'current' });
  /** Somebody whose capabilities are known, and say that it wants to be told of tunes. */
  const contact = async (host: number): Promise<PubsubClient> => {
    const c = await pubsubClient(lan, a, host, `contact${host}`);
    c.box.disco.add([`${TUNE}+notify`]);
    await c.box.link.prove(a.link.name);
    await a.link.features(c.name);
    await lan.until(() => a.link.peers.describe(c.name)?.features?.includes(`${TUNE}+notify`) === true);
    return c;
  };
  const node = async (settings: TopicSettings): Promise<void> => {
    await publish('first');
    await a.broker.configure(OWNER, TOPIC, { sendLast: 'never', ...settings });
  };

  it('§9 that it is one is announced', async () => {
    const c = await pubsubClient(lan, a, 2, 'romeo');
    const features = all(await c.query("<query xmlns='http://jabber.org/protocol/disco#info'/>"), 'feature').map((feature) => attr(feature, 'var'));
    expect(features).toEqual(expect.arrayContaining(['pubsub-on-a-jid', 'auto-subscribe', 'filtered-notifications', 'presence-subscribe'].map((feature) => `${PUBSUB}#${feature}`)));
  });

  it.each<[string, TopicSettings, stranger: boolean]>([
    ['§9.1.2, §9.1.3 open: every contact, also one that nobody has let see this box', { accessModel: 'open' }, true],
    ['§9.1.2 presence: contacts that see this box', { accessModel: 'presence' }, false],
    ['§9.1.2 roster: contacts of the class that it names', { accessModel: 'roster', rosterGroups: ['class:paired'] }, false],
    ['§9.1.2 whitelist: nobody', { accessModel: 'whitelist' }, false],
  ])('%s is told without subscribing; whoever may not hears nothing, and no error', async (_, settings, isOpen) => {
    await node(settings);
    await quiet(); // nobody is there yet
    const friend = await contact(2);
    const stranger = await contact(3);
    await a.service.rules.allow(friend.fingerprint, 'chat');
    await publish('Allegro');
    if (settings.accessModel !== 'whitelist') await friend.next();
    if (isOpen) await stranger.next();
    await quiet();
    expect([friend.waiting, stranger.waiting]).toEqual([[], []]);
    expect(all(await friend.ask('get', '<subscriptions/>'), 'subscription')).toEqual([]);
  });

  it('§9.1.3 whoever leaves is not told, then or when it is back, of what came meanwhile', async () => {
    await node({ accessModel: 'open' });
    const c = await contact(2);
    await publish('Allegro');
    expect(said(await c.next())).toBe(`item ${TUNE} current Allegro`);
    await c.box.close();
    await lan.until(() => a.link.peers.get(c.name) === undefined);
    await publish('Largo');
    expect([...a.log.cursors()].filter(({ name }) => name.includes(c.fingerprint))).toEqual([]);
  });

  it.each<[string, TopicSettings, (c: PubsubClient) => Promise<unknown>]>([
    ['its access model', { accessModel: 'whitelist' }, () => a.broker.configure(OWNER, TOPIC, { accessModel: 'open' })],
    ['that it is of its class, being allowed something', { accessModel: 'roster', rosterGroups: ['class:paired'] }, (c) => a.service.rules.allow(c.fingerprint, 'chat')],
    ['that it is paired', { accessModel: 'presence' }, (c) => a.service.rules.pair(c.fingerprint)],
    ['its affiliation', { accessModel: 'whitelist' }, (c) => a.service.rules.setAffiliation(TOPIC, c.name, 'member')],
  ])('§12.2 whoever gains access by %s is sent the last item, once', async (_, settings, gains) => {
    await node({ ...settings, sendLast: 'on-sub-and-presence' });
    const c = await contact(2);
    await publish('Allegro');
    await quiet();
    expect(c.waiting).toEqual([]);
    await gains(c);
    const message = await c.next();
    expect(said(message)).toBe(`item ${TUNE} current Allegro`);
    expect(find(message, 'delay')).toBeDefined();
    await a.broker.configure(OWNER, TOPIC, { title: 'Tunes' });
    await quiet();
    expect(c.waiting).toEqual([]);
  });

  it('§12.2 and again when it has lost it meanwhile', async () => {
    await node({ accessModel: 'open', sendLast: 'on-sub-and-presence' });
    const c = await contact(2);
    expect(said(await c.next())).toBe(`item ${TUNE} current first`);
    await a.broker.configure(OWNER, TOPIC, { accessModel: 'whitelist' });
    await quiet();
    await publish('Allegro');
    await quiet();
    expect(c.waiting).toEqual([]);
    await a.broker.configure(OWNER, TOPIC, { accessModel: 'open' });
    expect(said(await c.next())).toBe(`item ${TUNE} current Allegro`);
  });

  it('§9.2 of other nodes than it names it is told nothing', async () => {
    await node({ accessModel: 'open' });
    const c = await contact(2);
    await publish('reading', ACTIVITY);
    await a.broker.configure(OWNER, personalTopic(ACTIVITY), { accessModel: 'open' });
    await publish('writing', ACTIVITY);
    await publish('Allegro');
    expect(said(await c.next())).toBe(`item ${TUNE} current Allegro`);
    await quiet();
    expect(c.waiting).toEqual([]);
  });
});
