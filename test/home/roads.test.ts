import { expect, test, vi } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { LanpostError } from '../../src/errors.ts';
import type { Detour } from '../../src/home/detour.ts';
import { StreamEnded, Unusable } from '../../src/home/loss.ts';
import { type Beginning, Roads } from '../../src/home/roads.ts';
import { SaslError } from '../../src/xmpp/sasl.ts';
import { quiet } from '../support/quiet.ts';

const clock = createTestClock();
const gone = new LanpostError('unreachable', 'no route');
const signal = new AbortController().signal;
const through = (via: string): Detour => ({ via, dial: () => Promise.reject(new Error('not dialled here')) });

function roads(...names: string[]): { readonly roads: Roads; own: boolean; readonly tried: (string | undefined)[]; begin(refusing?: Error): Promise<string> } {
  const tried: (string | undefined)[] = [];
  const rig = {
    own: false, tried,
    roads: new Roads({ clock, to: 'home.test:5222', detours: () => names.map(through), probe: async () => { if (!rig.own) throw gone; } }),
    begin: (refusing: Error = gone) => rig.roads.begin(async ({ dial, within }: Beginning) => {
      tried.push(dial ? 'detour' : `own within ${within}`);
      if (dial ? tried.length <= names.indexOf('works') + 1 || !names.includes('works') : !rig.own) throw refusing;
      return 'session';
    }, signal),
  };
  return rig;
}

test('its own road comes first, and has the whole time when there is no other', async () => {
  const alone = roads();
  await expect(alone.begin()).rejects.toBe(gone);
  expect(alone.tried).toEqual(['own within undefined']);
  const rig = roads('works');
  rig.own = true;
  await rig.begin();
  expect([rig.tried, rig.roads.via]).toEqual([['own within 8000'], undefined]);
});

test('then neighbours, one after the other, no more than four', async () => {
  const rig = roads('b', 'works');
  await rig.begin();
  expect([rig.tried.length, rig.roads.via]).toEqual([3, 'works']);
  const many = roads('1', '2', '3', '4', '5', '6');
  await expect(many.begin()).rejects.toBe(gone);
  expect(many.tried).toHaveLength(5);
});

test.each([
  ['a refused account', new SaslError('not-authorized')], ['a session that another has', new StreamEnded({ condition: 'conflict' }, false)],
])('%s is not tried through a neighbour', async (_, error) => {
  const rig = roads('works');
  await expect(rig.begin(error)).rejects.toBe(error);
  expect(rig.tried).toHaveLength(1);
});

test('what is no XMPP server on its own road, as where a network wants a login, is another matter', async () => {
  const rig = roads('works');
  await rig.begin(new Unusable('the server does not offer TLS'));
  expect(rig.roads.via).toBe('works');
});

test('while a neighbour passes it on the own road is looked at, and taken once it is there', async () => {
  const rig = roads('works');
  const back = vi.fn<() => void>();
  await rig.begin();
  rig.roads.watch(back);
  clock.advance(30_000);
  await quiet();
  expect(back).not.toHaveBeenCalled();
  rig.own = true;
  clock.advance(30_000);
  await quiet();
  expect(back).toHaveBeenCalledTimes(1);
  await rig.begin();
  expect(rig.roads.via).toBeUndefined();
  rig.roads.watch(back);
  clock.advance(3_600_000);
  await quiet();
  expect(back).toHaveBeenCalledTimes(1);
});

test('an own road that promises and does not hold is tried less and less often', async () => {
  const rig = roads('works');
  const back = vi.fn<() => void>();
  for (const [round, wait] of [30_000, 60_000, 120_000].entries()) {
    rig.own = false;
    rig.tried.length = 0;
    await rig.begin();
    rig.own = true;
    rig.roads.watch(back);
    clock.advance(wait - 1);
    await quiet();
    expect(back).toHaveBeenCalledTimes(round);
    clock.advance(1);
    await quiet();
    expect(back).toHaveBeenCalledTimes(round + 1);
  }
  rig.roads.rest();
});
