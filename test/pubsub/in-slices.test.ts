import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { openLog } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { type Actor, OWNER } from '../../src/pubsub/actor.ts';
import { Broker } from '../../src/pubsub/broker.ts';
import { inSlices } from '../../src/pubsub/in-slices.ts';

/** How often others had their turn meanwhile. */
async function turns(work: () => Promise<unknown>): Promise<number> {
  let count = 0;
  const ended = new AbortController();
  const counting = (async () => {
    for (; !ended.signal.aborted; count += 1) await nextTurn();
  })();
  await work().catch(() => undefined);
  ended.abort();
  await counting;
  return count;
}

describe('what looks at many topics lets others have their turn', () => {
  it('in slices, until it is enough', async () => {
    const seen: number[] = [];
    expect(await turns(() => inSlices(Array(1000).keys(), (n) => (seen.push(n) === 600 ? 'enough' : undefined)))).toBeGreaterThanOrEqual(4);
    expect(seen).toHaveLength(600);
  });

  it('listed, searched, and looked through for what a peer may read', async () => {
    const clock = createTestClock();
    const asked = { may: 0 };
    const trouble = (): void => undefined;
    const log = await openLog({ database: new MemoryDatabase(), clock, boxId: 'aaaaaaaaaaaaaaaa', trouble });
    const broker = new Broker({
      log, clock, trouble, may: (_key, _right, topic, open) => { asked.may += 1; return open || topic === 't/1999'; },
      limits: { itemBytes: 1000, topics: 10_000, subscriptions: 100 },
    });
    const peer: Actor = { kind: 'peer', name: 'p', fingerprint: 'a'.repeat(64) };
    const other: Actor = { kind: 'peer', name: 'q' };
    for (let n = 0; n < 2000; n += 200) await Promise.all(Array.from({ length: 200 }, (_, i) => broker.create(OWNER, `t/${n + i}`)));
    for (const work of [
      () => broker.find.list(OWNER), () => broker.find.search(OWNER, { text: 'nothing' }), () => broker.find.some(peer, '#'), () => broker.subscribable(peer, ''),
      () => broker.feed(other, { name: 'peer:x', filter: '+', from: 'new', durable: false }),
    ]) expect(await turns(work)).toBeGreaterThanOrEqual(11);
    expect((await broker.find.list(OWNER, 't/+')).map(({ name }) => name)).toEqual([...(await broker.find.readable(OWNER, 't/+'))].toSorted());
    // A reader that is there is asked for what was found, and not for everything again.
    expect(await broker.find.some(peer, 't/#')).toBe(true);
    asked.may = 0;
    expect(broker.readable(peer, 't/#').some).toBe(true);
    expect(await broker.find.some(peer, 't/#')).toBe(true);
    expect(asked.may).toBeLessThan(20);
    await broker.delete(OWNER, 't/1999');
    expect(await broker.find.some(peer, 't/#')).toBe(false);
    expect(broker.readable(peer, 't/#').some).toBe(false);
    await log.close();
  });
});
