import { expect, test } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { openLog } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import type { Lease } from '../../src/pubsub/leases.ts';
import { pullSubscription } from '../../src/pubsub/subscription.ts';

test('a reader of a group that is closed while it reads gives back what it was handed', async () => {
  const clock = createTestClock();
  const log = await openLog({ database: new MemoryDatabase(), clock, boxId: 'aaaaaaaaaaaaaaaa', trouble: () => undefined });
  const cursor = await log.cursor({ name: 'shared', filter: '#', from: 'start', durable: true });
  await log.append({ topic: 'a', kind: 'publish', payload: { contentType: 'text/plain', bytes: Buffer.from('x') } });
  // The disk answers when the test says so.
  let answer = (): void => undefined;
  let asked = (): void => undefined;
  const reading = new Promise<void>((resolve) => { asked = resolve; });
  const slow: Lease = {
    cursor, clock, maxDeliveries: undefined, putAside: async () => false, release: () => Promise.resolve(),
    next: async (max) => {
      const page = await cursor.next(max);
      await new Promise<void>((resolve) => { answer = resolve; asked(); });
      return page;
    },
  };
  const leaving = pullSubscription(() => Promise.resolve(slow), {});
  const last = leaving.next();
  await reading;
  await leaving.close();
  answer();
  expect(await last).toMatchObject({ done: true });
  const staying = pullSubscription(() => Promise.resolve({ ...slow, next: (max) => cursor.next(max), release: () => cursor.close() }), {});
  expect((await staying.next()).value).toMatchObject({ value: 'x', redelivered: false });
  await staying.close();
  await log.close();
});
