import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSystemClock } from '../../src/clock.ts';
import type { PeerContext } from '../../src/link/context.ts';
import { createLink, type Link } from '../../src/link/link.ts';
import { OwnPresence } from '../../src/link/own-presence.ts';
import { LinkService } from '../../src/link/link-service.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { Broker } from '../../src/pubsub/broker.ts';
import { DEFAULT_LIMITS } from '../../src/options.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { selfSigned } from '../../src/trust/certificate.ts';
import { Trust } from '../../src/trust/trust.ts';
import { Disco } from '../../src/xep/disco.ts';
import { Dispatcher } from '../../src/xmpp/dispatch.ts';
import { type Element, parseElement, serialize } from '../../src/xmpp/element.ts';
import { acquainted, seen, SimulatedLan, type TestBox } from './fixtures.ts';
import { plainPeer, purpleHeader } from './plain-peer.ts';

const PUBSUB = 'http://jabber.org/protocol/pubsub';
/** Everything a peer may try; `topic` holds one item of the owner's. */
const ATTEMPTS: readonly [string, 'get' | 'set', string][] = [
  ['publish', 'set', "<publish node='topic'><item id='x'><json xmlns='urn:xmpp:json:0'>1</json></item></publish>"],
  ['publish to a topic that is not there', 'set', "<publish node='other'><item id='x'><json xmlns='urn:xmpp:json:0'>1</json></item></publish>"],
  ['subscribe', 'set', "<subscribe node='topic' jid='x@h2'/>"],
  ['subscribe to everything', 'set', "<subscribe node='#' jid='x@h2'/><reader xmlns='urn:lanpost:0' name='r' from='start'/>"],
  ['subscribe to the inbox', 'set', "<subscribe node='$inbox' jid='x@h2'/>"],
  ['read', 'get', "<items node='topic'/>"],
  ['read the inbox', 'get', "<items node='$inbox'/>"],
  ['create', 'set', "<create node='mine'/>"],
  ['retract', 'set', "<retract node='topic'><item id='one'/></retract>"],
];
const EVENT = `<event xmlns='${PUBSUB}#event'><items node='topic'><item id='x'><json xmlns='urn:xmpp:json:0'>1</json></item></items></event>`
  + "<records xmlns='urn:lanpost:0' reader='r'><record id='aaaaaaaaaaaaaaaa-1.00000000-1' at='1'/></records>";
const request = (type: string, inner: string): Element => parseElement(`<iq type='${type}'><pubsub xmlns='${PUBSUB}'>${inner}</pubsub></iq>`);

describe('a stranger on the link', () => {
  let lan: SimulatedLan;
  let log: Log;
  let link: Link;
  let service: LinkService;
  let trust: Trust;

  beforeEach(async () => {
    lan = new SimulatedLan();
    const clock = createSystemClock();
    const trouble = (): void => undefined;
    log = await openLog({ database: new MemoryDatabase(), clock, boxId: 'bbbbbbbbbbbbbbbb', trouble });
    trust = new Trust({ registry: log.registry, clock, trouble });
    const broker = new Broker({ log, clock, trouble, limits: DEFAULT_LIMITS, may: (...asked) => trust.may(...asked), level: (key) => trust.level(key), touches: (...asked) => trust.touches(...asked), generation: () => trust.generation });
    const dispatcher = new Dispatcher<PeerContext>();
    const disco = new Disco<PeerContext>({ node: 'urn:lanpost:0', identities: [] });
    disco.attach(dispatcher);
    const own = new OwnPresence({ registry: log.registry, label: 'a', caps: () => disco.caps() });
    service = new LinkService({
      broker, log, trust, clock, trouble, dispatcher, disco, own, bareName: 'a', dir: '/nonexistent', limits: DEFAULT_LIMITS, receive: () => Promise.resolve(), roadsChanged: () => undefined,
    });
    const identity = await lan.identity();
    link = createLink({
      certificate: () => selfSigned(identity.key),
      mdns: lan.mdns(1), tcp: lan.tcp(1), trust, clock, trouble, dispatcher, disco, own, identity, registry: log.registry,
      name: 'a', host: 'h1', port: 0, limits: DEFAULT_LIMITS, on: { opened: peer => service.opened(peer), closed: peer => service.closed(peer) },
    });
    service.use(link);
    await link.start();
    await broker.publish(OWNER, 'topic', toPayload('one'), { id: 'one' });
  });
  afterEach(async () => {
    await lan.close();
    await service.close();
    await trust.close();
    await log.close();
  });
  const untouched = (head: number): void => {
    expect(log.head).toBe(head);
    expect([...log.cursors()]).toEqual([]);
  };

  test('without a key can publish, subscribe and read nothing', async () => {
    const { head } = log;
    const mallory = await plainPeer(lan, 2, 'mallory@h2');
    await seen({ link }, mallory.name);
    const stream = await mallory.dial('10.77.0.1', link.status().port ?? 0);
    stream.write(purpleHeader('mallory@h2', 'a@h1'));
    for (const [i, [, type, inner]] of ATTEMPTS.entries()) {
      const iq = request(type, inner);
      iq.attrs['id'] = String(i);
      stream.write(serialize(iq));
      expect(await stream.reads('</iq>')).toMatch(new RegExp(`type='error' id='${i}'.*<error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>`));
    }
    stream.write(`<message>${EVENT}</message><message><body>x</body>${EVENT}</message><iq type='get' id='last'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`);
    await stream.reads(/id='last'/);
    untouched(head);
  });

  describe('with a key, but without a grant', () => {
    let b: TestBox;
    beforeEach(async () => {
      b = await lan.box(2, 'b');
      await seen(b, link.name);
    });

    test.each(ATTEMPTS)('cannot %s', async (_, type, inner) => {
      const { head } = log;
      await expect(b.link.request(link.name, request(type, inner))).rejects.toMatchObject({ name: 'StanzaError' });
      untouched(head);
    });

    test('cannot pass off events as those of a subscription', async () => {
      const { head } = log;
      const { delivered } = await b.link.send(link.name, parseElement(`<message>${EVENT}</message>`));
      await delivered;
      expect(log.head).toBe(head);
      untouched(head);
    });

    test('can read what it was granted, and no more', async () => {
      await b.link.prove(link.name);
      await trust.allow(b.identity.fingerprint, 'read', 'topic');
      const items = await b.link.request(link.name, request('get', "<items node='topic'/>"));
      expect(String(items)).toContain("id=\"one\"");
      await expect(b.link.request(link.name, request('get', "<items node='$inbox'/>"))).rejects.toMatchObject({ name: 'StanzaError' });
      await expect(b.link.request(link.name, request('set', "<publish node='topic'><item/></publish>"))).rejects.toMatchObject({ name: 'StanzaError' });
      await trust.revoke(b.identity.fingerprint);
      await expect(b.link.request(link.name, request('get', "<items node='topic'/>"))).rejects.toMatchObject({ name: 'StanzaError' });
    });
  });
});

test('a box with an open stream is not forgotten for keys that strangers make up', async () => {
  const lan = new SimulatedLan();
  const [a, b] = [await lan.box(1, 'a'), await lan.box(2, 'b')];
  await acquainted(a, b);
  await a.link.prove(b.name);
  for (let i = 0; i < 600; i += 1) a.trust.seen(Buffer.from(`key ${i}`), `stranger ${i}`);
  expect(a.trust.holder('stranger 0')).toBeUndefined();
  expect(a.trust.holder(b.name)).toBe(b.identity.fingerprint);
  expect(a.trust.find(b.name)).toMatchObject({ name: b.name, level: 'seen' });
  await lan.close();
});
