import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { encodeMessage } from '../../src/mdns/encode.ts';
import { createMdns } from '../../src/mdns/mdns.ts';
import { makeMessage, TYPE, type DnsRecord, type Message } from '../../src/mdns/message.ts';
import type { Network, Source } from '../../src/mdns/network.ts';
import { peer, rr, SERVICE } from '../conformance/rfc-6762/one-link.ts';
import { SimulatedLan } from '../link/fixtures.ts';
import { plainPeer, type PlainStream, purpleHeader } from '../link/plain-peer.ts';
import { serviceBox } from '../link/service-box.ts';
import { seeded } from '../support/seeded.ts';
import { settled } from '../support/simulated-network.ts';

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');
function heap(): number {
  if (typeof collect === 'function') collect();
  return process.memoryUsage().heapUsed;
}

let lan: SimulatedLan;
beforeEach(() => { lan = new SimulatedLan(); });
afterEach(() => lan.close());

/** Made-up packets a second, and seconds of each quarter. */
const FLOODS = [['a day of a packet a second', 1, 21_600], ['twenty minutes of 20 packets a second', 20, 300]] as const;
const CALLS = 90;

/** What one host can make up: no two are of the same name. */
class Strangers {
  readonly #random = seeded(3);
  #count = 0;
  #last: readonly DnsRecord[] = [];

  get count(): number {
    return this.#count;
  }

  get from(): Source {
    return { address: `10.77.0.${2 + this.#count % 250}`, port: 5353 };
  }

