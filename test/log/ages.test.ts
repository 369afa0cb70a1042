import { afterEach, describe, expect, it } from 'vitest';
import { openLog } from '../../src/log/log.ts';
import type { Log } from '../../src/log/log.ts';
import { createTestClock } from '../../src/clock.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { quiet } from '../support/quiet.ts';
import { BOX, closeAll, item, openMemory, texts } from './log-fixture.ts';

afterEach(closeAll);

const YEARS = 365 * 86_400_000;
const MINUTE = 60_000;
const seqs = async (log: Log): Promise<number[]> => (await log.items('t', { last: 100 })).map(({ seq }) => seq);

describe('a view by age', () => {
  it('has what is no older, to the millisecond, and readers get the rest all the same', async () => {
    const { log, clock } = await openMemory({ limits: { windowBytes: 0 } });
    await log.append({ topic: 't', kind: 'configure', config: { maxAge: MINUTE } });
    const cursor = await log.cursor({ name: 'c', filter: 't', from: 'new', durable: true });
    for (let n = 2; n <= 4; n++) {
      await log.append(item('t', `${n}`));
      clock.advance(10_000);
    }
    clock.advance(MINUTE - 30_001);
    expect(await seqs(log)).toEqual([2, 3, 4]);
    clock.advance(1);
    expect(await seqs(log)).toEqual([3, 4]);
    clock.advance(MINUTE);
    expect(await seqs(log)).toEqual([]);
    await log.append(item('t', '5'));
    expect(await seqs(log)).toEqual([5]);
    expect(await texts(cursor, 4)).toEqual(['2', '3', '4', '5']);
  });

  it('follows the setting when that is changed', async () => {
    const { log, clock } = await openMemory();
    await log.append({ topic: 't', kind: 'configure', config: { maxAge: 10 * MINUTE } });
    await log.append(item('t', '2'));
    clock.advance(5 * MINUTE);
    expect(await seqs(log)).toEqual([2]);
    await log.append({ topic: 't', kind: 'configure', config: { maxAge: 10 * MINUTE, itemExpire: MINUTE } });
    expect(await seqs(log)).toEqual([]);
  });

  it('gives up what is old also when nothing is written or asked for', async () => {
    const { log, clock } = await openMemory();
    await log.append({ topic: 't', kind: 'configure', config: { maxAge: 10 * MINUTE } });
    await log.append(item('t', '2'));
    await log.append(item('t', '3'));
    clock.advance(1000);
    await quiet();
    for (let minute = 0; minute < 12; minute++) {
      clock.advance(MINUTE);
      await quiet();
    }
    expect(log.topic('t')?.count).toBe(0);
  });

  it('takes nothing for older than it is after a full disk', async () => {
    const { log, clock, database } = await openMemory();
    await log.append({ topic: 't', kind: 'configure', config: { maxAge: 10 * MINUTE } });
    const reader = await log.cursor({ name: 'r', filter: 't', from: 'new', durable: true, maxBacklog: { age: 10 * MINUTE } });
    clock.advance(60 * MINUTE);
    await log.append(item('t', '2'));
    database.failure = new Error('No space left on device');
    await expect(log.append(item('t', 'no room'))).rejects.toMatchObject({ code: 'disk-full' });
    database.failure = undefined;
    clock.advance(MINUTE);
    await quiet();
    expect(log.state).toBe('open');
    await log.append(item('t', '3'));
    await log.trim();
    expect(await seqs(log)).toEqual([2, 3]);
    expect(await texts(reader, 2)).toEqual(['2', '3']);
  });

  it('takes nothing for older than it is where the clock of a board was three weeks behind at its start', async () => {
    const database = new MemoryDatabase();
    const week = 7 * 24 * 60 * MINUTE;
    let clock = createTestClock();
    const open = (): Promise<Log> => openLog({ database, clock, boxId: BOX, trouble: () => undefined });
    let log = await open();
    await log.append({ topic: 't', kind: 'configure', config: { maxAge: week } });
    await log.append(item('t', '2'));
    clock.jump(3 * week);
    clock.advance(MINUTE);
    await quiet();
    await log.append(item('t', '3'));
    await log.close();
    for (const [days, left] of [[6, [2, 3]], [2, []]] as const) {
      clock = createTestClock(clock.wall() + days * week / 7);
      log = await open();
      expect(await seqs(log)).toEqual(left);
      await log.close();
    }
  });

  it.each([50, -50])('loses nothing when the clock jumps by %i years, with and without a restart', async (years) => {
    const database = new MemoryDatabase();
    let clock = createTestClock();
    const open = (): Promise<Log> => openLog({ database, clock, boxId: BOX, trouble: () => undefined });
    let log = await open();
    await log.append({ topic: 't', kind: 'configure', config: { maxAge: 10 * MINUTE } });
    await log.append(item('t', '2'));
    clock.jump(years * YEARS);
    clock.advance(MINUTE);
    await log.append(item('t', '3'));
    expect(await seqs(log)).toEqual([2, 3]);
    await log.close();
    // A process that begins when the clock is wrong, and one that begins when it is right again.
    for (const wall of [clock.wall(), clock.wall() - years * YEARS]) {
      clock = createTestClock(wall);
      log = await open();
      expect(await seqs(log)).toEqual([2, 3]);
      await log.close();
    }
    clock = createTestClock(clock.wall());
    log = await open();
    clock.advance(10 * MINUTE);
    expect(await seqs(log)).toEqual([]);
    await log.close();
  });
});
