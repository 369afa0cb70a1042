import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createBox, type Box } from '../../src/index.ts';
import { WEB_LIMITS } from '../../src/web/limits.ts';
import { TopicWatch } from '../../src/web/topic-watch.ts';

let dir: string;
let box: Box;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lanpost-web-'));
  box = await createBox({ dir, link: false, control: false });
});
afterEach(async () => {
  await box.close();
  await rm(dir, { recursive: true, force: true });
});

describe('topics that are watched', () => {
  it('have the value of their newest item, and none when it was retracted', async () => {
    const watch = new TopicWatch(box, WEB_LIMITS);
    await box.publish('a', { n: 1 }, { id: 'x' });
    await box.topics.create('empty');
    const look = async (): Promise<unknown> => (await watch.look([''], 0)).get('')?.rows.map(({ name, last }) => [name, last?.value]);
    expect(await look()).toEqual([['a', '{"n":1}'], ['empty', undefined]]);
    await box.retract('a', 'x');
    expect(await look()).toEqual([['a', undefined], ['empty', undefined]]);
  });

  it('have the rate at which records come in, also of a topic whose view is full', async () => {
    const watch = new TopicWatch(box, WEB_LIMITS);
    await box.topics.create('fast', { maxItems: 1 });
    await box.publish('slow', 0);
    await watch.look([''], 0);
    let rates: number[] = [];
    for (let second = 1; second <= 60; second++) {
      await Promise.all([1, 2, 3].map((n) => box.publish('fast', n)));
      const rows = (await watch.look([''], second * 1000)).get('')?.rows ?? [];
      rates = rows.map(({ rate }) => rate);
    }
    expect(rates[0]).toBeCloseTo(3, 1);
    expect(rates[1]).toBe(0);
    await watch.look([''], 200_000);
    expect((await watch.look([''], 201_000)).get('')?.rate).toBe(0);
  });

  it('are found by words in name or title, each of whoever looks', async () => {
    await box.topics.create('hall/temperature', { title: 'Warm enough?' });
    await box.topics.create('attic/temperature');
    await box.topics.create('attic/light');
    const found = await new TopicWatch(box, WEB_LIMITS).look(['', 'ATTIC temp', 'warm', 'nothing'], 0);
    expect([...found.values()].map(({ total, found: many, rows }) => [total, many, rows.map(({ name }) => name)])).toEqual([
      [3, 3, ['attic/light', 'attic/temperature', 'hall/temperature']], [3, 1, ['attic/temperature']], [3, 1, ['hall/temperature']], [3, 0, []],
    ]);
  });

  it('are as many as there is room for, those with the newest records, and their values are asked for once', async () => {
    for (let n = 0; n < 9; n++) await box.publish(`t${n}`, n);
    let asked = 0;
    const counting = { topics: box.topics, items: (...args: Parameters<Box['items']>) => { asked++; return box.items(...args); } };
    const watch = new TopicWatch(counting, { ...WEB_LIMITS, topics: 4 });
    const shown = (await watch.look(['', ''], 0)).get('');
    expect([shown?.total, shown?.found, shown?.rows.map(({ name }) => name)]).toEqual([9, 9, ['t5', 't6', 't7', 't8']]);
    await watch.look([''], 1000);
    expect(asked).toBe(4);
    await box.publish('t0', 'again');
    const next = (await watch.look([''], 2000)).get('');
    expect(next?.rows.map(({ name, last }) => [name, last?.value])).toEqual([['t0', 'again'], ['t6', '6'], ['t7', '7'], ['t8', '8']]);
    expect(asked).toBe(5);
  });
});
