import { afterEach, describe, expect, it } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import type { TopicSettings } from '../../src/log/record.ts';
import { closeAll, item, openMemory } from './log-fixture.ts';

afterEach(closeAll);

async function topic(settings: TopicSettings): Promise<Log> {
  const { log } = await openMemory({ limits: { windowBytes: 0 } });
  await log.append({ topic: 't', kind: 'configure', config: settings });
  return log;
}

const bodies = async (log: Log): Promise<string[]> => (await log.items('t', { after: 0 })).map(({ payload }) => Buffer.from(payload?.bytes ?? []).toString());

/** What became of each, as one batch. */
async function batch(log: Log, drafts: Parameters<Log['append']>[0][]): Promise<string[]> {
  const done = await Promise.allSettled(drafts.map((draft) => log.append(draft)));
  return done.map((one) => (one.status === 'fulfilled' ? 'ok' : String((one.reason as { code?: string }).code)));
}

describe('a topic that refuses what it has no room for', () => {
  it('takes exactly maxItems, also within one batch, and more once one is retracted', async () => {
    const log = await topic({ full: 'reject', maxItems: 3 });
    const some = Array.from({ length: 5 }, (_, i) => item('t', `${i}`, { id: `id${i}` }));
    expect(await batch(log, some)).toEqual(['ok', 'ok', 'ok', 'topic-full', 'topic-full']);
    expect(await batch(log, [
      item('t', 'x'), { topic: 't', kind: 'retract', id: 'id0' }, item('t', 'y'), item('t', 'z'),
    ])).toEqual(['topic-full', 'ok', 'ok', 'topic-full']);
    expect(await bodies(log)).toEqual(['1', '2', 'y']);
    await log.append({ topic: 't', kind: 'purge' });
    expect(await batch(log, [item('t', 'a')])).toEqual(['ok']);
  });

  it('takes an item that replaces one, and a repeat, although it is full', async () => {
    const log = await topic({ full: 'reject', maxItems: 2 });
    expect(await batch(log, [item('t', '1', { id: 'a' }), item('t', '2', { id: 'b' }), item('t', '1', { id: 'a' }), item('t', '3', { id: 'b' }), item('t', '4')]))
      .toEqual(['ok', 'ok', 'ok', 'ok', 'topic-full']);
    expect(await bodies(log)).toEqual(['1', '3']);
  });

  it('counts bytes to the last one', async () => {
    const log = await topic({ maxItems: 9 });
    await log.append(item('t', 'x'.repeat(100)));
    const { viewBytes } = log.topic('t') ?? { viewBytes: 0 };
    for (const [maxBytes, wanted] of [[3 * viewBytes, 'ok'], [3 * viewBytes - 1, 'topic-full']] as const) {
      const other = await topic({ full: 'reject', maxBytes });
      expect(await batch(other, Array.from({ length: 4 }, () => item('t', 'x'.repeat(100))))).toEqual(['ok', 'ok', wanted, 'topic-full']);
    }
    const tight = await topic({ full: 'reject', maxBytes: viewBytes });
    expect(await batch(tight, [item('t', 'x'.repeat(101)), item('t', 'x'.repeat(100), { id: 'a' })])).toEqual(['too-large', 'too-large']);
  });

  it('has room again when an item is too old', async () => {
    const { log, clock } = await openMemory();
    await log.append({ topic: 't', kind: 'configure', config: { full: 'reject', maxItems: 2, itemExpire: 5000 } });
    expect(await batch(log, [item('t', '1'), item('t', '2'), item('t', '3')])).toEqual(['ok', 'ok', 'topic-full']);
    clock.advance(5000);
    expect(await batch(log, [item('t', '4'), item('t', '5'), item('t', '6')])).toEqual(['ok', 'ok', 'topic-full']);
  });
});

describe('a view by bytes', () => {
  it('has the newest that fit, and the newest whatever it has', async () => {
    const log = await topic({ maxBytes: 280 });
    for (let n = 0; n < 9; n++) await log.append(item('t', `${n}`.repeat(40)));
    expect((await bodies(log)).map(([digit]) => digit)).toEqual(['6', '7', '8']);
    expect((await log.items('t', { last: 9 })).length).toBe(3);
    await log.append(item('t', 'L'.repeat(1000)));
    expect((await bodies(log)).map(([digit]) => digit)).toEqual(['L']);
    await log.append(item('t', 'S'));
    expect(await bodies(log)).toEqual(['S']);
  });
});
