import { expect, test } from 'vitest';
import { Cache, type Entry } from '../../src/mdns/cache.ts';
import { CLASS, TYPE } from '../../src/mdns/message.ts';

test('what is doubted, and believed as long as nothing else is said, is asked for until it runs out', () => {
  const asked: number[] = [];
  const gone: number[] = [];
  const cache = new Cache({
    random: () => 0, limit: 16, bytes: 0,
    changed: (entry: Entry, now) => { if (entry.state === 'gone') gone.push(now); },
    refresh: (_entry, now) => asked.push(now),
    goodbye: () => undefined,
  });
  const address = { name: 'h2.local', type: TYPE.A, class: CLASS.IN, flush: true, ttl: 120, data: { kind: 'address', address: '10.77.0.2' } } as const;
  cache.put(address, 'h2.local', 0);
  for (const entry of cache.set('h2.local')) cache.doubt(entry, 50_000, true, Infinity);
  for (let now = 50_000; now <= 130_000; now += 1000) cache.tick(now);
  expect(asked).toEqual([51_000, 53_000, 57_000, 65_000, 81_000, 113_000]);
  expect(gone).toEqual([120_000]);
});

test('what is doubted for 5 s is asked for three times', () => {
  const asked: number[] = [];
  const cache = new Cache({ random: () => 0, limit: 16, bytes: 0, changed: () => undefined, refresh: (_entry, now) => asked.push(now), goodbye: () => undefined });
  cache.put({ name: 'h2.local', type: TYPE.A, class: CLASS.IN, flush: true, ttl: 120, data: { kind: 'address', address: '10.77.0.2' } }, 'h2.local', 0);
  for (const entry of cache.set('h2.local')) cache.doubt(entry, 50_000);
  for (let now = 50_000; now <= 60_000; now += 1000) cache.tick(now);
  expect(asked).toEqual([50_000, 51_000, 53_000]);
  expect(cache.size).toBe(0);
});
