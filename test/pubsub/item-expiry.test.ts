import { expect, it } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { brokerRig, take } from './broker-rig.ts';

it('an item that says so is over after that time; whoever is behind still gets it', async () => {
  const { broker, log, clock } = await brokerRig();
  const reader = broker.subscribe('t', { durable: 'behind' });
  await reader.ready;
  await broker.publish(OWNER, 't', toPayload('short'), { expires: broker.overAfter(1000) });
  await broker.publish(OWNER, 't', toPayload('ever'));
  clock.advance(999);
  await log.trim();
  expect(await broker.items(OWNER, 't')).toMatchObject([{ value: 'short' }, { value: 'ever' }]);
  clock.advance(1);
  await log.trim();
  expect(await broker.items(OWNER, 't')).toMatchObject([{ value: 'ever' }]);
  expect(await take(reader, 2)).toMatchObject([{ value: 'short' }, { value: 'ever' }]);
  await reader.close();
});

it('a span that is none, and a clock that cannot tell, are refused', async () => {
  const { broker } = await brokerRig();
  for (const wrong of [-1, Number.NaN]) expect(() => broker.overAfter(wrong)).toThrow(expect.objectContaining({ code: 'invalid-value' }));
  const unset = await brokerRig(new MemoryDatabase(), createTestClock(0));
  expect(() => unset.broker.overAfter(1000)).toThrow(expect.objectContaining({ code: 'unsupported', message: expect.stringContaining('itemExpire') }));
});
