import { afterEach, describe, expect, it } from 'vitest';
import { PREFIX, prefixRange } from '../../src/log/keys.ts';
import { quiet } from '../support/quiet.ts';
import { closeAll, item, openMemory, texts } from './log-fixture.ts';

afterEach(closeAll);

describe('an item whose time is over', () => {
  it('leaves the view, and stays for who has yet to read it', async () => {
    const { log, clock } = await openMemory({ limits: { windowBytes: 0 } });
    const cursor = await log.cursor({ name: 'c', filter: 't', from: 'new', durable: true });
    await log.append(item('t', 'short', { id: 'a', expires: clock.wall() + 5000 }));
    await log.append(item('t', 'long', { expires: clock.wall() + 50_000 }));
    await log.append(item('t', 'ever'));
    clock.advance(4999);
    await log.trim();
    expect(log.topic('t')).toMatchObject({ count: 3 });
    clock.advance(1);
    await log.trim();
    expect((await log.items('t')).map(({ seq }) => seq)).toEqual([2, 3]);
    expect(await log.items('t', { ids: ['a'] })).toEqual([]);
    expect(await texts(cursor, 3)).toEqual(['short', 'long', 'ever']);
  });

  it.each(['disk', 'memory'])('is good for as long as who says the same again says, in a topic on %s, and no reader is told', async (storage) => {
    const { log, clock } = await openMemory();
    if (storage === 'memory') await log.append({ topic: 't', kind: 'configure', config: { storage } });
    const said = (id: string, ms?: number) => log.append(item('t', 'up', { id, ...(ms !== undefined && { expires: clock.wall() + ms }) }));
    for (const id of ['later', 'ever', 'earlier']) await said(id, 5000);
    const { head } = log;
    clock.advance(1000);
    expect([await said('later', 9000.5), await said('ever'), await said('earlier', 1000), await said('later', 2000)].map(({ repeated }) => repeated)).toEqual([true, true, true, true]);
    expect(log.head).toBe(head);
    const there = async (): Promise<(string | undefined)[]> => {
      await log.trim();
      return (await log.items('t')).map(({ id }) => id);
    };
    clock.advance(3999);
    expect(await there()).toEqual(['later', 'ever', 'earlier']);
    clock.advance(1);
    expect(await there()).toEqual(['later', 'ever']);
    clock.advance(5000);
    expect(await there()).toEqual(['later', 'ever']);
    clock.advance(1);
    expect(await there()).toEqual(['ever']);
    clock.advance(1e9);
    expect(await there()).toEqual(['ever']);
  });

  it('is good for as long after a crash too', async () => {
    const { log, clock, database } = await openMemory();
    await log.append(item('t', 'up', { id: 'a', expires: clock.wall() + 5000 }));
    await log.append(item('t', 'up', { id: 'a', expires: clock.wall() + 9000 }));
    const { log: after, clock: later } = await openMemory({ database: database.fork() });
    later.advance(8999);
    await after.trim();
    expect(after.topic('t')).toMatchObject({ count: 1 });
    later.advance(1);
    await after.trim();
    expect(after.topic('t')).toMatchObject({ count: 0 });
  });

  it('leaves no row behind when it goes before: replaced, retracted, or pushed out', async () => {
    const { log, clock, database } = await openMemory({ limits: { windowBytes: 0, maxItems: 2 } });
    const rows = async (): Promise<number> => (await database.range({ ...prefixRange(PREFIX.expiry), limit: 99 })).length;
    const expires = clock.wall() + 1e9;
    for (let n = 0; n < 5; n++) await log.append(item('t', `${n}`, { id: 'a', expires }));
    expect(await rows()).toBe(1);
    await log.append({ topic: 't', kind: 'retract', id: 'a' });
    expect(await rows()).toBe(0);
    for (let n = 0; n < 5; n++) await log.append(item('t', `${n}`, { expires }));
    for (let n = 0; n < 3; n++) await log.trim();
    expect(log.topic('t')).toMatchObject({ count: 2 });
    expect(await rows()).toBe(2);
  });

  it('is not taken for over because the clock jumped', async () => {
    const { log, clock } = await openMemory();
    await log.append(item('t', '1', { expires: clock.wall() + 5000 }));
    await log.trim();
    clock.jump(50 * 365 * 86_400_000);
    await log.trim();
    expect(log.topic('t')).toMatchObject({ count: 1 });
    clock.advance(5000);
    await log.trim();
    expect(log.topic('t')).toMatchObject({ count: 0 });
  });

  it('leaves the view also when the disk was full at that moment', async () => {
    const { log, clock, database } = await openMemory();
    await log.append(item('t', '1', { expires: clock.wall() + 5000 }));
    clock.advance(5000);
    database.failure = new Error('No space left on device');
    const trimmed = log.trim();
    await quiet();
    expect(log.state).toBe('refusing');
    database.failure = undefined;
    clock.advance(1000);
    await quiet();
    expect(log.state).toBe('open');
    await trimmed;
    expect(log.topic('t')).toMatchObject({ count: 1 });
    await log.trim();
    expect(log.topic('t')).toMatchObject({ count: 0 });
  });
});
