import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { cursorOf, type PeerSubscription, PeerSubscriptions, SUBSCRIPTIONS_OF_PEER } from '../../src/pubsub/peer-subscriptions.ts';
import { quiet } from '../support/quiet.ts';

const ANN = { fingerprint: 'a'.repeat(64), name: 'ann@h2' };

let clock: TestClock;
let log: Log;
let database: MemoryDatabase;
let subscriptions: PeerSubscriptions;
let changes: string[];
let told: PeerSubscription[];
let troubles: string[];

const open = async (limit = 1000): Promise<void> => {
  log = await openLog({ database, clock, boxId: 'aaaaaaaaaaaaaaaa', trouble: () => undefined });
  subscriptions = new PeerSubscriptions({
    log, clock, limit, isKnown: () => true, rightsChanged: () => undefined,
    trouble: (message) => {
      if (!/^(Subscriptions that were taken back are still on disk|A write failed)/.test(message)) throw new Error(message);
      troubles.push(message);
    },
  });
  changes = [];
  told = [];
  subscriptions.use({
    changed: (_, filter) => {
      changes.push(filter);
      return Promise.resolve();
    },
    untold: (row) => void told.push(row),
  });
};
beforeEach(async () => {
  clock = createTestClock();
  database = new MemoryDatabase();
  troubles = [];
  await open();
});
afterEach(async () => {
  await subscriptions.close();
  await log.close();
});
const subscribe = (node: string, change?: Parameters<PeerSubscriptions['subscribe']>[2], state: 'pending' | 'subscribed' = 'subscribed') => subscriptions.subscribe(ANN, node, change, state, 0);
const mine = (node?: string): PeerSubscription[] => [...subscriptions.of(ANN.fingerprint, node)];
const reopen = async (): Promise<void> => {
  await subscriptions.close();
  await log.close();
  await open();
};

test('all that is said of one is there after a restart', async () => {
  const row = await subscribe('t', { includeBody: true });
  await subscriptions.suspend(row, 'it came back');
  await reopen();
  expect(mine()).toEqual([{ ...row, suspended: 'it came back' }]);
});

test('a repeat is the one that is there; other options make another, up to the limits', async () => {
  const first = await subscribe('t');
  expect((await subscribe('t')).id).toBe(first.id);
  expect((await subscribe('t', { includeBody: false })).id).toBe(first.id);
  expect((await subscribe('t', { includeBody: true })).id).not.toBe(first.id);
  expect(() => subscriptions.get(ANN.fingerprint, 't')).toThrow(expect.objectContaining({ reason: 'subid-required' }));
  await Promise.all(Array.from({ length: SUBSCRIPTIONS_OF_PEER - 2 }, (_, i) => subscribe(`t${i}`)));
  await expect(subscribe('one/more')).rejects.toMatchObject({ code: 'busy', reason: 'too-many-subscriptions' });
});

test('of all keys together there is a limit, too', async () => {
  await subscriptions.close();
  await log.close();
  await open(2);
  await subscribe('a');
  await subscribe('b');
  await expect(subscriptions.subscribe({ fingerprint: 'b'.repeat(64), name: 'b' }, 'a', undefined, 'subscribed', 0)).rejects.toMatchObject({ code: 'busy' });
});

test('what nobody reads any more keeps nothing in the log', async () => {
  const [one, other] = [await subscribe('t'), await subscribe('t', { includeBody: true })];
  const cursor = await log.cursor({ name: cursorOf(ANN.fingerprint, 't'), filter: 't', from: 'new', durable: true });
  await cursor.close();
  await subscriptions.end(one, false);
  expect(log.cursorCount).toBe(1);
  await subscriptions.end(other, false);
  expect(log.cursorCount).toBe(0);
  expect(changes).toEqual(['t', 't', 't', 't']);
});

describe('a state', () => {
  test('that waits is asked for once, and an owner decides', async () => {
    const row = await subscribe('t', undefined, 'pending');
    await expect(subscribe('t', undefined, 'pending')).rejects.toMatchObject({ reason: 'pending-subscription' });
    await subscriptions.decide(row, 'subscribed');
    expect(mine()).toMatchObject([{ state: 'subscribed' }]);
    expect(told).toMatchObject([{ id: row.id, state: 'subscribed' }]);
  });

  test('that the subscriber has not been told stays, over a restart, until it has', async () => {
    const row = await subscribe('t');
    await subscriptions.decide(row, 'none');
    expect(mine()).toEqual([]);
    await reopen();
    const [left] = subscriptions.untold(ANN.fingerprint);
    expect(left).toMatchObject({ id: row.id, state: 'none' });
    if (left) await subscriptions.told(left);
    expect([...subscriptions.untold(ANN.fingerprint)]).toEqual([]);
    await reopen();
    expect(log.registry.entries('subscriptions/')).toEqual([]);
  });

  test('told to nobody who ever comes back fills no more than a peer may have', async () => {
    for (let i = 0; i < SUBSCRIPTIONS_OF_PEER + 20; i += 1) await subscriptions.decide(await subscribe(`t${i}`), 'none');
    expect([...subscriptions.untold(ANN.fingerprint)].length).toBeLessThanOrEqual(SUBSCRIPTIONS_OF_PEER);
  });
});

