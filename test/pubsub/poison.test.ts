import { describe, expect, test } from 'vitest';
import type { SubscribeOptions } from '../../src/api.ts';
import { LanpostError } from '../../src/errors.ts';
import { type BrokerRig, brokerRig, marked, one, take } from './broker-rig.ts';

const WORK: SubscribeOptions = { durable: 'w', from: 'start', ack: 'manual', maxDeliveries: 3 };
const poisonOf = async ({ broker }: BrokerRig) => (await broker.readers.poison('w')).map(({ delivery, deliveries }) => [delivery.kind === 'item' ? delivery.value : delivery.kind, deliveries]);

describe('an item that is never confirmed', () => {
  test('is put aside after so many deliveries, and the others go on', async () => {
    const rig = await brokerRig();
    await rig.publish('a', 'bad', 'good', 'fine');
    const reader = rig.broker.subscribe('a', { ...WORK, inFlight: 1 });
    for (const star of ['', '*', '*']) {
      const bad = await one(reader);
      expect(marked([bad])).toEqual([`"bad"${star}`]);
      bad?.nack();
    }
    const rest = await take(reader, 1);
    rest[0]?.ack();
    expect(marked(await take(reader, 1))).toEqual(['"fine"']);
    expect(marked(rest)).toEqual(['"good"']);
    expect(await poisonOf(rig)).toEqual([['bad', 3]]);
    expect(rig.troubles.map(({ kind }) => kind)).toEqual(['pubsub.poison']);
    const [info] = await rig.broker.subscriptions();
    expect(info).toMatchObject({ poison: 1, pending: 1, unconfirmed: 1, maxDeliveries: 3 });
    await reader.close();
  });

  test('counts also when the whole process dies of it each time, and its neighbours are not taken for it', async () => {
    let rig = await brokerRig();
    await rig.publish('a', 1, 2, 3, 'bad', 4, 5);
    let crashes = 0;
    const got: unknown[] = [];
    // The program takes several at once and confirms what it has worked on; at the bad one it dies.
    const run = async (): Promise<boolean> => {
      const reader = rig.broker.subscribe('a', { ...WORK, inFlight: 4 });
      for (;;) {
        const held: Awaited<ReturnType<typeof take>> = [];
        const next = take(reader, 1);
        const [item] = await next;
        if (!item) throw new Error('nothing came');
        held.push(item);
        if (item?.value === 'bad') return false;
        got.push(item?.value);
        item?.ack();
        if (got.includes(5)) {
          await reader.close();
          return true;
        }
      }
    };
    while (!await run()) {
      crashes += 1;
      rig = await rig.crash();
    }
    // The first delivery was not known to be one when it crashed.
    expect(crashes).toBe(4);
    expect(new Set(got)).toEqual(new Set([1, 2, 3, 4, 5]));
    expect(await poisonOf(rig)).toEqual([['bad', 3]]);
  });

  test('handed out with others, it is found by being alone the last time', async () => {
    let rig = await brokerRig();
    await rig.publish('a', 1, 'bad', 2, 3);
    const got: unknown[] = [];
    for (let run = 0; run < 30; run++) {
      const reader = rig.broker.subscribe('a', { ...WORK, inFlight: 4, group: true });
      const held: Awaited<ReturnType<typeof take>> = [];
      // All there are, then it works on them; with the bad one among them it dies before it has confirmed any.
      for (let next = take(reader, 1); held.length < 4;) {
        const step = await Promise.race([next, settled(rig)]);
        if (!step) break;
        held.push(...step);
        next = take(reader, 1);
        next.catch(() => undefined);
      }
      if (held.some(({ value }) => value === 'bad')) {
        rig = await rig.crash();
        continue;
      }
      for (const item of held) {
        got.push(item.value);
        item.ack();
      }
      await reader.close();
      if (got.length >= 3) break;
      rig = await rig.restart();
    }
    expect(new Set(got)).toEqual(new Set([1, 2, 3]));
    expect(await poisonOf(rig)).toEqual([['bad', 3]]);
  });

  test('counts when whoever reads is gone without a word, but the box is not', async () => {
    const rig = await brokerRig();
    await rig.publish('a', 'bad', 'good');
    for (let run = 0; run < 3; run++) {
      const reader = rig.broker.subscribe('a', { ...WORK, inFlight: 1 });
      expect((await one(reader)).value).toBe('bad');
      await reader.close();
    }
    const reader = rig.broker.subscribe('a', { ...WORK, inFlight: 1 });
    expect((await one(reader)).value).toBe('good');
    await reader.close();
    expect(await poisonOf(rig)).toEqual([['bad', 3]]);
  });
});

