import { expect, test } from 'vitest';
import { type BrokerRig, brokerRig } from './broker-rig.ts';

const DAY = 86_400_000;
const names = async ({ broker }: BrokerRig): Promise<string[]> => (await broker.subscriptions()).map(({ name }) => name);

async function visit(rig: BrokerRig, durable: string, expires?: number): Promise<void> {
  const reader = rig.broker.subscribe('a', { durable, ...(expires === undefined ? {} : { expires }) });
  await reader.ready;
  await reader.close();
}

/** Time passes, and whatever that leads to has been done. */
async function pass(rig: BrokerRig, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 60_000) {
    rig.clock.advance(Math.min(left, 60_000));
    await Promise.resolve();
  }
  for (let batch = 0; batch < 5; batch++) await rig.publish('elsewhere', batch);
}

test('without more said a durable reader is kept for ever', async () => {
  const rig = await brokerRig();
  await visit(rig, 'd');
  await pass(rig, 400 * DAY);
  expect(await names(rig)).toEqual(['d']);
});

test('one that nobody has read for as long as was agreed is dropped, and that is told', async () => {
  const rig = await brokerRig();
  await visit(rig, 'd', DAY);
  await visit(rig, 'other', 2 * DAY);
  await pass(rig, DAY - 1000);
  expect(await names(rig)).toEqual(['d', 'other']);
  await pass(rig, 1000);
  expect(await names(rig)).toEqual(['other']);
  expect([rig.expired, rig.troubles.map(({ kind }) => kind)]).toEqual([['d'], ['pubsub.expired']]);
});

test('a reader begins the time anew, and what is agreed is kept until another is said', async () => {
  const rig = await brokerRig();
  await visit(rig, 'd', DAY);
  await pass(rig, DAY / 2);
  await visit(rig, 'd');
  await pass(rig, DAY / 2);
  expect(await names(rig)).toEqual(['d']);
  const reader = rig.broker.subscribe('a', { durable: 'd' });
  await reader.ready;
  await pass(rig, 2 * DAY);
  expect(await names(rig)).toEqual(['d']);
  await reader.close();
  await visit(rig, 'd', 0);
  await pass(rig, 2 * DAY);
  expect(await names(rig)).toEqual(['d']);
});

test('only time in which the box runs counts, whatever the clock does, and a crash takes back little of it', async () => {
  let rig = await brokerRig();
  await visit(rig, 'd', DAY);
  const since = (await rig.broker.subscriptions())[0]?.abandonedSince;
  rig.clock.jump(50 * 365 * DAY);
  await pass(rig, DAY / 2);
  rig = await rig.crash();
  rig.clock.jump(-50 * 365 * DAY);
  expect((await rig.broker.subscriptions())[0]).toMatchObject({ abandonedSince: since });
  rig = await rig.restart();
  await pass(rig, DAY / 2 - 60_000);
  expect(await names(rig)).toEqual(['d']);
  // A twentieth of it may have been taken back.
  await pass(rig, DAY / 20 + 120_000);
  expect(await names(rig)).toEqual([]);
});

test('one that was left by a crash counts from the next start on', async () => {
  let rig = await brokerRig();
  const reader = rig.broker.subscribe('a', { durable: 'd', expires: DAY });
  await reader.ready;
  await pass(rig, 3 * DAY);
  rig = await rig.crash();
  await pass(rig, DAY - 1000);
  expect(await names(rig)).toEqual(['d']);
  await pass(rig, 1000);
  expect(await names(rig)).toEqual([]);
});
