import { Resolver } from 'node:dns/promises';
import { describe, expect, it } from 'vitest';
import { inOrder, tcpTargets } from '../../src/home/resolve.ts';
import type { DnsRecord } from '../../src/mdns/message.ts';
import { rr } from '../conformance/rfc-6762/one-link.ts';
import { createDnsServer } from '../support/dns-server.ts';
import { seeded } from '../support/seeded.ts';

const srv = (name: string, target: string, port: number, priority = 0): DnsRecord => {
  const record = rr.srv(name, target, port, { ttl: 60 });
  return record.data.kind === 'service' ? { ...record, data: { ...record.data, priority } } : record;
};
const DIRECT = '_xmpps-client._tcp.home.test';
const PLAIN = '_xmpp-client._tcp.home.test';

async function found(records: Parameters<typeof createDnsServer>[0], kinds: readonly ('tls' | 'starttls')[] = ['tls', 'starttls']): Promise<string[]> {
  await using dns = await createDnsServer(records);
  const resolver = new Resolver({ timeout: 500, tries: 1 });
  resolver.setServers([dns.address]);
  return (await tcpTargets({ domain: 'home.test', kinds, resolver, random: () => 0 })).map(({ kind, host, port }) => `${kind} ${host}:${port}`);
}

describe('where clients connect', () => {
  it('XEP-0368 §3: both names are one set, by priority', async () => {
    expect(await found([srv(DIRECT, 'b.test', 443, 20), srv(PLAIN, 'a.test', 5222, 10), srv(DIRECT, 'c.test', 5223, 5)])).toEqual(['tls c.test:5223', 'starttls a.test:5222', 'tls b.test:443']);
  });
  it('RFC 6120 §3.2.2: without records it is the domain, at 5222', async () => {
    expect(await found([])).toEqual(['starttls home.test:5222']);
    expect(await found([], ['tls'])).toEqual(['tls home.test:5223']);
  });
  it('RFC 6120 §3.2.1: "." says that it is not there', async () => {
    expect(await found([srv(PLAIN, '', 0)])).toEqual([]);
    expect(await found([srv(PLAIN, '', 0), srv(DIRECT, 'c.test', 5223)])).toEqual(['tls c.test:5223']);
    expect(await found([srv(DIRECT, '', 0)])).toEqual(['starttls home.test:5222']);
  });
  it('no more than eight', async () => {
    expect(await found(Array.from({ length: 20 }, (_, i) => srv(PLAIN, `h${i}.test`, 5222)))).toHaveLength(8);
  });
});

describe('RFC 2782: the order', () => {
  it('is by priority first, and everything is there once', () => {
    const records = Array.from({ length: 30 }, (_, i) => ({ priority: i % 3, weight: i % 5, i }));
    const ordered = inOrder(records, seeded(1));
    expect(ordered.map(({ priority }) => priority)).toEqual(ordered.map(({ priority }) => priority).toSorted((a, b) => a - b));
    expect(new Set(ordered.map(({ i }) => i)).size).toBe(30);
  });
  it('within one is by chance, as often as the weight says; 0 seldom', () => {
    const random = seeded(7);
    const first = Array.from({ length: 4_000 }, () => inOrder([{ priority: 1, weight: 3 }, { priority: 1, weight: 0 }, { priority: 1, weight: 1 }], random)[0]?.weight);
    const share = (weight: number): number => first.filter((one) => one === weight).length / first.length;
    // The draw is from 0 to the sum, both ends counted: 1, 1 and 3 of 5.
    expect(share(3)).toBeCloseTo(0.6, 1);
    expect(share(0)).toBeCloseTo(0.2, 1);
  });
});