  packet(): Uint8Array {
    this.#count += 1;
    const say = (message: Partial<Message>): Uint8Array => encodeMessage(makeMessage(message));
    const [name, host] = [`x${this.#count}`, `h${this.#count}`];
    const records = peer(name, host, this.from.address);
    switch (this.#count % 8) {
      case 0: return say({ response: true, answers: records.slice(0, 2) }); // never complete
      case 1: return say({ response: true, answers: this.#last.map((record) => ({ ...record, ttl: 0 })) });
      case 2: return say({ response: true, answers: [...records, rr.txt(`${name}@${host}.${SERVICE}`, [['msg', 'y'.repeat(200)], ['nick', 'z'.repeat(200)], ['lanpost', '1']])] });
      case 3: return say({ questions: [{ name: SERVICE, type: TYPE.PTR, class: 1, unicast: this.#count % 16 === 3 }], answers: records.slice(0, 1) });
      case 4: return say({ questions: [{ name: `${name}.local`, type: 255, class: 1, unicast: false }], authorities: [rr.a(`${name}.local`, this.from.address)] });
      case 5: return Uint8Array.from({ length: 40 }, () => Math.floor(this.#random() * 256));
      default:
        this.#last = records;
        return say({ response: true, answers: records });
    }
  }
}

/** Multicast DNS whose packets the test makes up. */
async function listening() {
  const clock = createTestClock();
  let deliver: (bytes: Buffer, from: Source) => void = () => undefined;
  let sent = 0;
  const network: Network = {
    interfaces: () => [{ name: 'eth0', addresses: [{ address: '10.77.0.1', family: 4, prefix: 24 }] }],
    open: async (_name, _family, onPacket) => {
      deliver = onPacket;
      return { send: () => { sent += 1; }, close: async () => undefined, counts: () => ({ sent, echoed: sent, failed: 0, strayed: 0 }) };
    },
  };
  const mdns = createMdns({ network, clock, host: 'h1', random: () => 0.5, trouble: () => undefined });
  await settled();
  return { clock, mdns, sent: () => sent, deliver: (bytes: Uint8Array, from: Source): void => deliver(Buffer.from(bytes), from) };
}

// Records cost nothing to make up (RFC 6762), nor do the addresses and keys of a link, nor calls.
test.each(FLOODS)('%s, made up by strangers, and of callers and keys, leaves the memory of the whole link of a box as it was after a quarter of it', async (_, perSecond, quarterSeconds) => {
  const { clock, mdns, deliver, sent } = await listening();
  const box = await serviceBox(lan, 1, 'a', { clock, mdns });
  const stranger = await plainPeer(lan, 2, 'mallory@h2');
  const strangers = new Strangers();
  let troubles = 0;
  let caller: PlainStream | undefined;
  const second = async (): Promise<void> => {
    for (let packets = 0; packets < perSecond; packets += 1) {
      deliver(strangers.packet(), strangers.from);
      clock.advance(1_000 / perSecond);
      await settled();
    }
    box.trust.seen(Buffer.from(`key ${strangers.count}`), `x${strangers.count}@h${strangers.count}`, { address: strangers.from.address });
    await nextTurn();
    troubles += box.troubles.splice(0).length;
  };
  const quarter = async (): Promise<void> => {
    for (let seconds = 0; seconds < quarterSeconds; seconds += 1) {
      await second();
      if (seconds % (quarterSeconds / CALLS) > 0) continue;
      caller?.destroy();
      caller = await stranger.dial('10.77.0.1', box.link.status().port ?? 0);
      caller.write(purpleHeader(`x${strangers.count}@h${strangers.count}`, 'a@h1'));
    }
  };
  await quarter();
  const before = heap();
  for (let quarters = 1; quarters < 4; quarters += 1) await quarter();
  expect(heap() - before).toBeLessThan(2 << 20);
  expect(strangers.count).toBe(4 * quarterSeconds * perSecond);
  expect(box.link.peers.size).toBeLessThanOrEqual(1024);
  expect(box.trust.list().length).toBeLessThanOrEqual(256);
  // Told now and then, not each time.
  expect(troubles).toBeLessThan(quarterSeconds);
  // All that time it was being spoken to.
  expect(sent()).toBeGreaterThan(4 * CALLS);
  // And who comes now is seen.
  const friend = [...peer('friend', 'friendly', '10.77.0.9'), rr.txt(`friend@friendly.${SERVICE}`, [['status', 'avail']])];
  deliver(encodeMessage(makeMessage({ response: true, answers: friend })), { address: '10.77.0.9', port: 5353 });
  for (let waited = 0; waited < 20; waited += 1) {
    clock.advance(100);
    await settled();
  }
  console.info(`${box.link.peers.size} peers, ${troubles} troubles told`);
  expect(box.link.peers.get('friend@friendly')).toBeDefined();
  await mdns.close();
}, 240_000);

/** One who is remembered for more than an hour, with so many ports. */
function lasting(name: string, host: string, address: string, ports = 1): DnsRecord[] {
  const instance = `${name}@${host}.${SERVICE}`;
  const long = { ttl: 4500, flush: false };
  return [rr.ptr(SERVICE, instance), rr.txt(instance, []), rr.a(`${host}.local`, address, long), ...Array.from({ length: ports }, (_, port) => rr.srv(instance, `${host}.local`, 5000 + port, long))];
}

// As many instances, or as many records of theirs, as a box remembers of one link.
test.each([['names', 1], ['records', 12]])('as many complete %s as are remembered keep no paired box from being seen, and no stranger in its place', async (_, ports) => {
  const { clock, mdns, deliver } = await listening();
  const box = await serviceBox(lan, 1, 'a', { clock, mdns, limits: { peers: 8192 } });
  const { fingerprint } = box.trust.seen(Buffer.from('the key of a friend'), 'friend@friendly', { address: '10.77.0.9' });
  await box.trust.pair(fingerprint);
  const say = async (answers: DnsRecord[]): Promise<void> => {
    deliver(encodeMessage(makeMessage({ response: true, answers })), { address: '10.77.0.2', port: 5353 });
    clock.advance(5);
    await settled();
  };
  for (let made = 0; made < 4096; made += 8) await say(Array.from({ length: 8 }, (__, one) => lasting(`x${made + one}`, `h${made + one}`, '10.77.0.2', ports)).flat());
  clock.advance(5_000);
  await settled();
  const before = box.link.peers.size;
  await say(lasting('another', 'anywhere', '10.77.0.8'));
  await say(lasting('friend', 'friendly', '10.77.0.9'));
  for (let waited = 0; waited < 20; waited += 1) {
    clock.advance(100);
    await settled();
  }
  expect(before).toBeGreaterThan(2_000);
  expect(box.link.peers.get('another@anywhere')).toBeUndefined();
  expect(box.link.peers.get('friend@friendly')).toMatchObject({ addresses: [{ address: '10.77.0.9' }] });
  // The first of them were there before they were too many.
  expect(box.link.peers.get('x0@h0')).toBeDefined();
  await mdns.close();
});
