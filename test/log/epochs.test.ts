// When a record was accepted, although the clock of the machine was not set then.
import { afterEach, describe, expect, it } from 'vitest';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import type { MachineStart } from '../../src/log/epochs.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { MEMORY_FROM } from '../../src/log/memory-seq.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { takeIn } from '../../src/stopped-box.ts';
import { BOX, closeAll, item, texts } from './log-fixture.ts';

afterEach(closeAll);

const UNSET = Date.UTC(1970, 0, 1);
const TODAY = Date.UTC(2026, 10, 1);
const YEARS = 50 * 365 * 86_400_000;

const opened = (database: MemoryDatabase, clock: TestClock, machineStart?: MachineStart): Promise<Log> => openLog({ database, clock, boxId: BOX, trouble: () => undefined, ...(machineStart && { machineStart }) });

async function stamps(log: Log): Promise<[string, number, boolean][]> {
  const records = await log.items('t', { limit: 100 });
  return records.map(({ payload, stamp: { wall, trusted } }) => [Buffer.from(payload?.bytes ?? []).toString(), wall, trusted]);
}

/** Sets the clock, and lets the log see it. */
async function set(log: Log, clock: TestClock, to: number): Promise<void> {
  clock.jump(to - clock.wall());
  clock.advance(10_000);
  await log.append(item('other', 'x'));
}

describe('stamps', () => {
  it('of an unset clock are put right once it is set, for who reads from memory, from disk and after a restart', async () => {
    const database = new MemoryDatabase();
    const clock = createTestClock(UNSET);
    const log = await opened(database, clock);
    const live = await log.cursor({ name: 'live', filter: 't', from: 'new', durable: false });
    await log.append(item('t', 'before'));
    expect(await stamps(log)).toEqual([['before', 0, false]]);
    clock.advance(60_000);
    await set(log, clock, TODAY);
    await log.append(item('t', 'after'));
    const right = [['before', TODAY - 60_000, true], ['after', TODAY + 10_000, true]];
    expect(await stamps(log)).toEqual(right);
    const [first] = await live.next(1);
    expect(first?.record.stamp).toMatchObject({ wall: TODAY - 60_000, trusted: true });
    await log.close();
    const again = await opened(database, createTestClock(TODAY + 1e6));
    expect(await stamps(again)).toEqual(right);
    await again.close();
  });

  it('of an earlier start of the box are put right if the machine has not been started since', async () => {
    const database = new MemoryDatabase();
    const first = await opened(database, createTestClock(UNSET), { id: 'one', since: 5000 });
    await first.append(item('t', 'other boot'));
    await first.close();
    const second = await opened(database, createTestClock(UNSET), { id: 'two', since: 5000 });
    await second.append(item('t', 'same boot'));
    await second.close();
    // The box was started anew when the machine had been running for 65 s.
    const clock = createTestClock(UNSET);
    const log = await opened(database, clock, { id: 'two', since: 65_000 });
    expect((await stamps(log)).map(([, , trusted]) => trusted)).toEqual([false, false]);
    await set(log, clock, TODAY);
    expect(await stamps(log)).toEqual([['other boot', 0, false], ['same boot', TODAY - 60_000, true]]);
    await log.close();
  });

  it('of a set clock stay as they were, whatever it is set to later', async () => {
    const database = new MemoryDatabase();
    const clock = createTestClock(TODAY);
    const log = await opened(database, clock);
    await log.append(item('t', 'x'));
    await set(log, clock, TODAY + YEARS);
    await set(log, clock, UNSET);
    expect(await stamps(log)).toEqual([['x', TODAY, true]]);
    await log.close();
  });

  it('that an import brings are not this clock\'s', async () => {
    const clock = createTestClock(UNSET);
    const log = await opened(new MemoryDatabase(), clock);
    async function* lines(): AsyncIterableIterator<{ number: number; text: string }> {
      yield { number: 1, text: '{"lanpost":"export","format":1,"box":"b","exported":1}' };
      yield { number: 2, text: '{"record":"aaaaaaaaaaaaaaaa-1.00000000-7","in":"t","kind":"publish","time":1234,"timeTrusted":false,"type":"text/plain","text":"old"}' };
    }
    await takeIn(log, lines());
    await set(log, clock, TODAY);
    expect(await stamps(log)).toEqual([['old', 1234, false]]);
    await log.close();
  });
});

