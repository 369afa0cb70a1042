import { describe, expect, test } from 'vitest';
import type { Item } from '../../src/api.ts';
import { brokerRig, marked, one, take } from './broker-rig.ts';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('a time to confirm', () => {
  test('what is not confirmed in time goes to another of the group, and is counted', async () => {
    const rig = await brokerRig();
    await rig.publish('a', 'x', 'y');
    const options = { durable: 'd', from: 'start', group: true, ack: 'manual', ackWait: 1000, maxDeliveries: 2 } as const;
    const [stuck, other] = [rig.broker.subscribe('a', options), rig.broker.subscribe('a', options)];
    await take(stuck, 1);
    const y = await one(other);
    rig.clock.advance(999);
    y?.ack();
    const next = other.next();
    rig.clock.advance(1);
    expect((await next).value).toMatchObject({ value: 'x', redelivered: true });
    // Neither confirms it: it has been handed out twice.
    rig.clock.advance(1000);
    const last = other.next();
    await rig.publish('a', 'z');
    expect((await last).value).toMatchObject({ value: 'z' });
    expect(await rig.broker.readers.poison('d')).toMatchObject([{ deliveries: 2, delivery: { value: 'x' } }]);
    await Promise.all([stuck.close(), other.close()]);
  });

  test('a confirmation that comes late still counts, unless it was confirmed meanwhile', async () => {
    const rig = await brokerRig();
    await rig.publish('a', 'x', 'y');
    const reader = rig.broker.subscribe('a', { durable: 'd', from: 'start', ack: 'manual', ackWait: 1000, inFlight: 1 });
    const x = await one(reader);
    rig.clock.advance(1000);
    x?.ack();
    const y = await one(reader);
    expect(marked([y])).toEqual(['"y"']);
    rig.clock.advance(1000);
    const again = await one(reader);
    expect(marked([again])).toEqual(['"y"*']);
    y?.ack();
    again?.ack();
    expect((await rig.broker.subscriptions())[0]).toMatchObject({ pending: 0, unconfirmed: 0 });
    await reader.close();
  });

  test('leaves no timer behind, and a live reader can have one', async () => {
    const rig = await brokerRig();
    const reader = rig.broker.subscribe('a', { ackWait: 1000 });
    await reader.ready;
    await rig.publish('a', 1, 2);
    expect(marked(await take(reader, 1))).toEqual(['1']);
    rig.clock.advance(5000);
    const next = await take(reader, 1);
    expect(marked(next)).toEqual(['2']);
    await reader.close();
    rig.clock.advance(5000);
  });
});

describe('a reader that is sent elsewhere', () => {
  test.each([['open', true], ['closed', false]])('%s, it reads again from there, and knows it for a repeat', async (_, isOpen) => {
    let rig = await brokerRig();
    await rig.publish('a', ...numbers(5));
    let reader = rig.broker.subscribe('a', { durable: 'd', from: 'start', ack: 'manual' });
    const first = await take(reader, 5);
    for (const item of first.slice(0, 4)) item.ack();
    if (!isOpen) await reader.close();
    await rig.broker.seek('d', { seq: first[2]?.seq ?? 0 });
    if (!isOpen) reader = rig.broker.subscribe('a', { durable: 'd', ack: 'manual' });
    first[4]?.ack(); // void: it is to be read again
    await rig.publish('a', 'new');
    expect(marked(await take(reader, 4))).toEqual(['2*', '3*', '4*', '"new"']);
    rig = await rig.crash();
    const after = rig.broker.subscribe('a', { durable: 'd', ack: 'manual' });
    expect(marked(await take(after, 4))).toEqual(['2*', '3*', '4*', '"new"*']);
    await after.close();
  });

  test('to the start, to a time, to what is new', async () => {
    const rig = await brokerRig();
    await rig.publish('a', 1);
    rig.clock.advance(1000);
    const noon = rig.clock.wall();
    await rig.publish('a', 2);
    rig.clock.advance(1000);
    await rig.publish('a', 3);
    const reader = rig.broker.subscribe('a', { durable: 'd' });
    await reader.ready;
    await rig.broker.seek('d', 'start');
    expect(marked(await take(reader, 3))).toEqual(['1*', '2*', '3*']);
    await rig.broker.seek('d', { time: noon });
    expect(marked(await take(reader, 2))).toEqual(['2*', '3*']);
    await rig.broker.seek('d', 'start');
    await rig.broker.seek('d', 'new');
    await rig.publish('a', 4);
    expect(marked(await take(reader, 1))).toEqual(['4']);
    expect((await rig.broker.subscriptions())[0]).toMatchObject({ pending: 1 });
    await reader.close();
    await rig.broker.seek('d', 'last');
    expect((await rig.broker.subscriptions())[0]).toMatchObject({ pending: 1 });
    await expect(rig.broker.seek('d', 'yesterday' as never)).rejects.toMatchObject({ code: 'invalid-value' });
    await expect(rig.broker.seek('none', 'start')).rejects.toMatchObject({ code: 'not-found' });
  });

  test('while it waits with all it may hold, while it reads, and in a group', async () => {
    const rig = await brokerRig();
    await rig.publish('a', ...numbers(300));
    const member = () => rig.broker.subscribe('a', { durable: 'd', from: 'start', group: true, ack: 'manual', inFlight: 2 });
    const last = member();
    const group = [member(), last];
    await Promise.all(group.map((reader) => take(reader, 2)));
    const waiting = group.map((reader) => take(reader, 1));
    await rig.broker.seek('d', 'start');
    const found = (await Promise.all(waiting)).flat();
    for (const item of found) item.ack();
    while (found.length < 300) {
      const more = (await Promise.all(group.map((reader) => take(reader, 1)))).flat();
      for (const item of more) item.ack();
      found.push(...more);
      // In the middle of reading: what had been read is read again.
      if (found.length === 100) await Promise.all([group[0]?.next().then((step) => (step.value as Item).nack()), rig.broker.seek('d', { seq: found[0]?.seq ?? 0 })]);
    }
    const rest: Item[] = [];
    const all = new Set(found.map(({ value }) => value));
    while (all.size < 300) {
      const item = await one(last);
      item?.ack();
      rest.push(item);
      all.add(item?.value);
    }
    expect(all.size).toBe(300);
    await Promise.all(group.map((reader) => reader.close()));
  });

  test('it does not meet what it has put aside', async () => {
    const rig = await brokerRig();
    await rig.publish('a', 'x', 'bad', 'y');
    const reader = rig.broker.subscribe('a', { durable: 'd', from: 'start', ack: 'manual', maxDeliveries: 1 });
    const [x, bad, y] = await take(reader, 3);
    bad?.nack();
    x?.ack();
    y?.ack();
    await rig.publish('a', 'z');
    (await one(reader)).ack();
    await rig.broker.seek('d', 'start');
    const again = await take(reader, 3);
    expect(marked(again)).toEqual(['"x"*', '"y"*', '"z"*']);
    for (const item of again) item.ack();
    expect((await rig.broker.subscriptions())[0]).toMatchObject({ pending: 0, poison: 1 });
    await reader.close();
  });
});

