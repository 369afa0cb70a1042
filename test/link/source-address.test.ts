import { expect, test } from 'vitest';
import { onLink, plainAddress } from '../../src/link/source-address.ts';

const own = [
  { address: '192.168.1.7', family: 4, prefix: 24 }, { address: 'fe80::1', family: 6, prefix: 64 }, { address: '2001:db8:1::7', family: 6, prefix: 64 },
] as const;

test.each([
  ['fe80::1%eth0', 'fe80::1'], ['::ffff:10.0.0.1', '10.0.0.1'], ['FE80::AB', 'fe80::ab'], ['10.0.0.1', '10.0.0.1'],
])('%s is the same host as %s', (given, plain) => { expect(plainAddress(given)).toBe(plain); });

test.each(['192.168.1.8', '192.168.1.7', 'fe80::2%eth0', 'fe80::2', '2001:db8:1::8', '::ffff:192.168.1.9'])('%s is on the link', address => {
  expect(onLink(address, own)).toBe(true);
});

test.each([
  '192.168.2.8', '127.0.0.1', '0.0.0.0', '224.0.0.251', '192.168.1.255', '255.255.255.255', '::1', '::', 'ff02::fb', '2001:db8:2::8', '::ffff:127.0.0.1',
  '::ffff:7f00:1', 'example.org', '',
])('%s is not', address => { expect(onLink(address, own)).toBe(false); });
