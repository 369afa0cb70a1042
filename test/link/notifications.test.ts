import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { toPayload } from '../../src/payload/payload.ts';
import { keyAddress, OWNER } from '../../src/pubsub/actor.ts';
import { cursorOf } from '../../src/pubsub/peer-subscriptions.ts';
import { parseElement } from '../../src/xmpp/element.ts';
import { StanzaError } from '../../src/xmpp/stanza-error.ts';
import { errorReply } from '../../src/xmpp/stanza.ts';
import { form, type PubsubClient, pubsubClient, said, SUBSCRIBE_OPTIONS } from '../conformance/xep-0060/client.ts';
import { quiet } from '../support/quiet.ts';
import { SimulatedLan } from './fixtures.ts';
import { plainPeer } from './plain-peer.ts';
import { secureCaller } from './secure-caller.ts';
import { serviceBox, type ServiceBox } from './service-box.ts';

let lan: SimulatedLan;
let a: ServiceBox;
let c: PubsubClient;
const publish = (topic: string, value: unknown, id?: string) => a.broker.publish(OWNER, topic, toPayload(value as never), id === undefined ? {} : { id });

beforeEach(async () => {
  lan = new SimulatedLan();
  a = await serviceBox(lan, 1, 'a');
  c = await pubsubClient(lan, a, 2, 'c');
  await a.broker.create(OWNER, 't', { accessModel: 'open' });
});
afterEach(() => lan.close());

