// What a home refuses with errors that ask to wait, time after time: an item that it will never take, or a home that takes nothing now.
import { describe, expect, it, vi } from 'vitest';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import { LanpostError } from '../../src/errors.ts';
import { LogCursor } from '../../src/log/log-cursor.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { quiet } from '../support/quiet.ts';
import { createRig, type Rig } from './rig.ts';
import { stored } from './stored.ts';

/** `minutes` pass, second by second. */
async function pass(clock: TestClock, minutes: number): Promise<void> {
  for (let second = 0; second < minutes * 60; second++) {
    clock.advance(1000);
    await quiet();
  }
}

/** The home takes all but these. */
function refuse(rig: Rig, ...texts: readonly string[]): void {
  rig.home.set.answer = (iq, what) => (what === 'publish' && texts.some((text) => iq.toString().includes(`>${text}<`)) ? 'resource-constraint' : undefined);
}

/** Its storage is away, and it says so of whatever is to be stored. */
function failing(rig: Rig): void {
  rig.home.set.answer = (_iq, what) => (what === 'publish' ? 'internal-server-error' : undefined);
}

function recover(rig: Rig): void {
  rig.home.set.answer = () => undefined;
}

const aside = async (rig: Rig): Promise<string[]> => (await rig.asides()).map(({ record: { payload } }) => Buffer.from(payload?.bytes ?? []).toString());

/** Texts of what is at home, in order of arrival. */
const atHome = (rig: Rig, topic: string): string[] => stored(rig.home, topic).map(({ payload }) => Buffer.from(payload?.bytes ?? []).toString());

async function started(): Promise<{ clock: TestClock; rig: Rig }> {
  const clock = createTestClock();
  const rig = await createRig({ clock });
  await rig.add();
  await rig.publish('t', 'first');
  await rig.until(() => rig.count('t') === 1);
  return { clock, rig };
}

describe('an item that a home will never take', () => {
  it('is put aside once what is behind it has got through, and it has not', async () => {
    const { clock, rig } = await started();
    await using _ = rig;
    refuse(rig, 'bad');
    await rig.publish('t', 'bad');
    await pass(clock, 1);
    await rig.publish('t', 'good', 'better', 'best');
    await pass(clock, 8);
    expect(await aside(rig)).toEqual([]);
    await pass(clock, 6);
    expect(await aside(rig)).toEqual(['bad']);
    expect(atHome(rig, 't')).toEqual(['first', 'good', 'better', 'best']);
    expect(rig.arrivals('t').filter((text) => text !== 'bad')).toEqual(['first', 'good', 'better', 'best']);
    expect((await rig.status())?.queued).toBe(0);
  });

  it('is not put aside while nothing is behind it, and holds up nothing that comes', async () => {
    const { clock, rig } = await started();
    await using _ = rig;
    refuse(rig, 'bad');
    await rig.publish('t', 'bad');
    await pass(clock, 120);
    expect(await aside(rig)).toEqual([]);
    expect((await rig.status())?.reason).toBe('t: resource-constraint');
    await rig.publish('t', 'good');
    await pass(clock, 3);
    expect(atHome(rig, 't')).toEqual(['first', 'good']);
    await rig.publish('t', 'better', 'best');
    await pass(clock, 3);
    expect(atHome(rig, 't')).toEqual(['first', 'good', 'better', 'best']);
    expect(await aside(rig)).toEqual(['bad']);
  });

  it.each([2, 40])('holds its topic no longer where %i of them come in a row', async (count) => {
    const { clock, rig } = await started();
    await using _ = rig;
    const bad = Array.from({ length: count }, (_x, i) => `bad${i}`);
    refuse(rig, ...bad);
    await rig.publish('t', ...bad);
    await pass(clock, 1);
    await rig.publish('t', 'good', 'better');
    await pass(clock, 2 * 60);
    expect(atHome(rig, 't')).toEqual(['first', 'good', 'better']);
    await rig.publish('t', 'best');
    await pass(clock, 20);
    expect(await aside(rig)).toEqual(bad);
    expect(atHome(rig, 't')).toEqual(['first', 'good', 'better', 'best']);
    expect((await rig.status())?.queued).toBe(0);
  });

  it('is put aside the next time where it could not be once', async () => {
    const { clock, rig } = await started();
    await using _ = rig;
    refuse(rig, 'bad');
    const putAside = vi.spyOn(LogCursor.prototype, 'putAside').mockRejectedValueOnce(new LanpostError('busy', 'enough was put aside'));
    await rig.publish('t', 'bad');
    await pass(clock, 1);
    await rig.publish('t', 'good', 'better', 'best');
    await pass(clock, 60);
    expect(putAside).toHaveBeenCalledTimes(2);
    putAside.mockRestore();
    expect(await aside(rig)).toEqual(['bad']);
    expect(atHome(rig, 't')).toEqual(['first', 'good', 'better', 'best']);
  });

  it('is put aside also where the process ends meanwhile', async () => {
    const { clock, rig } = await started();
    await using _ = rig;
    refuse(rig, 'bad');
    await rig.publish('t', 'bad');
    await pass(clock, 12);
    await rig.publish('t', 'good');
    await pass(clock, 1);
    expect(atHome(rig, 't')).toEqual(['first', 'good']);
    await rig.restart();
    await pass(clock, 12);
    await rig.publish('t', 'better', 'best', 'last');
    await pass(clock, 3);
    expect(await aside(rig)).toEqual(['bad']);
    expect(atHome(rig, 't')).toEqual(['first', 'good', 'better', 'best', 'last']);
  });

  it('leaves those that are packed behind it whole', async () => {
    const clock = createTestClock();
    await using rig = await createRig({ clock });
    await rig.add({ topics: [], up: [{ filter: '#', pack: true }] });
    refuse(rig, 'bad');
    await rig.publish('t', 'bad');
    await pass(clock, 1);
    const others = Array.from({ length: 60 }, (_x, i) => `n${i}`);
    await rig.publish('t', ...others);
    await pass(clock, 20);
    expect(await aside(rig)).toEqual(['bad']);
    expect(atHome(rig, 't')).toEqual(others);
    expect((await rig.status())?.queued).toBe(0);
  });
});

