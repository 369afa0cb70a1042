import { afterEach, describe, expect, it } from 'vitest';
import type { MemoryDatabase } from '../../src/log/memory-database.ts';
import { quiet } from '../support/quiet.ts';
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
    await quiet();
    expect(log.state).toBe('open');
    await log.append(item('t', '3'));
    expect(troubles.map(({ kind }) => kind)).toEqual(['log.refusing', 'log.resumed']);
  });
});

describe('what makes room', () => {
  const purge = { topic: 't', kind: 'purge', makesRoom: true } as const;

  it('is taken below the floor, down to a floor of its own', async () => {
    const { log, database, clock } = await openMemory({ limits: { diskFloor: 1000 } });
    await log.append(item('t', '1'));
    database.freeBytes = 999;
    clock.advance(1000);
    const together = await Promise.allSettled([log.append(item('t', '2')), log.append(purge), log.append({ topic: 't', kind: 'purge' })]);
    expect(together.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected']);
    expect([log.topic('t')?.count, log.state]).toEqual([0, 'refusing']);
    expect(log.reason).toContain('lanpost purge');
    await log.append({ topic: 't', kind: 'configure', config: { maxItems: 1 }, makesRoom: true });
    await log.append({ topic: 't', kind: 'delete', makesRoom: true });
    // Not what only says so.
    await expect(log.append(item('t', '3', { makesRoom: true }))).rejects.toMatchObject({ code: 'disk-full' });
    await expect(log.append({ topic: 't', kind: 'configure', config: { description: 'x'.repeat(40_000) }, makesRoom: true })).rejects.toMatchObject({ code: 'disk-full' });
    database.freeBytes = 499;
    clock.advance(1000);
    await quiet();
    await expect(log.append(purge)).rejects.toMatchObject({ code: 'disk-full' });
  });

  it('is taken once the log has been reopened, also when that leaves it below the floor', async () => {
    const { log, database, clock } = await openMemory({ limits: { diskFloor: 64 << 20 } });
    await log.append(item('t', '1'));
    database.failure = full;
    database.freeBytes = 5 << 20;
    await expect(log.append(item('t', 'lost'))).rejects.toMatchObject({ code: 'disk-full' });
    await expect(log.append(purge)).rejects.toMatchObject({ code: 'disk-full' });
    database.failure = undefined;
    database.freeBytes = 40 << 20;
    clock.advance(1000);
    await quiet();
    await expect(log.append(item('t', 'still not'))).rejects.toMatchObject({ code: 'disk-full' });
    await log.append(purge);
    database.freeBytes = 64 << 20;
    clock.advance(1000);
    await quiet();
    expect(log.state).toBe('open');
    await log.append(item('t', '2'));
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
    await quiet();
    expect(log.state).toBe('open');
    expect(log.epoch).not.toBe(epoch);
    expect(await log.append(item('t', '3'))).toMatchObject({ seq: 3 });
    expect(await texts(cursor, 1)).toEqual(['3']);
    cursor.done(2);
    await log.close();
    const after = await openMemory({ database });
    expect([...after.log.cursors()]).toMatchObject([{ position: 3 }]);
  });
});

describe('a batch that is on disk although its write failed', () => {
  /** As when only the fsync fails. */
  function failAfterWriting(database: MemoryDatabase): void {
    const batch = database.batch.bind(database);
    database.batch = () => {
      const inner = batch();
      const write = async (options: { readonly sync: boolean }): Promise<void> => {
        await inner.write(options);
        database.batch = batch;
        throw new Error('IO error: Input/output error');
      };
      return { ...inner, write };
    };
  }

  it('is read by those at the tail too: who publishes it again is told that it is there', async () => {
    const { log, database, clock } = await openMemory();
    const durable = { name: 'c', filter: '#', from: 'start', durable: true } as const;
    const readers = [await log.cursor(durable), await log.cursor({ ...durable, name: 'l', durable: false })];
    await log.append(item('t', '1'));
    for (const reader of readers) {
      await texts(reader, 1);
      expect(await reader.next(9)).toEqual([]);
    }
    const waiting = readers.map((reader) => reader.wait());
    failAfterWriting(database);
    await expect(log.append(item('new', '2', { id: 'two' }))).rejects.toMatchObject({ code: 'disk-full' });
    clock.advance(1000);
    await Promise.all(waiting);
    await expect.poll(() => log.state, { interval: 1 }).toBe('open');
    expect(await log.append(item('new', '2', { id: 'two' }))).toMatchObject({ seq: 2, repeated: true });
    expect(readers.map(({ position }) => position)).toEqual([1, 1]);
    await log.append(item('t', '3'));
    const after = await openMemory({ database: database.fork() });
    expect(await texts(await after.log.cursor(durable), 2)).toEqual(['2*', '3*']);
    for (const reader of readers) expect(await texts(reader, 2)).toEqual(['2', '3']);
  });
});

describe('a reader while nothing can be written', () => {
  it('goes on, and after a crash everything it may have seen is marked', async () => {
    const { log, database } = await openMemory({ limits: { ringBytes: 1 } });
    await Promise.all(Array.from({ length: 3000 }, (_, n) => log.append(item('t', `${n}`))));
    const cursor = await log.cursor({ name: 'c', filter: 't', from: 'start', durable: true });
    database.failure = full;
    await expect(log.append(item('t', 'lost'))).rejects.toMatchObject({ code: 'disk-full' });
    expect(await texts(cursor, 2000)).toHaveLength(2000);
    const after = await openMemory({ database: database.fork() });
    const again = await after.log.cursor({ name: 'c', filter: 't', from: 'start', durable: true });
    const found = await texts(again, 2000);
    expect(found.filter((text) => !text.endsWith('*'))).toEqual([]);
  });
});

it('closing while nothing can be written ends it all the same', async () => {
  const { log, database, troubles } = await openMemory();
  const cursor = await log.cursor({ name: 'c', filter: 't', from: 'start', durable: true });
  database.failure = full;
  await expect(log.append(item('t', 'lost'))).rejects.toMatchObject({ code: 'disk-full' });
  await cursor.next(1);
  const waited = cursor.wait();
  await log.close();
  await waited;
  await cursor.close();
  await expect(log.append(item('t', '1'))).rejects.toMatchObject({ code: 'closed' });
  expect(log.state).toBe('closed');
  expect(troubles.map(({ kind }) => kind)).toEqual(['log.refusing']);
});

it('a log that has ended is not opened again, whether its last write failed or it was being reopened', async () => {
  const last = await openMemory();
  last.database.failure = full;
  await last.log.close();
  const { log, database, clock } = await openMemory();
  database.failure = full;
  await expect(log.append(item('t', 'lost'))).rejects.toMatchObject({ code: 'disk-full' });
  database.failure = undefined;
  const open = database.open.bind(database);
  const reopening = new Promise<void>((resolve) => {
    database.open = async () => {
      resolve();
      await quiet();
      await open();
    };
  });
  clock.advance(1000);
  await reopening;
  await log.close();
  last.database.failure = undefined;
  for (const one of [last.clock, clock]) one.advance(1000);
  await quiet();
  for (const closed of [last.database, database]) await expect(closed.get(Uint8Array.of(0))).rejects.toThrow('not open');
});

it('refuses what would wait for too much', async () => {
  const { log } = await openMemory({ limits: { pendingBytes: 1000 } });
  const results = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => log.append(item('t', `${n}`))));
  expect(results.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(0);
  expect(results.find((result) => result.status === 'rejected')).toMatchObject({ reason: { code: 'busy' } });
  await log.append(item('t', 'later'));
});