describe('what is given back for a while', () => {
  test('does not hold up the others, comes again after its delay, or at once after a restart', async () => {
    let rig = await brokerRig();
    await rig.publish('a', ...numbers(4));
    const reader = rig.broker.subscribe('a', { durable: 'd', from: 'start', ack: 'manual', inFlight: 1 });
    const zero = await one(reader);
    zero?.nack({ delay: 60_000 });
    for (const value of [1, 2]) {
      const item = await one(reader);
      expect(item?.value).toBe(value);
      item?.ack();
    }
    await reader.close();
    rig = await rig.restart();
    const after = rig.broker.subscribe('a', { durable: 'd', ack: 'manual' });
    expect(marked(await take(after, 2))).toEqual(['0*', '3']);
    await after.close();
  });

  test('is bounded: with 1000 such waiting nothing new comes', async () => {
    const rig = await brokerRig();
    await rig.publish('a', ...numbers(1200));
    const reader = rig.broker.subscribe('a', { durable: 'd', from: 'start', ack: 'manual' });
    let came: unknown[] = [];
    const all = (async () => {
      for await (const item of reader) {
        came.push((item as Item).value);
        item.nack({ delay: 1000 });
      }
    })();
    for (let batch = 0; batch < 50; batch++) await rig.publish('b', 1);
    // And what had been read before the bound was met.
    expect(came.length).toBeLessThan(1000 + 64);
    expect(came.length).toBeGreaterThanOrEqual(1000);
    came = [];
    rig.clock.advance(1000);
    await rig.publish('b', 1);
    expect(came[0]).toBe(0);
    await reader.close();
    await all;
  });
});

test('confirmations out of order are remembered up to 1000 holes; then delivery waits for one', async () => {
  let rig = await brokerRig();
  await rig.publish('a', ...numbers(2500));
  const reader = rig.broker.subscribe('a', { durable: 'd', from: 'start', ack: 'manual', inFlight: 1000, group: true });
  // Every other one is left to a second reader, which does not confirm.
  const lazy = rig.broker.subscribe('a', { durable: 'd', group: true, ack: 'manual', inFlight: 1000 });
  const held: Item[] = [];
  for (let i = 0; i < 1000; i++) {
    held.push(...await take(lazy, 1));
    (await one(reader)).ack();
  }
  let came = false;
  const next = reader.next().then((step) => { came = true; return step; });
  await rig.publish('b', 1);
  expect(came).toBe(false);
  held[500]?.ack();
  expect((await next).value).toMatchObject({ value: 2000 });
  await Promise.all([reader.close(), lazy.close()]);
  rig = await rig.crash();
  const after = rig.broker.subscribe('a', { durable: 'd' });
  const left = await take(after, 999 + 500);
  expect(left.map(({ value }) => value)).toEqual([...held.map(({ value }) => value).filter((value) => value !== 1000), ...numbers(2500).slice(2000)]);
  await after.close();
});

