import { describe, expect, it } from 'vitest';
import { goesOn, mayMeet } from '../../src/home/succession.ts';
import { seeded } from '../support/seeded.ts';
import { createRig, type Rig } from './rig.ts';

const sent = (rig: Rig): string[] => rig.home.stanzas.flatMap((stanza) => {
  const item = stanza.getChild('pubsub')?.getChild('publish')?.getChild('item');
  return item ? [item.getChild('record')?.getChildText('json') ?? ''] : [];
});
const cursors = (rig: Rig): string[] => [...rig.log.cursors()].map(({ name }) => name).toSorted();

describe('filters', () => {
  it.each([['a', 'a', true], ['a', 'b', false], ['a/#', 'a', true], ['a/#', 'a/b/c', true], ['a/+', 'a', false], ['a/+', '+/b', true], ['a/+', '+/b/c', false], ['#', 'x/y', true], ['a/#', 'a/+/c', true], ['a/b/#', 'a/c/#', false], ['+/b/#', 'a/#', true]])('%s and %s may match one topic: %s', (a, b, may) => {
    expect([mayMeet(a, b), mayMeet(b, a)]).toEqual([may, may]);
  });
  it('one goes on as it was unless another before it takes its topics, or does not any more', () => {
    expect(goesOn('a/#', ['a/#'], ['b', 'a/#'])).toBe(true);
    expect(goesOn('a/#', ['a/#'], ['a/x', 'a/#'])).toBe(false);
    expect(goesOn('a/#', ['a/x', 'a/#'], ['a/#'])).toBe(false);
    expect(goesOn('a/#', ['a/#'], ['a/#', 'a/x'])).toBe(true);
    expect(goesOn('a/#', [], ['a/#'])).toBe(false);
  });
});

describe('other rules', () => {
  it('an earlier filter that overlaps sends nothing again', async () => {
    await using rig = await createRig();
    await rig.add({ topics: ['a/#'] });
    await rig.publish('a/x', 1, 2, 3);
    await rig.drained();
    await rig.add({ topics: ['a/#'], up: [{ filter: 'a/x' }] });
    await rig.publish('a/x', 4);
    await rig.drained();
    expect(sent(rig)).toEqual(['1', '2', '3', '4']);
    expect(cursors(rig)).toEqual(['home:box@home.test a/x', 'home:box@home.test#1 a/#']);
    await rig.restart();
    await rig.publish('a/y', 5);
    await rig.drained();
    expect(sent(rig)).toEqual(['1', '2', '3', '4', '5']);
  });

  it('what a filter had not sent yet goes with the one that has its topics now', async () => {
    await using rig = await createRig();
    rig.home.set.answer = (_iq, what, node) => (what === 'publish' && node === 'a/x' ? 'silence' : undefined);
    await rig.add({ topics: ['a/#'], up: [{ filter: 'a/x' }] });
    await rig.publish('a/x', 1, 2);
    await rig.publish('a/y', 3);
    await rig.until(() => rig.count('a/y') === 1);
    rig.home.set.answer = () => undefined;
    await rig.add({ topics: ['a/#'] });
    await rig.drained();
    expect([rig.count('a/x'), rig.count('a/y')]).toEqual([2, 1]);
    expect(cursors(rig)).toEqual(['home:box@home.test#1 a/#']);
  });

  it('what was put aside is tried once more by the rule that has it now', async () => {
    await using rig = await createRig();
    rig.home.set.answer = (_iq, what) => (what === 'publish' ? 'not-acceptable' : undefined);
    await rig.add({ topics: ['a'] });
    await rig.publish('a', 1);
    await rig.until(async () => (await rig.asides()).length === 1);
    rig.home.set.answer = () => undefined;
    await rig.add({ topics: ['#'] });
    await rig.drained();
    expect(rig.count('a')).toBe(1);
  });

  it.each([1, 2, 3, 4, 5, 6])('changed at any moment, with restarts, everything goes up and what has settled goes up once (seed %i)', async (seed) => {
    const random = seeded(seed);
    const pick = <T>(from: readonly [T, ...T[]]): T => from[Math.floor(random() * from.length)] ?? from[0];
    await using rig = await createRig({ limits: { settle: 10 } });
    const SETS: readonly [string[], ...string[][]] = [['#'], ['a/#', '#'], ['a/x', '#'], ['+/x', 'a/#', '#'], ['a/#', '+/x', '#'], ['a/y', 'a/+', 'b/#', '#']];
    const settledTimes = new Map<string, number>();
    let n = 0;
    for (let round = 0; round < 12; round++) {
      const up = pick(SETS).map((filter) => ({ filter }));
      await rig.add({ topics: [], up });
      for (let i = 0; i < 10; i++) await rig.publish(pick(['a/x', 'a/y', 'b/x', 'c']), n++);
      if (random() < 0.5) {
        await rig.drained();
        for (const value of sent(rig)) settledTimes.set(value, (settledTimes.get(value) ?? 0) + 1);
        rig.home.stanzas.length = 0;
      }
      if (random() < 0.3) await rig.restart({ limits: { settle: 10 } });
    }
    await rig.drained();
    const stored = [...rig.home.nodes.values()].flatMap((items) => [...items.values()].map((record) => Number(record.getChildText('json'))));
    expect(stored.toSorted((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
    // Of what had settled nothing is sent any more.
    expect(sent(rig).filter((value) => settledTimes.has(value))).toEqual([]);
  });
});
