import { expect, test } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { StaleStreams } from '../../src/link/stale-streams.ts';
import { createMdns } from '../../src/mdns/mdns.ts';
import { SimulatedLan } from '../support/simulated-network.ts';
import { LinkStream } from '../../src/link/streams/stream.ts';

/** Streams from these addresses, on a box that uses eth0 alone; which of them are ended. */
async function ended(...from: string[]): Promise<string[]> {
  const clock = createTestClock();
  const host = new SimulatedLan(clock).host('h1');
  host.up('eth1', 'two', [{ address: '10.78.0.1', family: 4, prefix: 16 }]);
  host.up('wg0', 'vpn', [{ address: '10.9.0.1', family: 4, prefix: 32 }, { address: 'fd00::1', family: 6, prefix: 128 }]);
  const mdns = createMdns({ network: host.network(), clock, host: 'h1', interfaces: ['eth0'], trouble: () => undefined });
  const gone: string[] = [];
  const streams = from.map((localAddress): [LinkStream, string] => [
    Object.create(LinkStream.prototype, { localAddress: { value: localAddress }, destroy: { value: () => void gone.push(localAddress) } }), '10.9.0.2',
  ]);
  new StaleStreams({ addresses: () => mdns.addresses(), all: () => streams, to: () => undefined }).look();
  await mdns.close();
  return gone;
}

test('streams over a VPN, or over an interface that is not used for discovery, go on', async () => {
  expect(await ended('10.77.0.1', '10.78.0.1', '10.9.0.1', 'fd00::1')).toEqual([]);
});

test('streams from an address that this host has no more are ended', async () => {
  expect(await ended('10.77.0.1', '10.9.0.7', 'fd00::7')).toEqual(['10.9.0.7', 'fd00::7']);
});
