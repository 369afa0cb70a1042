import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { Domains } from '../../src/link/domains.ts';
import { parseServer } from '../../src/link/dns-server.ts';
import type { Wanted } from '../../src/link/static-peers.ts';
import { createDnsQuery } from '../../src/link/unicast-dns.ts';
import { type DnsRecord, TYPE } from '../../src/mdns/message.ts';
import { rr } from '../conformance/rfc-6762/one-link.ts';
import { Bell } from '../support/bell.ts';
import { createDnsServer, type DnsServer } from '../support/dns-server.ts';
import { SimulatedLan } from './fixtures.ts';

const TYPE_NAME = '_presence._tcp.example.org';
const listed = (instance: string, host: string, address: string, port: number, txt: [string, string][] = [['lanpost', '1']]): DnsRecord[] => [
  rr.ptr(TYPE_NAME, `${instance}.${TYPE_NAME}`, { ttl: 300 }), rr.srv(`${instance}.${TYPE_NAME}`, host, port, { ttl: 60 }), rr.txt(`${instance}.${TYPE_NAME}`, txt), rr.a(host, address),
];

let dns: DnsServer;
beforeEach(async () => { dns = await createDnsServer(); });
afterEach(() => dns[Symbol.asyncDispose]());

describe('unicast DNS', () => {
  test('asks for names that are no host names', async () => {
    dns.records = [rr.txt(`with space (2)@ü.${TYPE_NAME}`), rr.txt(`dot\\.ted.${TYPE_NAME}`)];
    const query = createDnsQuery([parseServer(dns.address)]);
    expect(await query(`with space (2)@ü.${TYPE_NAME}`, TYPE.TXT)).toMatchObject([{ name: `with space (2)@ü.${TYPE_NAME}` }]);
    expect(await query(`dot\\.ted.${TYPE_NAME}`, TYPE.TXT)).toHaveLength(1);
    expect(await query(`nobody.${TYPE_NAME}`, TYPE.TXT)).toEqual([]);
  });

  test('RFC 1035 §4.2.2: asks again over TCP for what is too long', async () => {
    dns.truncates = true;
    dns.records = [rr.txt(`a.${TYPE_NAME}`)];
    expect(await createDnsQuery([parseServer(dns.address)])(`a.${TYPE_NAME}`, TYPE.TXT)).toHaveLength(1);
  });

  test('asks the next server when one does not answer, and says so when none does', async () => {
    const deaf = await createDnsServer();
    deaf.silent = true;
    dns.records = [rr.a('pi.example.org', '192.0.2.7')];
    expect(await createDnsQuery([deaf, dns].map(({ address }) => parseServer(address)))('pi.example.org', TYPE.A)).toMatchObject([{ data: { address: '192.0.2.7' } }]);
    await deaf[Symbol.asyncDispose]();
    await expect(createDnsQuery([parseServer('127.0.0.1:1')])('pi.example.org', TYPE.A)).rejects.toMatchObject({ code: 'unreachable' });
  });

  test.each(['example.org', '1.2.3.4:0', '[1.2.3.4]:x', ''])('%j is no server', (text) => {
    expect(() => parseServer(text)).toThrow(expect.objectContaining({ code: 'invalid-value' }));
  });
});

describe('a domain', () => {
  const watch = (): { clock: ReturnType<typeof createTestClock>; seen: Wanted[][]; bell: Bell; domains: Domains; troubles: string[] } => {
    const clock = createTestClock();
    const bell = new Bell();
    const seen: Wanted[][] = [];
    const troubles: string[] = [];
    const domains = new Domains({
      domains: ['example.org'], clock, query: createDnsQuery([parseServer(dns.address)]),
      trouble: ({ kind }) => { troubles.push(kind); bell.ring(); },
      listed: (_, wanted) => { seen.push([...wanted]); bell.ring(); },
    });
    domains.start();
    return { clock, seen, bell, domains, troubles };
  };

  test('lists the boxes in it, and nothing that is none', async () => {
    dns.records = [
      ...listed('hall@pi', 'pi.example.org', '192.0.2.7', 5299), ...listed('person@pc', 'pc.example.org', '192.0.2.8', 5298, [['txtvers', '1']]),
      ...listed('off@pi', '', '192.0.2.9', 0), rr.ptr(TYPE_NAME, 'elsewhere._presence._tcp.example.com'), rr.ptr(TYPE_NAME, `gone.${TYPE_NAME}`),
    ];
    const { seen, bell, domains } = watch();
    await bell.until(() => seen.length === 1);
    expect(seen[0]).toEqual([{ label: 'hall@pi.example.org', host: 'pi.example.org', port: 5299, domain: 'example.org' }]);
    expect(await domains.resolve('pi.example.org')).toEqual(['192.0.2.7']);
    domains.close();
  });

  test('is looked at again when its records say so, and after a failure', async () => {
    dns.records = listed('hall@pi', 'pi.example.org', '192.0.2.7', 5299);
    const { clock, seen, bell, domains, troubles } = watch();
    await bell.until(() => seen.length === 1);
    await new Promise((resolve) => { setImmediate(resolve); });
    clock.advance(59_000);
    expect(seen).toHaveLength(1);
    dns.records = [];
    clock.advance(1_000);
    await bell.until(() => seen.length === 2);
    expect(seen[1]).toEqual([]);
    expect(troubles).toEqual([]);
    domains.close();
  });

  test('never leads to this machine or its link', async () => {
    dns.records = ['127.0.0.1', '0.0.0.0', '224.0.0.1', '169.254.1.1', '::1', '::ffff:127.0.0.1', 'fe80::1', 'ff02::1', '2001:db8::7'].map((address) => rr.a('lure.example.org', address));
    const { domains } = watch();
    expect(await domains.resolve('lure.example.org')).toEqual(['2001:db8::7']);
    domains.close();
  });

  test('gives peers: called, known by their key, flagged with the domain', async () => {
    const lan = new SimulatedLan();
    const a = await lan.box(1, 'a', { offLink: { peers: [], accept: ['10.79.0.0/16'], domains: [], dns: [] } });
    dns.records = listed('a@h1', 'a.example.org', '10.77.0.1', a.link.status().port ?? 0);
    const b = await lan.box(1001, 'b', { offLink: { peers: [], accept: [], domains: ['example.org'], dns: [dns.address] } });
    await lan.until(() => b.link.peers.get('a@h1') !== undefined);
    expect(b.link.peers.describe('a@h1')).toMatchObject({ via: 'domain', domain: 'example.org', trust: 'seen', fingerprint: a.identity.fingerprint, connected: true });
    expect(b.link.status().offLink).toEqual([{ peer: 'a@h1.example.org', domain: 'example.org', state: 'open', name: 'a@h1' }]);
    await lan.close();
  });
});
