import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createLan, type Lan } from './lan.ts';
import { needs } from './needs.ts';
import { createWire, type Wire } from './wire.ts';

const PING = fileURLToPath(new URL('ping.py', import.meta.url));
interface Pings { readonly sent: number; readonly answers: number[]; readonly ms: number[] }

describe.skipIf(!needs('root', 'tun'))('the wire', () => {
  let lan: Lan;
  let wire: Wire;
  const ping = async (count: number, wait = 0.5): Promise<Pings> =>
    JSON.parse(await lan.run(1, 'python3', [PING, wire.address(2), String(count), '0.002', String(wait)])) as Pings;

  beforeAll(async () => {
    lan = await createLan(2);
    wire = await createWire(lan, 1, 2);
    await ping(1); // ARP is done
  });
  afterAll(async () => {
    await wire?.close();
    await lan?.down();
  });
  beforeEach(() => wire.set({ on: true, delay: 0, jitter: 0, loss: 0, duplicate: 0, reorder: 0, seed: 7 }));

  it('carries everything in order when nothing is asked of it', async () => {
    const { answers } = await ping(200);
    expect(answers).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });

  it('loses the share it is told to, of what one end sends', async () => {
    await wire.set({ loss: 0.3, from: 'a' });
    const { answers } = await ping(400);
    expect(answers.length).toBeGreaterThan(400 * 0.6);
    expect(answers.length).toBeLessThan(400 * 0.8);
  });

  it('doubles and delays', async () => {
    await wire.set({ duplicate: 1, delay: 30, from: 'a' });
    const { answers, ms } = await ping(20, 1);
    expect(answers.length).toBe(40);
    expect(Math.min(...ms)).toBeGreaterThanOrEqual(30);
  });

  it('reorders', async () => {
    await wire.set({ reorder: 0.3, from: 'a' });
    const { answers } = await ping(200);
    expect(new Set(answers).size).toBe(200);
    expect(answers).not.toEqual(answers.toSorted((x, y) => x - y));
  });

  it('falls silent and comes back', async () => {
    await wire.set({ on: false });
    expect((await ping(5)).answers).toEqual([]);
    await wire.set({ on: true });
    expect((await ping(5)).answers.length).toBe(5);
  });
});
