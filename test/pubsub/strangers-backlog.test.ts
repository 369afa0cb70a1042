import { afterEach, expect, test } from 'vitest';
import type { TrustLevel } from '../../src/api.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { Broker } from '../../src/pubsub/broker.ts';
import { DEFAULT_LIMITS } from '../../src/options.ts';
import { closeAll, openMemory } from '../log/log-fixture.ts';

afterEach(closeAll);

const WEEK = 7 * 86_400_000;

test.each([
  ['seen', ['seen'], 'gap'],
  ['paired', ['paired'], 'configure'],
  ['paired since', ['seen', 'paired'], 'configure'],
] as [string, TrustLevel[], string][])('what waits for a key that is %s, and stays away', async (_, levels, first) => {
  const { log, clock } = await openMemory({ limits: { windowBytes: 0 } });
  let level: TrustLevel = 'seen';
  const broker = new Broker({ log, clock, trouble: () => undefined, limits: DEFAULT_LIMITS, level: () => level, may: (_key, _right, _topic, open) => open });
  const open = () => broker.feed({ kind: 'peer', name: 'm', fingerprint: 'a'.repeat(64) }, { name: 'peer:m', filter: 't', from: 'start', durable: true });
  await broker.create(OWNER, 't', { accessModel: 'open' });
  for (const now of levels) {
    level = now;
    await (await open()).close();
  }
  await broker.publish(OWNER, 't', toPayload('old'));
  clock.advance(WEEK + 1);
  await broker.publish(OWNER, 't', toPayload('new'));
  for (let i = 0; i < 3; i += 1) await log.trim();
  const cursor = await open();
  expect((await cursor.next(10))[0]?.record.kind).toBe(first);
  await cursor.close();
});
