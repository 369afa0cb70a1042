// Records of another box that come late, by another road than those its box accepted after them.
import { afterEach, describe, expect, it } from 'vitest';
import { PREFIX, prefixRange } from '../../src/log/keys.ts';
import type { Log } from '../../src/log/log.ts';
import { isOlder } from '../../src/log/precedence.ts';
import type { Draft, RecordKind } from '../../src/log/record.ts';
import { closeAll, item, openMemory, texts } from './log-fixture.ts';

afterEach(closeAll);

const THERE = 'qrstuvwxyz234567';
const origin = (seq: number, previous?: number, epoch = '1.00000000') => ({ origin: { box: THERE, epoch, seq, ...(previous === undefined ? {} : { previous }) } });
const from = (seq: number, previous?: number, more: Partial<Draft> = {}): Draft => item('t', `v${seq}`, { id: 'x', ...origin(seq, previous), ...more });
const that = (kind: RecordKind, seq: number, previous: number, more: Partial<Draft> = {}): Draft => ({ topic: 't', kind, ...origin(seq, previous), ...more });
const view = async (log: Log): Promise<string[]> => (await log.items('t', { last: 10 })).map(({ payload }) => Buffer.from(payload!.bytes).toString());
const append = async (log: Log, ...drafts: Draft[]): Promise<void> => { for (const draft of drafts) await log.append(draft); };
/** All in one batch. */
const together = async (log: Log, ...drafts: Draft[]): Promise<void> => { await Promise.all(drafts.map((draft) => log.append(draft))); };
const kinds = async (log: Log): Promise<string[]> => {
  const cursor = await log.cursor({ name: 'all', filter: 't', from: 'kept', durable: false });
  const all = (await cursor.next(100)).map(({ record: { kind, recordId } }) => `${kind} ${recordId.split('-').at(-1)}`);
  await cursor.close();
  return all;
};

describe.each([['one after the other', append], ['in one batch', together]] as const)('that comes after a newer one, %s', (_, put) => {
  it('leaves that in view, and readers of the history get both', async () => {
    const { log } = await openMemory();
    const reader = await log.cursor({ name: 'r', filter: 't', durable: true, from: 'start' });
    await put(log, from(1), from(3, 2), from(2, 1));
    expect(await view(log)).toEqual(['v3']);
    expect(log.topic('t')).toMatchObject({ count: 1 });
    expect(await log.items('t', { ids: ['x'] })).toHaveLength(1);
    expect(await texts(reader, 3)).toEqual(['v1', 'v3', 'v2']);
    expect((await log.append(from(2, 1))).repeated).toBe(true);
    await append(log, from(4, 3));
    expect(await view(log)).toEqual(['v4']);
    expect(log.topic('t')).toMatchObject({ count: 1 });
  });

  it('of a topic that keeps only the newest is kept for nobody, is no gap, and is a repeat from then on', async () => {
    const { log, database } = await openMemory();
    await log.append({ topic: 't', kind: 'configure', config: { lane: 'latest' } });
    const reader = await log.cursor({ name: 'r', filter: 't', durable: true, from: 'new' });
    const late = from(2, 1);
    await put(log, from(1), from(3, 2), late, from(4, 3));
    expect(await view(log)).toEqual(['v4']);
    expect((await reader.next(10)).map(({ record: { kind, payload } }) => `${kind} ${Buffer.from(payload!.bytes).toString()}`)).toEqual(['publish v1', 'publish v3', 'publish v4']);
    expect(log.topic('t')?.replaced).toBe(0);
    expect(await log.gaps()).toEqual([]);
    await log.close();
    const again = await openMemory({ database });
    expect(again.log.hasOrigin(late.origin!, 't')).toBe(true);
    expect((await again.log.append(late)).repeated).toBe(true);
    expect(await view(again.log)).toEqual(['v4']);
  });

  it('and replaces by its key what was older still, that goes', async () => {
    const { log } = await openMemory();
    await log.append({ topic: 't', kind: 'configure', config: { lane: 'latest' } });
    await put(log, from(1, 0, { id: 'y', key: 'k' }), from(3, 2, { key: 'l' }), from(2, 1, { key: 'k' }));
    expect(await view(log)).toEqual(['v3']);
    expect(log.topic('t')).toMatchObject({ count: 1 });
    expect(await log.items('t', { ids: ['y'] })).toEqual([]);
  });

  it('and retracts it, retracts nothing', async () => {
    const { log } = await openMemory();
    await put(log, from(1), from(3, 2), that('retract', 2, 1, { id: 'x' }));
    expect(await view(log)).toEqual(['v3']);
    expect(await kinds(log)).toEqual(['publish 1', 'publish 3', 'retract 2']);
  });

  it.each(['purge', 'delete'] as const)('and is the %s of the topic, takes what is older and leaves what is newer', async (kind) => {
    const { log } = await openMemory();
    await put(log, from(1, 0, { id: 'a' }), from(4, 3), from(2, 1, { id: 'b' }), that(kind, 3, 2));
    expect(await view(log)).toEqual(['v4']);
    expect(log.topic('t')).toMatchObject({ count: 1, deleted: false });
    expect(await log.items('t', { ids: ['a', 'b'] })).toEqual([]);
    expect(await kinds(log)).toEqual(['publish 1', 'publish 4', 'publish 2', `${kind} 3`]);
    await append(log, from(5, 4, { id: 'a' }));
    expect(await view(log)).toEqual(['v4', 'v5']);
  });

  it('in memory leaves that in view as well', async () => {
    const { log } = await openMemory();
    const first = 2 ** 52;
    await log.append({ topic: 't', kind: 'configure', config: { storage: 'memory' } });
    const at = (n: number, previous?: number, more: Partial<Draft> = {}): Draft => item('t', `v${n}`, { id: 'x', ...origin(first + n, previous === undefined ? undefined : first + previous), ...more });
    await put(log, at(1, undefined, { id: 'a' }), at(4, 3), at(2, 1), { topic: 't', kind: 'purge', ...origin(first + 3, first + 2) });
    expect(await view(log)).toEqual(['v4']);
  });
});

