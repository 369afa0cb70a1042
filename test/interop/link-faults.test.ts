import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box, Peer } from '../../src/index.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';

/** How long a peer with an open stream may be dead without our noticing. */
const NOTICED = 30_000;

describe.skipIf(!needs('root'))('a link that fails between two boxes', () => {
  const base = mkdtempSync(join(tmpdir(), 'lanpost-link-faults-'));
  let lan: Lan;
  let processes: BoxProcess[] = [];
  let a: Box, b: Box;

  const sees = async (box: Box, name: string, within: number, fits: (peer: Peer, type: string) => boolean): Promise<number> => {
    const begin = performance.now();
    for await (const { peer, type } of box.peers.watch({ signal: AbortSignal.timeout(within) })) if (peer.name === name && fits(peer, type)) break;
    return Math.round(performance.now() - begin);
  };
  const bodies = async (box: Box, count: number): Promise<string[]> => {
    const got: string[] = [];
    for await (const message of box.messages({ name: 'test', signal: AbortSignal.timeout(30_000) })) {
      message.ack();
      got.push(message.body);
      if (got.length === count) break;
    }
    return got;
  };

  beforeAll(async () => {
    lan = await createLan(2);
    processes = await Promise.all([1, 2].map(host => startBox({ dir: join(base, String(host)), name: `box${host}`, lan, host })));
    [a, b] = await Promise.all(processes.map(one => one.attach())) as [Box, Box];
    await Promise.all([sees(a, 'box2@h2', 10_000, (_, type) => type === 'up'), sees(b, 'box1@h1', 10_000, (_, type) => type === 'up')]);
  });
  afterAll(async () => {
    await Promise.all([a?.close(), b?.close()]);
    await Promise.all(processes.map(one => one.stop()));
    await lan?.down();
    rmSync(base, { recursive: true, force: true });
  });

  it('a silent cut is noticed, and what was sent into it arrives once and in order when it is over', async () => {
    await (await a.send('link:box2@h2', 'before')).delivered;
    await lan.silentCut(2);
    const receipts = [];
    for (const body of ['one', 'two', 'three']) receipts.push(await a.send('link:box2@h2', body));
    const noticed = await sees(a, 'box2@h2', NOTICED, (peer, type) => type === 'down' || !peer.connected);
    await lan.restore(2);
    const begin = performance.now();
    await Promise.all(receipts.map(({ delivered }) => delivered));
    console.info(`the cut was noticed after ${noticed} ms; everything had arrived ${Math.round(performance.now() - begin)} ms after its end`);
    expect(await bodies(b, 4)).toEqual(['before', 'one', 'two', 'three']);
  });

  it('a box that is killed and comes back gets what was sent to it meanwhile', async () => {
    await processes[1]?.kill();
    await b.close();
    const receipt = await a.send('link:box2@h2', 'while you were dead');
    const again = await startBox({ dir: join(base, '2'), name: 'box2', lan, host: 2 });
    processes[1] = again;
    b = await again.attach();
    await receipt.delivered;
    expect(await bodies(b, 1)).toEqual(['while you were dead']);
  });
});