describe('from a time', () => {
  async function from(log: Log, time: number): Promise<string[]> {
    const cursor = await log.cursor({ name: 'r', filter: 't', from: { time }, durable: false });
    const read: string[] = [];
    for (let page = await cursor.next(10); page.length > 0; page = await cursor.next(10)) {
      for (const { record } of page) {
        read.push(Buffer.from(record.payload?.bytes ?? []).toString());
        cursor.done(record.seq);
      }
    }
    await cursor.close();
    return read;
  }

  it('begins with what was accepted then, though the clock jumped by 50 years in between', async () => {
    const clock = createTestClock(TODAY);
    const log = await opened(new MemoryDatabase(), clock);
    for (const [text, jump] of [['a', 0], ['b', YEARS], ['c', -YEARS], ['d', -YEARS], ['e', YEARS]] as const) {
      clock.jump(jump);
      clock.advance(60_000);
      await log.append(item('t', text));
    }
    expect(await from(log, TODAY)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(await from(log, TODAY + 90_000)).toEqual(['b', 'c', 'd', 'e']);
    expect(await from(log, TODAY + 250_000)).toEqual(['e']);
    expect(await from(log, TODAY + 900_000)).toEqual([]);
    await log.close();
  });

  it('has what may be later because nobody knew the time, and nothing of it when all that followed was before', async () => {
    const database = new MemoryDatabase();
    const run = async (start: number, id: string, text: string): Promise<void> => {
      const log = await opened(database, createTestClock(start), { id, since: 0 });
      await log.append(item('t', text));
      await log.close();
    };
    await run(UNSET, 'one', 'unknown 1');
    await run(TODAY, 'two', 'today');
    await run(UNSET, 'three', 'unknown 2');
    await run(TODAY + 86_400_000, 'four', 'tomorrow');
    const log = await opened(database, createTestClock(TODAY + 2 * 86_400_000), { id: 'five', since: 0 });
    expect(await from(log, TODAY - 1000)).toEqual(['unknown 1', 'today', 'unknown 2', 'tomorrow']);
    expect(await from(log, TODAY + 1000)).toEqual(['unknown 2', 'tomorrow']);
    expect(await from(log, TODAY + 90_000_000)).toEqual([]);
    const cursor = await log.cursor({ name: 'x', filter: 't', from: { time: TODAY + 1000 }, durable: true });
    expect(await texts(cursor, 2)).toEqual(['unknown 2', 'tomorrow']);
    await log.close();
  });

  it.each(['first', 'last'])('has all that this box accepted while nobody knew the time, also where the %s there was is another box\'s, which did', async (where) => {
    const log = await opened(new MemoryDatabase(), createTestClock(UNSET));
    const foreign = item('copy', 'far', { origin: { box: 'bbbbbbbbbbbbbbbb', epoch: '1.deadbeef', seq: 1 }, stamp: { wall: TODAY - 3_600_000, trusted: true } });
    if (where === 'first') await log.append(foreign);
    for (const text of ['a', 'b', 'c']) await log.append(item('t', text));
    if (where === 'last') await log.append(foreign);
    expect(await from(log, TODAY)).toEqual(['a', 'b', 'c']);
    expect(await log.items('t', { since: TODAY })).toHaveLength(3);
    await log.close();
  });

  it.each(['disk', 'memory'])('begins with what was accepted then, though the clock was months behind and set right in between (%s)', async (storage) => {
    const clock = createTestClock(TODAY - 60 * 86_400_000);
    const log = await opened(new MemoryDatabase(), clock);
    await log.append({ topic: 't', kind: 'configure', config: { storage } });
    await log.append(item('t', 'long ago'));
    clock.advance(7_200_000);
    await log.append(item('t', 'before'));
    clock.advance(2000);
    await set(log, clock, TODAY);
    await log.append(item('t', 'after'));
    const cursor = await log.cursor({ name: 'r', filter: 't', from: { time: TODAY - 3_600_000 }, durable: false });
    expect(await texts(cursor, 2)).toEqual(['before', 'after']);
    const items = await log.items('t', { since: TODAY - 3_600_000 });
    expect(items.map(({ payload }) => Buffer.from(payload?.bytes ?? []).toString())).toEqual(['before', 'after']);
    await log.close();
  });

  it.each(['disk', 'memory'])('goes by when a record came here, not by when another box accepted it (%s)', async (storage) => {
    const clock = createTestClock(TODAY);
    const log = await opened(new MemoryDatabase(), clock);
    await log.append({ topic: 't', kind: 'configure', config: { storage } });
    const seq = storage === 'memory' ? MEMORY_FROM : 1;
    for (const [text, n, wall] of [['early', 0, TODAY + 86_400_000], ['late', 1, TODAY - 86_400_000]] as const) {
      clock.advance(60_000);
      await log.append(item('t', text, { origin: { box: 'bbbbbbbbbbbbbbbb', epoch: '1.deadbeef', seq: seq + n }, stamp: { wall, trusted: true } }));
    }
    expect(await from(log, TODAY + 90_000)).toEqual(['late']);
    await log.close();
  });
});