describe('a client that is no box', () => {
  test('without a key subscribes to nothing, and asks for nothing', async () => {
    const stream = await secureCaller(lan, a, { host: 3, key: null });
    stream.write(`<iq type='set' id='1' to='${a.link.name}'><pubsub xmlns='http://jabber.org/protocol/pubsub'><subscribe node='t' jid='mallory@h3'/></pubsub></iq>`);
    expect(await stream.reads('</iq>')).toContain("<forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>");
    expect(a.log.cursorCount).toBe(0);
  });

  test('that may read again by being paired anew goes on at once', async () => {
    await a.broker.configure(OWNER, 't', { accessModel: 'presence' });
    await a.service.rules.allow(c.fingerprint, 'chat');
    await c.ask('set', `<subscribe node='t' jid='${c.name}'/>`);
    await a.service.rules.revoke(c.fingerprint);
    await publish('t', 1, 'i1');
    await quiet();
    expect(c.waiting).toEqual([]);
    await a.service.rules.pair(c.fingerprint);
    expect(said(await c.next())).toBe('item t i1 1');
  });

  test('that asks for what XML cannot carry is told so, and goes on', async () => {
    // As it could be set once.
    await a.log.append({ topic: 'old', kind: 'configure', config: { title: 'a\u0000b', accessModel: 'open' } });
    const asked = c.query("<query xmlns='http://jabber.org/protocol/disco#info' node='old'/>");
    await expect(asked).rejects.toMatchObject({ condition: 'internal-server-error', text: 'what is asked for holds a character that XML cannot carry' });
    expect((await c.ask('get', "<items node='old'/>")).getChild('items')).toBeDefined();
  });

  test('that asks for more of a subtree has what it has had once', async () => {
    await a.broker.create(OWNER, 'lamp/a', { accessModel: 'open' });
    await c.ask('set', `<subscribe node='lamp/' jid='${c.name}'/><options>${form(SUBSCRIBE_OPTIONS, { subscription_type: 'items' })}</options>`);
    await publish('lamp/a', 1, 'i1');
    expect(said(await c.next())).toBe('item lamp/a i1 1');
    const [row] = a.service.subscriptions.of(c.fingerprint);
    // It has arrived, and not come back.
    await lan.until(() => [...a.log.cursors()].some(({ name, position }) => name === cursorOf(c.fingerprint, 'lamp/+') && position > (row?.since ?? Infinity)));
    await c.ask('set', `<options node='lamp/' jid='${c.name}'>${form(SUBSCRIBE_OPTIONS, { subscription_depth: 'all' })}</options>`);
    await publish('lamp/a', 2, 'i2');
    expect(said(await c.next())).toBe('item lamp/a i2 2');
  });

  test('that nobody vouched for leaves room in the ledger, whatever it has sent back or cannot be sent', async () => {
    await a.broker.create(OWNER, 'open', { accessModel: 'open', publishModel: 'open' });
    for (let i = 0; i < 3; i += 1) {
      await c.ask('set', `<subscribe node='open' jid='${c.name}'/>`);
      c.reply = (message) => {
        c.reply = undefined;
        void c.box.link.send(a.link.name, errorReply(message, new StanzaError('service-unavailable')));
      };
      await publish('open', i, `i${i}`);
      expect(said(await c.next())).toBe('subscription open none');
    }
    await c.ask('set', `<subscribe node='open' jid='${c.name}'/>`);
    for (let i = 0; i < 3; i += 1) {
      await publish('open', '&'.repeat(100_000));
      await c.next();
    }
    expect(await a.broker.items(OWNER, '$ledger')).toMatchObject([{ value: { subscription: 'peers that are not paired', count: 6 } }]);
  });

  test('that answers everything with an error, or floods with errors nobody asked for, harms nobody', async () => {
    await c.ask('set', `<subscribe node='t' jid='${c.name}'/>`);
    await publish('t', 1, 'i1');
    const message = await c.next();
    for (let i = 0; i < 200; i += 1) {
      await c.box.link.send(a.link.name, parseElement(`<message type='error' id='n${i}'><event xmlns='http://jabber.org/protocol/pubsub#event'/><error type='cancel'/></message>`));
    }
    await c.box.link.send(a.link.name, parseElement("<message type='error'><error type='cancel'/></message>"));
    await publish('t', 2, 'i2');
    expect(said(await c.next())).toBe('item t i2 2');
    expect(a.troubles.map(({ kind }) => kind)).not.toContain('link.returned');
    // Another's message is not its to send back.
    const other = await pubsubClient(lan, a, 4, 'other');
    await other.box.link.send(a.link.name, parseElement(`<message type='error' id='${String(message.attrs['id'])}'><error type='cancel'/></message>`));
    await publish('t', 3, 'i3');
    expect(said(await c.next())).toBe('item t i3 3');
  });

  test.each([
    "<subscribe node='a//b' jid='JID'/>", "<subscribe node='/' jid='JID'/>", "<subscribe node='t/#/x' jid='JID'/>", "<subscribe node='NAME' jid='JID'/>",
    "<subscribe node='t' jid='JID/LONG'/>", "<options node='t' jid='JID'/>", "<options/>", "<unsubscribe/>", "<subscriptions/>", '<subscribe/>',
    "<subscribe node='$inbox' jid='JID'/>", "<subscribe node='$mail/#' jid='JID'/>", "<subscribe node='$at/x' jid='JID'/>",
  ])('is answered, not served: %s', async (request) => {
    const asked = request.replaceAll('JID', c.name).replace('NAME', 'x'.repeat(10_000)).replace('LONG', 'y'.repeat(4_000));
    for (const type of ['get', 'set'] as const) {
      const answer = await c.ask(type, asked).then((element) => element.toString(), (error: { condition?: string }) => `refused ${error.condition}`);
      expect(answer).toMatch(/^refused (?!internal)|<subscriptions/);
    }
    await publish('t', 1);
    await quiet();
    expect(c.waiting).toEqual([]);
    expect(lan.dials).toHaveLength(1);
  });

  test('is told over the stream that it has, by whatever name it goes now', async () => {
    await c.ask('set', `<subscribe node='t' jid='${c.name}'/>`);
    await publish('t', 1, 'i1');
    await c.next();
    await c.box.close();
    const again = await pubsubClient(lan, a, 5, 'renamed', { identity: c.box.identity });
    await again.box.link.prove(a.link.name);
    await publish('t', 2, 'i2');
    await lan.until(() => again.waiting.some((message) => said(message) === 'item t i2 2'));
    expect(again.waiting.length).toBeLessThanOrEqual(2); // what was not confirmed before it left comes again
  });

  test('that was let while it was away gets all that came after that', async () => {
    await a.broker.create(OWNER, 'asked', { accessModel: 'authorize' });
    await c.ask('set', `<subscribe node='asked' jid='${c.name}'/>`);
    await c.box.close();
    await lan.until(() => a.link.peers.get(c.name) === undefined);
    await publish('asked', 0, 'before');
    await a.broker.affiliate(OWNER, 'asked', new Map([[keyAddress(c.fingerprint), 'member']]));
    // A place of its own, so that nothing is trimmed before it has it.
    expect(Array.from(a.log.cursors(), ({ filter }) => filter)).toEqual(['asked']);
    await publish('asked', 1, 'after');
    await a.broker.purge(OWNER, 'asked');
    const again = await pubsubClient(lan, a, 5, 'c', { identity: c.box.identity });
    await again.box.link.prove(a.link.name);
    await lan.until(() => again.waiting.some((message) => said(message) === 'purge asked'));
    expect(again.waiting.map((message) => said(message))).toEqual(expect.arrayContaining(['subscription asked subscribed', 'item asked after 1']));
    expect(again.waiting.map((message) => said(message))).not.toContain('item asked before 0');
  });

  test('is never told what was for another key under its name', async () => {
    await c.ask('set', `<subscribe node='t' jid='${c.name}'/>`);
    await c.box.close();
    await lan.until(() => a.link.peers.get(c.name) === undefined);
    const thief = await pubsubClient(lan, a, 2, 'c');
    expect(thief.name).toBe(c.name);
    await thief.box.link.prove(a.link.name);
    await publish('t', 'for the first');
    await quiet();
    expect(thief.waiting).toEqual([]);
    expect(await thief.ask('get', '<subscriptions/>')).toMatchObject({ children: [{ children: [] }] });
  });

  test('in the clear asks about nodes, and sees those that anybody may', async () => {
    const peer = await plainPeer(lan, 6, 'pidgin@h6');
    await lan.until(() => a.link.peers.get('pidgin@h6') !== undefined);
    const stream = await peer.dial('10.77.0.1', a.link.status().port ?? 0);
    stream.write(`<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='pidgin@h6' to='${a.link.name}'>`);
    stream.write("<iq type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>");
    expect(await stream.reads(/<iq[^]*?(<\/iq>|\/>)/)).not.toContain("node='t'");
  });
});