describe('what was put aside', () => {
  const withPoison = async (...values: unknown[]): Promise<BrokerRig> => {
    const rig = await brokerRig();
    await rig.publish('a', ...values);
    const reader = rig.broker.subscribe('a', { ...WORK, maxDeliveries: 1 });
    for (const item of await take(reader, values.length)) item.nack();
    await rig.publish('a', 'after');
    (await one(reader)).ack();
    await reader.close();
    expect(await poisonOf(rig)).toEqual(values.map((value) => [value, 1]));
    return rig;
  };

  test('stays over restarts and trimming, and is handed out once more when it is asked for', async () => {
    let rig = await withPoison('x', 'y');
    await rig.broker.configure({ kind: 'owner' }, 'a', { maxItems: 1 });
    await rig.publish('a', 'newer');
    await rig.log.trim();
    rig = await rig.restart();
    const [x] = await rig.broker.readers.poison('w');
    expect(await rig.broker.readers.retry('w', [x?.delivery.seq ?? 0])).toBe(1);
    expect(await poisonOf(rig)).toEqual([['y', 1]]);
    rig = await rig.crash();
    const reader = rig.broker.subscribe('a', WORK);
    const got = await take(reader, 2);
    expect(new Set(marked(got))).toEqual(new Set(['"x"*', '"newer"']));
    for (const item of got) item.ack();
    await reader.close();
    rig = await rig.crash();
    expect(await poisonOf(rig)).toEqual([['y', 1]]);
    const after = rig.broker.subscribe('a', WORK);
    await rig.publish('a', 'newest');
    expect(marked(await take(after, 1))).toEqual(['"newest"']);
    await after.close();
  });

  test('handed out once more it is counted anew, and put aside again', async () => {
    const rig = await withPoison('x');
    const reader = rig.broker.subscribe('a', { ...WORK, maxDeliveries: 2 });
    await reader.ready;
    await rig.broker.readers.retry('w');
    for (let run = 0; run < 2; run++) {
      const x = await one(reader);
      expect(x?.value).toBe('x');
      x?.nack();
    }
    await rig.publish('a', 'next');
    expect(marked(await take(reader, 1))).toEqual(['"next"']);
    await reader.close();
    expect(await poisonOf(rig)).toEqual([['x', 2]]);
  });

  test('is let go of, and then trimmed', async () => {
    let rig = await withPoison('x', 'y');
    const [x] = await rig.broker.readers.poison('w');
    expect(await rig.broker.readers.dropPoison('w', [x?.delivery.seq ?? 0])).toBe(1);
    expect(await rig.broker.readers.dropPoison('w', [x?.delivery.seq ?? 0])).toBe(0);
    rig = await rig.crash();
    expect(await poisonOf(rig)).toEqual([['y', 1]]);
    expect(await rig.broker.readers.dropPoison('w')).toBe(1);
    await expect(rig.broker.readers.poison('none')).rejects.toMatchObject({ code: 'not-found' });
    await expect(rig.broker.readers.retry('w', ['1'] as never)).rejects.toThrow(TypeError);
  });

  test('goes with its subscription', async () => {
    const rig = await withPoison('x');
    await rig.broker.drop('w');
    const reader = rig.broker.subscribe('a', { ...WORK, from: 'new' });
    await reader.ready;
    expect(await poisonOf(rig)).toEqual([]);
    await reader.close();
  });

  test('is bounded: what is one too many stays with its reader, which is told, and the others go on', async () => {
    const rig = await brokerRig();
    const values = Array.from({ length: 1001 }, (_, i) => i);
    await rig.publish('a', ...values, 'good');
    const reader = rig.broker.subscribe('a', { ...WORK, maxDeliveries: 1, inFlight: 1000 });
    for (let i = 0; i < 1002; i++) {
      const item = await one(reader);
      if (item?.value === 'good') item?.ack();
      else item?.nack();
    }
    await rig.publish('a', 'soon');
    const soon = await one(reader);
    expect(soon?.value).toBe('soon');
    soon?.ack();
    expect(await poisonOf(rig)).toHaveLength(1000);
    expect(rig.troubles.filter(({ kind }) => kind === 'pubsub.poison-full')).toHaveLength(1);
    expect((await rig.broker.subscriptions())[0]).toMatchObject({ poison: 1000, pending: 1 });
    await rig.broker.readers.dropPoison('w', [(await rig.broker.readers.poison('w'))[0]?.delivery.seq ?? 0]);
    const more = reader.next();
    rig.clock.advance(60_000);
    await rig.publish('a', 'late');
    expect((await more).value).toMatchObject({ value: 'late' });
    expect(await poisonOf(rig)).toHaveLength(1000);
    await reader.close();
  });

  test('a disk that takes nothing stops no reader', async () => {
    const rig = await brokerRig();
    await rig.publish('a', 'bad', 'good');
    const reader = rig.broker.subscribe('a', { ...WORK, inFlight: 1 });
    let bad = await one(reader);
    rig.database.failure = new LanpostError('disk-full');
    await rig.publish('a', 'no').catch(() => undefined);
    for (let run = 0; run < 3; run++) {
      bad.nack();
      bad = await one(reader);
      expect(marked([bad])).toEqual(['"bad"*']);
    }
    await reader.close();
    rig.database.failure = undefined;
  });
});

test('what only durable readers can have is refused to others', async () => {
  const { broker } = await brokerRig();
  for (const options of [{ maxDeliveries: 3 }, { expires: 1000 }, { durable: 'w', maxDeliveries: 1001 }, { durable: 'w', expires: -1 }, { ackWait: 0.5 }]) {
    expect(() => broker.subscribe('a', options)).toThrow(LanpostError);
  }
  expect(() => broker.subscribe('a', { durable: 'w', maxDeliveries: '3' } as never)).toThrow(TypeError);
});

/** Nothing when all that can happen by itself has. */
async function settled(rig: BrokerRig): Promise<undefined> {
  for (let batch = 0; batch < 20; batch++) await rig.publish('elsewhere', batch);
  return undefined;
}
