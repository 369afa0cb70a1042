import { expect, it } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { openLog } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { toPayload } from '../../src/payload/payload.ts';

it('tells when the disk is at the floor of this box, at the rate of the last quarter of an hour, and nothing while it does not grow', async () => {
  const clock = createTestClock();
  const database = new MemoryDatabase();
  let free = 10_000_000;
  database.free = () => Promise.resolve(free);
  const log = await openLog({ database, clock, boxId: 'aaaaaaaaaaaaaaaa', trouble: () => undefined, limits: { diskFloor: 4_000_000 } });
  const reader = await log.cursor({ name: 'r', filter: '#', durable: true, from: 'start' });
  const minute = async (bytes: number): Promise<void> => {
    for (let part = 0; part < 6; part++) {
      const before = log.bytes();
      if (bytes > 0) await log.append({ topic: 't', kind: 'publish', payload: toPayload('x'.repeat(bytes)) });
      free -= log.bytes() - before;
      clock.advance(10_000);
    }
  };
  expect(await log.timeLeft()).toBeUndefined();
  for (let n = 0; n < 60; n++) await minute(1000);
  const slow = await log.timeLeft() ?? 0;
  expect(slow / 60_000).toBeCloseTo((free - 4_000_000) / 6100, -2);
  // What a quiet hour was like does not count.
  for (let n = 0; n < 15; n++) await minute(10_000);
  const fast = await log.timeLeft() ?? 0;
  expect(slow / fast).toBeGreaterThan(8);
  for (let n = 0; n < 16; n++) await minute(0);
  expect(await log.timeLeft()).toBeUndefined();
  await reader.close();
  await log.close();
});
