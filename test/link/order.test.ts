import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Receipt } from '../../src/api.ts';
import { LanpostError } from '../../src/errors.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { acquainted, seen, SimulatedLan } from './fixtures.ts';
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
});

// The next one was kept, and when the one that had failed came again its number was below what had been taken.
test('a letter that the disk refuses is not taken for a repeat when it comes again behind the next one', async () => {
  const lan = new SimulatedLan();
  const a = await serviceBox(lan, 1, 'a');
  const b = await serviceBox(lan, 2, 'b');
  await acquainted(a, b);
  await b.trust.allow(a.identity.fingerprint, 'chat');
  await (await a.mail.send(`link:${b.link.name}`, '0')).delivered;
  const append = b.log.append.bind(b.log);
  let refused = 0;
  b.log.append = async (draft) => {
    const body = draft.payload && new TextDecoder().decode(draft.payload.bytes);
    if (draft.topic.startsWith('$inbox/') && body === '2' && refused++ === 0) throw new LanpostError('disk-full');
    return append(draft);
  };
  const receipts = await Promise.all(['1', '2', '3', '4'].map((body) => a.mail.send(`link:${b.link.name}`, body)));
  await Promise.all(receipts.map(({ delivered }) => delivered));
  expect(refused).toBeGreaterThan(0);
  const kept: string[] = [];
  for await (const { body } of b.mail.messages({ last: 10 })) if (kept.push(body) === 5) break;
  expect(kept).toEqual(['0', '1', '2', '3', '4']);
  await lan.close();
});

// What one stream had not confirmed went out after what was written meanwhile, when another took its place.
test.each([0, 1])('messages keep their order when a stream that has fallen silent gives way to another, whichever key goes first (%i)', async (first) => {
  const lan = new SimulatedLan();
  lan.relays = [];
  const keys = (await Promise.all([lan.identity(), lan.identity()])).toSorted((x, y) => (x.fingerprint < y.fingerprint ? -1 : 1));
  const [own, other] = first === 0 ? keys : keys.toReversed();
  const a = await serviceBox(lan, 1, 'a', own ? { identity: own } : {});
  const database = new MemoryDatabase();
  const b = await serviceBox(lan, 2, 'b', { database, ...(other ? { identity: other } : {}) });
  await acquainted(a, b);
  const receipts: Receipt[] = [];
  const write = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) receipts.push(await a.mail.send(`link:${b.link.name}`, String(receipts.length)));
  };
  await write(5);
  await Promise.all(receipts.map(({ delivered }) => delivered));
  // The other box is started anew, and calls; this one still believes in the stream to the one before.
  for (const relay of lan.relays) relay.freeze();
  await write(10);
  await b.close();
  const again = await serviceBox(lan, 2, 'b', { database, ...(other ? { identity: other } : {}) });
  await acquainted(a, again);
  await again.mail.send(`link:${a.link.name}`, 'here I am');
  const over = new AbortController();
  void (async () => {
    await receipts.at(-1)?.delivered;
    over.abort();
  })();
  while (!over.signal.aborted) {
    await write(1);
    await pause(10);
  }
  await Promise.all(receipts.map(({ delivered }) => delivered));
  const got: string[] = [];
  for (const { payload, kind } of await again.log.items('$inbox/seen', { last: 1000, limit: 1000 })) if (kind === 'publish') got.push(new TextDecoder().decode(payload?.bytes));
  expect(got).toEqual(receipts.map((_, n) => String(n)).slice(-got.length));
  expect(got.length).toBeGreaterThan(15);
  await lan.close();
});

// What the stream that was being ended had not confirmed went out after what was written meanwhile, over the next one.
test('messages keep their order when the box ends a stream that has fallen silent, as it is called otherwise now', async () => {
  const lan = new SimulatedLan();
  lan.relays = [];
  const a = await serviceBox(lan, 1, 'a');
  const b = await serviceBox(lan, 2, 'b');
  await acquainted(a, b);
  const receipts: Receipt[] = [];
  const write = async (): Promise<void> => { receipts.push(await a.mail.send(`link:${b.link.name}`, String(receipts.length))); };
  await write();
  await receipts[0]?.delivered;
  for (const relay of lan.relays) relay.freeze();
  await write();
  await receipts[1]?.handed;
  lan.rename(a.link.name, 'a-1@h1');
  await seen(b, 'a-1@h1');
  for (let i = 0; i < 3; i += 1) await write();
  await Promise.all(receipts.map(({ delivered }) => delivered));
  const got: string[] = [];
  for (const { payload, kind } of await b.log.items('$inbox/seen', { last: 1000, limit: 1000 })) if (kind === 'publish') got.push(new TextDecoder().decode(payload?.bytes));
  expect(got).toEqual(['0', '1', '2', '3', '4']);
  await lan.close();
});
