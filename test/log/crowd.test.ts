import { afterEach, expect, it } from 'vitest';
import { Crowd } from '../../src/log/crowd.ts';
import { closeAll, item, openMemory } from './log-fixture.ts';

afterEach(closeAll);

it('is told once that there is room, when half of what may wait has gone', async () => {
  const crowd = new Crowd(1000);
  expect(crowd.roomy(1000)).toBeUndefined();
  let told = 0;
  const wait = async (waiting: number): Promise<void> => {
    await crowd.roomy(waiting);
    told++;
  };
  const waits = [wait(1001), wait(2000)];
  crowd.now(501);
  await Promise.resolve();
  expect(told).toBe(0);
  crowd.now(500);
  await Promise.all(waits);
  expect(told).toBe(2);
  expect(crowd.roomy(500)).toBeUndefined();
});

it('the log is crowded while a slow disk makes much wait, and takes appends all the same', async () => {
  const { log, database } = await openMemory({ limits: { roomyBytes: 20_000 } });
  expect(log.roomy()).toBeUndefined();
  const batch = database.batch.bind(database);
  let goOn = (): void => {};
  const stalled = new Promise<void>((resolve) => { goOn = resolve; });
  database.batch = () => {
    const inner = batch();
    return { ...inner, write: async (options) => { await stalled; await inner.write(options); } };
  };
  const appended = Array.from({ length: 100 }, (_, n) => log.append(item('t', 'x'.repeat(1000), { id: `${n}` })));
  const roomy = log.roomy();
  expect(roomy).toBeInstanceOf(Promise);
  goOn();
  await roomy;
  await Promise.all(appended);
  expect([log.roomy(), log.head]).toEqual([undefined, 100]);
});

it('there is room again when nothing of what waited can be written', async () => {
  const { log, database } = await openMemory({ limits: { roomyBytes: 20_000 } });
  database.failure = new Error('No space left on device');
  const appended = Promise.allSettled(Array.from({ length: 100 }, (_, n) => log.append(item('t', 'x'.repeat(1000), { id: `${n}` }))));
  await log.roomy();
  expect((await appended).every(({ status }) => status === 'rejected')).toBe(true);
});