describe('on a disk that takes nothing', () => {
  const letIn = async (): Promise<void> => {
    await subscriptions.decide(await subscribe('t', undefined, 'pending'), 'subscribed');
    expect(subscriptions.isApproved(ANN.fingerprint, 't')).toBe(true);
  };
  const disown = async (): Promise<void> => {
    database.failure = new Error('EIO');
    await expect(subscriptions.disowned(ANN.fingerprint)).rejects.toMatchObject({ code: 'disk-full' });
    database.failure = undefined;
  };
  /** Until the log takes records again, and then until what it had refused is tried again. */
  const later = async (): Promise<void> => {
    for (const wait of [1000, 10_000]) {
      clock.advance(wait);
      await quiet();
    }
  };

  test('a lease that is over ends when it can be stored, and is not tried all the time', async () => {
    await subscribe('t', { expire: clock.wall() + 1000 });
    database.failure = new Error('EIO');
    clock.advance(1001);
    await quiet();
    for (let i = 0; i < 50; i += 1) {
      clock.advance(1);
      await quiet();
    }
    expect(troubles.length).toBeLessThan(3);
    expect(mine()).toHaveLength(1);
    database.failure = undefined;
    await later();
    expect(mine()).toEqual([]);
  });

  test('what an owner had let a key that is revoked is so no more, and ends as soon as it can be stored', async () => {
    await log.append({ topic: 't', kind: 'publish', id: 'i', payload: { contentType: 'text/plain', bytes: new Uint8Array() } });
    await letIn();
    await disown();
    expect(subscriptions.isApproved(ANN.fingerprint, 't')).toBe(false);
    await later();
    expect(troubles).toHaveLength(1);
    await reopen();
    expect(mine()).toEqual([]);
    expect(subscriptions.isApproved(ANN.fingerprint, 't')).toBe(false);
  });

  test('what an owner lets it after that stays', async () => {
    await letIn();
    await disown();
    clock.advance(1000);
    await quiet();
    const [row] = mine();
    if (row) await subscriptions.decide(row, 'subscribed');
    await later();
    expect(subscriptions.isApproved(ANN.fingerprint, 't')).toBe(true);
  });
});

describe('a key that is revoked while an owner lets it read', () => {
  test.each(['pending', 'subscribed'] as const)('is not let (%s)', async (state) => {
    await log.append({ topic: 't', kind: 'publish', id: 'i', payload: { contentType: 'text/plain', bytes: new Uint8Array() } });
    const row = await subscribe('t', undefined, state);
    const was: boolean[] = [];
    const deciding = subscriptions.decide(row, 'subscribed').then(() => was.push(subscriptions.isApproved(ANN.fingerprint, 't')));
    // On its way to the disk: a batch begins in a turn of its own.
    await Promise.resolve();
    await Promise.all([deciding, subscriptions.disowned(ANN.fingerprint)]);
    expect(was).toEqual([false]);
    expect(mine()).toEqual([]);
    await reopen();
    expect(mine()).toEqual([]);
  });

  test('is not let either when its turn has not come', async () => {
    const row = await subscribe('t', undefined, 'pending');
    const waiting = subscriptions.configure(row, { includeBody: true });
    await Promise.all([waiting, subscriptions.decide(row, 'subscribed'), subscriptions.disowned(ANN.fingerprint)]);
    expect(mine()).toEqual([]);
  });

  test('is let by a word that comes after', async () => {
    const row = await subscribe('t', undefined, 'pending');
    await Promise.all([subscriptions.decide(row, 'subscribed'), subscriptions.disowned(ANN.fingerprint)]);
    await subscriptions.decide(await subscribe('t', undefined, 'pending'), 'subscribed');
    expect(subscriptions.isApproved(ANN.fingerprint, 't')).toBe(true);
  });
});

describe('a lease', () => {
  test('ends when it says, also when that was while the box was off', async () => {
    await subscribe('a', { expire: clock.wall() + 1000 });
    await subscribe('b', { expire: clock.wall() + 5000 });
    clock.advance(1001);
    await quiet();
    expect(mine().map(({ node }) => node)).toEqual(['b']);
    await subscriptions.close();
    clock.advance(10_000);
    await reopen();
    clock.advance(1);
    await quiet();
    expect(mine()).toEqual([]);
    expect(told.map(({ node, state }) => `${node} ${state}`)).toEqual(['b none']);
  });

  test.each([50, -40])('is ended by time, and not by a clock that jumps by %i years', async (years) => {
    await subscribe('a', { expire: clock.wall() + 5000 });
    clock.jump(years * 365 * 86_400_000);
    clock.advance(1000);
    await subscriptions.close();
    await reopen();
    clock.advance(3999);
    await quiet();
    expect(mine()).toHaveLength(1);
    clock.advance(1001);
    await quiet();
    expect(mine()).toEqual([]);
  });

  test('that would be over is none', async () => {
    await expect(subscribe('a', { expire: clock.wall() - 1 })).rejects.toMatchObject({ reason: 'invalid-options' });
  });
});
