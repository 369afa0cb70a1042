import { describe, expect, it } from 'vitest';
import { createTestClock } from '../../../src/clock.ts';
import { LanpostError } from '../../../src/errors.ts';
import { MemoryDatabase } from '../../../src/log/memory-database.ts';
import { openLog } from '../../../src/log/log.ts';
import { toPayload } from '../../../src/payload/payload.ts';
import { type Actor, OWNER } from '../../../src/pubsub/actor.ts';
import { Broker } from '../../../src/pubsub/broker.ts';

/** Takes all the time that there is for a text that was made for it. */
const COSTLY = { type: 'string', pattern: '^(a+)+$' };
const COSTS = toPayload(`${'a'.repeat(40)}!`);
const peer = (name: string): Actor => ({ kind: 'peer', name, fingerprint: name.repeat(64) });

describe('what peers may have a box compute by schemas', () => {
  it('is bounded for each that is paired and for all others together; it comes back with time, and the owner is not bounded', async () => {
    const clock = createTestClock();
    const trouble = (): void => undefined;
    const log = await openLog({ database: new MemoryDatabase(), clock, boxId: 'aaaaaaaaaaaaaaaa', trouble });
    const broker = new Broker({
      log, clock, trouble, may: () => true, level: (key) => (key?.startsWith('a') === true || key?.startsWith('b') === true ? 'paired' : 'seen'),
      limits: { itemBytes: 1000, topics: 100, subscriptions: 100 },
    });
    await broker.create(peer('a'), 't', { schema: COSTLY });
    const refused = async (actor: Actor, payload = COSTS): Promise<string> => {
      const error: unknown = await broker.publish(actor, 't', payload).then(() => 'taken', (failure: unknown) => failure);
      return error instanceof LanpostError ? error.code : String(error);
    };
    const until = async (actor: Actor): Promise<number> => {
      for (let tries = 1; tries <= 20; tries++) if (await refused(actor) === 'busy') return tries;
      return Infinity;
    };
    expect(await until(peer('a'))).toBeLessThanOrEqual(8);
    expect(await refused(peer('a'), toPayload('aaa'))).toBe('busy');
    expect(await refused(peer('b'), toPayload('aaa'))).toBe('taken');
    await expect(broker.configure(peer('a'), 't', { schema: { type: 'string' } })).rejects.toMatchObject({ code: 'busy' });
    await expect(broker.find.classify(peer('a'), toPayload('aaa'))).rejects.toMatchObject({ code: 'busy' });
    expect(await until(peer('c'))).toBeLessThanOrEqual(8);
    expect(await refused(peer('d'), toPayload('aaa'))).toBe('busy');
    expect(await refused(OWNER)).toBe('invalid-value');
    clock.advance(60_000);
    expect(await refused(peer('a'))).toBe('invalid-value');
    expect(await refused(peer('d'), toPayload('aaa'))).toBe('taken');
    await log.close();
  });
});
