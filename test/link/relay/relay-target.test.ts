import { describe, expect, test } from 'vitest';
import { type Judge, type Names, type RelayAddress, relayAddresses as addressesOf } from '../../../src/link/relay/relay-target.ts';
import { formatRelayTarget, parseRelayTarget } from '../../../src/trust/relay-target.ts';
import type { RelayService } from '../../../src/xep/relay.ts';

const relayAddresses = (to: string, from: Names, judge?: Judge, service: RelayService = 'xmpp-client'): Promise<RelayAddress[]> => addressesOf({ to, service }, from, judge);

const names: Names = {
  addresses: async (host) => {
    const known: Record<string, string[]> = {
      'home.test': ['192.0.2.1', '2001:db8::1'], 'xmpp.home.test': ['192.0.2.2'], 'inside.test': ['127.0.0.1', '10.0.0.7', '::1', '192.0.2.9'], 'many.test': Array.from({ length: 50 }, (_, n) => `192.0.2.${n + 1}`),
    };
    if (!known[host]) throw new Error('no such host');
    return known[host];
  },
  servers: async (domain, service) => {
    if (service === 'xmpps-client') {
      if (domain === 'served.test') return [{ name: 'home.test', port: 5223, priority: 5 }, { name: 'xmpp.home.test', port: 443, priority: 2 }];
      if (domain === 'closed.test') return [{ name: '.', port: 0, priority: 0 }];
      throw new Error('no such record');
    }
    if (domain === 'served.test') return [{ name: 'other.test', port: 1, priority: 9 }, { name: 'xmpp.home.test', port: 5269, priority: 1 }];
    if (domain === 'closed.test') return [{ name: '', port: 0, priority: 0 }];
    throw new Error('no such record');
  },
  own: () => ['10.0.0.7', 'fe80::1%eth0', '2001:DB8:0::77'],
};

