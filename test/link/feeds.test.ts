import { afterEach, expect, test } from 'vitest';
import type { Trouble } from '../../src/api.ts';
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
