import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { createMdns } from '../../src/mdns/mdns.ts';
import { encodeMessage } from '../../src/mdns/encode.ts';
import { makeMessage, type DnsRecord } from '../../src/mdns/message.ts';
import type { Network, Source } from '../../src/mdns/network.ts';
import { Doorman } from '../../src/link/streams/doorman.ts';
import { Peers } from '../../src/link/peers.ts';
import { Trust } from '../../src/trust/trust.ts';
import { OTHER, peer, rr, SERVICE } from '../conformance/rfc-6762/one-link.ts';
import { seeded } from '../support/seeded.ts';
import { settled } from '../support/simulated-network.ts';
import { memoryRegistry } from '../trust/fixtures.ts';

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');
function heap(): number {
  if (typeof collect === 'function') collect();
  return process.memoryUsage().heapUsed;
}

const HOUR = 3_600_000;

// RFC 6762 records cost nothing to make up, nor do addresses and keys on a link.
test('a day of made-up records, callers and keys leaves memory as it was after the first hours', async () => {
  const clock = createTestClock();
  const registry = memoryRegistry();
  let troubles = 0;
  const trouble = (): void => { troubles += 1; };
  const trust = new Trust({ registry, clock, trouble });
  const doorman = new Doorman(clock);
  const peers = new Peers({ clock, trouble, limit: 1024, self: () => 'a@h1', standing: (name) => ({ trust: trust.level(trust.holder(name)), connected: false }) });
  let deliver: (bytes: Uint8Array, from: Source) => void = () => undefined;
  const network: Network = {
    interfaces: () => [{ name: 'eth0', addresses: [{ address: '10.0.0.1', family: 4, prefix: 8 }] }],
    open: async (_name, _family, onPacket) => {
      deliver = onPacket;
      return { send: () => undefined, close: async () => undefined, counts: () => ({ sent: 0, echoed: 0, failed: 0, strayed: 0 }) };
    },
  };
  const mdns = createMdns({ network, clock, host: 'h1', random: () => 0.5, trouble });
  mdns.browse('_presence._tcp', ({ type, service }) => (type === 'down' ? peers.gone(service.instance) : peers.found(service)));
  await settled();

  const random = seeded(3);
  let count = 0;
  const bogus = (): DnsRecord[] => {
    count += 1;
    const name = `x${count}`;
    const address = `10.${Math.floor(random() * 256)}.${Math.floor(random() * 256)}.2`;
    const records = peer(name, `h${count}`, address);
    // A quarter of them is never complete, a quarter is taken back at once, a quarter has long texts.
    if (count % 4 === 0) return [...records.slice(0, 2), rr.txt(`${name}@h${count}.${SERVICE}`, [['msg', 'y'.repeat(200)], ['nick', 'z'.repeat(200)]])];
    return count % 4 === 1 ? records.slice(1) : records;
  };
  const hour = async (): Promise<void> => {
    for (let seconds = 0; seconds < 3_600; seconds += 8) {
      const answers = [...bogus(), ...bogus()];
      deliver(encodeMessage(makeMessage({ response: true, answers })), { ...OTHER, address: `10.0.${count % 200}.9` });
      if (count % 4 === 2) deliver(encodeMessage(makeMessage({ response: true, answers: answers.map((record) => ({ ...record, ttl: 0 })) })), OTHER);
      deliver(Uint8Array.from({ length: 40 }, () => Math.floor(random() * 256)), OTHER);
      const address = `10.1.${count % 251}.${count % 241}`;
      if (doorman.admits(address)) doorman.left(address);
      doorman.pace(address);
      trust.seen(Buffer.from(`key ${count}`), `x${count}@h${count}`, { address });
      clock.advance(8_000);
      await settled();
    }
  };
  for (let hours = 0; hours < 4; hours += 1) await hour();
  const before = heap();
  const rows = registry.rows.size;
  for (let hours = 4; hours < 24; hours += 1) await hour();
  expect(clock.mono()).toBeGreaterThanOrEqual(24 * HOUR);
  expect(heap() - before).toBeLessThan(2 << 20);
  expect(peers.size).toBeLessThanOrEqual(1024);
  expect(registry.rows.size).toBeLessThanOrEqual(Math.max(rows, 256));
  // Told now and then, not each time.
  expect(troubles).toBeLessThan(24 * 400);
  await mdns.close();
}, 120_000);
