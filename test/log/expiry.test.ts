import { afterEach, describe, expect, it } from 'vitest';
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
