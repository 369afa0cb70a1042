import { expect, test } from 'vitest';
import { Rights } from '../../src/pubsub/rights.ts';
import { memoryRegistry } from '../trust/fixtures.ts';

const A = `key:${'a'.repeat(64)}` as const;
const B = 'xmpp:romeo@example.org';

test('what is said is there after a restart; none is nothing', async () => {
  const registry = memoryRegistry();
  const rights = new Rights(registry, () => true);
  await rights.change('t', (row) => row.set(A, 'owner').set(B, 'outcast'));
  await rights.change('t', (row) => row.set(B, 'none'));
  expect(new Rights(registry, () => true).of('t')).toEqual([[A, 'owner']]);
  expect(rights.affiliation('t', B)).toBe('none');
  expect(rights.affiliation('t', undefined)).toBe('none');
  expect(rights.affiliation('u', A)).toBe('none');
});

test('what was said of a topic that is not there any more is forgotten, also on disk', async () => {
  const registry = memoryRegistry();
  await new Rights(registry, () => true).change('gone', (row) => row.set(A, 'owner'));
  expect(new Rights(registry, () => false).of('gone')).toEqual([]);
  expect(registry.rows.size).toBe(0);
});

test('changes at once are one after the other; one that throws changes nothing', async () => {
  const rights = new Rights(memoryRegistry(), () => true);
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
  const rights = new Rights(memoryRegistry(), () => true);
  for (const topic of ['t', 'u']) await rights.change(topic, (row) => row.set(A, 'owner').set(B, 'member'));
  await rights.forget(A);
  expect([rights.of('t'), rights.of('u')]).toEqual([[[B, 'member']], [[B, 'member']]]);
});

test('one topic holds no more than it may, and what it has can still be changed', async () => {
  const rights = new Rights(memoryRegistry(), () => true);
  const name = (i: number): string => `xmpp:u${i}@example.org`;
  await rights.change('t', (row) => { for (let i = 0; i < 1000; i += 1) row.set(name(i), 'member'); });
  await expect(rights.change('t', (row) => row.set(name(1000), 'member'))).rejects.toMatchObject({ code: 'busy' });
  await rights.change('t', (row) => row.set(name(0), 'none').set(name(1000), 'member'));
  expect(rights.of('t')).toHaveLength(1000);
});