describe('a home that takes nothing for a while', () => {
  it.each([3, 9.1, 9.2, 15, 200])('has all in order afterwards, and nothing is put aside: %s min', async (minutes) => {
    const { clock, rig } = await started();
    await using _ = rig;
    failing(rig);
    await rig.publish('t', 'a');
    await rig.publish('u', 'a', 'b', 'c');
    await pass(clock, minutes);
    expect(await rig.asides()).toEqual([]);
    recover(rig);
    await pass(clock, 1);
    await rig.publish('t', 'b');
    await pass(clock, 62);
    expect(atHome(rig, 't')).toEqual(['first', 'a', 'b']);
    expect(atHome(rig, 'u')).toEqual(['a', 'b', 'c']);
    expect(await rig.asides()).toEqual([]);
    expect((await rig.status())?.queued).toBe(0);
  });

  it('has all in order afterwards, however much waits, and whichever is tried first', async () => {
    const { clock, rig } = await started();
    await using _ = rig;
    failing(rig);
    const all = Array.from({ length: 50 }, (_x, i) => `n${i}`);
    await rig.publish('t', ...all);
    await pass(clock, 100);
    recover(rig);
    await pass(clock, 62);
    expect(atHome(rig, 't')).toEqual(['first', ...all]);
    expect(await rig.asides()).toEqual([]);
  });

  it('has all in order afterwards, also where others are packed', async () => {
    const clock = createTestClock();
    await using rig = await createRig({ clock });
    await rig.add({ topics: [], up: [{ filter: '#', pack: true }] });
    failing(rig);
    const all = Array.from({ length: 200 }, (_x, i) => `n${i}`);
    await rig.publish('t', ...all);
    await pass(clock, 45);
    recover(rig);
    await pass(clock, 62);
    expect(atHome(rig, 't')).toEqual(all);
    expect(await rig.asides()).toEqual([]);
    expect((await rig.status())?.queued).toBe(0);
  });

  it('condemns nothing by taking one item in the midst of it', async () => {
    const { clock, rig } = await started();
    await using _ = rig;
    failing(rig);
    await rig.publish('t', 'a', 'b', 'c', 'd', 'e');
    // What is tried behind the first is taken once, and then nothing for an hour.
    rig.home.set.answer = (iq, what) => (what === 'publish' && !(iq.toString().includes('>c<') && rig.arrivals('t').filter((text) => text === 'b').length > 1) ? 'internal-server-error' : undefined);
    for (let minute = 0; minute < 30 && rig.count('t') === 1; minute++) await pass(clock, 1);
    expect(atHome(rig, 't')).toEqual(['first', 'c']);
    failing(rig);
    await pass(clock, 60);
    recover(rig);
    await pass(clock, 62);
    expect(await rig.asides()).toEqual([]);
    expect(atHome(rig, 't')).toEqual(['first', 'c', 'a', 'b', 'd', 'e']);
  });

  it.each([2, 3, 4])('condemns nothing where it takes one of ten, whichever (%i)', async (seed) => {
    const { clock, rig } = await started();
    await using _ = rig;
    let state = seed;
    const random = (): number => {
      state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
      return state / 2 ** 32;
    };
    rig.home.set.answer = (_iq, what) => (what === 'publish' && random() > 0.1 ? 'internal-server-error' : undefined);
    const all = Array.from({ length: 30 }, (_x, i) => `n${i}`);
    for (const text of all) {
      await rig.publish('t', text);
      await pass(clock, 2);
    }
    expect(await rig.asides()).toEqual([]);
    recover(rig);
    await pass(clock, 62);
    expect(atHome(rig, 't').toSorted()).toEqual(['first', ...all].toSorted());
    expect(await rig.asides()).toEqual([]);
  });

  it('has all in order where the process ends, and another begins, while it does not', async () => {
    const { clock, rig } = await started();
    await using _ = rig;
    failing(rig);
    await rig.publish('t', 'a', 'b', 'c');
    await pass(clock, 10);
    await rig.restart();
    await pass(clock, 10);
    await rig.restart();
    recover(rig);
    await pass(clock, 1);
    expect(atHome(rig, 't')).toEqual(['first', 'a', 'b', 'c']);
    expect(await rig.asides()).toEqual([]);
  });

  it('has all in order where the session is another one when it does', async () => {
    const { clock, rig } = await started();
    await using _ = rig;
    failing(rig);
    await rig.publish('t', 'a', 'b', 'c');
    await pass(clock, 12);
    rig.home.set.resumable = false;
    rig.home.cut();
    recover(rig);
    await pass(clock, 2);
    expect(atHome(rig, 't')).toEqual(['first', 'a', 'b', 'c']);
  });

  it('is not taken for one that has waited so long because of something else', async () => {
    const { clock, rig } = await started();
    await using _ = rig;
    failing(rig);
    await rig.publish('t', 'a');
    await pass(clock, 1);
    rig.home.set.answer = (_iq, what) => (what === 'publish' ? 'forbidden' : undefined);
    await pass(clock, 30);
    const before = rig.arrivals('t').length;
    failing(rig);
    for (let minute = 0; minute < 60 && rig.arrivals('t').length === before; minute++) await pass(clock, 1);
    await rig.publish('t', 'b');
    // Nothing goes before it yet.
    await pass(clock, 4);
    expect(new Set(rig.arrivals('t').slice(before))).toEqual(new Set(['a']));
    expect(await rig.asides()).toEqual([]);
  });
});

