import { afterEach, describe, expect, it } from 'vitest';
import { PREFIX, prefixRange } from '../../src/log/keys.ts';
import type { Log } from '../../src/log/log.ts';
import { closeAll, item, openMemory, texts } from './log-fixture.ts';

afterEach(closeAll);

const bodies = async (log: Log): Promise<string[]> => (await log.items('t', { after: 0 })).map(({ payload }) => Buffer.from(payload?.bytes ?? []).toString());

describe('the lane latest with a key', () => {
  it('keeps the newest of each key, whatever their ids', async () => {
    const { log } = await openMemory();
    await log.append({ topic: 't', kind: 'configure', config: { lane: 'latest' } });
    await Promise.all([
      item('t', '1', { key: 'a' }), item('t', '2', { key: 'b' }), item('t', '3', { key: 'a' }), item('t', '4', { key: 'c', id: 'x' }), item('t', '5', { key: 'c' }),
    ].map((draft) => log.append(draft)));
    expect(await bodies(log)).toEqual(['2', '3', '5']);
    expect(await log.items('t', { ids: ['x'] })).toEqual([]);
  });

  it('replaces the item with its id too, and is found by that', async () => {
    const { log, database } = await openMemory({ limits: { windowBytes: 0, ringBytes: 1 } });
    await log.append({ topic: 't', kind: 'configure', config: { lane: 'latest' } });
    await log.append(item('t', '1', { key: 'a', id: 'x' }));
    await log.append(item('t', '2', { key: 'b', id: 'y' }));
    await log.append(item('t', '3', { key: 'a', id: 'y' }));
    expect(await bodies(log)).toEqual(['3']);
    expect((await log.items('t', { ids: ['x', 'y'] })).map(({ seq }) => seq)).toEqual([4]);
    expect(await log.append(item('t', '3', { key: 'a', id: 'y' }))).toMatchObject({ repeated: true, seq: 4 });
    await log.append({ topic: 't', kind: 'retract', id: 'y' });
    expect(await bodies(log)).toEqual([]);
    await log.append(item('t', '4', { key: 'a' }));
    expect(await bodies(log)).toEqual(['4']);
    await log.trim();
    expect((await database.range({ ...prefixRange(PREFIX.id), limit: 9 })).length).toBe(1);
  });

  it('gives a reader that was away the newest of each, and counts the others', async () => {
    const { log } = await openMemory({ limits: { windowBytes: 0, ringBytes: 1 } });
    await log.append({ topic: 't', kind: 'configure', config: { lane: 'latest' } });
    const cursor = await log.cursor({ name: 'c', filter: 't', from: 'new', durable: true });
    for (let n = 0; n < 100; n++) await log.append(item('t', `${n}`, { key: `${n % 5}` }));
    await log.trim();
    expect(await texts(cursor, 5)).toEqual(['95', '96', '97', '98', '99']);
    expect(log.topic('t')).toMatchObject({ count: 5, replaced: 95 });
  });

  it('is nothing in the lane history', async () => {
    const { log } = await openMemory();
    for (let n = 0; n < 3; n++) await log.append(item('t', `${n}`, { key: 'a' }));
    expect(await bodies(log)).toEqual(['0', '1', '2']);
    await log.append({ topic: 't', kind: 'configure', config: { lane: 'latest' } });
    await log.append(item('t', '3', { key: 'a' }));
    await log.append(item('t', '4', { key: 'a' }));
    expect(await bodies(log)).toEqual(['0', '1', '2', '4']);
  });
});
