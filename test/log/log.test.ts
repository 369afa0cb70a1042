import { afterEach, describe, expect, it } from 'vitest';
import type { LanpostError } from '../../src/errors.ts';
import type { Log } from '../../src/log/log.ts';
import type { Draft } from '../../src/log/record.ts';
import { closeAll, item, open, openMemory, store, texts } from './log-fixture.ts';

afterEach(closeAll);

describe('append', () => {
  it('gives rising positions and record ids of box, epoch and position', async () => {
    const log = await open(await store());
    const [a, b] = await Promise.all([log.append(item('t', 'a')), log.append(item('t', 'b'))]);
    expect([a.seq, b.seq]).toEqual([1, 2]);
    expect(a.recordId).toBe(`abcdefghijklmnop-${log.epoch}-1`);
    expect(log.head).toBe(2);
    expect(log.topic('t')).toMatchObject({ count: 2, last: 2 });
  });

  it('resolves to the record that is there when id and payload are repeated', async () => {
    const log = await open(await store());
    const first = await log.append(item('t', 'a', { id: 'x' }));
    const [again, other] = await Promise.all([log.append(item('t', 'a', { id: 'x' })), log.append(item('t', 'b', { id: 'x' }))]);
    expect(again).toEqual({ ...first, repeated: true });
    expect(other).toMatchObject({ seq: 2, repeated: false });
    expect(log.topic('t')).toMatchObject({ count: 1 });
    const back = await log.append(item('t', 'a', { id: 'x' }));
    expect(back.repeated).toBe(false);
  });
});

describe('a retraction that means one record', () => {
  it.each(['disk', 'memory'])('takes away no newer item of its name, in a topic on %s', async (storage) => {
    const { log } = await openMemory();
    if (storage === 'memory') await log.append({ topic: 't', kind: 'configure', config: { storage } });
    const { seq } = await log.append(item('t', 'old', { id: 'a' }));
    const [newer, late] = await Promise.allSettled([log.append(item('t', 'new', { id: 'a' })), log.append({ topic: 't', kind: 'retract', id: 'a', meant: seq })]);
    expect([newer.status, late]).toMatchObject(['fulfilled', { reason: { code: 'not-found' } }]);
    const [left] = await log.items('t');
    await log.append({ topic: 't', kind: 'retract', id: 'a', meant: left?.seq ?? 0 });
    expect(await log.items('t')).toEqual([]);
  });
});

describe('what cannot be stored', () => {
  const unsaid = { get length(): never { throw new Error('it will not say'); } };

  it('is its caller\'s trouble alone: the log goes on, also for what was asked for beside it', async () => {
    const log = await open(await store());
    const wrong = [
      { ...item('t', 'x'), id: 7 }, { ...item('t', 'x'), publisher: {} }, { ...item('t', 'x'), expires: 'soon' }, { ...item('t', 'x'), topic: undefined },
      { ...item('t', 'x'), payload: { contentType: 'text/plain', bytes: undefined } }, { ...item('t', 'x'), payload: { contentType: unsaid, bytes: Buffer.of(1) } },
      { topic: 't', kind: 'configure', config: { get title(): never { throw new Error('it will not say'); } } },
    ] as unknown as Draft[];
    const [good, ...refused] = await Promise.allSettled([log.append(item('t', 'good')), ...wrong.map(async (draft) => log.append(draft))]);
    expect(good.status).toBe('fulfilled');
    expect(refused.map(({ status }) => status)).toEqual(wrong.map(() => 'rejected'));
    await expect(log.append({ ...item('t', 'x'), publisher: 7 } as unknown as Draft)).rejects.toMatchObject({ code: 'invalid-value' });
    expect(await log.append(item('t', 'after'))).toMatchObject({ seq: 2 });
  });

  it('is no value of the registry either, nor a note at a cursor', async () => {
    const log = await open(await store());
    await log.cursor({ name: 'c', filter: '#', from: 'start', durable: true });
    const value = { get it(): never { throw new Error('it will not say'); } };
    await expect(log.registry.set('k', value)).rejects.toMatchObject({ code: 'invalid-value' });
    await expect(log.annotate('c', value)).rejects.toMatchObject({ code: 'invalid-value' });
    await log.registry.set('k', 1);
    await log.append(item('t', 'after'));
    expect(log.registry.get('k')).toBe(1);
  });
});

