import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import type { Trouble } from '../../src/api.ts';
import { LanpostError } from '../../src/errors.ts';
import { Feeds } from '../../src/link/feeds.ts';
import { DEFAULT_LIMITS } from '../../src/options.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { Broker } from '../../src/pubsub/broker.ts';
import { quiet } from '../support/quiet.ts';
import { Bell } from '../support/bell.ts';
import { closeAll, openMemory } from '../log/log-fixture.ts';

afterEach(closeAll);

test('a peer that subscribes over a stream that confirms nothing, again and again, is told of once', async () => {
  const { log, clock } = await openMemory();
  const broker = new Broker({ log, clock, trouble: () => undefined, limits: DEFAULT_LIMITS, may: () => true });
  const troubles: Trouble[] = [];
  const bell = new Bell();
  let sent = 0;
  const feeds = new Feeds({
    broker, log, clock, limit: 100, isKnown: () => true,
    streams: {
      send: () => {
        sent += 1;
        bell.ring();
        return Promise.resolve({});
      },
      request: () => Promise.reject(new Error('nothing is asked')),
    },
    trouble: (trouble) => void troubles.push(trouble),
    began: () => undefined,
  });
  const peer = { kind: 'peer', name: 'm@h2', fingerprint: 'f'.repeat(64) } as const;
  feeds.opened(peer);
  await broker.publish(OWNER, 't', toPayload(1));
  for (let i = 1; i <= 20; i++) {
    await feeds.subscribe(peer, { filter: 't', reader: 'r', from: 'start', durable: false });
    await bell.until(() => sent === i);
    await quiet();
  }
  expect(troubles.map(({ kind }) => kind)).toEqual(['link.feed']);
  await feeds.close();
});

/** A box that serves `t`, and how to be one of its peers: `sent` counts the messages that went there. */
async function serving(send: () => Promise<{ readonly delivered?: Promise<void> }>) {
  const { log, clock } = await openMemory();
  const broker = new Broker({ log, clock, trouble: () => undefined, limits: DEFAULT_LIMITS, may: () => true });
  const bell = new Bell();
  const box = { broker, clock, bell, sent: 0, troubles: [] as Trouble[], changes: [] as string[] };
  const feeds = new Feeds({
    broker, log, clock, limit: 100, isKnown: () => true,
    streams: {
      send: () => {
        box.sent += 1;
        bell.ring();
        return send();
      },
      request: () => Promise.reject(new Error('nothing is asked')),
    },
    trouble: (trouble) => void box.troubles.push(trouble),
    began: () => undefined,
    readerChanged: ({ reader }, state) => void box.changes.push(`${reader} ${state}`),
  });
  return { ...box, box, feeds };
}

const PEER = { kind: 'peer', name: 'm@h2', fingerprint: 'f'.repeat(64) } as const;

test('however soon a stream is lost and back, what its peer is owed goes on', async () => {
  const { box, broker, bell, feeds } = await serving(() => Promise.resolve({ delivered: Promise.resolve() }));
  feeds.opened(PEER);
  await feeds.subscribe(PEER, { filter: 't', reader: 'r', from: 'start', durable: true });
  for (let turns = 0; turns < 12; turns++) {
    feeds.closed(PEER);
    feeds.opened(PEER); // waits until what ran before has let go of its cursor
    feeds.closed(PEER);
    for (let i = 0; i < turns; i++) await nextTurn(); // and finds the peer gone
    feeds.opened(PEER);
    const before = box.sent;
    await broker.publish(OWNER, 't', toPayload(turns));
    await bell.until(() => box.sent > before);
  }
  expect(box.troubles).toEqual([]);
  await feeds.close();
});

test('who asks for what is being opened already gets that', async () => {
  const { box, broker, bell, feeds } = await serving(() => Promise.resolve({ delivered: Promise.resolve() }));
  feeds.opened(PEER);
  const request = { filter: 't', reader: 'r', from: 'start', durable: true } as const;
  await feeds.subscribe(PEER, request);
  feeds.closed(PEER);
  feeds.opened(PEER);
  await Promise.all([feeds.subscribe(PEER, request), feeds.subscribe(PEER, request)]);
  await broker.publish(OWNER, 't', toPayload(1));
  await bell.until(() => box.sent === 1);
  expect(box.troubles).toEqual([]);
  await feeds.close();
});

test('what fails while the stream of its peer stays open is tried again', async () => {
  let fails = true;
  const { box, broker, clock, bell, feeds } = await serving(() => (fails ? Promise.reject(new LanpostError('disconnected')) : Promise.resolve({ delivered: Promise.resolve() })));
  feeds.opened(PEER);
  await feeds.subscribe(PEER, { filter: 't', reader: 'r', from: 'start', durable: true });
  await broker.publish(OWNER, 't', toPayload(1));
  await bell.until(() => box.sent === 1);
  await quiet();
  fails = false;
  clock.advance(5_000);
  await bell.until(() => box.sent === 2);
  expect(box.troubles.map(({ kind }) => kind)).toEqual(['link.feed']);
  await feeds.close();
});

test.each([[true, ['r subscribed']], [false, []]])('owners hear of no reader that was gone before it read (durable: %s)', async (durable, changes) => {
  const { box, feeds } = await serving(() => Promise.resolve({ delivered: Promise.resolve() }));
  feeds.opened(PEER);
  const subscribing = feeds.subscribe(PEER, { filter: 't', reader: 'r', from: 'start', durable });
  feeds.closed(PEER);
  await subscribing;
  await quiet();
  expect(box.changes).toEqual(changes);
  await feeds.close();
});

test('owners hear that a reader has come before they hear that it has gone', async () => {
  const { box, feeds } = await serving(() => Promise.resolve({ delivered: Promise.resolve() }));
  feeds.opened(PEER);
  await feeds.subscribe(PEER, { filter: 't', reader: 'r', from: 'start', durable: false });
  feeds.closed(PEER);
  await quiet();
  expect(box.changes).toEqual(['r subscribed', 'r none']);
  await feeds.close();
});