it('one that comes late goes once its readers have had it, like any other that was replaced', async () => {
  const { log, database } = await openMemory({ limits: { windowBytes: 0 } });
  const rows = async (prefix: number): Promise<number> => (await database.range({ ...prefixRange(prefix), limit: Infinity })).length;
  const reader = await log.cursor({ name: 'r', filter: 't', durable: true, from: 'start' });
  await append(log, from(1), from(3, 2), from(2, 1));
  await log.trim();
  expect(await texts(reader, 3)).toEqual(['v1', 'v3', 'v2']);
  await reader.flush();
  await log.append(item('u', 'other'));
  await log.trim();
  expect(await log.gaps()).toEqual([]);
  expect([await rows(PREFIX.record), await rows(PREFIX.garbage)]).toEqual([2, 0]);
  expect(await view(log)).toEqual(['v3']);
});

describe('which of two is older', () => {
  const of = (epoch: string, seq: number, at?: number, box = THERE) => ({ origin: { box, epoch, seq }, at });

  it('within one opening of a store their positions tell, whatever the clock said', () => {
    expect(isOlder(of('3.aaaaaaaa', 4, 90), of('3.aaaaaaaa', 5, 80))).toBe(true);
    expect(isOlder(of('3.aaaaaaaa', 5), of('3.aaaaaaaa', 4))).toBe(false);
    expect(isOlder(of('3.aaaaaaaa', 5), of('3.aaaaaaaa', 5))).toBe(false);
  });

  it('of two openings the earlier one, if the times say nothing else', () => {
    expect(isOlder(of('9.aaaaaaaa', 400, 80), of('10.bbbbbbbb', 500, 90))).toBe(true);
    expect(isOlder(of('10.bbbbbbbb', 500, 90), of('9.aaaaaaaa', 400, 80))).toBe(false);
  });

  it('of a store that was put back from a copy what it accepts now is not older than what it accepted before', () => {
    expect(isOlder(of('6.bbbbbbbb', 100, 95), of('9.aaaaaaaa', 500, 90))).toBe(false);
    expect(isOlder(of('6.bbbbbbbb', 100, 95), of('6.aaaaaaaa', 500, 90))).toBe(false);
  });

  it('neither, where nothing tells: of two openings without times, of two with one number, of two boxes', () => {
    expect(isOlder(of('1.aaaaaaaa', 1), of('2.bbbbbbbb', 2, 90))).toBe(false);
    expect(isOlder(of('1.aaaaaaaa', 1, 80), of('2.bbbbbbbb', 2))).toBe(false);
    expect(isOlder(of('2.aaaaaaaa', 1, 80), of('2.bbbbbbbb', 2, 90))).toBe(false);
    expect(isOlder(of('1.aaaaaaaa', 1, 80), of('1.aaaaaaaa', 2, 90, 'anotherbox234567'))).toBe(false);
    expect(isOlder(undefined, of('1.aaaaaaaa', 2))).toBe(false);
    expect(isOlder(of('1.aaaaaaaa', 2), undefined)).toBe(false);
  });
});

it('what comes late over a restart of its box is known by counter and time together', async () => {
  const { log } = await openMemory();
  const at = (wall: number): Partial<Draft> => ({ stamp: { wall, trusted: true } });
  await append(log, from(1, 0, at(1000)), from(9, 0, { ...at(3000), ...origin(9, undefined, '2.00000000') }), from(2, 1, at(2000)));
  expect(await view(log)).toEqual(['v9']);
  // Put back from a copy: its counter has been there before, its clock has not.
  await append(log, from(7, 0, { ...at(4000), ...origin(7, undefined, '1.11111111') }));
  expect(await view(log)).toEqual(['v7']);
});