describe('items', () => {
  it('gives the newest, by id, and above a position', async () => {
    const log = await open(await store());
    for (const n of ['1', '2', '3', '4']) await log.append(item('t', n, n === '2' ? { id: 'two' } : {}));
    const seqs = async (query: Parameters<Log['items']>[1]) => (await log.items('t', query)).map(({ seq }) => seq);
    expect(await seqs({ last: 2 })).toEqual([3, 4]);
    expect(await seqs({ ids: ['two', `${log.boxId}-${log.epoch}-4`] })).toEqual([2, 4]);
    expect(await seqs({ after: 1, limit: 2 })).toEqual([2, 3]);
    await log.append({ topic: 't', kind: 'retract', id: 'two' });
    expect(await seqs({ ids: ['two'] })).toEqual([]);
    expect(await seqs({ last: 9 })).toEqual([1, 3, 4]);
    await log.append({ topic: 't', kind: 'purge' });
    expect(await seqs({ last: 9 })).toEqual([]);
  });
});

describe('a durable cursor', () => {
  it('goes on after a restart where it was, and marks what it had handed out', async () => {
    const dir = await store();
    const log = await open(dir);
    const cursor = await log.cursor({ name: 'c', filter: 't/#', from: 'new', durable: true });
    await Promise.all(['1', '2', '3', '4'].map((n) => log.append(item('t/a', n))));
    expect(await texts(cursor, 3, false)).toEqual(['1', '2', '3']);
    cursor.done(1);
    cursor.done(3);
    expect(cursor.position).toBe(1);
    await log.close();
    const next = await open(dir);
    expect(next.epoch).not.toBe(log.epoch);
    const same = await next.cursor({ name: 'c', filter: 't/#', from: 'new', durable: true });
    await next.append(item('t/b', '5'));
    expect(await texts(same, 3)).toEqual(['2*', '4', '5']);
    expect(same.position).toBe(5);
    await expect(next.cursor({ name: 'c', filter: 't/#', from: 'new', durable: true })).rejects.toMatchObject({ code: 'in-use' });
  });

  it('is woken by what it matches', async () => {
    const log = await open(await store());
    const cursor = await log.cursor({ name: 'c', filter: '+/x', from: 'new', durable: true });
    expect(await cursor.next(10)).toEqual([]);
    const waited = cursor.wait();
    await log.append(item('a/y', 'no'));
    await log.append(item('a/x', 'yes'));
    await waited;
    expect(await texts(cursor, 1)).toEqual(['yes']);
  });
});

it('keeps small values', async () => {
  const dir = await store();
  const log = await open(dir);
  await log.registry.set('trust/b', { name: 'x' });
  await log.registry.set('trust/a', 1);
  await log.registry.set('trust/a', undefined);
  await log.close();
  const next = await open(dir);
  expect(next.registry.entries('trust/')).toEqual([['trust/b', { name: 'x' }]]);
});

it('takes a record from another box behind the one that it comes after, and not without that', async () => {
  const dir = await store();
  const log = await open(dir);
  const from = (seq: number, after?: number, epoch = '1.x') => item('m', `${seq}`, { origin: { box: 'b', epoch, seq }, ...(after !== undefined && { after: { epoch: '1.x', seq: after } }) });
  const append = async (...drafts: ReturnType<typeof from>[]) => (await Promise.allSettled(drafts.map((draft) => log.append(draft)))).map((result) => (result.status === 'fulfilled' ? result.value.repeated : (result.reason as LanpostError).code));
  expect(await append(from(1), from(3, 2), from(4, 3))).toEqual([false, 'busy', 'busy']);
  expect(log.originMark('b', '1.x', 'm')).toBe(1);
  expect(await append(from(2, 1), from(3, 2), from(4, 3), from(5, 4, '2.x'))).toEqual([false, false, false, false]);
  expect(await append(from(3, 2), from(6, 7))).toEqual([true, 'busy']);
  expect((await log.items('m')).map(({ payload }) => Buffer.from(payload?.bytes ?? '').toString())).toEqual(['1', '2', '3', '4', '5']);
  expect((await log.items('m')).every((record) => !('after' in record))).toBe(true);
});

it('takes a record from another box once', async () => {
  const dir = await store();
  const log = await open(dir);
  const from = (seq: number, previous?: number) => item('m', `${seq}`, { origin: { box: 'b', epoch: '1.x', seq, ...(previous !== undefined && { previous }) } });
  const results = await Promise.all([from(3), from(9, 7), from(3), from(7, 3), from(7, 3)].map((draft) => log.append(draft)));
  expect(results.map(({ repeated }) => repeated)).toEqual([false, false, true, false, true]);
  expect(results[0]?.recordId).toBe('b-1.x-3');
  expect(log.originMark('b', '1.x', 'm')).toBe(9);
  await log.close();
  const next = await open(dir);
  expect((await next.append(from(9, 7))).repeated).toBe(true);
});
