// For how long what waits for a home has room, when it grows as it does: in the status, and in the numbers for Prometheus.
import { expect, it } from 'vitest';
import type { BoxStatus, HomeStatus } from '../../src/api.ts';
import { createTestClock } from '../../src/clock.ts';
import { createHomes } from '../../src/home/homes.ts';
import { openLog } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { WEB_LIMITS } from '../../src/web/limits.ts';
import { Metrics } from '../../src/web/metrics.ts';

const FLOOR = 4_000_000;
/** As often as the log looks at how large it is. */
const LOOK = 10_000;
const LOOKS_AN_HOUR = 3_600_000 / LOOK;

it('tells how many hours there is room for what waits, to a tenth, while it grows, and nothing once nothing waits or it does not', async () => {
  const clock = createTestClock();
  const database = new MemoryDatabase();
  const log = await openLog({ database, clock, boxId: 'aaaabbbbccccdddd', trouble: () => undefined, limits: { diskFloor: FLOOR } });
  const homes = createHomes({ log, clock, trouble: () => undefined, boxId: log.boxId });
  await homes.start();
  const status = async (): Promise<HomeStatus> => {
    const [home] = await homes.list();
    if (!home) throw new Error('there is no home');
    return home;
  };
  const metric = async (): Promise<string | undefined> => {
    const none = { list: () => Promise.resolve([]) };
    const link = { state: 'off' } as unknown as BoxStatus['link'];
    const box = { version: '', box: log.boxId, name: 'b', link, log: { state: 'open', head: log.head, bytes: log.bytes(), freeBytes: await log.free(), losses: 0 }, homes: await homes.list(), requests: 0, troubles: {} } as unknown as BoxStatus;
    const text = await new Metrics({ status: () => Promise.resolve(box), peers: none, topics: none, subscriptions: none } as unknown as ConstructorParameters<typeof Metrics>[0], WEB_LIMITS).text();
    return /^lanpost_home_room_seconds\{home="box@home\.invalid"\} (.*)$/m.exec(text)?.[1];
  };
  try {
    await homes.add({ jid: 'box@home.invalid', password: 'secret', service: 'pubsub.home.invalid', topics: ['t'], host: '127.0.0.1', port: 1 });
    await homes.pause('box@home.invalid');
    const looks = async (count: number, publish: boolean): Promise<void> => {
      for (let n = 0; n < count; n++) {
        if (publish) await log.append({ topic: 't', kind: 'publish', payload: toPayload('x'.repeat(500)) });
        clock.advance(LOOK);
      }
    };
    await looks(1, true);
    const before = log.bytes();
    await looks(6, true);
    const each = (log.bytes() - before) / 6;
    const room = (hours: number): void => { database.freeBytes = FLOOR + Math.round(each * LOOKS_AN_HOUR * hours); };
    for (const [hours, told] of [[5, 5], [7.26, 7.3], [0.5, 0.5], [0, 0], [-1, 0]] as const) {
      room(hours);
      expect((await status()).hoursLeft).toBe(told);
      expect(await metric()).toBe(String(told * 3600));
    }
    room(5);
    // At half the rate, for as long as is looked back, twice as long.
    for (let n = 0; n < 46; n++) {
      await looks(1, true);
      await looks(1, false);
    }
    expect((await status()).hoursLeft).toBe(10);
    await looks(92, false);
    expect(await status()).toMatchObject({ queued: 53 });
    expect((await status()).hoursLeft).toBeUndefined();
    expect(await metric()).toBeUndefined();

    await looks(7, true);
    expect((await status()).hoursLeft).toBeGreaterThan(0);
    expect(await metric()).toMatch(/^\d+$/);
    await homes.remove('box@home.invalid');
    await homes.add({ jid: 'box@home.invalid', password: 'secret', service: 'pubsub.home.invalid', topics: ['other'], host: '127.0.0.1', port: 1 });
    expect(await status()).toMatchObject({ queued: 0 });
    expect((await status()).hoursLeft).toBeUndefined();
    expect(await metric()).toBeUndefined();
  } finally {
    await homes.close();
    await log.close();
  }
});
