import { afterEach, describe, expect, it } from 'vitest';
import { closeAll, item, openMemory, texts } from './log-fixture.ts';

afterEach(closeAll);

const full = new Error('IO error: No space left on device');

describe('below the floor', () => {
  it('appends are refused, readers and small writes go on, and it resumes by itself', async () => {
    const { log, database, clock, troubles } = await openMemory({ limits: { diskFloor: 1000 } });
    const cursor = await log.cursor({ name: 'c', filter: 't', from: 'new', durable: true });
    await log.append(item('t', '1'));
    database.freeBytes = 999;
    clock.advance(1000);
    await expect(log.append(item('t', '2'))).rejects.toMatchObject({ code: 'disk-full' });
    expect([log.state, log.reason]).toEqual(['refusing', expect.stringContaining('floor')]);
    expect(await texts(cursor, 1)).toEqual(['1']);
    await cursor.flush();
    await log.registry.set('x', 1);
    database.freeBytes = 1000;
    clock.advance(1000);
    await expect.poll(() => log.state).toBe('open');
    await log.append(item('t', '3'));
    expect(troubles.map(({ kind }) => kind)).toEqual(['log.refusing', 'log.resumed']);
  });
});

describe('after a failed write', () => {
  it('nothing is written until the database was reopened; readers keep their places', async () => {
    const { log, database, clock } = await openMemory();
    const cursor = await log.cursor({ name: 'c', filter: 't', from: 'new', durable: true });
    await log.append(item('t', '1'));
    await log.append(item('t', '2'));
    expect(await texts(cursor, 1)).toEqual(['1']);
    const { epoch } = log;
    database.failure = full;
    await expect(log.append(item('t', 'lost'))).rejects.toMatchObject({ code: 'disk-full' });
    await expect(log.registry.set('x', 1)).rejects.toMatchObject({ code: 'disk-full' });
    expect(log.topic('t')).toMatchObject({ count: 2, last: 2 });
    expect(await texts(cursor, 1, false)).toEqual(['2']);
    database.failure = undefined;
    await expect(log.append(item('t', 'still not'))).rejects.toMatchObject({ code: 'disk-full' });
    clock.advance(1000);
    await expect.poll(() => log.state).toBe('open');
    expect(log.epoch).not.toBe(epoch);
    expect(await log.append(item('t', '3'))).toMatchObject({ seq: 3 });
    expect(await texts(cursor, 1)).toEqual(['3']);
    cursor.done(2);
    await log.close();
    const after = await openMemory({ database });
    expect([...after.log.cursors()]).toMatchObject([{ position: 3 }]);
  });
});

it('refuses what would wait for too much', async () => {
  const { log } = await openMemory({ limits: { pendingBytes: 1000 } });
  const results = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => log.append(item('t', `${n}`))));
  expect(results.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(0);
  expect(results.find((result) => result.status === 'rejected')).toMatchObject({ reason: { code: 'busy' } });
  await log.append(item('t', 'later'));
});
