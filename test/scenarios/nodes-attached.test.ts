// Nodes at a box that runs already, on a real link: who went while it was away is told of when it is back.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { collect, saidBy, useFlows } from '../nodes/flow-kit.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';

describe.skipIf(!needs('root'))('peers, told by a box that runs already', () => {
  const { flows, dir, load } = useFlows();
  let lan: Lan;
  const running = new Set<BoxProcess>();
  const start = async (name: string, host: number): Promise<BoxProcess> => {
    mkdirSync(join(dir(), name), { recursive: true, mode: 0o700 });
    const box = await startBox({ dir: join(dir(), name), name, lan, host });
    running.add(box);
    return box;
  };
  const stop = async (box: BoxProcess): Promise<void> => {
    running.delete(box);
    await box.stop();
  };
  beforeAll(async () => { lan = await createLan(4); });
  afterEach(async () => { for (const box of running) await stop(box); });
  afterAll(async () => { await lan?.down(); });

  it('those that are there as before are not told again, those that went are, and those that came', async () => {
    await load([{ id: 'f', type: 'tab', label: 'test' }]);
    await flows.unload();
    const [a, gone, stays] = [await start('A', 1), await start('gone', 2), await start('stays', 3)];
    await load([
      { id: 'f', type: 'tab', label: 'test' }, { id: 'box', type: 'lanpost box', mode: 'attach', dir: 'A' },
      { id: 'peers', type: 'lanpost peers', box: 'box', z: 'f', wires: [['events'], []] }, { id: 'events', type: 'helper', z: 'f' },
    ]);
    const events = collect(flows.getNode('events'));
    const told = (): string[] => events.all.map(({ event, topic }) => `${event as string} ${topic as string}`).filter((one) => !one.startsWith('changed'));
    await expect.poll(told, { timeout: 40_000 }).toHaveLength(2);
    expect(new Set(told())).toEqual(new Set(['up gone@h2', 'up stays@h3']));
    await saidBy(flows, 'peers', /^[0-2] connected, 2 seen$/);
    await stop(a);
    await stop(gone);
    await start('came', 4);
    await start('A', 1);
    await expect.poll(() => new Set(told().slice(2)), { timeout: 60_000 }).toEqual(new Set(['down gone@h2', 'up came@h4']));
    expect(told()).toHaveLength(4);
    await saidBy(flows, 'peers', /^[0-2] connected, 2 seen$/);
    await stop(stays);
    await expect.poll(() => told().slice(4), { timeout: 40_000 }).toEqual(['down stays@h3']);
  }, 240_000);
});