describe('closing', () => {
  test('ends a `next` that waits, and the name is free at once for who comes next', async () => {
    const rig = await brokerRig();
    const first = rig.broker.subscribe('a', { durable: 'd', from: 'start', ack: 'manual' });
    const waiting = first.next();
    await first.ready;
    const closed = first.close();
    await rig.publish('a', 0);
    const second = rig.broker.subscribe('a', { durable: 'd', ack: 'manual' });
    await rig.publish('a', 1);
    expect(marked(await take(second, 2))).toEqual(['0', '1']);
    expect(await waiting).toMatchObject({ done: true });
    await closed;
    await second.close();
  });

  test('a signal keeps nothing of a reader that is gone', async () => {
    const rig = await brokerRig();
    const abort = new AbortController();
    let listeners = 0;
    const { signal } = abort;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (...args: Parameters<typeof add>) => { listeners += 1; add(...args); };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => { listeners -= 1; remove(...args); };
    for (const durable of ['d', undefined]) {
      const reader = rig.broker.subscribe('a', { signal, ...(durable === undefined ? {} : { durable }) });
      await reader.ready;
      await rig.publish('a', 1);
      await take(reader, 1);
      const next = reader.next();
      await reader.close();
      await next;
    }
    expect(listeners).toBe(0);
    await expect(rig.broker.subscribe('b', { signal: AbortSignal.abort(new Error('no')) }).next()).rejects.toThrow('no');
  });
});

describe('the list of subscriptions', () => {
  test('is not said to wait for fifty years after a restart with a clock that is wrong', async () => {
    const rig = await brokerRig();
    await using reader = rig.broker.subscribe('t', { durable: 'd' });
    await reader.ready;
    await reader.close();
    await rig.publish('t', 1);
    rig.clock.jump(50 * 365 * 86_400_000);
    const again = await rig.restart();
    expect((await again.broker.subscriptions())[0]?.oldestAge).toBeLessThan(86_400_000);
  });

  test('shows what each holds, and for how long nobody has read it', async () => {
    const rig = await brokerRig();
    const reader = rig.broker.subscribe('a/#', { durable: 'd', from: 'start', ack: 'manual', expires: 3_600_000, group: true });
    const also = rig.broker.subscribe('a/#', { durable: 'd', ack: 'manual', group: true });
    await Promise.all([reader.ready, also.ready]);
    await rig.publish('a/x', ...numbers(10));
    rig.clock.advance(500);
    const [first, second] = await take(reader, 2);
    first?.ack();
    expect(second?.value).toBe(1);
    const held = rig.broker.topic('a/x')?.bytes ?? 0;
    const [info] = await rig.broker.subscriptions();
    expect(info).toMatchObject({ readers: 2, unconfirmed: 1, pending: 9, oldestAge: 500, poison: 0, expires: 3_600_000 });
    expect(info?.bytes).toBeGreaterThan(held * 0.8);
    expect(info?.bytes).toBeLessThanOrEqual(held);
    expect(info).not.toHaveProperty('abandonedSince');
    await Promise.all([reader.close(), also.close()]);
    const left = rig.clock.wall();
    rig.clock.advance(60_000);
    expect((await rig.broker.subscriptions())[0]).toMatchObject({ readers: 0, unconfirmed: 0, pending: 9, abandonedSince: left, expiresAt: left + 3_600_000 });
  });

  test('asks the disk only about those that wait for something, and for a few rows of it', async () => {
    const rig = await brokerRig();
    const readers = numbers(1000).map((n) => rig.broker.subscribe(n % 2 ? `t/${n}` : `t/${n}/#`, { durable: `d${n}`, from: 'start' }));
    await Promise.all(readers.map((reader) => reader.ready));
    await Promise.all(readers.map((reader) => reader.close()));
    for (const topic of ['t/7', 't/8', 't/8/a', 'others']) await rig.publish(topic, ...numbers(1000));
    let rows = 0;
    const [range, getMany] = [rig.database.range.bind(rig.database), rig.database.getMany.bind(rig.database)];
    rig.database.range = async (...asked) => count(await range(...asked));
    rig.database.getMany = async (...asked) => count(await getMany(...asked));
    const count = <T extends readonly unknown[]>(found: T): T => {
      rows += found.length;
      return found;
    };
    const list = await rig.broker.subscriptions();
    expect(list.filter(({ pending }) => pending > 0).map(({ name, pending }) => [name, pending])).toEqual([['d7', 1000], ['d8', 2000]]);
    expect(rows).toBeLessThan(60);
  });
});
