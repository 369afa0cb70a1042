import { expect, it } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { Absences, LONG } from '../../src/link/absences.ts';

function scene() {
  const clock = createTestClock();
  const wanted = new Set(['k1', 'k2']);
  const open = new Set(['k2']);
  const told: [string, number][] = [];
  let looks = 0;
  const absences = new Absences({ clock, wanted: () => wanted, isOpen: (key) => open.has(key), long: (...one) => void told.push(one), looked: () => { looks += 1; } });
  return { clock, wanted, open, told, absences, looks: () => looks };
}

it('an absence begins when it is seen, and ends when a stream is open or nothing is wanted', () => {
  const { clock, wanted, open, absences } = scene();
  const begin = clock.wall();
  absences.look();
  clock.advance(20_000);
  expect(absences.since('k1')).toBe(begin);
  expect(absences.since('k2')).toBeUndefined();
  expect([...absences.lasting(20_000)]).toEqual(['k1']);
  expect([...absences.lasting(20_001)]).toEqual([]);
  open.add('k1');
  absences.look();
  expect(absences.since('k1')).toBeUndefined();
  open.clear();
  wanted.delete('k2');
  absences.look();
  expect([...absences.lasting(0)]).toEqual(['k1']);
});

it('one that lasts is told once', () => {
  const { clock, open, told, absences, looks } = scene();
  const begin = clock.wall();
  absences.look();
  clock.advance(LONG - 1);
  expect(told).toEqual([]);
  clock.advance(3 * LONG);
  expect(told).toEqual([['k1', begin]]);
  open.add('k1');
  absences.look();
  open.delete('k1');
  absences.look();
  clock.advance(2 * LONG);
  expect(told.length).toBe(2);
  const before = looks();
  absences.close();
  clock.advance(LONG);
  expect(looks()).toBe(before);
});
