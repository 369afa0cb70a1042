import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { HomeOptions } from '../../src/api.ts';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import type { DnsRecord } from '../../src/mdns/message.ts';
import { rr } from '../conformance/rfc-6762/one-link.ts';
import { createDnsServer, type DnsServer } from '../support/dns-server.ts';
import { DOMAIN } from './fake-home.ts';
import { createRig, type Rig } from './rig.ts';

const DIRECT = `_xmpps-client._tcp.${DOMAIN}`;
const PLAIN = `_xmpp-client._tcp.${DOMAIN}`;

const srv = (name: string, port: number, priority = 0, weight = 0, target = 'localhost'): DnsRecord => {
  const record = rr.srv(name, target, port, { ttl: 60 });
  return record.data.kind === 'service' ? { ...record, data: { ...record.data, priority, weight } } : record;
};

interface Named extends AsyncDisposable {
  readonly rig: Rig;
  readonly dns: DnsServer;
  readonly clock: TestClock;
  /** A port at which somebody hangs up as soon as they are called. */
  door(name: string): Promise<number>;
  /** Who was called, in order. */
  readonly called: string[];
  /** Without anything that says where it is. */
  add(options?: Partial<HomeOptions>): Promise<void>;
}

/** A home that is found by what DNS says. */
async function named(random: () => number = () => 0): Promise<Named> {
  const dns = await createDnsServer();
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([dns.address]);
  const clock = createTestClock();
  const rig = await createRig({ resolver, random, clock });
  const called: string[] = [];
  const doors: ReturnType<typeof createServer>[] = [];
  return {
    rig, dns, clock, called,
    async door(name) {
      const door = createServer((socket) => {
        called.push(name);
        socket.destroy();
      }).listen(0, 'localhost');
      await once(door, 'listening');
      doors.push(door);
      return (door.address() as AddressInfo).port;
    },
    async add(options = {}) {
      const { jid, password, ca } = rig.home.account;
      await rig.homes.add({ jid, password, ca, service: `pubsub.${DOMAIN}`, topics: ['#'], ...options });
    },
    async [Symbol.asyncDispose]() {
      for (const door of doors) door.close();
      await rig[Symbol.asyncDispose]();
      await dns[Symbol.asyncDispose]();
    },
  };
}

describe('a session goes where DNS says', () => {
  it('both names are asked for, and what lies at _xmpps-client has TLS at once', async () => {
    await using at = await named();
    at.dns.records = [srv(DIRECT, at.rig.home.tlsPort)];
    await at.add();
    await at.rig.state('online');
    expect((await at.rig.status())?.over).toBe(`tls localhost:${at.rig.home.tlsPort}`);
    expect(at.dns.asked.toSorted()).toEqual([`${PLAIN} 33`, `${DIRECT} 33`]);
  });

  it('what lies at _xmpp-client has STARTTLS', async () => {
    await using at = await named();
    at.dns.records = [srv(PLAIN, at.rig.home.account.port)];
    await at.add();
    await at.rig.state('online');
    expect((await at.rig.status())?.over).toBe(`starttls localhost:${at.rig.home.account.port}`);
  });

  it('by priority, whichever of the names it came from; the next when one refuses', async () => {
    await using at = await named();
    const gone = await at.door('gone');
    at.dns.records = [
      srv(DIRECT, at.rig.home.tlsPort, 40), srv(PLAIN, await at.door('starttls 20'), 20), srv(DIRECT, await at.door('tls 10'), 10),
      srv(DIRECT, await at.door('tls 30'), 30), srv(PLAIN, at.rig.home.account.port, 50), srv(PLAIN, gone, 5),
    ];
    await at.add();
    await at.rig.state('online');
    expect(at.called).toEqual(['gone', 'tls 10', 'starttls 20', 'tls 30']);
    expect([(await at.rig.status())?.over, at.rig.home.logins]).toEqual([`tls localhost:${at.rig.home.tlsPort}`, 1]);
  });

  it.each<[number, readonly string[]]>([[0, ['none', 'light', 'heavy']], [0.99, ['heavy', 'light', 'none']]])('within a priority by weight and chance (%f)', async (chance, order) => {
    await using at = await named(() => chance);
    at.dns.records = [
      srv(PLAIN, await at.door('light'), 10, 10), srv(PLAIN, await at.door('heavy'), 10, 90), srv(PLAIN, await at.door('none'), 10, 0), srv(PLAIN, at.rig.home.account.port, 20),
    ];
    await at.add();
    await at.rig.state('online');
    expect(at.called).toEqual(order);
  });

  it('a target of "." says that there is none: nobody is called, and that is said', async () => {
    await using at = await named();
    at.dns.records = [srv(DIRECT, 0, 0, 0, ''), srv(PLAIN, 0, 0, 0, '')];
    // Else the domain's web server would be asked.
    await at.add({ transport: 'starttls' });
    await at.rig.state('refused');
    expect((await at.rig.status())?.reason).toBe('the domain offers no service for clients');
    expect([at.dns.asked, at.rig.home.logins]).toEqual([[`${PLAIN} 33`], 0]);
  });

  it('a target of "." for one name leaves the other', async () => {
    await using at = await named();
    at.dns.records = [srv(DIRECT, 0, 0, 0, ''), srv(PLAIN, at.rig.home.account.port)];
    await at.add();
    await at.rig.state('online');
    expect((await at.rig.status())?.over).toBe(`starttls localhost:${at.rig.home.account.port}`);
  });

  it.each<[string, Partial<HomeOptions>, readonly string[]]>([['tls', { transport: 'tls' }, [`${DIRECT} 33`]], ['starttls', { transport: 'starttls' }, [`${PLAIN} 33`]]])('only the name of the transport that the owner names: %s', async (kind, options, asked) => {
    await using at = await named();
    at.dns.records = [srv(DIRECT, at.rig.home.tlsPort), srv(PLAIN, at.rig.home.account.port)];
    await at.add(options);
    await at.rig.state('online');
    expect((await at.rig.status())?.over).toMatch(new RegExp(`^${kind} `));
    expect(at.dns.asked).toEqual(asked);
  });

  it('where the owner says the place, nobody is asked', async () => {
    await using at = await named();
    at.dns.records = [srv(DIRECT, await at.door('tls')), srv(PLAIN, await at.door('starttls'))];
    await at.add({ host: '127.0.0.1', port: at.rig.home.account.port });
    await at.rig.state('online');
    await at.add({ host: '127.0.0.1', port: at.rig.home.tlsPort, transport: 'tls' });
    await at.rig.until(async () => (await at.rig.status())?.over === `tls 127.0.0.1:${at.rig.home.tlsPort}`);
    expect([at.dns.asked, at.called]).toEqual([[], []]);
  });

  it('anew for each session: a server that has moved is found', async () => {
    await using at = await named();
    at.dns.records = [srv(PLAIN, at.rig.home.account.port)];
    await at.add();
    await at.rig.state('online');
    at.dns.records = [srv(DIRECT, at.rig.home.tlsPort)];
    at.rig.home.cut();
    await at.rig.state('waiting');
    at.clock.advance(1_000);
    await at.rig.state('online');
    expect((await at.rig.status())?.over).toBe(`tls localhost:${at.rig.home.tlsPort}`);
    expect(at.dns.asked).toHaveLength(4);
  });
});
