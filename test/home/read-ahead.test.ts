import { expect, test } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { ReadAhead } from '../../src/home/read-ahead.ts';
import { openLog } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { quiet } from '../support/quiet.ts';

test('a reader that may take nothing more, as too much of it is open, has not read all there is', async () => {
  const clock = createTestClock();
  const log = await openLog({ database: new MemoryDatabase(), clock, boxId: 'aaaabbbbccccdddd', trouble: () => undefined });
  const seqs: number[] = [];
  let ends = 0;
  const reading = new ReadAhead({
    log, clock, carried: () => false, limits: { ahead: 100_000, aheadBytes: 1e9 },
    readers: [{ name: 'home:box@home.test #', filter: '#', matches: () => true, priority: 0 }],
    take: (_cursor, { seq }) => seqs.push(seq), owner: (cursor) => cursor, starved: () => false, tail: () => { ends++; },
    more: async (cursor) => {
      // Every other is done: what is open are as many ranges.
      for (const seq of seqs) if (seq % 2 === 0) cursor.done(seq);
    },
    caughtUp: () => undefined, failed: (error) => { throw error; },
  });
  await Promise.all(Array.from({ length: 3_000 }, (_, n) => log.append({ topic: 't', kind: 'publish', payload: toPayload(n) })));
  await reading.open();
  reading.start();
  await quiet();
  expect(seqs.length).toBeGreaterThan(1_900);
  expect(seqs.length).toBeLessThan(2_500);
  expect(ends).toBe(0);
  const [main] = reading.mains;
  for (let read = 0; read < seqs.length;) {
    read = seqs.length;
    for (const seq of seqs) main?.done(seq);
    await quiet();
  }
  expect(seqs.length).toBe(3_000);
  expect(ends).toBeGreaterThan(0);
  await reading.close();
  await log.close();
});