describe('where a relay may lead', () => {
  test.each([
    ['HOME.example:5222', 'home.example:5222'], ['[2001:DB8::1]:5222', '[2001:db8::1]:5222'], ['192.0.2.1:1', '192.0.2.1:1'], ['XMPP:Home.Example', 'xmpp:home.example'],
    ['xmpp:münchen.example', 'xmpp:münchen.example'],
  ])('is said in one way: %s', (given, said) => {
    expect(formatRelayTarget(parseRelayTarget(given))).toBe(said);
  });

  test.each(['', 'home.example', ':5222', 'home.example:0', 'home.example:65536', '2001:db8::1:5222', '[home.example]:5222', 'xmpp:', 'xmpp:a@b', 'xmpp:a/b', '#:5222', '+:1', 'a/b:1', 'xmpp:home.example:5222', ' a:1', `${'a'.repeat(254)}:1`])(
    'is not %j', (given) => { expect(() => parseRelayTarget(given)).toThrow(expect.objectContaining({ code: 'invalid-value' })); },
  );

  test('is the host that is named, or the hosts that DNS names for a domain, the first of them first', async () => {
    expect(await relayAddresses('home.test:5223', names)).toEqual([{ address: '192.0.2.1', port: 5223 }, { address: '2001:db8::1', port: 5223 }]);
    expect(await relayAddresses('xmpp:home.test', names)).toEqual([{ address: '192.0.2.1', port: 5222 }, { address: '2001:db8::1', port: 5222 }]);
    expect(await relayAddresses('xmpp:served.test', names)).toEqual([{ address: '192.0.2.2', port: 5269 }]);
    expect(await relayAddresses('[2001:db8::1]:5222', names)).toEqual([{ address: '2001:db8::1', port: 5222 }]);
  });

  test('with TLS at once is the hosts that DNS names for that, and no other', async () => {
    const addresses = (to: string, judge?: Judge): Promise<RelayAddress[]> => relayAddresses(to, names, judge, 'xmpps-client');
    expect(await addresses('xmpp:served.test')).toEqual([{ address: '192.0.2.2', port: 443 }, { address: '192.0.2.1', port: 5223 }, { address: '2001:db8::1', port: 5223 }]);
    for (const none of ['xmpp:home.test', 'xmpp:closed.test']) await expect(addresses(none)).rejects.toMatchObject({ code: 'unreachable' });
    // What the owner names is what he names.
    expect(await addresses('xmpp.home.test:5223')).toEqual([{ address: '192.0.2.2', port: 5223 }]);
    // As strictly as any other: address by address.
    expect(await addresses('xmpp:served.test', (target, otherwise) => otherwise && target !== '192.0.2.2:443')).toEqual([{ address: '192.0.2.1', port: 5223 }, { address: '2001:db8::1', port: 5223 }]);
    const lying: Names = { ...names, addresses: async () => ['10.0.0.7', '127.0.0.1', '192.168.1.1'] };
    await expect(relayAddresses('xmpp:served.test', lying, undefined, 'xmpps-client')).rejects.toMatchObject({ code: 'forbidden', message: expect.stringContaining('192.168.1.1:443') as string });
  });

  test('is never this machine, whatever DNS says', async () => {
    expect(await relayAddresses('inside.test:5222', names)).toEqual([{ address: '192.0.2.9', port: 5222 }]);
    await expect(relayAddresses('10.0.0.7:5222', names)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(relayAddresses('[2001:db8::77]:5222', names)).rejects.toMatchObject({ code: 'forbidden' });
  });

  test.each(['10.1.2.3', '172.16.0.1', '172.31.255.1', '192.168.1.1', '100.64.0.1', '::ffff:192.168.1.1', '64:ff9b::c0a8:101', 'fd00::1', 'fec0::1'])(
    'is in no private network that DNS names, unless its owner allows that address: %s', async (address) => {
      const lying: Names = { ...names, addresses: async () => [address] };
      for (const to of ['xmpp:served.test', 'router.test:443']) await expect(relayAddresses(to, lying)).rejects.toMatchObject({ code: 'forbidden', message: expect.stringContaining('an address of a private network') as string });
      const asked: string[] = [];
      const isAllowed = (target: string): boolean => asked.push(target) > 0;
      expect(await relayAddresses('router.test:443', lying, isAllowed)).toEqual([{ address, port: 443 }]);
      expect(asked).toEqual([formatRelayTarget(parseRelayTarget(asked[0] ?? ''))]);
    },
  );

  test('is at no public address that its owner denies', async () => {
    await expect(relayAddresses('home.test:5223', names, () => false)).rejects.toMatchObject({ code: 'forbidden', message: expect.stringContaining('192.0.2.1:5223 is denied') as string });
    expect(await relayAddresses('home.test:5223', names, (target) => target !== '192.0.2.1:5223')).toEqual([{ address: '2001:db8::1', port: 5223 }]);
  });

  test.each(['127.0.0.1', '::1', '169.254.1.1', 'fe80::1', '64:ff9b::7f00:1', '0.0.0.0'])('is never %s, whoever allows it', async (address) => {
    await expect(relayAddresses('xmpp:served.test', { ...names, addresses: async () => [address] }, () => true)).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('is in a private network when the owner has given the address itself, and no other beside it', async () => {
    expect(await relayAddresses('192.168.1.1:5222', names)).toEqual([{ address: '192.168.1.1', port: 5222 }]);
    const mixed: Names = { ...names, addresses: async () => ['192.168.1.1', '192.0.2.9', '192.168.1.2'] };
    expect(await relayAddresses('xmpp:home.test', mixed)).toEqual([{ address: '192.0.2.9', port: 5222 }]);
    expect(await relayAddresses('xmpp:home.test', mixed, (target, otherwise) => otherwise || target === '192.168.1.2:5222')).toEqual([{ address: '192.0.2.9', port: 5222 }, { address: '192.168.1.2', port: 5222 }]);
    await expect(relayAddresses('xmpp:home.test', { ...names, addresses: async () => ['192.168.1.1'] }, (target) => target === '192.168.1.1:443')).rejects.toMatchObject({ message: expect.stringContaining('192.168.1.1:5222') as string });
  });

  test('is nowhere where DNS knows nothing, or says that nothing is', async () => {
    await expect(relayAddresses('nowhere.test:5222', names)).rejects.toMatchObject({ code: 'unreachable' });
    await expect(relayAddresses('xmpp:closed.test', names)).rejects.toMatchObject({ code: 'unreachable' });
  });

  test('is only so many addresses', async () => {
    expect(await relayAddresses('many.test:1', names)).toHaveLength(8);
  });
});
