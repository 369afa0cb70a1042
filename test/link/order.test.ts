import { expect, test } from 'vitest';
import { OWNER } from '../../src/pubsub/actor.ts';
import { acquainted, SimulatedLan } from './fixtures.ts';
import { serviceBox } from './service-box.ts';

const COUNT = 600;

// What waited for room in the lost stream went out first on the new one, before what was sent again.
test('a topic keeps its order when a stream breaks with stanzas waiting for it', async () => {
  const lan = new SimulatedLan();
  const a = await serviceBox(lan, 1, 'a');
  const b = await serviceBox(lan, 2, 'b');
  await acquainted(a, b);
  await a.trust.allow(b.identity.fingerprint, 'read', 't');
  const subscription = b.service.subscribe(a.link.name, 't', { durable: 'r', from: 'start' });
  await subscription.ready;

  // The receiver's disk is slow, so that the window fills and the sender's queue behind it.
  let release!: () => void;
  const disk = new Promise<void>((resolve) => { release = resolve; });
  const append = b.log.append.bind(b.log);
  let arrived = 0;
  b.log.append = async (draft) => {
    arrived += 1;
    lan.bell.ring();
    await disk;
    return append(draft);
  };
  for (let i = 0; i < COUNT; i++) {
    await a.broker.publish(OWNER, 't', { contentType: 'application/octet-stream', bytes: Buffer.concat([Buffer.from(`${i} `), Buffer.alloc(60_000)]) });
  }
  await lan.until(() => arrived > 0);
  for (const socket of lan.sockets) socket.destroy();
  release();

  const order: number[] = [];
  while (order.length < COUNT) {
    const { value } = await subscription.next();
    if (value.kind === 'item') order.push(Number.parseInt(Buffer.from(value.value as Uint8Array).toString('latin1'), 10));
  }
  expect(order).toEqual(Array.from({ length: COUNT }, (_, i) => i));
  await lan.close();
}, 30_000);
