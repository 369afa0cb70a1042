import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBox, type Box } from '../../src/index.ts';
import { lanpost, launch, objects } from './lanpost.ts';

let dir: string;
let box: Box;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lanpost-ledger-'));
  box = await createBox({ dir, link: false, name: 'shed' });
});
afterAll(async () => {
  await box.close();
  await rm(dir, { recursive: true, force: true });
});

/** A reader that is away loses all but one of three items. */
async function lose(name: string): Promise<void> {
  const reader = box.subscribe(`work/${name}`, { durable: name, maxBacklog: { records: 1 } });
  await reader.ready;
  await reader.close();
  for (const value of [1, 2, 3]) await box.publish(`work/${name}`, value);
}

describe('lanpost ledger', () => {
  it('prints nothing when nothing was lost, then what was, and with --follow what is', async () => {
    expect(await lanpost(['ledger', '--dir', dir])).toEqual({ code: 0, out: '', err: '' });
    const following = launch(['ledger', '--follow', '--dir', dir]);
    await lose('first');
    const first = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\??\tfirst\twork\/first\t2 lost\t\d+ to \d+\toverflow\n$/;
    expect(await following.until('overflow\n')).toMatch(first);
    expect((await lanpost(['ledger', '--dir', dir])).out).toMatch(first);
    expect(objects((await lanpost(['ledger', '--json', '--dir', dir])).out)).toMatchObject([
      { topic: '$ledger', kind: 'item', value: { subscription: 'first', topic: 'work/first', count: 2, reason: 'overflow' } },
    ]);
    const wide = box.subscribe('wide/#', { durable: 'wide', maxBacklog: { records: 1 } });
    await wide.ready;
    await wide.close();
    for (let n = 0; n < 35; n++) await box.publish(`wide/${n}`, n);
    expect(await following.until('besides 32 topics')).toMatch(/\twide\twide\/# besides 32 topics\t2 lost\t\d+ to \d+\toverflow\n/);
    const lost = objects((await lanpost(['ledger', '--json', '--dir', dir])).out);
    expect(lost).toHaveLength(34);
    expect(lost).toContainEqual(expect.objectContaining({ value: expect.objectContaining({ subscription: 'wide', topic: 'wide/7', count: 1 }) }));
    expect(lost.at(-1)).toMatchObject({ value: { subscription: 'wide', topic: 'wide/#', besides: 32, count: 2 } });
    await lose('second');
    await following.until('second\twork/second\t2 lost');
    const late = launch(['ledger', '--follow', '--dir', dir]);
    expect((await late.until('second')).split('\n').filter(Boolean)).toHaveLength(35);
    for (const one of [following, late]) one.child.kill('SIGINT');
    expect((await following.ended).out.split('\n').filter(Boolean)).toHaveLength(35);
    expect(await late.ended).toMatchObject({ err: '' });
  });
});
