// What becomes of single records at one durable reader, for whoever published them.
import { afterEach, describe, expect, it } from 'vitest';
import type { Cursor } from '../../src/log/cursor.ts';
import type { Log } from '../../src/log/log.ts';
import { MAX_FOLLOWED } from '../../src/log/outcomes.ts';
import { closeAll, item, openMemory, texts } from './log-fixture.ts';

afterEach(closeAll);

const follow = { reader: 'r', as: 'home' };
const put = async (log: Log, text: string, topic = 'a', more = {}): Promise<number> => (await log.append(item(topic, text, { follow, ...more }))).seq;
const reader = (log: Log, filter = 'a', more = {}): Promise<Cursor> => log.cursor({ name: 'r', filter, durable: true, from: 'start', ...more });

/** What it fails with, for later. */
const failure = (work: Promise<unknown>): Promise<unknown> => work.then(() => undefined, (error: unknown) => error);

/** One that is followed, and that its reader has put aside. */
async function putAside(log: Log): Promise<number> {
  const cursor = await reader(log);
  const seq = await put(log, 'x', 'a', { id: 'i' });
  await texts(cursor, 1, false);
  await cursor.putAside(seq, {});
  expect(await log.outcome(seq, 'home')).toBe('poison');
  return seq;
}

describe('what becomes of a record', () => {
  it('delivered when its reader has confirmed it, and told once', async () => {
    const { log } = await openMemory();
    const cursor = await reader(log);
    const seq = await put(log, 'x');
    const outcome = log.outcome(seq, 'home');
    expect(await texts(cursor, 1, false)).toEqual(['x']);
    cursor.done(seq);
    expect(await outcome).toBe('delivered');
    await expect(log.outcome(seq, 'home')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('is known also to who asks when it is over, and to nobody who did not say so', async () => {
    const { log } = await openMemory();
    const cursor = await reader(log);
    const [seq, other] = [await put(log, 'x'), (await log.append(item('a', 'y'))).seq];
    await texts(cursor, 2);
    expect(await log.outcome(seq, 'home')).toBe('delivered');
    await expect(log.outcome(other, 'home')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('is told to everybody who published it, also when one was told before another asks', async () => {
    const { log } = await openMemory();
    const cursor = await reader(log);
    const [first, second] = [await put(log, 'x', 'a', { id: 'i' }), await put(log, 'x', 'a', { id: 'i' })];
    expect(second).toBe(first);
    const early = log.outcome(first, 'home');
    await texts(cursor, 1);
    expect(await early).toBe('delivered');
    expect(await log.outcome(second, 'home')).toBe('delivered');
    await expect(log.outcome(first, 'home')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('what was taken is delivered when it has settled, and not when it was taken back', async () => {
    const { log } = await openMemory();
    const cursor = await reader(log);
    const seqs = [await put(log, 'x'), await put(log, 'y')] as const;
    await texts(cursor, 2, false);
    for (const seq of seqs) cursor.take(seq, 1);
    let told = 0;
    const outcomes = seqs.map((seq) => log.outcome(seq, 'home').then((outcome) => { told++; return outcome; }));
    cursor.rewindTo(seqs[1]);
    cursor.settle(1);
    expect(await outcomes[0]).toBe('delivered');
    expect(await texts(cursor, 1, false)).toEqual(['y*']);
    expect(told).toBe(1);
    cursor.take(seqs[1], 2, 'superseded');
    cursor.settle(2);
    expect(await outcomes[1]).toBe('superseded');
  });

  it('what is published once more when it was taken already is delivered when that has settled', async () => {
    const { log, clock } = await openMemory();
    const cursor = await reader(log);
    const { seq } = await log.append(item('a', 'x', { id: 'i' }));
    await texts(cursor, 1, false);
    cursor.take(seq, 1);
    expect(await put(log, 'x', 'a', { id: 'i' })).toBe(seq);
    const outcome = log.outcome(seq, 'home');
    clock.advance(5000);
    cursor.settle(1);
    expect(await outcome).toBe('delivered');
  });

  it('what was taken, and had not settled when its reader stopped, is not delivered where a newer one takes its place', async () => {
    const { log, clock } = await openMemory();
    await log.append({ topic: 'a', kind: 'configure', config: { lane: 'latest' } });
    const before = await reader(log);
    const seq = await put(log, 'x', 'a', { id: 'i' });
    await texts(before, 2, false);
    before.take(seq, 1);
    const outcome = log.outcome(seq, 'home');
    await before.close();
    await log.append(item('a', 'y', { id: 'i' }));
    const cursor = await reader(log);
    await texts(cursor, 2);
    cursor.settle(1);
    clock.advance(5000);
    expect(await outcome).toBe('superseded');
  });

  it('of a topic that goes its own way: told by the cursor that has it', async () => {
    const { log, clock } = await openMemory();
    const cursor = await reader(log, '#');
    const [one, two] = [await put(log, 'x', 'a'), await put(log, 'y', 'b')];
    await texts(cursor, 2, false);
    cursor.take(one, 1);
    cursor.take(two, 1);
    const own = await cursor.hold('a');
    own.rewindTo(one);
    cursor.settle(1);
    expect(await log.outcome(two, 'home')).toBe('delivered');
    let told = false;
    const outcome = log.outcome(one, 'home').then((what) => { told = true; return what; });
    clock.advance(5000);
    expect(told).toBe(false);
    await texts(own, 1);
    expect(await outcome).toBe('delivered');
  });

  it('superseded: a newer one took its place before its reader came to it', async () => {
    const { log, clock } = await openMemory();
    await log.append({ topic: 'a', kind: 'configure', config: { lane: 'latest' } });
    await (await reader(log)).close();
    const seqs = [await put(log, 'x', 'a', { key: 'k' }), await put(log, 'y', 'a', { key: 'k' })];
    const outcomes = seqs.map((seq) => log.outcome(seq, 'home'));
    const cursor = await reader(log);
    // What else there is: that the topic was configured.
    await texts(cursor, 2);
    clock.advance(2000);
    expect(await Promise.all(outcomes)).toEqual(['superseded', 'delivered']);
  });

  it('overflow and expired: more waited than its reader keeps, or for longer', async () => {
    const { log, clock } = await openMemory();
    await (await reader(log, 'a', { maxBacklog: { records: 1, age: 60_000 } })).close();
    const seqs = [await put(log, 'x'), await put(log, 'y')];
    const outcomes = seqs.map((seq) => log.outcome(seq, 'home'));
    clock.advance(2000);
    await log.trim();
    expect(await outcomes[0]).toBe('overflow');
    clock.advance(120_000);
    await log.trim();
    expect(await outcomes[1]).toBe('expired');
  });

  it('poison: its reader would not take it', async () => {
    const { log } = await openMemory();
    const cursor = await reader(log);
    const seq = await put(log, 'x');
    await texts(cursor, 1, false);
    await cursor.putAside(seq, { reason: 'bad' });
    expect(await log.outcome(seq, 'home')).toBe('poison');
  });

  it('dropped: its reader was sent past it, or is gone', async () => {
    const { log } = await openMemory();
    const cursor = await reader(log);
    const seqs = [await put(log, 'x'), await put(log, 'y')] as const;
    await texts(cursor, 1, false);
    await log.seek('r', { seq: seqs[1] });
    expect(await log.outcome(seqs[0], 'home')).toBe('dropped');
    await cursor.close();
    await log.dropCursor('r');
    expect(await log.outcome(seqs[1], 'home')).toBe('dropped');
  });

  it('what is there already is waited for too, and was delivered when its reader is past it', async () => {
    const { log } = await openMemory();
    const cursor = await reader(log);
    const seq = await put(log, 'x', 'a', { id: 'i' });
    expect(await put(log, 'x', 'a', { id: 'i' })).toBe(seq);
    const both = [log.outcome(seq, 'home'), log.outcome(seq, 'home')];
    await texts(cursor, 1);
    expect(await Promise.all(both)).toEqual(['delivered', 'delivered']);
    expect(await put(log, 'x', 'a', { id: 'i' })).toBe(seq);
    expect(await put(log, 'x', 'a', { id: 'i' })).toBe(seq);
    expect(await Promise.all([log.outcome(seq, 'home'), log.outcome(seq, 'home')])).toEqual(['delivered', 'delivered']);
    await expect(log.outcome(seq, 'home')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('what is published once more when it was lost to its reader is told the same, and is not delivered', async () => {
    const { log, clock } = await openMemory();
    await (await reader(log, 'a', { maxBacklog: { records: 1, age: 60_000 } })).close();
    const more = [{ id: 'i' }, { id: 'j' }] as const;
    const { seq: first } = await log.append(item('a', 'w', { id: 'h' }));
    const seqs = [await put(log, 'x', 'a', more[0]), await put(log, 'y', 'a', more[1])] as const;
    clock.advance(2000);
    await log.trim();
    expect(await log.outcome(seqs[0], 'home')).toBe('overflow');
    // Nobody followed it before.
    expect(await put(log, 'w', 'a', { id: 'h' })).toBe(first);
    expect(await log.outcome(first, 'home')).toBe('overflow');
    clock.advance(120_000);
    await log.trim();
    expect(await log.outcome(seqs[1], 'home')).toBe('expired');
    expect([await put(log, 'x', 'a', more[0]), await put(log, 'y', 'a', more[1])]).toEqual(seqs);
    expect(await Promise.all(seqs.map((seq) => log.outcome(seq, 'home')))).toEqual(['overflow', 'expired']);
  });

  it('what is published once more when its reader was sent back to it is told anew', async () => {
    const { log } = await openMemory();
    const cursor = await reader(log);
    const seq = await put(log, 'x', 'a', { id: 'i' });
    await texts(cursor, 1, false);
    cursor.done(seq, 'expired');
    expect(await log.outcome(seq, 'home')).toBe('expired');
    await log.seek('r', 'start');
    await texts(cursor, 1);
    expect(await put(log, 'x', 'a', { id: 'i' })).toBe(seq);
    await expect(log.outcome(seq, 'home')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('is not known of what is published once more, is behind its reader, and was followed by nobody', async () => {
    const { log } = await openMemory();
    const { seq } = await log.append(item('a', 'x', { id: 'i' }));
    // It begins after that, and never had it.
    await reader(log, 'a', { from: 'new' });
    expect(await put(log, 'x', 'a', { id: 'i' })).toBe(seq);
    await expect(log.outcome(seq, 'home')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('nor of what was put aside and is not any more', async () => {
    const { log } = await openMemory();
    const seq = await putAside(log);
    await log.dropAsides('r');
    expect(await put(log, 'x', 'a', { id: 'i' })).toBe(seq);
    await expect(log.outcome(seq, 'home')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('what is published once more when its reader has put it aside was not delivered', async () => {
    const { log } = await openMemory();
    const seq = await putAside(log);
    expect(await put(log, 'x', 'a', { id: 'i' })).toBe(seq);
    expect(await log.outcome(seq, 'home')).toBe('poison');
  });

  it('who stops waiting is told so, and a log that closes tells that it is not known', async () => {
    const { log } = await openMemory();
    await reader(log);
    const seq = await put(log, 'x');
    const stop = new AbortController();
    const stopped = failure(log.outcome(seq, 'home', stop.signal));
    const waiting = failure(log.outcome(seq, 'home'));
    stop.abort(new Error('enough'));
    expect(await stopped).toMatchObject({ message: 'enough' });
    await log.close();
    expect(await waiting).toMatchObject({ code: 'closed' });
  });

  it(`of more than ${MAX_FOLLOWED} the oldest is not told any more`, async () => {
    const { log } = await openMemory();
    const cursor = await reader(log);
    const first = await put(log, '0');
    const oldest = failure(log.outcome(first, 'home'));
    const seqs = await Promise.all(Array.from({ length: MAX_FOLLOWED }, (_, n) => put(log, String(n + 1))));
    expect(await oldest).toMatchObject({ code: 'busy' });
    const outcomes = seqs.map((seq) => log.outcome(seq, 'home'));
    await texts(cursor, MAX_FOLLOWED + 1);
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['delivered']));
  });
});
