import { expect, test } from 'vitest';
import { Missed } from '../../src/mdns/missed.ts';

test('a host is listened for as long as anybody who was lost there is missed', () => {
  const missed = new Missed(() => 0, () => false);
  for (const key of ['a', 'b']) missed.add({ key, name: `${key}._presence._tcp.local`, type: '_presence._tcp.local', addresses: ['10.0.0.2'] }, 0);
  missed.found('a');
  expect(missed.heard('10.0.0.2', 5_000)).toBe(true);
  missed.found('b');
  expect(missed.heard('10.0.0.2', 50_000)).toBe(false);
});
