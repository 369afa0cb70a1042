// What nodes say that read at another box, over a real link: what its owner has said, what they leave, and whose items they give.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box } from '../../src/index.ts';
import { collect, saidBy, useFlows } from '../nodes/flow-kit.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { eventually } from '../support/eventually.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';

const { flows, load } = useFlows();
const SOON = { timeout: 40_000 } as const;
const helper = (id: string): object => ({ id, type: 'helper', z: 'f' });
const subscribe = (id: string, filter: string, more: object = {}): object => ({
  id, type: 'lanpost subscribe', configVersion: 2, box: 'box', filter, at: 'link:B@h2', from: 'new', last: 'none', durable: true, reader: '', changes: false, z: 'f', wires: [[`${id} out`]], ...more,
});

describe.skipIf(!needs('root'))('nodes that read at another box', () => {
  let folder: string, lan: Lan, a: BoxProcess, b: BoxProcess, boxA: Box, boxB: Box;
  const base = (): object[] => [{ id: 'f', type: 'tab', label: 'test' }, { id: 'box', type: 'lanpost box', mode: 'attach', dir: a.dir, boxName: '', link: true }];
  const startB = async (): Promise<void> => {
    b = await startBox({ dir: join(folder, 'b'), name: 'B', lan, host: 2 });
    boxB = await b.attach();
  };
  const seen = (): Promise<void> => eventually(async () => (await boxA.peers.list()).some(({ name }) => name === 'B@h2'));

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lanpost-there-'));
    lan = await createLan(2);
    a = await startBox({ dir: join(folder, 'a'), name: 'A', lan, host: 1 });
    boxA = await a.attach();
    await startB();
    await seen();
  });
  afterAll(async () => {
    await Promise.all([boxA?.close(), boxB?.close()]);
    await Promise.all([a?.stop(), b?.stop()]);
    await lan?.down();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([['live', false], ['durable', true]] as const)('one that is %s waits for the owner there, is refused, and goes on once it is let', async (kind, durable) => {
    const topic = `asked/${kind}`;
    await boxB.topics.create(topic, { accessModel: 'authorize' });
    await load([...base(), subscribe('sub', topic, { durable }), helper('sub out')]);
    const came = collect(flows.getNode('sub out'));
    const requests = async (): Promise<number> => (await boxB.topics.requests(topic)).length;
    expect(await saidBy(flows, 'sub', /owner|^received/)).toBe('waits for the owner of the peer, received 0');
    await boxB.topics.deny(topic, 'A@h1');
    expect(await saidBy(flows, 'sub', /refused|^received/)).toBe('refused by the owner of the peer, received 0');
    // It asks again when the peer is back.
    await boxB.close();
    await b.stop();
    await startB();
    await expect.poll(requests, SOON).toBe(1);
    expect(await saidBy(flows, 'sub', /^waits|^received/)).toBe('waits for the owner of the peer, received 0');
    await boxB.topics.approve(topic, 'A@h1');
    expect(await saidBy(flows, 'sub', /^received/)).toBe('received 0');
    await boxB.publish(topic, 1);
    expect((await came.next()).payload).toBe(1);
  }, 240_000);
});
