import { afterEach, describe, expect, it } from 'vitest';
import type { Cursor } from '../../src/log/cursor.ts';
import type { Log } from '../../src/log/log.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { closeAll, openMemory } from './log-fixture.ts';

afterEach(closeAll);

const publish = (log: Log, id: string, topic = 't'): Promise<unknown> => log.append({ topic, kind: 'publish', id, payload: toPayload(id) });
const all = async (cursor: Cursor): Promise<string[]> => {
  const found: string[] = [];
  for (let page = await cursor.next(100); page.length > 0; page = await cursor.next(100)) {
    for (const { record } of page) {
      found.push(`${record.kind} ${record.id ?? ''}`);
      cursor.done(record.seq);
    }
  }
  return found;
};

describe('a reader that begins', () => {
  it.each([1, 1 << 20])('gets nothing of an item that had been taken back, only that it was; who came before has a right to it (%i bytes in memory)', async (ringBytes) => {
    const { log } = await openMemory({ limits: { ringBytes } });
    const early = await log.cursor({ name: 'early', filter: 't', from: 'start', durable: true });
    for (const id of ['a', 'b', 'c', 'd']) await publish(log, id);
    await publish(log, 'b', 'other');
    for (const id of ['b', 'c']) await log.append({ topic: 't', kind: 'retract', id });
    await publish(log, 'b');
    const left = ['publish a', 'publish d', 'retract b', 'retract c', 'publish b'];
    const late = await log.cursor({ name: 'late', filter: 't', from: 'start', durable: true });
    expect(await [...log.cursors()].find(({ name }) => name === 'late')?.pending()).toBe(left.length);
    expect(await all(late)).toEqual(left);
    expect(await all(await log.cursor({ name: 'live', filter: '#', from: { seq: 2 }, durable: false }))).toEqual(['publish d', 'publish b', ...left.slice(2)]);
    expect(await all(await log.cursor({ name: 'timed', filter: '+', from: { time: 0 }, durable: false }))).toHaveLength(left.length + 1);
    expect(await all(early)).toEqual(['publish a', 'publish b', 'publish c', 'publish d', ...left.slice(2)]);
    await log.seek('late', 'start');
    expect(await all(late)).toEqual(left);
  });
});
