import { describe, expect, test } from 'vitest';
import type { Affiliation } from '../../src/api.ts';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import { Rights } from '../../src/pubsub/rights.ts';
import { deferred } from '../../src/control/deferred.ts';
import { quiet } from '../support/quiet.ts';
import { memoryRegistry } from '../trust/fixtures.ts';

const A = `key:${'a'.repeat(64)}` as const;
const B = 'xmpp:romeo@example.org';

const rightsOf = (registry: ReturnType<typeof memoryRegistry>, live = true, clock: TestClock = createTestClock()): Rights =>
  new Rights({ registry, clock, isLive: () => live, trouble: () => undefined });

test('what is said is there after a restart; none is nothing', async () => {
  const registry = memoryRegistry();
  const rights = rightsOf(registry);
  await rights.change('t', (row) => row.set(A, 'owner').set(B, 'outcast'));
  await rights.change('t', (row) => row.set(B, 'none'));
  expect(rightsOf(registry).of('t')).toEqual([[A, 'owner']]);
  expect(rights.affiliation('t', B)).toBe('none');
  expect(rights.affiliation('t', undefined)).toBe('none');
  expect(rights.affiliation('u', A)).toBe('none');
});

test('what was said of a topic that is not there any more is forgotten, also on disk', async () => {
  const registry = memoryRegistry();
  await rightsOf(registry).change('gone', (row) => row.set(A, 'owner'));
  expect(rightsOf(registry, false).of('gone')).toEqual([]);
  expect(registry.rows.size).toBe(0);
});

test('changes at once are one after the other; one that throws changes nothing', async () => {
  const rights = rightsOf(memoryRegistry());
  const add = (key: string) => rights.change('t', (row) => row.set(`key:${key.repeat(64)}`, 'member'));
  const failing = rights.change('t', (row) => {
    row.clear();
    throw new Error('no');
  });
  await Promise.allSettled([add('a'), failing, add('b')]);
  await expect(failing).rejects.toThrow('no');
  expect(rights.of('t')).toHaveLength(2);
});

test('a key is forgotten everywhere at once', async () => {
  const rights = rightsOf(memoryRegistry());
  for (const topic of ['t', 'u']) await rights.change(topic, (row) => row.set(A, 'owner').set(B, 'member'));
  await rights.forget(A);
  expect([rights.of('t'), rights.of('u')]).toEqual([[[B, 'member']], [[B, 'member']]]);
});

test('a key that is forgotten on a disk that takes nothing is so at once, and on disk as soon as that takes it', async () => {
  const [registry, clock] = [memoryRegistry(), createTestClock()];
  const rights = rightsOf(registry, true, clock);
  await rights.change('t', (row) => row.set(A, 'owner').set(B, 'member'));
  const setAll = registry.setAll.bind(registry);
  registry.setAll = () => Promise.reject(new Error('EIO'));
  const changing = rights.change('t', (row) => row.set(B, 'publisher'));
  const forgetting = rights.forget(A);
  expect(rights.affiliation('t', A)).toBe('none');
  expect((await Promise.allSettled([changing, forgetting])).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(rights.topicsOf(A)).toEqual([]);
  clock.advance(1000);
  await quiet();
  expect(rightsOf(registry).affiliation('t', A)).toBe('owner');
  registry.setAll = setAll;
  clock.advance(10_000);
  await quiet();
  expect(rightsOf(registry).of('t')).toEqual([[B, 'member']]);
});

test('a key that is forgotten does not come back with a change that was on its way', async () => {
  const registry = memoryRegistry();
  const rights = rightsOf(registry);
  await rights.change('t', (row) => row.set(A, 'owner'));
  const was: string[] = [];
  const changing = rights.change('t', (row) => row.set(B, 'member')).then(() => was.push(rights.affiliation('t', A)));
  await Promise.resolve();
  await Promise.all([rights.forget(A), changing]);
  expect(was).toEqual(['none']);
  for (const one of [rights, rightsOf(registry)]) expect(one.of('t')).toEqual([[B, 'member']]);
});

describe('on a slow disk', () => {
  /** Says when it has begun to write, and writes when it is let. */
  const slow = () => {
    const registry = memoryRegistry();
    const setAll = registry.setAll.bind(registry);
    const [begun, allowed] = [deferred<undefined>(), deferred<undefined>()];
    registry.setAll = async (entries) => {
      begun.resolve(undefined);
      await allowed.promise;
      await setAll(entries);
    };
    return { registry, begun: begun.promise, write: () => allowed.resolve(undefined) };
  };

  test('a key that is forgotten while it is being made something does not come to be that', async () => {
    const { registry, begun, write } = slow();
    const rights = rightsOf(registry);
    const was: string[] = [];
    const change = async (affiliation: Affiliation): Promise<void> => {
      await rights.change('t', (row) => row.set(A, affiliation).set(B, 'member'));
      was.push(rights.affiliation('t', A));
    };
    // The one is on its way to the disk, the other waits for it.
    const changing = [change('owner'), change('publisher')];
    await begun;
    const forgetting = rights.forget(A);
    write();
    await Promise.all([...changing, forgetting]);
    expect(was).toEqual(['none', 'none']);
    for (const one of [rights, rightsOf(registry)]) expect(one.of('t')).toEqual([[B, 'member']]);
  });

  test('what it is made after it was forgotten it is', async () => {
    const { registry, begun, write } = slow();
    const rights = rightsOf(registry);
    const changing = rights.change('t', (row) => row.set(A, 'owner'));
    await begun;
    const forgetting = rights.forget(A);
    const again = rights.change('t', (row) => row.set(A, 'member'));
    write();
    await Promise.all([changing, forgetting, again]);
    for (const one of [rights, rightsOf(registry)]) expect(one.of('t')).toEqual([[A, 'member']]);
  });
});

test('one topic holds no more than it may, and what it has can still be changed', async () => {
  const rights = rightsOf(memoryRegistry());
  const name = (i: number): string => `xmpp:u${i}@example.org`;
  await rights.change('t', (row) => { for (let i = 0; i < 1000; i += 1) row.set(name(i), 'member'); });
  await expect(rights.change('t', (row) => row.set(name(1000), 'member'))).rejects.toMatchObject({ code: 'busy' });
  await rights.change('t', (row) => row.set(name(0), 'none').set(name(1000), 'member'));
  expect(rights.of('t')).toHaveLength(1000);
});
