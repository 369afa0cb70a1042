// A component on real servers: devices with addresses of their own, and people who write to them.
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createSystemClock } from '../../src/clock.ts';
import { Components } from '../../src/home/component/components.ts';
import { createReceiver } from '../../src/home/receiver.ts';
import type { Incoming } from '../../src/mail/inbox.ts';
import { attr, type Element, xml } from '../../src/xmpp/element.ts';
import { memoryRegistry } from '../trust/fixtures.ts';
import { Bell } from '../support/bell.ts';
import { eventually } from '../support/eventually.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { needs } from '../support/needs.ts';
import { openReader, type Reader } from './reader.ts';

/** What comes in is put into `got`. */
function openComponents(registry: ReturnType<typeof memoryRegistry>, bell: Bell, got: Incoming[]): Components {
  return new Components({
    log: { registry, trustedNow: () => undefined }, clock: bell.heard(createSystemClock()), trouble: bell.ring, random: () => 0,
    receive: createReceiver({
      version: '0', challenged: bell.ring, received: bell.ring, returned: bell.ring,
      letters: { open: () => undefined, kept: () => { throw new Error('no letter'); }, refused: () => { throw new Error('no letter'); }, lost: () => undefined },
      receive: async (incoming) => {
        got.push(incoming);
        bell.ring();
      },
    }),
  });
}

describe.each(['prosody', 'ejabberd'] as const)('a component on %s', (kind) => {
  describe.skipIf(!needs(kind))('with a device', () => {
    const bell = new Bell();
    const got: Incoming[] = [];
    const registry = memoryRegistry();
    let server: HomeServer;
    let components: Components;
    let person: Reader;
    const domain = (): string => `edge.${server.domain}`;
    const open = (): Components => openComponents(registry, bell, got);
    const state = (wanted: string): Promise<void> => eventually(async () => components.list()[0]?.state === wanted, { within: 40_000 });
    const ask = (to: string, payload: Element): Promise<Element> => person.request(xml('iq', { type: 'get', to }, payload));
    const ping = (): Element => xml('ping', { xmlns: 'urn:xmpp:ping' });

    beforeAll(async () => {
      server = await createHomeServer(kind);
      await server.start();
      components = open();
      person = await openReader(server, 'viewer');
    });
    afterAll(async () => {
      await person?.[Symbol.asyncDispose]();
      await components?.close();
      await server?.down();
    });

    it('is refused with another secret, and comes with the right one', async () => {
      const where = { domain: domain(), port: server.port + 125, devices: ['boiler'] };
      await components.add({ ...where, secret: 'another' });
      await state('refused');
      expect(components.list()[0]?.reason).toContain('secret');
      await components.add({ ...where, secret: 'component-secret' });
      await state('online');
    });

    it('answers for its device, and for no other', async () => {
      expect(attr(await ask(`boiler@${domain()}`, ping()), 'from')).toBe(`boiler@${domain()}`);
      await expect(ask(`nobody@${domain()}`, ping())).rejects.toMatchObject({ condition: 'service-unavailable' });
    });

    it('takes messages for it, and sends from it', async () => {
      person.send(xml('message', { type: 'chat', to: `boiler@${domain()}`, id: 'm1' }, xml('body', {}, 'how hot?')));
      await bell.until(() => got.length > 0);
      expect(got[0]).toMatchObject({ body: 'how hot?', to: `xmpp:boiler@${domain()}`, from: expect.stringContaining(`xmpp:viewer@${server.domain}`), trust: 'none' });
      // The server passes on to the component what that asks itself, behind the message.
      const { taken } = await components.road.deliver({ kind: 'as', from: `boiler@${domain()}`, jid: `viewer@${server.domain}` }, { id: 'm2', to: '', body: 'hot', recordId: '', chain: '', time: 0 });
      await taken;
    });

    it('comes back after a restart, and after one of the server; what is said meanwhile comes back to whoever said it', async () => {
      await components.close();
      // ejabberd asks DNS first who else that could be, which may take longer than a request.
      await expect(ask(`boiler@${domain()}`, ping())).rejects.toBeInstanceOf(Error);
      components = open();
      await components.start();
      await state('online');
      await person[Symbol.asyncDispose]();
      await server.kill();
      await eventually(async () => components.list()[0]?.state !== 'online');
      await server.start();
      await state('online');
      person = await openReader(server, 'viewer');
      expect(attr(await ask(`boiler@${domain()}`, ping()), 'type')).toBe('result');
    });
  });
});

describe.skipIf(!needs('prosody', 'ejabberd'))('addresses of devices at another domain', () => {
  it.each(['prosody', 'ejabberd'] as const)('a person elsewhere writes to a device of a component on %s and is written to, from server to server', async (kind) => {
    const [prosody, ejabberd] = await Promise.all([createHomeServer('prosody'), createHomeServer('ejabberd')]);
    onTestFinished(async () => { await Promise.all([prosody.down(), ejabberd.down()]); });
    await Promise.all([
      prosody.start({ PEERS: `${ejabberd.domain}=127.0.0.1:${ejabberd.port + 47} edge.${ejabberd.domain}=127.0.0.1:${ejabberd.port + 47}` }),
      ejabberd.start({ PEERS: prosody.domain, PEER_PORT: String(prosody.port + 47) }),
    ]);
    const [near, far] = kind === 'prosody' ? [prosody, ejabberd] : [ejabberd, prosody];
    const [bell, got] = [new Bell(), [] as Incoming[]];
    const components = openComponents(memoryRegistry(), bell, got);
    onTestFinished(() => components.close());
    await components.add({ domain: `edge.${near.domain}`, port: near.port + 125, secret: 'component-secret', devices: ['boiler'] });
    await eventually(async () => components.list()[0]?.state === 'online', { within: 40_000 });
    const told: Element[] = [];
    await using person = await openReader(far, 'viewer', { messages: (message) => {
      told.push(message);
      bell.ring();
    } });
    const device = `boiler@edge.${near.domain}`;

    person.send(xml('message', { type: 'chat', to: device, id: 'm1' }, xml('body', {}, 'how hot?')));
    await bell.until(() => got.length > 0);
    expect(got[0]).toMatchObject({ body: 'how hot?', to: `xmpp:${device}`, from: expect.stringContaining(`xmpp:viewer@${far.domain}`), trust: 'none' });

    const { taken } = await components.road.deliver({ kind: 'as', from: device, jid: person.jid }, { id: 'm2', to: '', body: 'hot', recordId: '', chain: '', time: 0 });
    await taken;
    await bell.until(() => told.length > 0);
    expect(told.map((message) => [attr(message, 'from'), message.getChildText('body')])).toEqual([[device, 'hot']]);
  }, 120_000);
});
