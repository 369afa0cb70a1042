import { expect, it } from 'vitest';
import { toPayload } from '../../src/payload/payload.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { brokerRig, take, type BrokerRig } from './broker-rig.ts';

async function lamps({ broker }: BrokerRig): Promise<void> {
  for (let n = 0; n < 100; n++) await broker.publish(OWNER, 'lamps', toPayload({ lamp: n % 5, n }));
}
const newest = [95, 96, 97, 98, 99].map((n) => ({ value: { lamp: n % 5, n } }));

it('who was away gets the newest of each key, from memory as from disk; who was there gets them all', async () => {
  let rig = await brokerRig();
  await rig.broker.create(OWNER, 'lamps', { lane: 'latest', key: '/lamp' });
  const away = rig.broker.subscribe('lamps', { durable: 'away' });
  await away.ready;
  await away.close();
  const there = rig.broker.subscribe('lamps');
  await there.ready;
  await lamps(rig);
  expect(await take(there, 100)).toHaveLength(100);
  const back = rig.broker.subscribe('lamps', { durable: 'away' });
  expect(await take(back, 5)).toMatchObject(newest);
  await rig.publish('lamps', { lamp: 0, n: 'next' });
  expect(await take(back, 1)).toMatchObject([{ value: { n: 'next' } }]);
  await Promise.all([there.close(), back.close()]);
  await lamps(rig);
  rig = await rig.restart();
  const again = rig.broker.subscribe('lamps', { durable: 'away' });
  expect(await take(again, 5)).toMatchObject(newest);
  await again.close();
});
