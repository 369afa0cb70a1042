import { afterEach, expect, test } from 'vitest';
import { toPayload } from '../../src/payload/payload.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { Broker } from '../../src/pubsub/broker.ts';
import { DEFAULT_LIMITS } from '../../src/options.ts';
import { closeAll, openMemory } from '../log/log-fixture.ts';

afterEach(closeAll);

const PEER = { kind: 'peer', name: 'm', fingerprint: 'a'.repeat(64) } as const;

test.each([['disk', 'disk'], ['memory', 'memory'], ['memory', 'disk'], ['disk', 'memory']] as const)('what a closed topic on %s held is nothing of the open one on %s that has its name now', async (before, now) => {
  const { log, clock } = await openMemory({});
  const broker = new Broker({ log, clock, trouble: () => undefined, limits: DEFAULT_LIMITS, may: (_key, _right, _topic, open) => open });
  const keeper = await log.cursor({ name: 'away', filter: '#', from: 'start', durable: true });
  await keeper.close();
  await broker.create(OWNER, 't', { storage: before });
  await broker.publish(OWNER, 't', toPayload('secret'));
  await broker.delete(OWNER, 't');
  await broker.create(OWNER, 't', { accessModel: 'open', storage: now });
  await broker.publish(OWNER, 't', toPayload('public'));
  for (const filter of ['t', '#']) {
    const readable = broker.readable(PEER, filter);
    const cursor = await broker.feed(PEER, { name: filter, filter, from: 'start', durable: false });
    const found: string[] = [];
    while (!found.includes('public')) {
      for (const { record } of await cursor.next(10)) {
        cursor.done(record.seq);
        if (readable.record(record)) found.push(Buffer.from(record.payload?.bytes ?? []).toString() || record.kind);
      }
    }
    expect(found).toEqual(['delete', 'configure', 'public']);
    await cursor.close();
  }
});
