// What a topic says it has is what it has, whatever happened to it.
import { afterEach, describe, expect, it } from 'vitest';
import { audit } from '../support/log-audit.ts';
import { seeded } from '../support/seeded.ts';
import { closeAll, item, openMemory } from './log-fixture.ts';

afterEach(closeAll);

describe('the counters of a topic', () => {
  it('are exact when items are replaced, retracted, purged, deleted, expire and are trimmed, in batches of any size', async () => {
    const random = seeded(5);
    const { log, database, clock } = await openMemory({ limits: { windowBytes: 0, maxItems: 4 } });
    await log.append({ topic: 'b', kind: 'configure', config: { lane: 'latest' } });
    await log.append({ topic: 'd', kind: 'configure', config: { maxBytes: 250, maxAge: 20_000 } });
    await log.append({ topic: 'e', kind: 'configure', config: { full: 'reject', maxBytes: 250, itemExpire: 15_000 } });
    for (let round = 0; round < 150; round++) {
      const drafts = Array.from({ length: 1 + Math.floor(random() * 8) }, (_, i) => {
        const topic = 'abcde'[Math.floor(random() * 5)] ?? '';
        const id = `id${Math.floor(random() * 3)}`;
        const what = random();
        if (what < 0.05) return { topic, kind: 'purge' as const };
        if (what < 0.07) return { topic, kind: 'delete' as const };
        if (what < 0.08) return { topic, kind: 'configure' as const, config: { lane: random() < 0.6 ? 'latest' as const : 'history' as const, maxItems: 1 + Math.floor(random() * 5) } };
        if (what < 0.2) return { topic, kind: 'retract' as const, id };
        return item(topic, `${round} ${i}`, { ...(random() < 0.7 && { id }), ...(random() < 0.4 && { key: `k${Math.floor(random() * 3)}` }), ...(random() < 0.2 && { expires: clock.wall() + random() * 100_000 }) });
      });
      await Promise.allSettled(drafts.map((draft) => log.append(draft)));
      if (round % 3 === 0) await log.trim();
      clock.advance(random() * 5000);
    }
    await log.close();
    expect(await audit(database)).toEqual([]);
  });

  it('are exact when more items expire than one page of trimming holds', async () => {
    const { log, clock } = await openMemory();
    await Promise.all(Array.from({ length: 700 }, (_, i) => log.append(item('t', `${i}`, { expires: clock.wall() + 1000 }))));
    await log.append(item('t', 'stays'));
    clock.advance(70_000);
    await log.trim();
    expect(log.topic('t')?.count).toBe(1);
  });
});