describe('what stood back does not put itself over a newer one of its item', () => {
  it('that has its id', async () => {
    const { clock, rig } = await started();
    await using _ = rig;
    refuse(rig, 'old');
    await rig.item('t', 'state', 'old');
    await pass(clock, 12);
    await rig.item('t', 'state', 'new');
    await pass(clock, 1);
    recover(rig);
    await pass(clock, 62);
    expect(rig.at('t', 'state')).toBe('new');
    expect(rig.arrivals('t').at(-1)).toBe('new');
    expect(await rig.asides()).toEqual([]);
    expect((await rig.status())?.queued).toBe(0);
  });

  it('that is told apart in another way, in the lane latest', async () => {
    const { clock, rig } = await started();
    await using _ = rig;
    await rig.log.append({ topic: 't', kind: 'configure', config: { lane: 'latest', maxItems: 100, key: '/k' } });
    rig.home.set.answer = (iq, what) => (what === 'publish' && iq.toString().includes('old') ? 'resource-constraint' : undefined);
    const say = (v: string): Promise<unknown> => rig.log.append({ topic: 't', kind: 'publish', payload: toPayload({ k: 'state', v }) });
    await say('old');
    await pass(clock, 12);
    rig.home.set.answer = (iq, what) => {
      // Once the newer one is there the older would be taken as well.
      if (what === 'publish' && iq.toString().includes('new')) recover(rig);
      return undefined;
    };
    await say('new');
    await pass(clock, 62);
    expect(atHome(rig, 't').at(-1)).toContain('new');
    expect(rig.arrivals('t').at(-1)).toContain('new');
    expect((await rig.status())?.queued).toBe(0);
  });
});

it('what stands back waits with its topic where that may not be written to, and goes first then', async () => {
  const { clock, rig } = await started();
  await using _ = rig;
  failing(rig);
  await rig.publish('t', 'a');
  await pass(clock, 12);
  rig.home.set.answer = (_iq, what) => (what === 'publish' ? 'forbidden' : undefined);
  await rig.publish('t', 'b');
  await pass(clock, 1);
  recover(rig);
  await pass(clock, 62);
  expect(atHome(rig, 't')).toEqual(['first', 'a', 'b']);
  expect(await rig.asides()).toEqual([]);
});
